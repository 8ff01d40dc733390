"""Whole numbers of less than a byte, for targets that have no tensors of them."""

from __future__ import annotations

import functools

import onnx_ir as ir

from interlingua.ir.edit import is_initializer
from interlingua.passes.base import Pass

_BYTES = {
    ir.DataType.INT2: ir.DataType.INT8,
    ir.DataType.INT4: ir.DataType.INT8,
    ir.DataType.UINT2: ir.DataType.UINT8,
    ir.DataType.UINT4: ir.DataType.UINT8,
}


class WidenSmall(Pass):
    """Gives weights of two and four bits in bytes, `uint4` as `uint8`, where nothing but `DequantizeLinear` reads them.

    The numbers are the same, and so is what they stand for.
    """

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        small = [value for value in model.graph.initializers.values() if value.dtype in _BYTES and _is_weight(value)]
        for value in small:
            tensor = value.const_value
            assert tensor is not None and value.dtype is not None
            kind = _BYTES[value.dtype]
            load = functools.partial(_widened, tensor, kind)
            value.const_value = ir.LazyTensor(load, kind, ir.Shape(tensor.shape.numpy()), name=value.name)
            value.dtype = kind
        return bool(small)


def _widened(tensor: ir.TensorProtocol, kind: ir.DataType) -> ir.TensorProtocol:
    return ir.tensor(tensor.numpy().astype(kind.numpy()), dtype=kind)


def _is_weight(value: ir.Value) -> bool:
    """Whether the value is read by dequantization alone, all of whose whole numbers are weights."""
    uses = list(value.uses())
    if not is_initializer(value) or value.is_graph_output():
        return False
    return all(use.node.op_type == "DequantizeLinear" and use.idx != 1 and _is_stated(use.node) for use in uses)


def _is_stated(node: ir.Node) -> bool:
    return all(value is None or is_initializer(value) for value in (node.inputs[0], *node.inputs[2:3]))
