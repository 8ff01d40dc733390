"""Recurrent layers on each other in one loop or unrolled together; what is computed between them and on them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir
import pytest
from passes_graphs import Graph, weights
from raising_checks import PLAIN, assert_close, check_export, exported, numbers, operators, raised, random

from interlingua import passes
from interlingua.notes import Notes
from interlingua.onnx.reader import load

SOURCES = "raising_recurrent_sources.py"
LAYERS = ("LSTM", "GRU", "RNN")
EXPANDED = ["Shape", "Squeeze", "Reshape", "Concat", "ConstantOfShape"]
BETWEEN = ["Squeeze", "MatMul", "Add", "Relu", "LayerNormalization", "Unsqueeze", "RNN"]
ON_TOP = ["Squeeze", "Squeeze", "Add", "MatMul", "Softmax", "Transpose"]
ZEROS = ["Shape", "Gather", "Unsqueeze", "Concat", "ConstantOfShape"]
STACKS = {
    ("script", "stack"): [*ZEROS, *["Unsqueeze", "Unsqueeze", "LSTM", "Squeeze", "Squeeze"] * 2],
    ("torch", "unrolled_stack"): [*EXPANDED, "Transpose", "Unsqueeze", "GRU", *BETWEEN, *ON_TOP],
    ("torch", "scanned_stack"): [*EXPANDED, *EXPANDED[2:], "Transpose", "Unsqueeze", "GRU", *BETWEEN, *ON_TOP],
}


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), STACKS)
def test_layers_on_each_other_of_torch(kind: str, name: str) -> None:
    check_export(kind, name, STACKS[kind, name], SOURCES)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "second"), [("stack", "GRU"), ("unrolled_stack", "RNN")])
def test_layers_on_each_other_of_tensorflow(name: str, second: str) -> None:
    path = exported("tf", SOURCES) / f"{name}.onnx"
    held, model = np.load(path.with_suffix(".npz")), raised(load(path))
    assert [op for op in operators(model) if op in (*LAYERS, "Loop")] == ["LSTM", second]
    (key,) = (value.name for value in model.graph.inputs)
    assert_close(numbers(model, {key: held["in0"]}), [held["out0"]])
    before, other = passes.run(load(path), PLAIN, notes=Notes()), random(3, 7, 5)
    assert_close(numbers(model, {key: other}), numbers(before, {key: other}))


TIMES = 3


class Cells:
    """Cells without gates over slices of x, a second one on the first; `said` is what stands where."""

    def __init__(self, **said: object) -> None:
        self.said = said
        self.graph = graph = Graph(20)
        self.x, first = graph.input("x", ["N", TIMES, 5]), graph.input("h", ["N", 4])
        self.other = graph.input("other", ["N", 5])
        self.own = [graph.weight(weights(5, 5, seed=count), f"own{count}") for count in range(TIMES)]
        names = (("wx1", 9 if said.get("step") == "fed back" else 5), ("wh1", 4), ("wx2", 4), ("wh2", 4), ("dense", 4))
        self.weights = {name: graph.weight(weights(size, 4), name) for name, size in names}
        self.norm = graph.weight(weights(4), "norm")
        lower, upper, results = first, first, list[str]()
        for time in range(TIMES):
            lower = self.cell("1", self.step(time, upper), lower)
            upper = self.cell("2", self.between(time, lower, results), upper)
            results.append(self.above(time, upper))
        parts = [graph("Unsqueeze", each, graph.weight(np.asarray([1], np.int64))) for each in results]
        self.result = graph("Concat", *(parts[::-1] if said.get("turned") else parts), axis=1)

    def cell(self, number: str, x: str, h: str) -> str:
        inward = self.graph("MatMul", x, self.weights[f"wx{number}"])
        again = self.graph("MatMul", h, self.weights[f"wh{number}"])
        return self.graph("Tanh", self.graph("Add", inward, again))

    def step(self, time: int, upper: str) -> str:
        place = self.graph.weight(np.asarray(time, np.int64))
        each = self.graph("Gather", self.x, place, axis=1)
        if self.said.get("step") == "own":
            return self.graph("MatMul", each, self.own[time])
        if self.said.get("step") == "alike":
            return self.graph("MatMul", self.graph("Add", each, self.other), self.own[0])
        if self.said.get("step") == "fed back":
            return self.graph("Concat", each, upper, axis=-1)
        return each

    def between(self, time: int, lower: str, results: list[str]) -> str:
        if self.said.get("between") == "dense":
            dense = self.graph("Gemm", lower, self.weights["dense"], self.norm)
            return self.graph("Softmax", dense, axis=1)
        if self.said.get("between") == "over the batch":
            return self.graph("Softmax", lower, axis=0)
        if self.said.get("between") == "unlike" and time == 1:
            return self.graph("Neg", lower)
        if self.said.get("between") == "result" and results:
            return results[-1]
        return lower

    def above(self, time: int, upper: str) -> str:
        if self.said.get("above") == "by place":
            return self.graph("Mul", upper, self.graph.weight(np.asarray(time + 2, np.float32)))
        if self.said.get("above") == "dense":
            return self.graph("Sigmoid", self.graph("MatMul", upper, self.weights["dense"]))
        return upper


def check(cells: Cells) -> ir.Model:
    before = passes.run(cells.graph.model(cells.result), PLAIN, notes=Notes())
    after = raised(cells.graph.model(cells.result))
    for batch in (1, 3):
        arrays = {"x": random(batch, TIMES, 5), "h": random(batch, 4), "other": random(batch, 5, seed=3)}
        given: Mapping[str, np.ndarray] = {value.name: arrays[value.name] for value in after.graph.inputs if value.name}
        assert_close(numbers(after, dict(given)), numbers(before, dict(given)))
    return after


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({}, ["RNN", "RNN"]),
        ({"between": "dense"}, ["RNN", "MatMul", "Add", "Softmax", "RNN"]),
        ({"above": "dense"}, ["RNN", "RNN", "MatMul", "Sigmoid"]),
        ({"step": "alike"}, ["Add", "MatMul", "RNN", "RNN"]),
        ({"between": "over the batch"}, ["RNN", "Softmax", "RNN"]),
    ],
    ids=["plain", "dense between", "dense on them", "dense before", "over the batch"],
)
def test_layers_on_each_other(said: dict[str, object], wanted: list[str]) -> None:
    glue = ("Transpose", "Squeeze", "Unsqueeze")
    assert [op for op in operators(check(Cells(**said))) if op not in glue] == wanted


@pytest.mark.parametrize(
    ("said", "layers"),
    [
        ({"step": "own"}, 0),
        ({"step": "fed back"}, 0),
        ({"between": "unlike"}, 1),
        ({"between": "result"}, 0),
        ({"above": "by place"}, 2),
        ({"turned": True}, 2),
    ],
    ids=["weights of their own", "fed back", "a step unlike", "the step before", "by its place", "turned"],
)
def test_what_is_not_the_same_at_each_step(said: dict[str, object], layers: int) -> None:
    found = operators(check(Cells(**said)))
    assert found.count("RNN") == layers
    if "above" in said or "turned" in said:
        assert "Concat" in found
