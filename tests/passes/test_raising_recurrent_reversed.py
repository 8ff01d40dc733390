"""Recurrent layers between flips of the time run against it; and what only looks like that."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from passes_graphs import Graph, weights
from raising_checks import PLAIN, assert_close, exported, numbers, operators, raised, random

from interlingua import passes
from interlingua.notes import Notes
from interlingua.onnx.reader import load

TIMES = 4
INT64 = onnx.TensorProto.INT64
ENDS = np.asarray([-(2**63) + 1], np.int64)


def flip(graph: Graph, value: str, axis: int) -> str:
    """As both exporters of torch write it."""
    one = np.asarray([-1], np.int64)
    result: str = graph("Slice", value, one, ENDS, np.asarray([axis], np.int64), one)
    return result


def reverse(graph: Graph, value: str, lengths: str, **axes: int) -> str:
    result: str = graph("ReverseSequence", value, lengths, **axes)
    return result


def layer(graph: Graph, x: str) -> tuple[str, str]:
    """Results (time, batch, features) and last state of a GRU over (time, batch, features)."""
    held = [graph.weight(weights(1, 12, 5), "W"), graph.weight(weights(1, 12, 4), "R")]
    y, h = graph("GRU", x, *held, outputs=2, hidden_size=4, linear_before_reset=1)
    return graph("Squeeze", y, graph.weight(np.asarray([1], np.int64))), h


def lengths_of(graph: Graph, x: str, place: int) -> str:
    """The length of an axis of x, once for each of its batch, as tf2onnx writes it."""
    shape = graph("Shape", x)
    size, batch = (graph("Gather", shape, graph.weight(np.asarray([axis], np.int64))) for axis in (place, 1))
    result: str = graph("Expand", size, batch)
    return result


def model_of(kind: str) -> ir.Model:
    graph = Graph(20)
    dims: list[int | str] = ["N", TIMES, 5] if kind.startswith("batch first") else ["T", "N", 5]
    x = graph.input("x", dims)
    given = graph.input("lengths", ["N"], INT64) if kind == "lengths given" else ""
    if kind.startswith("batch first"):
        turned = graph.transpose(flip(graph, x, 2 if kind.endswith("features") else 1), 1, 0, 2)
        y, _ = layer(graph, turned)
        return graph.model(flip(graph, graph.transpose(y, 1, 0, 2), 1))
    if kind.startswith("lengths"):
        lengths = given or lengths_of(graph, x, 1 if kind.endswith("of the batch") else 0)
        y, _ = layer(graph, reverse(graph, x, lengths, time_axis=0, batch_axis=1))
        return graph.model(reverse(graph, y, lengths, time_axis=0, batch_axis=1))
    y, h = layer(graph, x if kind == "after" else flip(graph, x, 0))
    if kind == "last":
        one, end = np.asarray([-1], np.int64), np.asarray([2**31 - 1], np.int64)
        part = graph("Slice", y, one, end, np.asarray([0], np.int64))
        return graph.model(graph("Squeeze", part, graph.weight(np.asarray([0], np.int64))), h)
    if kind == "before":
        return graph.model(graph("Relu", y))
    if kind == "read both ways":
        return graph.model(graph("Add", flip(graph, y, 0), y))
    if kind == "another axis":
        return graph.model(flip(graph, flip(graph, y, 0), 2), flip(graph, y, 1))
    return graph.model(graph("Tanh", flip(graph, y, 0)), h)


@pytest.mark.parametrize(
    ("kind", "reverses"),
    [
        ("both", True),
        ("last", True),
        ("batch first", True),
        ("lengths of all", True),
        ("lengths given", False),
        ("lengths of the batch", False),
        ("batch first, features", False),
        ("before", False),
        ("after", False),
        ("read both ways", False),
        ("another axis", False),
    ],
)
def test_a_layer_between_flips(kind: str, reverses: bool) -> None:
    before, after = passes.run(model_of(kind), PLAIN, notes=Notes()), raised(model_of(kind))
    (node,) = (node for node in after.graph if node.op_type == "GRU")
    held = node.attributes.get("direction")
    assert (held is not None and held.as_string() == "reverse") == reverses
    turns = [op for op in operators(after) if op in ("Slice", "ReverseSequence")]
    assert bool(turns) != reverses
    for batch in (1, TIMES):
        shape = (batch, TIMES, 5) if kind.startswith("batch first") else (TIMES, batch, 5)
        arrays = {"x": random(*shape), "lengths": np.arange(1, batch + 1)}
        given = {str(value.name): arrays[str(value.name)] for value in after.graph.inputs}
        assert_close(numbers(after, given), numbers(before, given))


@pytest.mark.slow
def test_a_layer_of_tensorflow_both_ways() -> None:
    path = exported("tf", "raising_recurrent_sources.py") / "bidirectional.onnx"
    held, model = np.load(path.with_suffix(".npz")), raised(load(path))
    found = [node.attributes.get("direction") for node in model.graph if node.op_type == "GRU"]
    assert sorted("forward" if each is None else each.as_string() for each in found) == ["forward", "reverse"]
    assert "ReverseSequence" not in operators(model)
    assert_close(numbers(model, {str(model.graph.inputs[0].name): held["in0"]}), [held["out0"]])
