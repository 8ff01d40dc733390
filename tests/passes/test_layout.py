"""The layout pass: exact numbers, no Transpose left over, weights permuted and never re-computed."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from passes_graphs import Graph, compute, lenet, operators, scaled, vgg, weights

from interlingua import passes
from interlingua.errors import UsageError
from interlingua.ir import metadata, origin
from interlingua.notes import Notes
from interlingua.passes import layout
from interlingua.passes.channels_last import ABLE

MODELS = {"lenet": lenet, "vgg": vgg}
SHAPES = {"lenet": (28, 28, 1), "vgg": (8, 8, 3)}


def prepared(model: ir.Model) -> ir.Model:
    return passes.run(model, notes=Notes(), debug=True)


def turned(value: ir.Value, array: np.ndarray) -> np.ndarray:
    order = metadata.permutation(value)
    return array if order is None else np.ascontiguousarray(array.transpose(order))


def laid_out(model: ir.Model, data_axes: str, choice: str) -> ir.Model:
    return layout.apply(model, data_axes=data_axes, ops=ABLE - {"PRelu"}, layout=choice, notes=Notes(), debug=True)


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_the_nets_tell_inputs_and_axis_orders_apart(name, last):
    """A net whose output hardly moves would let a wrong axis order pass."""
    model = prepared(MODELS[name](last))
    height, width, channels = SHAPES[name]
    shape = (3, height, width, channels) if last else (3, channels, height, width)
    array = np.random.default_rng(5).normal(size=shape).astype(np.float32)
    (expected,) = compute(model, {"x": array})
    turned_sides = array.swapaxes(1, 2) if last else array.swapaxes(2, 3)
    (other,) = compute(model, {"x": np.ascontiguousarray(turned_sides)})
    assert np.ptp(expected, axis=0).max() > 1e-2
    assert abs(other - expected).max() > 1e-2


def test_a_wrong_permutation_of_the_weight_is_seen(monkeypatch):
    from interlingua.passes import flattening

    right = flattening._permuted
    monkeypatch.setattr(flattening, "_permuted", lambda inner, order, *rest: right(inner, (0, 1, 3, 2), *rest))
    model = prepared(lenet(last=True))
    array = np.random.default_rng(5).normal(size=(3, 28, 28, 1)).astype(np.float32)
    (expected,) = compute(model, {"x": array})
    (found,) = compute(laid_out(model, "N C *", "source"), {"x": array})
    assert abs(found - expected).max() > 1e-2


@pytest.mark.parametrize("choice", ["source", "native", "channels_first"])
@pytest.mark.parametrize("data_axes", ["N C *", "N * C"])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_nothing_is_left_over(name, last, data_axes, choice):
    model = prepared(MODELS[name](last))
    height, width, channels = SHAPES[name]
    shape = (3, height, width, channels) if last else (3, channels, height, width)
    array = np.random.default_rng(5).normal(size=shape).astype(np.float32)
    (expected,) = compute(model, {"x": array})
    result = laid_out(model, data_axes, choice)
    (found,) = compute(result, {"x": turned(result.graph.inputs[0], array)})
    assert layout.leftover(result) == 0
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    inside_last = data_axes == "N * C" and choice != "channels_first"
    at_edge = 0 if choice == "native" or inside_last == last else 1
    assert operators(result).count("Transpose") == at_edge
    order = metadata.permutation(result.graph.inputs[0])
    assert order == (None if choice != "native" or inside_last == last else ((0, 3, 1, 2) if last else (0, 2, 3, 1)))


def test_the_weight_after_flatten_is_the_permutation_of_the_article():
    model = laid_out(prepared(lenet(last=True)), "N C *", "native")
    expressions = {str(metadata.origin(value)): value for value in model.graph.initializers.values()}
    text = "reshape(transpose(reshape(fc1/kernel, 7, 7, 16, 84), 2, 0, 1, 3), 784, 84)"
    assert text in expressions
    moved = expressions[text]
    kernel = scaled(784, 84, inputs=784)
    expected = kernel.reshape(7, 7, 16, 84).transpose(2, 0, 1, 3).reshape(784, 84)
    assert origin.is_permutation(origin.parse(text))
    assert moved.const_value.numpy().tobytes() == np.ascontiguousarray(expected).tobytes()
    assert np.array_equal(origin.evaluate(origin.parse(text), {"fc1/kernel": kernel}), expected)
    assert isinstance(moved.const_value, ir.LazyTensor)


def test_the_graph_without_transposes_stays_as_it_is():
    model = prepared(lenet(last=False))
    before = ir.to_proto(model).SerializeToString()
    layout.apply(model, data_axes="N C *", ops=ABLE, layout="native", notes=Notes())
    assert ir.to_proto(model).SerializeToString() == before


def test_equal_axis_sizes_change_nothing():
    """A transpose of equal sizes is a transpose: [2, 4, 4, 4] keeps its meaning."""
    graph = Graph()
    x = graph.input("x", [4, 4, 4, 4])
    value = graph("Softmax", graph.transpose(x, 0, 2, 3, 1), axis=1)
    model = graph.model(graph("ReduceSum", value, np.array([3], np.int64), keepdims=0))
    array = np.random.default_rng(1).normal(size=(4, 4, 4, 4)).astype(np.float32)
    (expected,) = compute(model, {"x": array})
    result = layout.apply(model, data_axes="N C *", ops=(), layout="source", notes=Notes())
    np.testing.assert_allclose(compute(result, {"x": array})[0], expected, rtol=1e-6)
    assert operators(result) == ["Softmax", "ReduceSum"]
    assert result.graph.node(0).attributes["axis"].as_int() == 2


def test_moving_axes_of_one_is_a_reshape():
    graph = Graph()
    x = graph.input("x", ["N", 3, 5, 5])
    pooled = graph.transpose(graph("GlobalAveragePool", x), 0, 2, 3, 1)
    model = graph.model(graph("Reshape", pooled, np.array([0, 3], np.int64)))
    result = layout.apply(model, data_axes="N C *", ops=(), layout="source", notes=Notes())
    assert operators(result) == ["GlobalAveragePool", "Reshape"]
    array = np.random.default_rng(1).normal(size=(2, 3, 5, 5)).astype(np.float32)
    assert np.allclose(compute(result, {"x": array})[0], array.mean((2, 3)), atol=1e-6)


def test_flatten_of_what_is_read_in_order_keeps_its_transpose():
    graph = Graph()
    x = graph.input("x", ["N", 3, 5, 4])
    value = graph.transpose(graph("MaxPool", x, kernel_shape=[2, 2]), 0, 2, 3, 1)
    model = graph.model(graph("Flatten", value))
    array = np.random.default_rng(1).normal(size=(2, 3, 5, 4)).astype(np.float32)
    (expected,) = compute(model, {"x": array})
    result = layout.apply(model, data_axes="N C *", ops=(), layout="source", notes=Notes())
    assert np.array_equal(compute(result, {"x": array})[0], expected)
    assert layout.leftover(result) == 1


def test_a_dense_layer_before_a_reshape_takes_the_order():
    graph = Graph()
    x = graph.input("x", ["N", 7])
    value = graph("Relu", graph("Gemm", x, weights(7, 24), weights(24)))
    value = graph("Reshape", value, np.array([-1, 2, 3, 4], np.int64))
    value = graph("ConvTranspose", graph.transpose(value, 0, 3, 1, 2), weights(4, 5, 2, 2), strides=[2, 2])
    model = passes.run(graph.model(graph.transpose(value, 0, 2, 3, 1)), notes=Notes())
    array = np.random.default_rng(1).normal(size=(3, 7)).astype(np.float32)
    (expected,) = compute(model, {"x": array})
    result = layout.apply(model, data_axes="N C *", ops=(), layout="source", notes=Notes())
    assert layout.leftover(result) == 0
    np.testing.assert_allclose(compute(result, {"x": array})[0], expected, rtol=1e-5, atol=1e-6)


def test_the_models_own_transpose_is_not_left_over():
    graph = Graph()
    x = graph.input("x", [2, 3, 4])
    value = graph.transpose(graph("MatMul", x, weights(4, 4)), 0, 2, 1)
    model = graph.model(graph("MatMul", value, weights(3, 6)))
    metadata.set_own(model.graph.node(1))
    result = layout.apply(model, data_axes="N C *", ops=(), layout="source", notes=Notes())
    assert operators(result) == ["MatMul", "Transpose", "MatMul"]
    assert layout.leftover(result) == 0


@pytest.mark.parametrize("op", sorted(ABLE))
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_dialect_ops_compute_what_their_bodies_say(op, rank):
    if op == "GlobalLpPool" or (op == "LRN" and rank != 2):
        pytest.skip("onnxruntime has none")
    attributes, rest = {"kernel_shape": [2] * rank}, []
    if op in ("Conv", "ConvTranspose"):
        rest, attributes = [weights(4, 4, *[2] * rank), weights(4)], {"strides": [2] * rank}
    elif op == "BatchNormalization":
        rest, attributes = [weights(4), weights(4), weights(4), np.abs(weights(4)) + 1], {"epsilon": 0.01}
    elif op in ("InstanceNormalization", "GroupNormalization"):
        rest, attributes = [weights(4), weights(4)], {"num_groups": 2} if op[0] == "G" else {}
    elif op == "LRN":
        attributes = {"size": 3}
    elif op == "PRelu":
        rest, attributes = [weights(4, *[1] * rank)], {}
    elif op == "Resize":
        rest, attributes = [None, np.array([1, 1, *[2] * rank], np.float32)], {"mode": "nearest"}
    elif op.startswith("Global"):
        attributes = {}
    elif op in ("DepthToSpace", "SpaceToDepth"):
        if rank != 2:
            pytest.skip("of two spatial axes only")
        attributes = {"blocksize": 2}
    if op in ("LpPool", "GlobalLpPool"):
        attributes["p"] = 2
    graph = Graph()
    x = graph.input("x", ["N", 4, *[6] * rank])
    model = passes.run(graph.model(graph(op, x, *rest, **attributes)), notes=Notes())
    array = np.random.default_rng(1).normal(size=(2, 4, *[6] * rank)).astype(np.float32)
    (expected,) = compute(model, {"x": array})
    result = layout.apply(model, data_axes="N * C", ops={op}, layout="source", notes=Notes())
    (node,) = [each for each in result.graph if each.op_type == op]
    assert node.domain == "interlingua.channels_last"
    np.testing.assert_allclose(compute(result, {"x": array})[0], expected, rtol=1e-5, atol=1e-6)


def test_unknown_words_are_refused():
    with pytest.raises(UsageError, match="data axes"):
        layout.apply(lenet(False), data_axes="NHWC", ops=(), layout="source", notes=Notes())
    with pytest.raises(UsageError, match="layout"):
        layout.apply(lenet(False), data_axes="N C *", ops=(), layout="best", notes=Notes())
