"""What does nothing goes, and nothing else."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from passes_graphs import FLOAT, Graph, compute, operators, weights

from interlingua import passes
from interlingua.ir.canonical import assert_canonical
from interlingua.notes import Notes


def canonical(model: ir.Model) -> ir.Model:
    result = passes.run(model, notes=Notes(), debug=True)
    assert_canonical(result)
    return result


def test_nothing_is_left_of_what_does_nothing():
    graph = Graph()
    x = graph.input("x", ["N", 4, 5])
    value = graph("Identity", graph("Cast", x, to=FLOAT))
    value = graph.transpose(graph("Relu", value), 0, 1, 2)
    value = graph("Pad", value, np.zeros(6, np.int64))
    value = graph("Dropout", graph("Reshape", value, np.array([0, 4, 5], np.int64)))
    model = canonical(graph.model(graph("Identity", value)))
    assert operators(model) == ["Relu", "Dropout"]


def test_an_output_that_is_an_input_keeps_its_identity():
    graph = Graph()
    x = graph.input("x", ["N", 4])
    model = canonical(graph.model(graph("Identity", x), graph("Relu", x)))
    assert operators(model) == ["Identity", "Relu"]


@pytest.mark.parametrize(
    ("op", "number", "stays"),
    [
        ("Mul", np.float32(1), False),
        ("Mul", np.ones(1, np.float32), False),
        ("Div", np.float32(1), False),
        ("Sub", np.float32(0), False),
        ("Add", np.float32(0), True),  # it makes 0 of -0
        ("Mul", np.float32(1.0000001), True),
        ("Mul", np.ones(5, np.float32), True),
        ("Mul", np.ones((1, 1, 1, 1), np.float32), True),
    ],
)
def test_arithmetic_with_the_neutral_number(op: str, number: object, stays: bool) -> None:
    graph = Graph()
    x = graph.input("x", ["N", 4, 5])
    stated = graph("Constant", value=onnx.numpy_helper.from_array(np.asarray(number)))
    model = canonical(graph.model(graph("Relu", graph(op, graph("Relu", x), stated))))
    assert operators(model) == (["Relu", op, "Relu"] if stays else ["Relu", "Relu"])


@pytest.mark.parametrize(("op", "number", "stays"), [("And", True, False), ("Or", False, False), ("And", False, True)])
@pytest.mark.parametrize("first", [True, False])
def test_truth_beside_a_condition(op: str, number: bool, stays: bool, first: bool) -> None:
    graph = Graph()
    condition = graph("Not", graph("IsNaN", graph.input("x", ["N", 4])))
    sides = [condition, graph("Constant", value=onnx.numpy_helper.from_array(np.asarray(number)))]
    model = canonical(graph.model(graph("Not", graph(op, *(sides[::-1] if first else sides)))))
    assert operators(model) == ["IsNaN", "Not", *([op] if stays else []), "Not"]


def test_a_parameter_that_is_one_stays() -> None:
    graph = Graph()
    x = graph.input("x", ["N", 4])
    model = canonical(graph.model(graph("Relu", graph("Mul", x, graph.weight(np.ones(1, np.float32))))))
    assert operators(model) == ["Mul", "Relu"]


def test_states_of_zeros_are_left_out():
    for op, gates, states in (("LSTM", 4, 2), ("GRU", 3, 1)):
        graph = Graph()
        x = graph.input("x", [6, 2, 3])
        held = [graph.weight(weights(1, gates * 5, size)) for size in (3, 5)]
        zeros = [graph.weight(np.zeros((1, 2, 5), np.float32)) for _ in range(states)]
        first = graph(op, x, *held, None, None, *zeros, hidden_size=5, outputs=1)
        given = [graph.weight(weights(1, 2, 5)) for _ in range(states)]
        second = graph(op, x, *held, None, None, *given, hidden_size=5, outputs=1)
        before = graph.model(first, second)
        arrays = {"x": weights(6, 2, 3, seed=2)}
        wanted = compute(before, arrays)
        model = canonical(before)
        states_of = [[value for value in node.inputs[5:] if value is not None] for node in model.graph]
        assert [len(each) for each in states_of] == [0, states]
        for found, want in zip(compute(model, arrays), wanted, strict=True):
            np.testing.assert_array_equal(found, want)
