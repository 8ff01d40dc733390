"""The gallery: committed files are what the converter writes, and whole models in torch and safetensors alone."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON = ROOT / ".environments" / "zoo" / "bin" / "python"
GALLERY = ROOT / "docs" / "gallery"
ROWS: dict[str, dict[str, Any]] = json.loads((ROOT / "docs" / "results" / "zoo.json").read_text())
LIMITS = {"resnet50": 200, "mobilenet_v2": 200, "vit_b_16": 200, "swin_t": 400, "bert": 300}
IMAGE = torch.empty(3, 3, 224, 224, device="meta")
TOKENS = torch.empty(3, 9, dtype=torch.int64, device="meta")
CALLS: dict[str, tuple[torch.Tensor, ...]] = {"bert": (TOKENS, TOKENS)}


@pytest.mark.parametrize("name", LIMITS)
def test_a_file_is_a_whole_model_of_the_sources_size(name: str) -> None:
    """Made and called on the meta device: no weights are needed, and another batch than the zoo's fits."""
    path = GALLERY / f"{name}.py"
    lines = path.read_text("utf-8").splitlines()
    assert len(lines) <= LIMITS[name]
    module = runpy.run_path(str(path))
    with torch.device("meta"), torch.no_grad():
        model = module["Model"]().eval()
        result = model(*CALLS.get(name, (IMAGE,)))
    first = result[0] if isinstance(result, tuple) else result
    assert first.shape[0] == 3
    row = ROWS[name]
    assert sum(parameter.numel() for parameter in model.parameters()) == row["parameters"] - row["unused"]


@pytest.mark.parametrize("name", LIMITS)
def test_a_file_imports_torch_and_safetensors_alone(name: str) -> None:
    tree = ast.parse((GALLERY / f"{name}.py").read_text("utf-8"))
    found = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    found |= {each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names}
    assert {each.partition(".")[0] for each in found} <= {"torch", "safetensors", "pathlib", "collections"}


def test_the_page_tells_of_every_file_and_its_length() -> None:
    page = (ROOT / "docs" / "gallery.md").read_text("utf-8")
    rows = re.findall(r"\[(\w+)\.py\]\(gallery/\1\.py\)[^|]*\|[^|]*\| (\d+) \|", page)
    told = {name: int(count) for name, count in rows}
    lengths = {path.stem: len(path.read_text("utf-8").splitlines()) for path in GALLERY.glob("*.py")}
    assert told == lengths and set(lengths) == set(LIMITS)


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON.exists(), reason="no environment of the zoo: make zoo")
@pytest.mark.parametrize("name", LIMITS)
def test_a_file_is_what_is_written_now(name: str, tmp_path: Path) -> None:
    command = [str(PYTHON), str(ROOT / "tools" / "gallery.py"), "--to", str(tmp_path), name]
    done = subprocess.run(command, env={**os.environ, "HF_HUB_OFFLINE": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / f"{name}.py").read_bytes() == (GALLERY / f"{name}.py").read_bytes()
