"""Weights of four bits in bytes for a target; in ONNX, and where they are computed with, they stay."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx_ir as ir
import pytest

import interlingua
from interlingua.notes import Notes
from interlingua.passes.small_types import WidenSmall


def product(copied: bool = False) -> onnx.ModelProto:
    """A product with a weight of four bits, which is an output too where it is `copied`."""
    helper, small = onnx.helper, onnx.TensorProto.INT4
    nodes = [
        helper.make_node("DequantizeLinear", ["whole", "scale", "point"], ["weight"], axis=1),
        helper.make_node("MatMul", ["x", "weight"], ["y"]),
        *([helper.make_node("Cast", ["whole"], ["copy"], to=onnx.TensorProto.FLOAT)] if copied else []),
    ]
    outputs = [helper.make_tensor_value_info(name, 1, None) for name in ("y", "copy")[: 1 + copied]]
    weights = [
        helper.make_tensor("whole", small, [2, 3], [-8, 7, 1, 0, -3, 5]),
        helper.make_tensor("scale", onnx.TensorProto.FLOAT, [3], [0.5, 0.25, 2.0]),
        helper.make_tensor("point", small, [3], [1, -2, 0]),
    ]
    inputs = [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 2])]
    graph = helper.make_graph(nodes, "product", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def test_weights_and_zero_points_are_widened_with_their_numbers() -> None:
    model: ir.Model = ir.from_proto(product())
    assert WidenSmall(Notes()).call(model).modified
    whole, point = (model.graph.initializers[name] for name in ("whole", "point"))
    assert whole.dtype == point.dtype == ir.DataType.INT8
    assert whole.const_value is not None and whole.const_value.numpy().tolist() == [[-8, 7, 1], [0, -3, 5]]
    assert point.const_value is not None and point.const_value.numpy().tolist() == [1, -2, 0]


def test_what_something_else_reads_stays() -> None:
    model: ir.Model = ir.from_proto(product(copied=True))
    WidenSmall(Notes()).call(model)
    assert model.graph.initializers["whole"].dtype == ir.DataType.INT4


@pytest.mark.slow
def test_torch_has_them_and_onnx_keeps_them_small(tmp_path: Path) -> None:
    onnx.save(product(), tmp_path / "model.onnx")
    for target in ("torch", "onnx"):
        report = interlingua.convert(tmp_path / "model.onnx", target, tmp_path / target)
        assert {proof.verdict for proof in report.proofs} == {"proved"}
    written = onnx.load(tmp_path / "onnx" / "model.onnx")
    assert {each.data_type for each in written.graph.initializer} >= {onnx.TensorProto.INT4}
