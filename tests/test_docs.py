"""The documents are under test: every command runs, every generated page is fresh, every error and option is there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from interlingua import errors

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def _run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        shlex.split(command), cwd=folder, env=_ENVIRONMENT, capture_output=True, text=True, timeout=600, check=False
    )


def test_generated_pages_are_fresh() -> None:
    done = _run(f"{sys.executable} tools/docs.py --check", ROOT)
    assert done.returncode == 0, done.stderr


def test_outputs_in_the_readme_are_fresh() -> None:
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        from readme import rendered
    finally:
        sys.path.pop(0)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert rendered(text) == text, "`python tools/readme.py` writes them anew"


def test_pages_build() -> None:
    done = _run("mkdocs build -q --strict -d site", ROOT)
    assert done.returncode == 0, done.stderr


def _blocks(page: Path) -> list[tuple[str, str]]:
    """Console commands with the output shown below each."""
    found: list[tuple[str, str]] = []
    for block in re.findall(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


@pytest.mark.slow
def test_every_console_command_runs_and_says_what_is_shown(tmp_path: Path) -> None:
    maker = f"{sys.executable} {ROOT / 'examples' / 'make_lenet_tf1.py'} demo/checkpoint"
    assert _run(maker, tmp_path).returncode == 0
    for page in PAGES:
        for command, output in _blocks(page):
            done = _run(command, tmp_path)
            assert done.returncode == 0, f"{page.name}: {command}: {done.stderr}"
            for line in output.splitlines():
                shape = re.escape(re.sub(r"\s+", " ", line.strip()))
                shape = re.sub(r"\d\\\.\d+e\\-\d+", r"[\\d.e+-]+", shape).replace(r"\ ", r"\s+")
                assert re.search(shape, done.stdout), f"{page.name}: {command} does not say {line!r}:\n{done.stdout}"


def test_every_query_named_in_the_documents_is_answered(tmp_path: Path) -> None:
    queries = {
        found
        for page in PAGES
        for found in re.findall(r"`(interlingua api [^`]+)`", page.read_text(encoding="utf-8"))
        if "verify" not in found and "NAME" not in found
    }
    assert len(queries) >= 3
    for query in sorted(queries):
        done = _run(query, tmp_path)
        assert done.returncode == 0 and done.stdout, f"{query}: {done.stderr}"


def test_make_targets_named_in_the_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        named = set(re.findall(r"`make ([a-z]+)`", page.read_text(encoding="utf-8")))
        named |= set(re.findall(r"^make ([a-z]+)$", page.read_text(encoding="utf-8"), re.MULTILINE))
        assert named <= targets, f"{page.name}: {named - targets}"


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_every_error_stands_in_the_reference_with_its_own_exit_code() -> None:
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    kinds = [kind for kind in errors.InterlinguaError.__subclasses__() if kind.__module__ == errors.__name__]
    assert len({kind.exit_code for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert f"| {kind.exit_code} | `{kind.__name__}` |" in text


def test_the_project_speaks_of_itself_alone() -> None:
    """No path of a machine, no name of a registry host in what is published."""
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    folders, hosts = "|".join(("work", "root", "home")), "|".join(("pypi", "pythonhosted"))
    forbidden = re.compile(rf"/({folders})/[a-z]|({hosts})\.org|[.]pyenv[/]versions")
    wrong = [name for name in names if forbidden.search((ROOT / name).read_bytes().decode("utf-8", "replace"))]
    assert not wrong
