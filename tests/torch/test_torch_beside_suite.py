"""Operators that no case of the ONNX backend suite has, beside onnxruntime."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import interlingua

GRAPHS = {
    "GlobalLpPool": ("float[2, 3, 4, 5] x", "float[2, 3, 1, 1] y", "y = GlobalLpPool <p = 3> (x)"),
    "MaxRoiPool": (
        "float[2, 3, 8, 8] x, float[2, 5] r",
        "float[2, 3, 2, 2] y",
        "y = MaxRoiPool <pooled_shape = [2, 2], spatial_scale = 1.0> (x, r)",
    ),
    "Optional": ("float[2, 3] x", "float[2, 3] y", "o = Optional (x)  y = OptionalGetElement (o)"),
}


@pytest.mark.parametrize("name", sorted(GRAPHS))
def test_agrees_with_onnxruntime(name: str, tmp_path: Path) -> None:
    inputs, outputs, body = GRAPHS[name]
    graph = f'<ir_version: 10, opset_import: ["": 21]> g ({inputs}) => ({outputs}) {{ {body} }}'
    onnx.save(onnx.parser.parse_model(graph), tmp_path / "model.onnx")
    interlingua.write(interlingua.read(tmp_path / "model.onnx"), "torch", tmp_path / "out")
    specification = importlib.util.spec_from_file_location("beside_suite", tmp_path / "out" / "model.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    draw = np.random.default_rng(0)
    arrays = {each.name: draw.standard_normal(each.shape).astype(np.float32) for each in session.get_inputs()}
    if "r" in arrays:
        arrays["r"] = np.array([[0, 0, 0, 5, 6], [1, 2, 1, 7, 7]], np.float32)
    (expected,) = session.run(None, arrays)
    result = module.load()(*(torch.from_numpy(array) for array in arrays.values()))
    assert np.allclose(result.detach().numpy(), expected, rtol=1e-5, atol=1e-6)
