"""Core alone, and core with two plugins, installed by pip from the tree into a fresh environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from interlingua.testing import nets

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree: pip builds inside what it installs."""
    folder = tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder)
    skipped = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    for name in ("core", "plugins"):
        shutil.copytree(ROOT / name, folder / name, ignore=skipped)
    return folder


@pytest.fixture(scope="module")
def fresh(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment that holds core and no plugin."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, with_pip=True)
    _pip(folder / "bin", str(tree))
    return folder / "bin"


def _pip(tools: Path, *what: str) -> None:
    command = [tools / "python", "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", *what]
    subprocess.run([str(word) for word in command], check=True, timeout=600)


def _interlingua(tools: Path, *words: str) -> subprocess.CompletedProcess[str]:
    runtimes = {f"INTERLINGUA_PYTHON_{name}": sys.executable for name in ("TORCH", "PADDLE")}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | runtimes
    command = [str(tools / "interlingua"), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


def test_core_runs_with_no_plugin_and_two_plugins_convert(fresh: Path, tree: Path, tmp_path: Path) -> None:
    source = nets.saved(nets.lenet(), tmp_path / "lenet.onnx")
    listed = json.loads(_interlingua(fresh, "plugins", "--json").stdout)
    assert [row["distribution"] for row in listed["frameworks"]] == ["interlingua"]
    done = _interlingua(fresh, "convert", str(source), "--to", "onnx", "-o", str(tmp_path / "onnx"))
    assert done.returncode == 0, done.stderr
    refused = _interlingua(fresh, "convert", str(source), "--to", "torch", "-o", str(tmp_path / "torch"))
    assert refused.returncode == 2 and "pip install interlingua-torch" in refused.stderr

    _pip(fresh, "--no-deps", str(tree / "plugins" / "torch"), str(tree / "plugins" / "paddle"))
    for start, target in ((source, "torch"), (tmp_path / "torch" / "model.pt2", "paddle")):
        done = _interlingua(fresh, "convert", str(start), "--to", target, "-o", str(tmp_path / target))
        assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "paddle" / "report.json").read_text())
    assert {proof["verdict"] for proof in report["proofs"]} == {"proved"}
    assert any("torch" in proof["reference"] for proof in report["proofs"])
    back = _interlingua(
        fresh,
        "convert",
        str(tmp_path / "paddle" / report["target"]["path"]),
        "--to",
        "torch",
        "-o",
        str(tmp_path / "back"),
    )
    assert back.returncode == 0, back.stderr


def test_no_framework_is_in_that_environment(fresh: Path) -> None:
    code = "import importlib.util as u; print([m for m in ('torch', 'tensorflow', 'paddle', 'cv2') if u.find_spec(m)])"
    said = subprocess.run([str(fresh / "python"), "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
