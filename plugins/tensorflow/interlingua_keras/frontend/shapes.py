"""Shapes of single nodes while a graph is being built, by ONNX's own inference."""

from __future__ import annotations

import onnx
import onnx_ir as ir

from interlingua.errors import InvalidSource
from interlingua.ir.build import OPSET

_CONSTANTS_UP_TO = 1024


def infer(value: ir.Value, place: str) -> None:
    """Gives the outputs of the value's node, and of those before it that lack them, their shapes and types.

    Raises:
        InvalidSource: the node cannot take what it is given.
    """
    node = value.producer()
    waiting = [node] if node is not None else []
    seen: set[ir.Node] = set()
    while waiting:
        node = waiting[-1]
        before = [v.producer() for v in node.inputs if v is not None and v.shape is None]
        first = [other for other in before if other is not None and other not in seen]
        if first:
            seen.update(first)
            waiting.extend(first)
            continue
        waiting.pop()
        if node.outputs[0].shape is None and node.domain == "":
            _infer_node(node, place)


def _infer_node(node: ir.Node, place: str) -> None:
    types: dict[str, onnx.TypeProto] = {}
    data: dict[str, onnx.TensorProto] = {}
    for value in node.inputs:
        if value is None:
            continue
        if value.shape is None or value.dtype is None:
            return
        sizes = [dim if isinstance(dim, int) else dim.value for dim in value.shape]
        types[value.name or ""] = onnx.helper.make_tensor_type_proto(int(value.dtype), sizes)
        if value.const_value is not None and value.const_value.size <= _CONSTANTS_UP_TO:
            data[value.name or ""] = onnx.numpy_helper.from_array(value.const_value.numpy(), value.name)
    schema = onnx.defs.get_schema(node.op_type, OPSET, "")
    try:
        found = onnx.shape_inference.infer_node_outputs(
            schema, ir.to_proto(node), types, data, opset_imports=[onnx.helper.make_opsetid("", OPSET)]
        )
    except onnx.shape_inference.InferenceError as error:
        reason = str(error).splitlines()[0].split("] ")[-1]
        raise InvalidSource(
            f"Expected a layer that fits its input and weights. Received one that does not: {reason}.", place=place
        ) from error
    for value in node.outputs:
        inferred = found.get(value.name or "")
        if inferred is None:
            continue
        value.type = ir.TensorType(ir.DataType(inferred.tensor_type.elem_type))
        if inferred.tensor_type.HasField("shape"):
            value.shape = ir.Shape([_size(dim) for dim in inferred.tensor_type.shape.dim])


def _size(dim: onnx.TensorShapeProto.Dimension) -> int | str | None:
    if dim.HasField("dim_value"):
        return int(dim.dim_value)
    return dim.dim_param or None
