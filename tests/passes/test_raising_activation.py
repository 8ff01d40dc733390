"""Activations out of exporters' spellings, and what only looks like them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from passes_graphs import FLOAT, Graph
from raising_checks import check_export, check_graph, random

from interlingua.ir.facts import plain

SCRIPT = {
    "gelu": "Gelu",
    "tanh_gelu": "Gelu",
    "new_gelu": "Gelu",
    "cube_gelu": "Gelu",
    "erf_gelu": "Gelu",
    "late_gelu": "Gelu",
    "silu": "Swish",
    "quick_gelu": "Swish",
    "mish": "Mish",
    "written_mish": "Mish",
    "hard_swish": "HardSwish",
    "written_hard_swish": "HardSwish",
    "hard_sigmoid": "HardSigmoid",
    "written_hard_sigmoid": "HardSigmoid",
    "softplus": "Softplus",
    "log_exp": "Softplus",
    "leaky": "LeakyRelu",
    "largest_leaky": "LeakyRelu",
    "elu": "Elu",
    "relu6": "Clip",
}
TF = {
    "gelu": "Gelu",
    "tanh_gelu": "Gelu",
    "swish": "Swish",
    "mish": "Mish",
    "hard_swish": "HardSwish",
    "hard_sigmoid": "HardSigmoid",
    "softplus": "Softplus",
    "leaky": "LeakyRelu",
    "relu6": "Clip",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPT)
def test_torchscript_exports(name):
    model = check_export("script", name, [SCRIPT[name]])
    if name == "quick_gelu":
        assert plain(model.graph.node(0).attributes["alpha"].as_float()) == 1.702


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPT)
def test_dynamo_exports(name):
    check_export("torch", name, [SCRIPT[name]])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in TF if name != "gelu"])
def test_tensorflow_exports(name):
    check_export("tf", name, [TF[name]])


def number(value: float) -> np.ndarray:
    return np.asarray(value, np.float32)


def gelu(graph: Graph, x: str, root: float = math.sqrt(2), half: float = 0.5, one: float = 1.0, gate: str = "") -> str:
    """As paddle2onnx writes it: x · 0.5 · (1 + erf(x / √2))."""
    erf = graph("Erf", graph("Div", x, graph("Constant", value_float=root)))
    added = graph("Add", erf, graph("Constant", value_float=one))
    return graph("Mul", graph("Mul", gate or x, added), graph("Constant", value_float=half))


def test_paddle_gelu():
    graph = Graph()
    x = graph.input("x", ["N", 3, 4])
    check_graph(graph, gelu(graph, x), ["Gelu"], x=random(2, 3, 4))


def test_paddle_swish_and_hard_swish():
    graph = Graph(14)
    x = graph.input("x", ["N", 3, 4])
    swish = graph("Mul", x, graph("Sigmoid", graph("Mul", x, graph("Constant", value_float=1.0))))
    limits = [graph("Constant", value_float=value) for value in (0.0, 6.0)]
    clipped = graph("Clip", graph("Add", swish, graph("Constant", value_float=3.0)), *limits)
    hard = graph("Div", graph("Mul", swish, clipped), graph("Constant", value_float=6.0))
    check_graph(graph, hard, ["Swish", "HardSwish"], x=random(2, 3, 4))


@pytest.mark.parametrize(
    "wrong", [{"root": 1.4142}, {"root": 2.0}, {"half": 0.51}, {"one": 1.001}], ids=["rough", "two", "half", "one"]
)
def test_other_constants_are_no_gelu(wrong):
    graph = Graph()
    x = graph.input("x", [2, 3])
    check_graph(graph, gelu(graph, x, **wrong), None, x=random(2, 3))


def test_a_gate_of_another_value_is_no_gelu():
    graph = Graph()
    x, y = graph.input("x", [2, 3]), graph.input("y", [2, 3])
    check_graph(graph, gelu(graph, x, gate=y), None, x=random(2, 3), y=random(2, 3, seed=8))


def test_what_is_used_elsewhere_stays():
    graph = Graph()
    x = graph.input("x", [2, 3])
    gate = graph("Sigmoid", x)
    check_graph(graph, graph("Concat", graph("Mul", x, gate), gate, axis=0), None, x=random(2, 3))


def test_another_broadcast_is_no_swish():
    graph = Graph()
    x, y = graph.input("x", [2, 3]), graph.input("y", [4, 2, 3])
    check_graph(graph, graph("Mul", y, graph("Sigmoid", x)), None, x=random(2, 3), y=random(4, 2, 3))


def test_a_trained_factor_is_no_constant():
    graph = Graph()
    x = graph.input("x", [2, 3])
    scaled = graph("Mul", x, graph.weight(number(1.702), "temperature"))
    check_graph(graph, graph("Mul", x, graph("Sigmoid", scaled)), None, x=random(2, 3))


@pytest.mark.parametrize(("shift", "high"), [(2.0, 6.0), (3.0, 5.0)])
def test_other_bounds_are_no_hard_swish(shift, high):
    graph = Graph()
    x = graph.input("x", [2, 3])
    added = graph("Add", x, graph("Constant", value_float=shift))
    limits = [graph("Constant", value_float=value) for value in (0.0, high)]
    whole = graph("Mul", x, graph("Clip", added, *limits))
    check_graph(graph, graph("Div", whole, graph("Constant", value_float=6.0)), None, x=5 * random(2, 3))


def test_a_low_threshold_is_no_softplus():
    graph = Graph()
    x = graph.input("x", [2, 3])
    above = graph("Greater", x, graph("Constant", value_float=2.0))
    check_graph(graph, graph("Where", above, x, graph("Softplus", x)), None, x=3 * random(2, 3))


def test_a_slope_above_one_is_no_leaky_relu():
    graph = Graph()
    x = graph.input("x", [2, 3])
    check_graph(graph, graph("Max", x, graph("Mul", x, graph("Constant", value_float=1.5))), None, x=random(2, 3))


def test_a_branch_on_another_value_is_no_leaky_relu():
    graph = Graph()
    x, y = graph.input("x", [2, 3]), graph.input("y", [2, 3])
    above = graph("Greater", y, graph("Constant", value_float=0.0))
    scaled = graph("Mul", x, graph("Constant", value_float=0.1))
    check_graph(graph, graph("Where", above, x, scaled), None, x=random(2, 3), y=random(2, 3, seed=3))


def test_sigmoid_and_swish_by_exponentials():
    graph = Graph()
    x = graph.input("x", ["N", 3])
    below = graph("Add", graph("Exp", graph("Neg", x)), graph("Constant", value_float=1.0))
    check_graph(graph, graph("Div", x, below), ["Swish"], x=random(2, 3))
    graph = Graph()
    x = graph.input("x", ["N", 3])
    below = graph("Add", graph("Constant", value_float=1.0), graph("Exp", graph("Neg", x)))
    check_graph(graph, graph("Div", graph("Constant", value_float=1.0), below), ["Sigmoid"], x=random(2, 3))


def test_selu_and_nested_bounds():
    graph = Graph()
    x = graph.input("x", ["N", 3])
    scaled = graph("Mul", graph("Elu", x, alpha=1.6732632), graph("Constant", value_float=1.0507010))
    check_graph(graph, scaled, ["Selu"], x=random(2, 3))
    graph = Graph()
    x = graph.input("x", ["N", 3], FLOAT)
    check_graph(graph, graph("Min", graph("Relu", x), graph("Constant", value_float=6.0)), ["Clip"], x=5 * random(2, 3))


def test_infinities_and_nan_pass_as_before():
    values = np.asarray([[np.nan, np.inf, -np.inf, 0.0, -0.0, 89.0]], np.float32)
    graph = Graph()
    x = graph.input("x", ["N", 6])
    check_graph(graph, gelu(graph, x), ["Gelu"], x=values)
    graph = Graph()
    x = graph.input("x", ["N", 6])
    above = graph("GreaterOrEqual", x, graph("Constant", value_float=0.0))
    scaled = graph("Mul", x, graph("Constant", value_float=0.1))
    check_graph(graph, graph("Where", above, x, scaled), ["LeakyRelu"], x=values)


@pytest.mark.parametrize("slopes", [[0.25], [0.25, 0.25, 0.25]])
def test_slopes_of_one_number_that_nobody_trains_are_a_leaky_relu(slopes):
    graph = Graph()
    x = graph.input("x", [2, 3])
    check_graph(graph, graph("PRelu", x, graph("Constant", value_floats=slopes)), ["LeakyRelu"], x=random(2, 3))


def test_slopes_that_differ_or_are_trained_stay():
    graph = Graph()
    x = graph.input("x", [2, 3])
    check_graph(graph, graph("PRelu", x, graph("Constant", value_floats=[0.1, 0.2, 0.3])), None, x=random(2, 3))
    graph = Graph()
    x = graph.input("x", [2, 3])
    check_graph(graph, graph("PRelu", x, graph.weight(np.float32([0.25]))), None, x=random(2, 3))
