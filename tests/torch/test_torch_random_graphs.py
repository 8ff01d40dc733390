"""Random graphs through PyTorch, a few of the many that `make fuzz` tries, and what those found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from interlingua import convert

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_random_graphs_agree_with_onnxruntime() -> None:
    command = [sys.executable, str(ROOT / "tools" / "fuzz.py"), "--graphs", "40", "--seed", "1", "--no-save"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_a_layer_has_the_type_of_its_weights(tmp_path: Path, dtype: str) -> None:
    kind = {"float64": "double", "float16": "float16"}[dtype]
    text = f'<ir_version: 10, opset_import: ["": 21]> g ({kind}[2, 3] x) => ({kind}[2, 4] y) {{ y = MatMul (x, w) }}'
    model = onnx.parser.parse_model(text)
    weight = np.linspace(-1, 1, 12).reshape(3, 4).astype(dtype)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    onnx.save(model, tmp_path / "model.onnx")
    report = convert(tmp_path / "model.onnx", "torch", tmp_path / "out")
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    assert f"dtype=torch.{dtype}" in (tmp_path / "out" / "model.py").read_text()
