"""Numbers drawn by chance: shape, element type and moments, since no two runtimes draw the same."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch

import interlingua

LIKE = torch.zeros(200, 300)
DRAWS = {
    "RandomNormal": ("RandomNormal <shape = [200, 300], mean = 3.0, scale = 2.0> ()", 3.0, 2.0),
    "RandomUniform": ("RandomUniform <shape = [200, 300], low = 1.0, high = 3.0> ()", 2.0, 2 / 12**0.5),
    "RandomNormalLike": ("RandomNormalLike <mean = -1.0, scale = 0.5> (x)", -1.0, 0.5),
    "RandomUniformLike": ("RandomUniformLike (x)", 0.5, 1 / 12**0.5),
}


def drawn(text: str, kind: str, given: torch.Tensor, folder: Path) -> Any:
    shape = ", ".join(map(str, given.shape))
    graph = f'<ir_version: 10, opset_import: ["": 22]> g (float[{shape}] x) => ({kind} y) {{ y = {text} }}'
    onnx.save(onnx.parser.parse_model(graph), folder / "model.onnx")
    interlingua.write(interlingua.read(folder / "model.onnx"), "torch", folder / "out")
    module = runpy.run_path(str(folder / "out" / "model.py"))
    torch.manual_seed(0)
    return module["load"]()(given)


@pytest.mark.parametrize("name", sorted(DRAWS))
def test_numbers_have_the_law_that_is_said(name: str, tmp_path: Path) -> None:
    text, mean, deviation = DRAWS[name]
    result = drawn(text, "float[200, 300]", LIKE, tmp_path)
    assert result.shape == (200, 300)
    assert result.dtype == torch.float32
    assert result.mean().item() == pytest.approx(mean, abs=0.03)
    assert result.std().item() == pytest.approx(deviation, rel=0.02)


def test_classes_are_drawn_by_the_logarithms_of_their_probabilities(tmp_path: Path) -> None:
    chances = torch.tensor([[0.1, 0.2, 0.7]])
    result = drawn("Multinomial <sample_size = 20000> (x)", "int32[1, 20000]", chances.log() + 5, tmp_path)
    assert result.dtype == torch.int32
    shares = torch.bincount(result[0].long(), minlength=3) / 20000
    assert torch.allclose(shares, chances[0], atol=0.02)
