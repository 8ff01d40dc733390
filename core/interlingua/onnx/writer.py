"""Writes a model as one ONNX file, one weight in memory at a time."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import onnx_ir as ir

from interlingua.ir.stream import write_tensor
from interlingua.onnx.skeleton import LARGE, varint

LIMIT = 2_000_000_000
"""Protocol buffers hold at most 2 GiB; a larger model gets a file of weights beside it."""

_MODEL_GRAPH, _GRAPH_INITIALIZER, _BYTES = 7, 5, 2
_DIMS, _DATA_TYPE, _NAME, _RAW, _METADATA = 1, 2, 8, 9, 16


def save(model: ir.Model, path: Path) -> list[Path]:
    """Writes the model to `path`; the files written, weights of a very large model in a second one."""
    large = {
        name: value
        for name, value in model.graph.initializers.items()
        if value.const_value is not None and value.const_value.nbytes > LARGE and value.dtype != ir.DataType.STRING
    }
    if sum(value.const_value.nbytes for value in large.values() if value.const_value is not None) > LIMIT:
        ir.save(model, path, external_data=f"{path.name}.data", size_threshold_bytes=LARGE)
        return [path, path.parent / f"{path.name}.data"]
    proto = ir.to_proto(_without(model, large))
    graph = proto.graph.SerializeToString()
    proto.ClearField("graph")
    records = [(_header(value), value) for value in large.values()]
    total = len(graph)
    for head, value in records:
        length = len(head) + _size(value)
        total += len(varint(_GRAPH_INITIALIZER << 3 | _BYTES)) + len(varint(length)) + length
    with path.open("wb") as stream:
        stream.write(proto.SerializeToString())
        _begin(stream, _MODEL_GRAPH, total)
        stream.write(graph)
        for head, value in records:
            _begin(stream, _GRAPH_INITIALIZER, len(head) + _size(value))
            stream.write(head)
            assert value.const_value is not None
            write_tensor(stream, value.const_value)
    return [path]


def _without(model: ir.Model, large: dict[str, ir.Value]) -> ir.Model:
    """A copy of the model whose large initializers are declared nowhere: they are written after it."""
    copy = model.clone()
    for name in large:
        copy.graph.initializers.pop(name)
    for value in copy.graph.initializers.values():
        if isinstance(value.const_value, ir.ExternalTensor):  # its file belongs to the source, not to this model
            value.const_value = ir.tensor(value.const_value.numpy().copy(), name=value.name)
    return copy


def _size(value: ir.Value) -> int:
    return 0 if value.const_value is None else value.const_value.nbytes


def _begin(stream: BinaryIO, number: int, length: int) -> None:
    stream.write(varint(number << 3 | _BYTES) + varint(length))


def _field(number: int, text: bytes) -> bytes:
    return varint(number << 3 | _BYTES) + varint(len(text)) + text


def _header(value: ir.Value) -> bytes:
    """Everything of a TensorProto up to the raw data themselves."""
    tensor = value.const_value
    assert tensor is not None and value.name is not None
    parts = [varint(_DIMS << 3) + varint(int(size)) for size in tensor.shape.numpy()]
    parts.append(varint(_DATA_TYPE << 3) + varint(int(tensor.dtype)))
    parts.append(_field(_NAME, value.name.encode()))
    for key, text in value.metadata_props.items():
        parts.append(_field(_METADATA, _field(1, key.encode()) + _field(2, text.encode())))
    parts.append(varint(_RAW << 3 | _BYTES) + varint(tensor.nbytes))
    return b"".join(parts)
