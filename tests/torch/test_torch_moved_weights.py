"""Parameters that a module rearranges before it reads them keep their own names and shapes in the code."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import interlingua
from interlingua.codegen import expressions
from interlingua.ir.origin import evaluate, parse, shape_after
from interlingua_torch.lowering.moves import MOVES


class Rearranging(nn.Module):
    """Each parameter stands in the graph in another form than in the state dict; one stands there in two forms."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.randn(4))
        self.positions = nn.Parameter(torch.randn(9, 4))
        self.table = nn.Embedding(7, 4)
        self.twice = nn.Parameter(torch.randn(3, 4))
        self.projection = nn.Parameter(torch.randn(4, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x * self.scale.view(1, 4, 1) + self.positions[2:7].T
        x = x + self.table(torch.arange(5)).T + self.twice[:1].reshape(4, 1) * self.twice[2][:, None]
        return (self.projection.T * 0.5) @ x


def loaded(folder: Path) -> nn.Module:
    spec = importlib.util.spec_from_file_location("model", folder / "model.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load()  # type: ignore[no-any-return]


def test_state_dict_loads_and_gradients_are_those_of_the_source(tmp_path: Path) -> None:
    torch.manual_seed(0)
    source, x = Rearranging(), torch.randn(2, 4, 5)
    report = interlingua.convert(source, "torch", tmp_path / "out", example_inputs=x)
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    generated = loaded(tmp_path / "out")
    assert {n: p.shape for n, p in generated.named_parameters()} == {n: p.shape for n, p in source.named_parameters()}
    generated.load_state_dict(source.state_dict(), strict=True)
    for module in (source, generated):
        module(x).square().sum().backward()
    wanted = dict(source.named_parameters())
    for name, parameter in generated.named_parameters():
        torch.testing.assert_close(parameter.grad, wanted[name].grad)
    text = (tmp_path / "out" / "model.py").read_text()
    assert "self.scale[None, :, None]" in text and "self.positions[2:7]" in text


def test_a_model_without_a_state_keeps_its_weights_as_they_are_read(tmp_path: Path) -> None:
    """An ONNX file has no state dict to keep to: a weight that is read reshaped is kept reshaped."""
    source = Rearranging()
    interlingua.convert(source, "onnx", tmp_path / "onnx", example_inputs=torch.randn(2, 4, 5))
    (path,) = (tmp_path / "onnx").glob("*.onnx")
    interlingua.convert(path, "torch", tmp_path / "out", verify=False)
    assert "[None, :, None]" not in (tmp_path / "out" / "model.py").read_text()


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("reshape(w, 4, 1, 3)", "w[:, None]"),
        ("reshape(w, 1, 4, 3, 1)", "w[None, :, :, None]"),
        ("reshape(w, 12)", "w.flatten()"),
        ("reshape(w, 1, 1, 12)", "w.flatten()[None, None]"),
        ("reshape(w, 1, 2, 6)", "w.reshape(1, 2, 6)"),
        ("reshape(w, 3, 4)", "w.reshape(3, 4)"),
        ("transpose(w, 1, 0)", "w.T"),
        ("slice(w, 1, 1, 3)", "w[:, 1:]"),
        ("slice(w, 0, 0, 4, 2)", "w[::2]"),
        ("slice(w, 0, 3, -1, -2)", "w[[3, 1]]"),
        ("take(w, 0, 0, 1, 2, 3)", "w"),
        ("take(w, 0, 1, 2)", "w[1:3]"),
        ("take(w, 1, 2, 0)", "w[:, [2, 0]]"),
        ("flip(w, 0)", "w.flip(0)"),
        ("multiply(w, 0.5)", "w * 0.5"),
        ("negative(w)", "-w"),
    ],
)
def test_each_move_is_said_as_a_person_says_it(said: str, wanted: str) -> None:
    origin: Any = parse(said)
    code = ast.unparse(MOVES[origin.function]([expressions.name("w")], [(4, 3)], origin.numbers))
    assert code == wanted
    w = torch.arange(12.0).reshape(4, 3)
    value = eval(code, {"w": w})
    assert torch.equal(value, torch.from_numpy(evaluate(origin, {"w": w.numpy()}).copy()))
    assert tuple(value.shape) == shape_after(origin.function, [(4, 3)], origin.numbers)
