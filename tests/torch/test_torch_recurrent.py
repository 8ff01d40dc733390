"""Recurrent layers from PyTorch to PyTorch: one layer as in the source, its state dict, gradients, other sizes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import nn

import interlingua

pytestmark = pytest.mark.slow

TIMES = {"x": {0: "batch", 1: "time"}}
BATCH = {"x": {0: "batch"}}


class Tagger(nn.Module):
    """A layer over a sequence, and a dense one; all that it gives, or the last states alone."""

    def __init__(self, kind: str, ends: bool = False, **said: Any) -> None:
        super().__init__()
        self.rnn = getattr(nn, kind)(5, 4, **said)
        self.ends = ends
        self.fc = nn.Linear(8 if said.get("bidirectional") and not ends else said.get("proj_size") or 4, 3)

    def forward(self, x: torch.Tensor) -> Any:
        y, last = self.rnn(x)
        if self.ends:
            return self.fc(last[0][-1] if isinstance(last, tuple) else last[-1])
        return self.fc(y)


class Decoder(nn.Module):
    """Takes states and gives states."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.rnn = nn.LSTM(5, 4, num_layers=layers, batch_first=True)

    def forward(self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> Any:
        y, (h, c) = self.rnn(x, (h, c))
        return y, h, c


class Two(nn.Module):
    """Two modules on each other, which are no one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.GRU(5, 4, batch_first=True)
        self.second = nn.GRU(4, 4, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x)[0])[0]


class Cells(nn.Module):
    """A cell that is run step by step."""

    def __init__(self, kind: str, reverse: bool = False) -> None:
        super().__init__()
        self.cell = getattr(nn, kind)(5, 4)
        self.reverse = reverse

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> Any:
        states: Any = (h, torch.zeros_like(h)) if isinstance(self.cell, nn.LSTMCell) else h
        results = []
        for step in reversed(x.unbind(1)) if self.reverse else x.unbind(1):
            states = self.cell(step, states)
            results.append(states[0] if isinstance(states, tuple) else states)
        return torch.stack(results[::-1] if self.reverse else results, 1), states


class Stack(nn.Module):
    """Cells on each other in one loop, a dense layer between them and one on them; or one cell for both."""

    def __init__(self, alike: bool) -> None:
        super().__init__()
        self.first = nn.LSTMCell(5, 5)
        self.second = self.first if alike else nn.LSTMCell(4, 3)
        self.between = nn.Identity() if alike else nn.Linear(5, 4)
        self.out = nn.Linear(5 if alike else 3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = c = x.new_zeros(x.shape[0], 5)
        g = d = x.new_zeros(x.shape[0], self.out.in_features)
        results = []
        for step in x.unbind(1):
            h, c = self.first(step, (h, c))
            g, d = self.second(self.between(h), (g, d))
            results.append(self.out(g))
        return torch.stack(results, 1)


class TwiceOver(nn.Module):
    """One layer that runs on its own results."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(5, 5, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.rnn(self.rnn(x)[0])[0]
        return y


class ResetBefore(nn.Module):
    """A GRU that resets before the product, which no layer of torch does."""

    def __init__(self, inward: bool, fresh: bool) -> None:
        super().__init__()
        self.inward = nn.Linear(5, 12, bias=inward)
        self.gates = nn.Linear(4, 8, bias=False)
        self.fresh = nn.Linear(4, 4, bias=fresh)

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        for step in x.unbind(1):
            z, r, n = self.inward(step).chunk(3, 1)
            more = self.gates(h).chunk(2, 1)
            z, r = torch.sigmoid(z + more[0]), torch.sigmoid(r + more[1])
            h = z * h + (1 - z) * torch.tanh(n + self.fresh(r * h))
        return h


class OneBias(nn.Module):
    """An LSTM written out, with one bias where PyTorch's layer has two."""

    def __init__(self, inward: bool) -> None:
        super().__init__()
        self.inward = nn.Linear(5, 16, bias=inward)
        self.again = nn.Linear(4, 16, bias=not inward)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = c = x.new_zeros(x.shape[1], 4)
        results = []
        for step in x.unbind(0):
            i, f, g, o = (self.inward(step) + self.again(h)).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            results.append(h)
        return torch.stack(results)


GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def node_of(sketch: Any, op: str, directions: int, **values: Any) -> ir.Value:
    """The results of a recurrent node over (time, batch, 5) with a state of 3."""
    x, rows = sketch.input("x", (7, None, 5)), GATES[op] * 3
    shapes = (("W", (rows, 5)), ("R", (rows, 3)), ("B", (2 * rows,)))
    held = [sketch.parameter(f"rnn/{name}", directions, *shape) for name, shape in shapes]
    attributes = {"hidden_size": 3, **values}
    result: ir.Value = sketch.node(op, [x, *held], attributes, layer="rnn", outputs=3 if op == "LSTM" else 2)
    return result


@pytest.mark.parametrize("op", ["LSTM", "RNN"])
def test_what_runs_against_the_time_is_turned_before_and_after(sketch: Any, op: str) -> None:
    y = node_of(sketch, op, 1, direction="reverse")
    squeezed = sketch.node("Squeeze", [y, sketch.constant("axes", np.array([1]))], layer="squeeze")
    written = sketch.prove(squeezed, y.producer().outputs[1])
    assert written.constructor == [f"self.rnn = nn.{op}(5, 3)"]
    assert "= self.rnn(x.flip(0))" in written.forward[0] and ".flip(0)" in written.source.partition("x.flip(0)")[2]


@pytest.mark.parametrize(("places", "lines"), [((0, 1), 2), ((1, 0), 3)], ids=["in order", "backwards first"])
def test_directions_that_are_taken_apart_and_joined(sketch: Any, places: tuple[int, int], lines: int) -> None:
    y, axis = node_of(sketch, "GRU", 2, direction="bidirectional", linear_before_reset=1), np.array([1])
    parts = []
    for place in places:
        bounds = [sketch.constant(f"b{place}{i}", np.array([place + i])) for i in (0, 1)]
        part = sketch.node("Slice", [y, *bounds, sketch.constant(f"a{place}", axis)], layer=f"part{place}")
        parts.append(sketch.node("Squeeze", [part, sketch.constant(f"s{place}", axis)], layer=f"squeeze{place}"))
    written = sketch.prove(sketch.node("Concat", parts, {"axis": 2}, layer="join"))
    assert written.constructor == ["self.rnn = nn.GRU(5, 3, bidirectional=True)"]
    assert (len(written.forward) == 2) == (lines == 2)


def written(module: nn.Module, example: Any, out: Path, **options: Any) -> tuple[nn.Module, str]:
    """The generated model, and its code in one line; it is proved."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    module.eval()
    report = interlingua.convert(module, "torch", out, example_inputs=example, **options)
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    spec = importlib.util.spec_from_file_location(f"recurrent_{out.parent.name}", out / "model.py")
    assert spec is not None and spec.loader is not None
    code = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(code)
    return code.load(), " ".join((out / "model.py").read_text().split())


def same_gradients(module: nn.Module, generated: nn.Module, *inputs: torch.Tensor) -> None:
    """The same state dict, the same results, and the same gradients of inputs and parameters."""
    generated.load_state_dict(module.state_dict(), strict=True)
    grads = []
    for each in (module, generated):
        each.zero_grad()
        given = [value.clone().requires_grad_() for value in inputs]
        results = torch.utils._pytree.tree_leaves(each(*given))
        sum((value**2).sum() for value in results).backward()
        named = {name: parameter.grad for name, parameter in each.named_parameters()}
        grads.append([*(value.grad for value in given), *(named[name] for name in sorted(named)), *results])
    for ours, theirs in zip(grads[1], grads[0], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "said", "layer"),
    [
        (
            "LSTM",
            {"num_layers": 2, "bidirectional": True, "batch_first": True, "dropout": 0.2},
            "nn.LSTM(5, 4, num_layers=2, batch_first=True, dropout=0.2, bidirectional=True)",
        ),
        pytest.param(
            "GRU",
            {"num_layers": 3, "batch_first": True},
            "nn.GRU(5, 4, num_layers=3, batch_first=True)",
        ),
        ("RNN", {"nonlinearity": "relu", "num_layers": 2}, 'nn.RNN(5, 4, num_layers=2, nonlinearity="relu")'),
        pytest.param(
            "LSTM",
            {"bias": False, "bidirectional": True},
            "nn.LSTM(5, 4, bias=False, bidirectional=True)",
        ),
    ],
    ids=["LSTM", "GRU", "RNN", "one layer"],
)
def test_a_layer_is_the_source_s(tmp_path: Path, kind: str, said: dict[str, Any], layer: str) -> None:
    module = Tagger(kind, **said)
    generated, code = written(module, torch.randn(2, 7, 5), tmp_path / "out", dynamic=TIMES)
    assert f"self.rnn = {layer}" in code and "x, _ = self.rnn(x)" in code
    for sizes in ((2, 7, 5), (1, 3, 5), (3, 11, 5)):
        same_gradients(module, generated, torch.randn(*sizes))


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_last_states_alone(tmp_path: Path, kind: str) -> None:
    module = Tagger(kind, ends=True, num_layers=2, batch_first=True)
    generated, code = written(module, torch.randn(2, 7, 5), tmp_path / "out", dynamic=TIMES)
    assert f"self.rnn = nn.{kind}(5, 4, num_layers=2, batch_first=True)" in code
    same_gradients(module, generated, torch.randn(3, 5, 5))


@pytest.mark.parametrize("layers", [1, 2])
def test_states_go_in_and_come_out(tmp_path: Path, layers: int) -> None:
    module = Decoder(layers)
    example = (torch.randn(2, 7, 5), torch.randn(layers, 2, 4), torch.randn(layers, 2, 4))
    generated, code = written(module, example, tmp_path / "out")
    assert "= self.rnn(x, (h, c))" in code
    same_gradients(module, generated, *example)


def test_two_modules_stay_two(tmp_path: Path) -> None:
    module = Two()
    generated, code = written(module, torch.randn(2, 7, 5), tmp_path / "out", dynamic=TIMES)
    assert "self.first = nn.GRU(5, 4, batch_first=True)" in code
    assert "self.second = nn.GRU(4, 4, batch_first=True)" in code
    same_gradients(module, generated, torch.randn(3, 4, 5))


def test_dropout_drops_in_training(tmp_path: Path) -> None:
    module = Tagger("GRU", num_layers=2, dropout=0.5)
    generated, _ = written(module, torch.randn(2, 7, 5), tmp_path / "out")
    x, results = torch.randn(2, 7, 5), []
    for each in (module, generated):
        each.train()
        torch.manual_seed(4)
        results.append(each(x))
    torch.testing.assert_close(*results)
    assert not torch.equal(results[0], module.eval()(x))


@pytest.mark.parametrize(
    ("kind", "reverse"),
    [
        ("LSTMCell", False),
        pytest.param("GRUCell", True),
        pytest.param("RNNCell", False),
    ],
    ids=["LSTM", "GRU", "RNN"],
)
def test_a_cell_that_is_run_step_by_step_stays_one(tmp_path: Path, kind: str, reverse: bool) -> None:
    module, example = Cells(kind, reverse), (torch.randn(2, 4, 5), torch.randn(2, 4))
    generated, code = written(module, example, tmp_path / "out", dynamic={"x": {0: "batch"}, "h": {0: "batch"}})
    assert f"self.cell = nn.{kind}(5, 4)" in code and "def over_time(" in code
    same_gradients(module, generated, torch.randn(3, 4, 5), torch.randn(3, 4))


@pytest.mark.parametrize("alike", [False, True], ids=["two cells", "one cell twice"])
def test_cells_on_each_other_run_one_after_the_other(tmp_path: Path, alike: bool) -> None:
    module = Stack(alike)
    generated, code = written(module, torch.randn(2, 4, 5), tmp_path / "out", dynamic=BATCH)
    second = "first" if alike else "second"
    assert "= over_time(self.first, x)" in code and f"= over_time(self.{second}, x)" in code
    assert code.count("nn.LSTMCell(") == 2 - alike and code.count("self.out(") == 1
    if not alike:
        same_gradients(module, generated, torch.randn(3, 4, 5))


def test_a_layer_that_runs_twice_is_no_layer_of_two(tmp_path: Path) -> None:
    module = TwiceOver()
    generated, code = written(module, torch.randn(2, 4, 5), tmp_path / "out", dynamic=TIMES)
    assert "self.rnn = nn.LSTM(5, 5, batch_first=True)" in code and code.count("= self.rnn(x)") == 2
    same_gradients(module, generated, torch.randn(3, 6, 5))


@pytest.mark.parametrize("inward", [True, False])
def test_a_bias_that_the_source_does_not_have_is_not_trained(tmp_path: Path, inward: bool) -> None:
    module = OneBias(inward)
    generated, code = written(module, torch.randn(6, 2, 5), tmp_path / "out")
    own, absent = ("bias_ih_l0", "bias_hh_l0") if inward else ("bias_hh_l0", "bias_ih_l0")
    assert "self.lstm = nn.LSTM(5, 4)" in code and f"self.lstm.{absent}.requires_grad_(False)" in code
    trained = {name: each for name, each in generated.named_parameters() if each.requires_grad}
    assert sum(map(torch.numel, trained.values())) == sum(map(torch.numel, module.parameters()))
    x = torch.randn(6, 2, 5)
    for each in (module, generated):
        (each(x) ** 2).sum().backward()
    bias = module.inward.bias if inward else module.again.bias
    torch.testing.assert_close(trained[f"lstm.{own}"].grad, bias.grad, rtol=1e-4, atol=1e-5)


def test_a_projected_layer_is_written_step_by_step(tmp_path: Path) -> None:
    module = Tagger("LSTM", proj_size=3, num_layers=2, batch_first=True)
    generated, _ = written(module, torch.randn(2, 3, 5), tmp_path / "out", dynamic=BATCH)
    same_gradients(module, generated, torch.randn(3, 3, 5))


@pytest.mark.parametrize(
    ("inward", "fresh", "bias"),
    [
        (True, False, "bias=F.pad(self.inward.bias, (0, 12))[None]"),
        (False, True, "bias=F.pad(self.fresh.bias, (20, 0))[None]"),
        (True, True, "bias=torch.cat([self.inward.bias, self.inward.bias.new_zeros(8), self.fresh.bias])"),
        (False, False, "torch.cat([self.gates.weight, self.fresh.weight])[None], hidden=hidden"),
    ],
    ids=["of the input", "of the state", "of some gates", "none"],
)
def test_a_loop_of_ours_trains_what_the_source_trains(tmp_path: Path, inward: bool, fresh: bool, bias: str) -> None:
    module, example = ResetBefore(inward, fresh), (torch.randn(2, 4, 5), torch.randn(2, 4))
    generated, code = written(module, example, tmp_path / "out")
    assert "def gru_cell(" in code and "nn.GRU" not in code and bias in code
    assert {name for name, each in generated.named_parameters() if each.requires_grad} == set(module.state_dict())
    same_gradients(module, generated, *example)
