"""Parameters that a module rearranges before it reads them keep their own names and shapes in the code."""

from __future__ import annotations

import ast
import runpy
from pathlib import Path
from typing import Any

import onnx_ir as ir
import pytest
import torch
import torch.nn.functional as F
from generated import Generated
from torch import nn

import interlingua
from interlingua.codegen import expressions
from interlingua.ir.origin import evaluate, parse, shape_after
from interlingua_torch.lowering.moves import MOVES

pytestmark = pytest.mark.slow


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


class Attending(nn.Module):
    """As Swin v2 and MaxViT: a bias of which a third is cleared, and a table of positions with a name of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(4, 12)
        self.positions = nn.Parameter(torch.randn(9, 12))
        self.register_buffer("index", torch.tensor([[3, 1], [0, 8]]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bias = self.qkv.bias.clone()
        bias[4:8].zero_()
        return F.linear(x, self.qkv.weight, bias) + self.positions[self.index.view(-1)].view(2, 2, 12)


def loaded(folder: Path) -> nn.Module:
    module = runpy.run_path(str(folder / "model.py"))
    return module["load"]()  # type: ignore[no-any-return]


def agreed(source: nn.Module, x: torch.Tensor, out: Path) -> str:
    """The generated code, whose state and gradients are the source's."""
    report = interlingua.convert(source, "torch", out, example_inputs=x)
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    generated = loaded(out)
    assert {n: p.shape for n, p in generated.named_parameters()} == {n: p.shape for n, p in source.named_parameters()}
    generated.load_state_dict(source.state_dict(), strict=True)
    for module in (source, generated):
        module(x).square().sum().backward()
    wanted = dict(source.named_parameters())
    for name, parameter in generated.named_parameters():
        torch.testing.assert_close(parameter.grad, wanted[name].grad)
    return (out / "model.py").read_text()


def test_state_dict_loads_and_gradients_are_those_of_the_source(tmp_path: Path) -> None:
    torch.manual_seed(0)
    text = agreed(Rearranging(), torch.randn(2, 4, 5), tmp_path / "out")
    assert "self.scale[None, :, None]" in text and "self.positions[2:7]" in text


@pytest.mark.parametrize("inside", [True, False])
def test_a_bias_that_is_changed_first_stays_its_layers(inside: bool, tmp_path: Path) -> None:
    """Also where the model itself computes everything, and no module inside it is called."""
    torch.manual_seed(0)
    source = nn.Sequential(Attending(), nn.Tanh()) if inside else Attending()
    text = agreed(source, torch.randn(2, 2, 4), tmp_path / "out")
    assert "nn.Linear(4, 12)" in text and "self.qkv.bias" in text
    assert "nn.Embedding" not in text and "self.positions[" in text


def test_a_bias_that_is_added_as_it_is_and_a_module_of_a_table_are_layers(tmp_path: Path) -> None:
    source = nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 12))
    text = agreed(source, torch.tensor([[3, 1], [0, 6]]), tmp_path / "out")
    assert "nn.Embedding(7, 4)" in text and "nn.Linear(4, 12)" in text and "F.linear" not in text


class Bounded(nn.Module):
    """Bounds of a clamp that a checkpoint or training may move, and some that nothing moves."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.tensor(-1.0))
        self.register_buffer("high", torch.tensor(1.0))
        self.most = nn.Parameter(torch.tensor(0.7))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.clamp(x, self.low, self.high) + x.clamp(max=self.most) + x.clamp(-2.0, 2.0)


def test_bounds_of_the_state_are_no_numbers_of_the_code(tmp_path: Path) -> None:
    source, other, x = Bounded(), Bounded(), torch.linspace(-3, 3, 12)
    for tensor in other.state_dict().values():
        tensor.mul_(1.5)
    interlingua.convert(source, "torch", tmp_path / "out", example_inputs=x)
    generated = runpy.run_path(str(tmp_path / "out" / "model.py"))["load"]()
    generated.load_state_dict(other.state_dict(), strict=True)
    torch.testing.assert_close(generated(x), other(x))
    assert "min=-2.0, max=2.0" in (tmp_path / "out" / "model.py").read_text()


class Gate(nn.Module):
    """A layer by its parameter, with a buffer that the module around it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 8))
        self.register_buffer("correction", torch.randn(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.weight)


class Gated(nn.Module):
    """Two gates and what they choose from."""

    def __init__(self) -> None:
        super().__init__()
        self.gates = nn.ModuleList([Gate(), Gate()])
        self.up = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.up(x)
        for gate in self.gates:
            y = y * (gate(x).sigmoid() + gate.correction)
        return y


def test_a_module_that_holds_more_than_a_layer_is_no_layer(tmp_path: Path) -> None:
    text = agreed(Gated(), torch.randn(2, 8), tmp_path / "out")
    assert text.count("nn.Linear(") == 1 and "class Gate(" in text


def test_a_file_that_tells_of_no_state_keeps_its_weights_as_they_are_read(tmp_path: Path) -> None:
    """There is no state dict to keep to: a weight that is read reshaped is kept reshaped."""
    source = Rearranging()
    interlingua.convert(source, "onnx", tmp_path / "onnx", example_inputs=torch.randn(2, 4, 5))
    model = ir.load(tmp_path / "onnx" / "model.onnx")
    for value in model.graph.initializers.values():
        value.metadata_props.clear()
    ir.save(model, tmp_path / "plain.onnx")
    texts = []
    for path in (tmp_path / "onnx" / "model.onnx", tmp_path / "plain.onnx"):
        interlingua.convert(path, "torch", tmp_path / path.stem, verify=False)
        texts.append((tmp_path / path.stem / "model.py").read_text())
    assert ["self.scale[None, :, None]" in text for text in texts] == [True, False]


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


class Centred(nn.Module):
    """Root mean squares as Gemma takes them, times one more than the weight; a mean and deviation likewise."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6) * 0.1)
        self.gain = nn.Parameter(torch.randn(6) * 0.1)
        self.shift = nn.Parameter(torch.randn(6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * (1.0 + self.weight)
        return nn.functional.layer_norm(x, (6,), self.gain + 1.0, self.shift)


def test_a_norm_by_one_more_than_its_weight_keeps_the_weight(tmp_path: Path) -> None:
    made = Generated(Centred(), (torch.randn(2, 6),), tmp_path / "out").proved()
    assert "F.rms_norm(x, (6,), weight=self.weight + 1.0, eps=1e-06)" in made.text
    assert "F.layer_norm(x, (6,), weight=self.gain + 1.0, bias=self.shift)" in made.text


class Joined(nn.Module):
    """Projections that are joined as they are called, as WavLM's biases are."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(6, 3)
        self.key = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = torch.cat([self.query.weight, self.key.weight])
        return torch.tanh(nn.functional.linear(x, weight, torch.cat([self.query.bias, self.key.bias])))


def test_parameters_that_are_joined_as_they_are_read_stay_the_sources(tmp_path: Path) -> None:
    source = nn.Sequential(Joined(), nn.Linear(6, 2))
    made = Generated(source, (torch.randn(2, 6),), tmp_path / "out").proved()
    assert "torch.cat([self.query.weight, self.key.weight])" in made.text
    assert "torch.cat([self.query.bias, self.key.bias])" in made.text
