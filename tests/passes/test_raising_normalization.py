"""Normalizations out of exporters' spellings, and what only looks like them."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from passes_graphs import Graph, weights
from raising_checks import check_export, check_graph, random

from interlingua.ir import metadata
from interlingua.ir.facts import plain

SCRIPT = {
    "layer_norm": "LayerNormalization",
    "layer_norm_by_rsqrt": "LayerNormalization",
    "nn_layer_norm": "LayerNormalization",
    "nn_layer_norm_of_two": "LayerNormalization",
    "bare_layer_norm": "LayerNormalization",
    "rms_norm": "RMSNormalization",
    "group_norm": "GroupNormalization",
    "instance_norm": "InstanceNormalization",
}
DYNAMO = {**SCRIPT, "nn_rms_norm": "RMSNormalization", "batch_norm": "BatchNormalization"}


@pytest.mark.parametrize("name", SCRIPT)
def test_torchscript_exports(name):
    check_export("script", name, [SCRIPT[name]])


@pytest.mark.slow
@pytest.mark.parametrize("name", DYNAMO)
def test_dynamo_exports(name):
    check_export("torch", name, [DYNAMO[name]])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["layer_norm", "keras_layer_norm"])
def test_tensorflow_exports(name):
    check_export("tf", name, ["LayerNormalization"])


def test_weights_keep_their_names():
    model = check_export("script", "layer_norm", ["LayerNormalization"])
    node = model.graph.node(0)
    assert [str(metadata.origin(value)) for value in node.inputs[1:]] == ["weight", "bias"]
    assert plain(node.attributes["epsilon"].as_float()) == 1e-6


def test_a_norm_over_channels_is_left():
    """No operator normalizes over axis 1 alone."""
    model = check_export(
        "script",
        "channels_first_layer_norm",
        ["ReduceMean", "Sub", "Pow", "ReduceMean", "Add", "Sqrt", "Div", "Mul", "Add"],
    )
    assert model.graph.num_nodes() == 9


def layer_norm(
    graph: Graph,
    x: str,
    *,
    axes: tuple[int, int] = (-1, -1),
    root: float = 0.5,
    square: float = 2.0,
    epsilon: float = 1e-5,
    shape: tuple[int, ...] = (6,),
    attribute: bool = False,
) -> str:
    """As paddle2onnx writes it: powers for square and root, axes as an attribute below opset 18."""

    def mean(value: str, axis: int) -> str:
        if attribute:
            return graph("ReduceMean", value, axes=[axis], keepdims=1)
        return graph("ReduceMean", value, np.asarray([axis], np.int64), keepdims=1)

    centred = graph("Sub", x, mean(x, axes[0]))
    variance = mean(graph("Pow", centred, graph("Constant", value_float=square)), axes[1])
    added = graph("Add", variance, graph("Constant", value_float=epsilon))
    whole = graph("Div", centred, graph("Pow", added, graph("Constant", value_float=root)))
    return graph("Add", graph("Mul", whole, graph.weight(weights(*shape), "w")), graph.weight(weights(*shape), "b"))


@pytest.mark.parametrize("opset", [13, 18])
def test_paddle_layer_norm(opset):
    graph = Graph(opset)
    x = graph.input("x", ["N", "S", 6])
    y = layer_norm(graph, x, attribute=opset < 18)
    check_graph(graph, y, ["LayerNormalization"], x=random(2, 4, 6))


@pytest.mark.parametrize(
    "wrong",
    [{"axes": (-1, 1)}, {"root": 0.4}, {"square": 3.0}, {"epsilon": -1e-5}],
    ids=["axes", "root", "cube", "epsilon"],
)
def test_no_layer_norm(wrong):
    graph = Graph(18)
    x = graph.input("x", [2, 6, 6])
    check_graph(graph, layer_norm(graph, x, **wrong), None, x=np.abs(random(2, 6, 6)))


def test_a_weight_a_channel_tells_the_norm_of_instances():
    graph = Graph(18)
    x = graph.input("x", [2, 6, 5])
    y = layer_norm(graph, x, shape=(6, 1))
    check_graph(graph, y, ["InstanceNormalization"], x=random(2, 6, 5))


def test_a_weight_along_another_axis_stays_outside():
    graph = Graph(18)
    x = graph.input("x", [2, 3, 6, 5])
    y = layer_norm(graph, x, shape=(6, 1))
    check_graph(graph, y, ["LayerNormalization", "Mul", "Add"], x=random(2, 3, 6, 5))


def test_a_deviation_used_elsewhere_stays():
    graph = Graph(18)
    x = graph.input("x", [2, 6])
    axes = np.asarray([-1], np.int64)
    squares = graph("ReduceMean", graph("Mul", x, x), axes)
    root = graph("Sqrt", graph("Add", squares, graph("Constant", value_float=1e-6)))
    check_graph(graph, graph("Concat", graph("Div", x, root), root, axis=1), None, x=random(2, 6))


def test_instance_norm_of_an_image():
    graph = Graph(18)
    x = graph.input("x", ["N", 3, "H", "W"])
    axes = np.asarray([2, 3], np.int64)
    centred = graph("Sub", x, graph("ReduceMean", x, axes))
    variance = graph("ReduceMean", graph("Mul", centred, centred), axes)
    spread = graph("Sqrt", graph("Add", variance, graph("Constant", value_float=1e-3)))
    scaled = graph("Mul", graph("Div", centred, spread), graph.weight(weights(3, 1, 1), "w"))
    shifted = graph("Add", scaled, graph.weight(weights(3, 1, 1), "b"))
    check_graph(graph, shifted, ["InstanceNormalization"], x=random(2, 3, 4, 5))


def test_half_floats_are_normalized_in_float32():
    graph = Graph(18)
    half = onnx.TensorProto.FLOAT16
    x = graph.input("x", ["N", 8], half)
    wide = graph("Cast", x, to=onnx.TensorProto.FLOAT)
    squares = graph("ReduceMean", graph("Mul", wide, wide), np.asarray([-1], np.int64))
    root = graph("Sqrt", graph("Add", squares, graph("Constant", value_float=1e-6)))
    back = graph("Cast", graph("Div", wide, root), to=half)
    y = graph("Mul", back, graph.weight(weights(8).astype(np.float16), "w"))
    check_graph(graph, y, ["RMSNormalization"], x=random(2, 8).astype(np.float16))


def test_a_batch_norm_folded_into_factors_stays_what_it_is():
    graph = Graph(18)
    x = graph.input("x", ["N", 3, 4, 4])
    scaled = graph("Mul", x, graph.weight(weights(3, 1, 1), "factor"))
    check_graph(graph, graph("Add", scaled, graph.weight(weights(3, 1, 1), "addend")), None, x=random(2, 3, 4, 4))


@pytest.mark.parametrize("channels", [8, 6])
def test_groups_of_channels(channels):
    graph = Graph(18)
    x = graph.input("x", ["N", channels, 4, 4])
    inner = graph("Reshape", x, np.asarray([0, 2, -1], np.int64))
    ones, zeros = (graph("Constant", value_floats=[value] * 2) for value in (1.0, 0.0))
    back = graph("Reshape", graph("InstanceNormalization", inner, ones, zeros), graph("Shape", x))
    scaled = graph("Mul", back, graph.weight(weights(channels, 1, 1), "w"))
    y = graph("Add", scaled, graph.weight(weights(channels, 1, 1), "b"))
    check_graph(graph, y, ["GroupNormalization"], x=random(2, channels, 4, 4))


def test_groups_with_weights_of_their_own_stay():
    graph = Graph(18)
    x = graph.input("x", ["N", 6, 4, 4])
    inner = graph("Reshape", x, np.asarray([0, 2, -1], np.int64))
    normalized = graph("InstanceNormalization", inner, graph.weight(weights(2), "w"), graph.weight(weights(2), "b"))
    back = graph("Reshape", normalized, np.asarray([0, 6, 4, 4], np.int64))
    check_graph(graph, back, None, x=random(2, 6, 4, 4))
