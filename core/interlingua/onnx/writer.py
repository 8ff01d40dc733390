"""Writes a model as an ONNX file, one weight in memory at a time, the weights in it or in a file beside it."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import onnx
import onnx_ir as ir

from interlingua.ir import foreign_types
from interlingua.ir.stream import write_tensor
from interlingua.onnx.skeleton import LARGE, varint
from interlingua.passes.attention_masks import widen_masks

LIMIT = 2_000_000_000
"""Protocol buffers hold at most 2 GiB; a larger model gets a file of weights beside it."""

ALIGNMENT = 64
"""Where a weight begins in a file of weights: at a multiple of this, so that it can be mapped into memory as it is."""

_MODEL_GRAPH, _GRAPH_INITIALIZER, _BYTES = 7, 5, 2


def save(model: ir.Model, path: Path, *, external_data: bool = False) -> list[Path]:
    """Writes the model to `path`; the files written.

    With `external_data`, and always where the model is too large for one message, its weights stand in a second file
    `<path>.data`. The same model gives the same bytes.
    """
    large = {
        name: value
        for name, value in model.graph.initializers.items()
        if value.const_value is not None
        and value.const_value.dtype != ir.DataType.STRING
        and value.const_value.nbytes > LARGE
    }
    total = sum(value.const_value.nbytes for value in large.values() if value.const_value is not None)
    proto = ir.to_proto(_without(model, large))
    proto.graph.value_info.extend(ir.serde.serialize_value(value) for value in large.values())
    foreign_types.restore(proto.graph)
    if (external_data and large) or total > LIMIT:
        beside = path.parent / f"{path.name}.data"
        _save_beside(proto, large, path, beside)
        return [path, beside]
    _save_within(proto, large, path)
    return [path]


def _without(model: ir.Model, large: dict[str, ir.Value]) -> ir.Model:
    """A copy of the model whose large initializers are declared nowhere: they are written after it."""
    copy = model.clone()
    widen_masks(copy)
    for name in large:
        copy.graph.initializers.pop(name)
    for value in copy.graph.initializers.values():
        if value.const_value is not None:
            value.const_value = _here(value.const_value)
    for node in copy.graph.all_nodes():
        for name, attribute in list(node.attributes.items()):
            if attribute.type == ir.AttributeType.TENSOR and isinstance(attribute.value, ir.ExternalTensor):
                node.attributes[name] = ir.AttrTensor(name, _here(attribute.as_tensor()))
    return copy


def _here(tensor: ir.TensorProtocol) -> ir.TensorProtocol:
    """The tensor without a file of its own: that belongs to the source, not to this model."""
    if not isinstance(tensor, ir.ExternalTensor):
        return tensor
    return ir.tensor(tensor.numpy().copy(), dtype=tensor.dtype, name=tensor.name)


def _save_within(proto: onnx.ModelProto, large: dict[str, ir.Value], path: Path) -> None:
    graph = proto.graph.SerializeToString(deterministic=True)
    proto.ClearField("graph")
    records = [(_header(value), value) for value in large.values()]
    total = len(graph)
    for head, value in records:
        length = len(head) + _size(value)
        total += len(varint(_GRAPH_INITIALIZER << 3 | _BYTES)) + len(varint(length)) + length
    with path.open("wb") as stream:
        stream.write(proto.SerializeToString(deterministic=True))
        _begin(stream, _MODEL_GRAPH, total)
        stream.write(graph)
        for head, value in records:
            _begin(stream, _GRAPH_INITIALIZER, len(head) + _size(value))
            stream.write(head)
            assert value.const_value is not None
            write_tensor(stream, value.const_value)


def _save_beside(proto: onnx.ModelProto, large: dict[str, ir.Value], path: Path, beside: Path) -> None:
    with beside.open("wb") as stream:
        for value in large.values():
            assert value.const_value is not None
            offset = -(-stream.tell() // ALIGNMENT) * ALIGNMENT
            stream.write(b"\0" * (offset - stream.tell()))
            tensor = _described(value)
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key, said in (("location", beside.name), ("offset", offset), ("length", _size(value))):
                tensor.external_data.add(key=key, value=str(said))
            proto.graph.initializer.append(tensor)
            write_tensor(stream, value.const_value)
    path.write_bytes(proto.SerializeToString(deterministic=True))


def _size(value: ir.Value) -> int:
    return 0 if value.const_value is None else value.const_value.nbytes


def _begin(stream: BinaryIO, number: int, length: int) -> None:
    stream.write(varint(number << 3 | _BYTES) + varint(length))


def _described(value: ir.Value) -> onnx.TensorProto:
    """Everything of a weight but its data."""
    tensor = value.const_value
    assert tensor is not None
    shape = [int(size) for size in tensor.shape.numpy()]
    described = onnx.TensorProto(name=value.name, data_type=int(tensor.dtype), dims=shape)
    if tensor.doc_string:
        described.doc_string = tensor.doc_string
    return described


def _header(value: ir.Value) -> bytes:
    """The weight up to its data themselves, which follow."""
    head = bytes(_described(value).SerializeToString(deterministic=True))
    return head + varint(onnx.TensorProto.RAW_DATA_FIELD_NUMBER << 3 | _BYTES) + varint(_size(value))
