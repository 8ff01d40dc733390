"""Models of every older opset come to the pinned one with the same numbers."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.reference
import onnx_ir as ir
import onnxruntime
import pytest
from passes_graphs import Graph, compute, operators, weights

from interlingua import passes
from interlingua.errors import UnsupportedModel
from interlingua.ir import metadata
from interlingua.ir.opset import OPSET, upgrade
from interlingua.notes import Notes

SHAPE = (2, 4, 6, 6)


def single(opset, op, *rest, shape=SHAPE, outputs=1, **attributes):
    graph = Graph(opset)
    x = graph.input("x", list(shape))
    made = graph(op, x, *rest, outputs=outputs, name="the layer", **attributes)
    return graph.model(*([made] if outputs == 1 else made), ir_version=8)


def array_of(shape=SHAPE):
    return np.random.default_rng(7).normal(size=shape).astype(np.float32)


def upgraded(model: ir.Model) -> ir.Model:
    result = passes.run(model, notes=Notes(), debug=True)
    assert result.opset_imports[""] == OPSET
    return result


I64 = lambda *numbers: np.array(numbers, np.int64)  # noqa: E731
F32 = lambda *numbers: np.array(numbers, np.float32)  # noqa: E731

CASES = {
    "Upsample-7 nearest": (7, "Upsample", [], {"scales": [1.0, 1.0, 2.0, 3.0]}),
    "Upsample-9 linear": (9, "Upsample", [F32(1, 1, 2, 2)], {"mode": "linear"}),
    "Upsample-9 nearest": (9, "Upsample", [F32(1, 1, 2, 2)], {"mode": "nearest"}),
    "Resize-10 linear up": (10, "Resize", [F32(1, 1, 2, 2)], {"mode": "linear"}),
    "Resize-10 linear down": (10, "Resize", [F32(1, 1, 0.5, 0.5)], {"mode": "linear"}),
    "Resize-10 nearest up": (10, "Resize", [F32(1, 1, 1.5, 2)], {"mode": "nearest"}),
    "Resize-10 nearest down": (10, "Resize", [F32(1, 1, 0.6, 0.5)], {"mode": "nearest"}),
    "Resize-10 nearest both": (10, "Resize", [F32(1, 1, 0.6, 2)], {"mode": "nearest"}),
    "Resize-11 half pixel": (11, "Resize", [F32(), F32(1, 1, 2, 2)], {"mode": "linear"}),
    "Hardmax-11": (11, "Hardmax", [], {"axis": 1}),
    "Hardmax-1 last": (7, "Hardmax", [], {"axis": 3}),
    "Softmax-1": (8, "Softmax", [], {}),
    "Softmax-11 axis 2": (11, "Softmax", [], {"axis": 2}),
    "Softmax-11 negative": (11, "Softmax", [], {"axis": -2}),
    "LogSoftmax-1 last": (7, "LogSoftmax", [], {"axis": 3}),
    "Clip-6": (6, "Clip", [], {"min": -0.5, "max": 0.75}),
    "Clip-6 max": (9, "Clip", [], {"max": 0.25}),
    "Dropout-7": (7, "Dropout", [], {"ratio": 0.3}),
    "Pad-2": (2, "Pad", [], {"pads": [0, 0, 1, 2, 0, 0, 2, 1], "value": 0.5}),
    "Pad-10 reflect": (10, "Pad", [], {"pads": [0, 0, 1, 2, 0, 0, 2, 1], "mode": "reflect"}),
    "Slice-1": (9, "Slice", [], {"starts": [1, -3], "ends": [3, 100], "axes": [1, 2]}),
    "Split-2": (2, "Split", [], {"axis": 1, "split": [1, 3], "outputs": 2}),
    "Split-11 even": (11, "Split", [], {"axis": 2, "outputs": 3}),
    "Split-13 even": (13, "Split", [], {"axis": 1, "outputs": 2}),
    "TopK-1": (7, "TopK", [], {"k": 2, "axis": 1, "outputs": 2}),
    "Squeeze-1": (9, "Squeeze", [], {"axes": [1], "shape": (2, 1, 3)}),
    "Unsqueeze-11": (11, "Unsqueeze", [], {"axes": [0, 3]}),
    "ReduceMean-1": (7, "ReduceMean", [], {"axes": [2, 3], "keepdims": 0}),
    "ReduceMax-12 all": (12, "ReduceMax", [], {}),
    "ReduceSum-11": (11, "ReduceSum", [], {"axes": [-1]}),
    "ReduceL2-13": (13, "ReduceL2", [], {"axes": [1]}),
    "Add-7": (7, "Add", [weights(4, 1, 1)], {}),
    "PRelu-7": (7, "PRelu", [weights(4, 1, 1)], {}),
    "BatchNormalization-7": (7, "BatchNormalization", [weights(4), weights(4), weights(4), abs(weights(4)) + 1], {}),
    "BatchNormalization-9": (9, "BatchNormalization", [weights(4), weights(4), weights(4), abs(weights(4)) + 1], {}),
    "GridSample-16": (16, "GridSample", [weights(2, 5, 5, 2)], {"mode": "bilinear"}),
    "GridSample-16 nearest": (16, "GridSample", [weights(2, 5, 5, 2)], {"mode": "nearest"}),
    "Gemm-7": (7, "Gemm", [weights(6, 5), weights(5)], {"shape": (3, 6)}),
    "Cast-6": (6, "Cast", [], {"to": 7}),
    "Scatter-9": (9, "Scatter", [np.zeros((1, 4, 6, 6), np.int64), weights(1, 4, 6, 6)], {"axis": 0}),
    "MaxPool-1": (7, "MaxPool", [], {"kernel_shape": [2, 2], "pads": [1, 0, 0, 1]}),
    "AveragePool-7": (7, "AveragePool", [], {"kernel_shape": [3, 3], "pads": [1] * 4, "count_include_pad": 1}),
    "Flatten-1": (7, "Flatten", [], {"axis": 2}),
    "DFT-17": (17, "DFT", [], {"axis": 1, "shape": (2, 8, 1)}),
    "LSTM-7": (7, "LSTM", [weights(1, 20, 3), weights(1, 20, 5)], {"hidden_size": 5, "outputs": 3, "shape": (4, 2, 3)}),
}


@pytest.mark.parametrize("name", CASES)
def test_numbers_are_those_of_the_old_opset(name):
    opset, op, rest, attributes = CASES[name]
    attributes = dict(attributes)
    shape = attributes.pop("shape", SHAPE)
    model = single(opset, op, *rest, shape=shape, **attributes)
    array = array_of(shape)
    try:
        expected = compute(model, {"x": array}, check=False)
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
        expected = onnx.reference.ReferenceEvaluator(ir.to_proto(model)).run(None, {"x": array})
    found = compute(upgraded(model), {"x": array})
    assert len(found) == len(expected)
    for left, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
def test_the_axis_of_old_broadcasting(op, axis):
    """onnxruntime has no kernels before opset 7: numpy says what the standard of opset 6 says."""
    sizes = {0: (2, 4), 1: (4, 6), 2: (6, 6)}[axis]
    other = abs(weights(*sizes)) + 1
    model = upgraded(single(6, op, other, broadcast=1, axis=axis))
    array = array_of()
    wide = other.reshape(*sizes, *[1] * (4 - axis - 2))
    expected = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}[op](array, wide)
    np.testing.assert_allclose(compute(model, {"x": array})[0], expected, rtol=1e-6)


def test_a_slope_for_each_channel_of_opset_6():
    model = upgraded(single(6, "PRelu", weights(4)))
    array = array_of()
    expected = np.where(array < 0, array * weights(4).reshape(4, 1, 1), array)
    np.testing.assert_allclose(compute(model, {"x": array})[0], expected, rtol=1e-6)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_group_normalization_by_group(groups):
    model = single(18, "GroupNormalization", weights(groups), weights(groups, seed=1), num_groups=groups, epsilon=1e-3)
    array = array_of()
    expected = onnx.reference.ReferenceEvaluator(ir.to_proto(model)).run(None, {"x": array})[0]
    result = upgraded(model)
    np.testing.assert_allclose(compute(result, {"x": array})[0], expected, rtol=1e-4, atol=1e-5)
    if groups == 2:
        assert "reshape(broadcast(reshape(w2, 2, 1), 2, 2), 4)" in {
            str(metadata.origin(value)) for value in result.graph.initializers.values()
        }


def test_metadata_and_names_survive():
    model = single(8, "Softmax")
    model.graph.node(0).metadata_props["namespace"] = "of the exporter"
    metadata.set_place(model.graph.node(0), "head/softmax", module="net.head")
    result = upgraded(model)
    assert len(result.graph) > 1
    for node in result.graph:
        assert metadata.place(node).layer == "head/softmax"
        assert metadata.place(node).module == "net.head"
        assert node.metadata_props["namespace"] == "of the exporter"
    assert [value.name for value in result.graph.outputs] == ["v1"]


def test_newer_opsets_are_restamped_where_nothing_changed():
    result = upgraded(single(OPSET + 1, "Relu"))
    assert operators(result) == ["Relu"]


def test_newer_operators_are_refused_all_at_once():
    graph = Graph(28)
    x = graph.input("x", [2, 4], ir.DataType.INT32)
    first = graph("BitShift", x, np.ones((2, 4), np.int32), name="first", direction="LEFT")
    second = graph("BitShift", first, np.ones((2, 4), np.int32), name="second", direction="RIGHT")
    with pytest.raises(UnsupportedModel) as caught:
        passes.run(graph.model(graph("Abs", second)), notes=Notes())
    assert len(caught.value.refusals) == 2
    assert "BitShift at first" in caught.value.refusals[0]
    assert "BitShift at second" in caught.value.refusals[1]


def test_newer_operators_with_a_body_are_said_by_it():
    graph = Graph(28)
    gate, x = graph.input("gate", [2, 8]), graph.input("x", [2, 8])
    result = upgraded(graph.model(graph("SwiGLU", gate, x, alpha=1.5, name="glu")))
    assert operators(result) == ["Swish", "Mul"]
    assert {metadata.place(node).layer for node in result.graph} == {"glu"}
    feeds = {"gate": array_of((2, 8)), "x": 2 * array_of((2, 8))}
    found = onnx.reference.ReferenceEvaluator(ir.to_proto(result)).run(None, feeds)[0]
    expected = feeds["gate"] / (1 + np.exp(-1.5 * feeds["gate"])) * feeds["x"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_scans_over_a_batch():
    proto = onnx.parser.parse_model("""<ir_version: 3, opset_import: ["": 8]>
        g (float[2, 3] initial, float[2, 4, 3] x) => (float[2, 3] y, float[2, 4, 3] z) {
            y, z = Scan ("", initial, x) <num_scan_inputs: int = 1, body: graph = b (float[3] a, float[3] n)
                => (float[3] sum, float[3] out) { sum = Add (a, n)  out = Identity (sum) }>
        }""")
    initial, array = array_of((2, 3)), array_of((2, 4, 3))
    found = compute(upgraded(ir.from_proto(proto)), {"initial": initial, "x": array})
    sums = initial[:, None] + np.cumsum(array, 1)
    np.testing.assert_allclose(found[0], sums[:, -1], rtol=1e-5)
    np.testing.assert_allclose(found[1], sums, rtol=1e-5)


def test_training_forms_are_refused():
    rest = [weights(4), weights(4), weights(4), abs(weights(4)) + 1]
    with pytest.raises(UnsupportedModel, match="pixel by itself"):
        upgraded(single(7, "BatchNormalization", *rest, spatial=0))


def test_opaque_nodes_travel_on():
    graph = Graph(9)
    x = graph.input("x", [2, 4])
    value = graph("Strange", graph("Relu", x), name="odd", domain="caffe", knob=3)
    result = upgraded(graph.model(value))
    node = result.graph.node("odd")
    assert (node.domain, node.op_type, node.attributes["knob"].value) == ("caffe", "Strange", 3)


def test_bodies_of_control_flow_are_upgraded():
    proto = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["": 11]>
        g (bool c, float[2, 3, 4] x) => (float[2, 3, 4] y) {
            y = If (c) <
                then_branch = a () => (float[2, 3, 4] t) { t = Softmax (x) },
                else_branch = b () => (float[2, 3, 4] e) { e = Clip (x) }
            >
        }""")
    array = array_of((2, 3, 4))
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    result = upgraded(ir.from_proto(proto))
    for flag in (True, False):
        feeds = {"c": np.array(flag), "x": array}
        np.testing.assert_allclose(compute(result, feeds)[0], session.run(None, feeds)[0], rtol=1e-6)


def test_functions_of_another_opset_keep_their_meaning():
    proto = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["": 17, "local": 1]>
        g (float[2, 3, 4] x) => (float[2, 3, 4] y) { y = local.Old (x) }
        <domain: "local", opset_import: ["": 11]>
        Old (a) => (b) { b = Softmax (a) }""")
    array = array_of((2, 3, 4))
    flat = np.exp(array.reshape(2, 12))
    expected = (flat / flat.sum(1, keepdims=True)).reshape(2, 3, 4)
    np.testing.assert_allclose(compute(upgraded(ir.from_proto(proto)), {"x": array})[0], expected, rtol=1e-5)


def test_a_model_of_the_pinned_opset_is_left_alone():
    assert upgrade(single(OPSET, "Relu"), Notes()) is False
