"""Canonical models are said in older opsets with the same numbers, or refused with every node named."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from passes_graphs import Graph, compute, weights

from interlingua import passes, plugin
from interlingua.artifact import WriteOptions
from interlingua.codegen.package import WriteRequest
from interlingua.errors import UnsupportedModel, UsageError
from interlingua.notes import Notes
from interlingua.onnx import backend

I64 = lambda *numbers: np.array(numbers, np.int64)  # noqa: E731

CASES = {
    "LayerNormalization": ([weights(6), weights(6, seed=1)], {"axis": -1}),
    "RMSNormalization": ([weights(6)], {"axis": -1}),
    "GroupNormalization": ([weights(4), weights(4, seed=1)], {"num_groups": 2}),
    "Gelu": ([], {"approximate": "tanh"}),
    "Swish": ([], {"alpha": 1.5}),
    "Mish": ([], {}),
    "HardSwish": ([], {}),
    "ReduceMean": ([I64(1, -1)], {"keepdims": 0}),
    "ReduceL2": ([I64()], {"noop_with_empty_axes": 1}),
    "Pad": ([I64(1, 2), np.array(0.5, np.float32), I64(-1)], {}),
    "Split": ([], {"axis": 2, "num_outputs": 3, "outputs": 3}),
    "Resize": ([None, np.array([2, 2], np.float32)], {"axes": [2, 3], "mode": "linear"}),
    "Trilu": ([I64(1).reshape(())], {"upper": 0}),
    "Shape": ([], {"start": 1, "end": -1}),
    "Reshape": ([I64(4, -1)], {"allowzero": 1}),
}


def written(model, folder, opset):
    folder.mkdir()
    package = backend.write(model, WriteRequest(plugin.framework("onnx"), folder, WriteOptions(opset=opset)))
    proto = onnx.load(folder / package.native_path)
    assert {each.domain: each.version for each in proto.opset_import} == {"": opset}
    onnx.checker.check_model(proto, full_check=True)
    return ir.from_proto(proto)


@pytest.mark.parametrize("opset", [13, 17, 18, 23])
@pytest.mark.parametrize("op", CASES)
def test_numbers_are_those_of_the_pinned_opset(op, opset, tmp_path):
    rest, attributes = CASES[op]
    attributes = dict(attributes)
    graph = Graph(26)
    x = graph.input("x", [2, 4, 6, 6])
    made = graph(op, x, *rest, name="it", outputs=attributes.pop("outputs", 1), **attributes)
    model = passes.run(graph.model(*([made] if isinstance(made, str) else made)), notes=Notes())
    feeds = {"x": np.random.default_rng(5).normal(size=(2, 4, 6, 6)).astype(np.float32)}
    found = compute(written(model.clone(), tmp_path / "old", opset), feeds)
    expected = compute(written(model.clone(), tmp_path / "twin", 24), feeds)
    for left, right in zip(found, expected, strict=True):
        assert left.shape == right.shape
        np.testing.assert_allclose(left, right, rtol=2e-5, atol=1e-6)


def test_what_an_opset_lacks_is_refused_at_once(tmp_path):
    graph = Graph(26)
    x = graph.input("x", [2, 4], ir.DataType.INT32)
    total = graph("CumProd", x, np.array(1, np.int64), name="first")
    model = passes.run(graph.model(graph("BitwiseNot", total, name="second")), notes=Notes())
    with pytest.raises(UnsupportedModel) as caught:
        backend.write(model, WriteRequest(plugin.framework("onnx"), tmp_path, WriteOptions(opset=13)))
    assert caught.value.refusals == (
        "CumProd at first: the operator came with opset 26",
        "BitwiseNot at second: the operator came with opset 18",
    )
    assert not list(tmp_path.iterdir())


def test_bodies_of_control_flow_are_lowered(tmp_path):
    proto = onnx.parser.parse_model("""<ir_version: 10, opset_import: ["": 26]>
        g (bool c, float[2, 3, 4] x) => (float[2, 3, 4] y) {
            y = If (c) <
                then_branch = a () => (float[2, 3, 4] t) { t = Gelu (x) },
                else_branch = b () => (float[2, 3, 4] e) { e = Mish (x) }
            >
        }""")
    model = passes.run(ir.from_proto(proto), notes=Notes())
    array = weights(2, 3, 4)
    old = written(model.clone(), tmp_path / "old", 13)
    for flag in (True, False):
        feeds = {"c": np.array(flag), "x": array}
        np.testing.assert_allclose(compute(old, feeds)[0], compute(model, feeds)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("opset", [1, 12, 27])
def test_opsets_that_are_not_written(opset, tmp_path):
    graph = Graph(26)
    model = passes.run(graph.model(graph("Relu", graph.input("x", [2]))), notes=Notes())
    with pytest.raises(UsageError, match="13 to 26"):
        backend.write(model, WriteRequest(plugin.framework("onnx"), tmp_path, WriteOptions(opset=opset)))


@pytest.mark.parametrize(("sizes", "said"), [((2, 2), False), ((4, 5), True), ((5, 5), True)])
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_rounding_up_without_a_window_more_is_rounding_down(op, sizes, said, tmp_path):
    kernel = {(2, 2): [1, 1], (4, 5): [3, 2], (5, 5): [2, 2]}[sizes]
    graph = Graph(26)
    x = graph.input("x", [1, 2, *sizes])
    made = graph(op, x, kernel_shape=kernel, strides=[2, 2], ceil_mode=1, name="it")
    model = passes.run(graph.model(made), notes=Notes())
    old = written(model.clone(), tmp_path / "old", 21)
    assert any("ceil_mode" in node.attributes for node in old.graph) is said
    feeds = {"x": np.random.default_rng(5).normal(size=(1, 2, *sizes)).astype(np.float32)}
    np.testing.assert_allclose(compute(old, feeds)[0], compute(model, feeds)[0], rtol=1e-6)


def test_rounding_up_on_one_axis_alone_is_refused(tmp_path):
    graph = Graph(26)
    x = graph.input("x", [1, 2, 2, 4])
    made = graph("MaxPool", x, kernel_shape=[1, 3], strides=[2, 2], ceil_mode=1, name="it")
    model = passes.run(graph.model(made), notes=Notes())
    with pytest.raises(UnsupportedModel, match="begin one in the padding"):
        written(model.clone(), tmp_path / "old", 21)
