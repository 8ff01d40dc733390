"""Operators that no case of the ONNX backend suite has, beside onnxruntime."""

from __future__ import annotations

import runpy
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


def written(graph: str, folder: Path) -> torch.nn.Module:
    """The graph as PyTorch."""
    onnx.save(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 21]> g {graph}'), folder / "model.onnx")
    interlingua.write(interlingua.read(folder / "model.onnx"), "torch", folder / "out")
    module = runpy.run_path(str(folder / "out" / "model.py"))
    model: torch.nn.Module = module["load"]()
    return model


@pytest.mark.parametrize("name", sorted(GRAPHS))
def test_agrees_with_onnxruntime(name: str, tmp_path: Path) -> None:
    inputs, outputs, body = GRAPHS[name]
    model = written(f"({inputs}) => ({outputs}) {{ {body} }}", tmp_path)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    draw = np.random.default_rng(0)
    arrays = {each.name: draw.standard_normal(each.shape).astype(np.float32) for each in session.get_inputs()}
    if "r" in arrays:
        arrays["r"] = np.array([[0, 0, 0, 5, 6], [1, 2, 1, 7, 7]], np.float32)
    (expected,) = session.run(None, arrays)
    result = model(*(torch.from_numpy(array) for array in arrays.values()))
    assert np.allclose(result.detach().numpy(), expected, rtol=1e-5, atol=1e-6)


def test_a_product_with_a_scale_for_each_row(tmp_path: Path) -> None:
    """The standard has one for each row of the first factor; onnxruntime refuses it, the reference broadcasts it."""
    rows = "s = Constant <value = float[4] {0.01, 0.02, 0.03, 0.04}> () z = Constant <value = uint8[4] {1, 2, 3, 4}> ()"
    both = "u = Constant <value = uint8 {3}> () t = Constant <value_float = 0.02> ()"
    product = "v = Constant <value_float = 0.5> () y = QLinearMatMul (a, s, z, b, t, u, v, u)"
    graph = f"(uint8[4, 4] a, uint8[4, 4] b) => (uint8[4, 4] y) {{ {rows} {both} {product} }}"
    draw = np.random.default_rng(0)
    a, b = (draw.integers(0, 255, (4, 4)).astype(np.uint8) for _ in "ab")
    scales, points = np.array([[0.01], [0.02], [0.03], [0.04]]), np.array([[1], [2], [3], [4]])
    exact = scales * (a - points) @ ((b.astype(np.float64) - 3) * 0.02)
    result = written(graph, tmp_path)(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    np.testing.assert_array_equal(result, np.clip(np.round(exact / 0.5) + 3, 0, 255).astype(np.uint8))
