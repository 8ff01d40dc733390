"""Plugins are listed without a framework; a broken one and two claimants are named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

FRAMEWORKS = ("torch", "tensorflow", "keras", "paddle", "cv2", "caffe", "jax")
DECLARES = """
from interlingua.plugin import Backend, Format, Framework, hookimpl

@hookimpl
def frameworks():
    form = Format("{name}-file", "A file", recognise="nowhere:recognise", reader="nowhere:read")
    backend = Backend("nowhere:write", ("{name}-file",), "")
    return [Framework("{name}", "A framework", aliases=("{alias}",), formats=(form,), backend=backend)]
"""


def install(site: Path, distribution: str, module: str, source: str, name: str = "") -> None:
    """A distribution as pip leaves it: a module and the metadata beside it."""
    (site / f"{module}.py").write_text(textwrap.dedent(source))
    metadata = site / f"{distribution.replace('-', '_')}-1.5.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n")
    (metadata / "entry_points.txt").write_text(f"[interlingua]\n{name or module} = {module}\n")


def python(source: str, site: Path | None = None) -> subprocess.CompletedProcess[str]:
    paths = [str(site)] if site else []
    paths += [path for path in [os.environ.get("PYTHONPATH")] if path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "160"}
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)], capture_output=True, text=True, env=environment, timeout=60
    )


def command(arguments: list[str], site: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`interlingua ARGUMENTS`; the last line of standard error says which frameworks were imported."""
    return python(
        f"""
        import sys
        from interlingua.cli import main
        sys.argv = ["interlingua", *{arguments!r}]
        try:
            main()
        finally:
            loaded = {{name.partition(".")[0] for name in sys.modules}}
            print(sorted(loaded & {set(FRAMEWORKS)!r}), file=sys.stderr)
        """,
        site,
    )


@pytest.mark.parametrize("arguments", [["plugins"], ["plugins", "--json"], ["doctor"], ["env", "list"]])
def test_listing_imports_no_framework(arguments: list[str]) -> None:
    done = command(arguments)
    assert done.returncode in (0, 7), done.stderr
    assert done.stdout
    assert done.stderr.splitlines()[-1] == "[]"


def test_the_commands_import_nothing_heavy_before_they_run() -> None:
    done = python(
        """
        import sys
        import interlingua.cli
        print(sorted({"numpy", "onnx", "onnx_ir", "pluggy", "rich.table"} & set(sys.modules)))
        """
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_our_own_plugin_is_listed_with_what_it_reads_and_writes() -> None:
    told = json.loads(command(["plugins", "--json"]).stdout)
    (row,) = [row for row in told["frameworks"] if row["framework"] == "onnx"]
    assert row["distribution"] == "interlingua"
    assert "onnx" in row["reads"]
    assert "onnx" in row["writes"]


def test_a_strangers_plugin_is_listed(tmp_path: Path) -> None:
    install(tmp_path, "interlingua-stranger", "stranger", DECLARES.format(name="stranger", alias="odd"))
    told = json.loads(command(["plugins", "--json"], tmp_path).stdout)
    (row,) = [row for row in told["frameworks"] if row["framework"] == "stranger"]
    assert (row["distribution"], row["version"], row["aliases"]) == ("interlingua-stranger", "1.5", ["odd"])
    assert (row["reads"], row["writes"]) == (["stranger-file"], ["stranger-file"])
    shown = command(["plugins"], tmp_path)
    assert shown.returncode == 0
    assert "interlingua-stranger 1.5" in shown.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import a_module_that_nobody_has", "ModuleNotFoundError: No module named 'a_module_that_nobody_has'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def frameworks(:", "SyntaxError"),
        ("answer = 42", "PluginError: Expected a hook `frameworks` or `extensions` in crooked"),
    ],
)
def test_a_broken_plugin_is_shown_with_its_reason_and_breaks_no_other(tmp_path: Path, source: str, reason: str) -> None:
    install(tmp_path, "interlingua-crooked", "crooked", source)
    told = json.loads(command(["plugins", "--json"], tmp_path).stdout)
    (row,) = [row for row in told["broken"] if row["plugin"] == "crooked"]
    assert row["distribution"] == "interlingua-crooked"
    assert row["reason"].startswith(reason)
    assert "onnx" in [row["framework"] for row in told["frameworks"]]
    shown = command(["plugins"], tmp_path)
    assert shown.returncode == 0
    assert f"Broken: crooked (interlingua-crooked 1.5): {reason}" in shown.stdout
    checked = command(["doctor", "--json"], tmp_path)
    assert checked.returncode == 7
    (status,) = [status for status in json.loads(checked.stdout) if status["runtime"] == "crooked"]
    assert status["problem"].startswith(f"The plugin is broken: {reason}")
    assert status["mend"] == "pip install --force-reinstall interlingua-crooked"


def test_a_broken_plugin_is_not_a_missing_one(tmp_path: Path) -> None:
    install(tmp_path, "interlingua-crooked", "crooked", "import a_module_that_nobody_has")
    done = python(
        """
        from interlingua import plugin
        for name in ("crooked", "onx", "utterly-unknown"):
            try:
                plugin.framework(name)
            except Exception as error:
                print(type(error).__name__, error)
        """,
        tmp_path,
    )
    broken, near, unknown = done.stdout.splitlines()
    assert broken.startswith("PluginError The plugin interlingua-crooked is installed but broken: ModuleNotFoundError")
    assert near.startswith("UsageError")
    assert near.endswith("Did you mean 'onnx'?")
    assert unknown.endswith("Try: pip install interlingua-utterly-unknown")


@pytest.mark.parametrize(("name", "alias"), [("onnx", "whatever"), ("another", "onnx")])
def test_two_claimants_of_a_name_are_both_named(tmp_path: Path, name: str, alias: str) -> None:
    install(tmp_path, "interlingua-rival", "rival", DECLARES.format(name=name, alias=alias))
    done = python(
        """
        from interlingua import plugin
        from interlingua.errors import PluginError
        try:
            plugin.frameworks()
        except PluginError as error:
            print(error.exit_code, error)
        """,
        tmp_path,
    )
    assert done.stdout.startswith("10 Expected one plugin for the name 'onnx'. Received two: "), done.stderr
    assert "interlingua-rival" in done.stdout
    assert "interlingua " in done.stdout
    assert "pip uninstall" in done.stdout
    shown = command(["plugins"], tmp_path)
    assert shown.returncode == 10
    assert "interlingua-rival" in shown.stdout
    assert "Expected one plugin for the name 'onnx'. Received two" in shown.stderr
