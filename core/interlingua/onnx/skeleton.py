"""An ONNX file as its graph without the weights, and where in the file each weight stands.

A model of several hundred megabytes is read without copying them: what is parsed is the message with every large
`raw_data` left out, and the tensors are mapped into memory when somebody asks for them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

import ml_dtypes  # noqa: F401  (registers bfloat16 and its kin with numpy)
import numpy as np
import onnx
import onnx_ir as ir

from interlingua.errors import InvalidSource
from interlingua.formats import wire
from interlingua.onnx.mapped import mapped
from interlingua.onnx.prepare import tensors

LARGE = 4096
_MODEL_GRAPH, _GRAPH_INITIALIZER = 7, 5
_DIMS, _DATA_TYPE, _NAME, _RAW, _LOCATION = 1, 2, 8, 9, 14


@dataclasses.dataclass(frozen=True)
class Weight:
    """Where a weight's bytes stand in the file."""

    offset: int
    length: int


def skeleton(path: Path) -> tuple[onnx.ModelProto, dict[str, Weight]]:
    """The model without its large weights, and these by name.

    Raises:
        InvalidSource: the bytes are no ONNX model.
    """
    weights: dict[str, Weight] = {}
    with mapped(path) as data:
        start = np.frombuffer(data, np.uint8).__array_interface__["data"][0]
        parts = []
        for number, kind, value in wire.fields(data):
            if number == _MODEL_GRAPH and kind == wire.BYTES:
                value = _graph(value, start, weights)
            parts.append(_field(number, kind, value))
            value = None
        text = b"".join(parts)
    try:
        return onnx.ModelProto.FromString(text), weights
    except Exception as error:  # protobuf's DecodeError is of another class in each of its implementations
        raise InvalidSource(f"Expected an ONNX model. Received a message that does not parse: {error}") from error


def _graph(data: memoryview, start: int, weights: dict[str, Weight]) -> bytes:
    parts = []
    for number, kind, value in wire.fields(data):
        if number == _GRAPH_INITIALIZER and kind == wire.BYTES and len(value) > LARGE:
            value = _tensor(value, start, weights)
        parts.append(_field(number, kind, value))
    return b"".join(parts)


def _tensor(data: memoryview, start: int, weights: dict[str, Weight]) -> bytes:
    name, raw, parts = "", None, []
    for number, kind, value in wire.fields(data):
        if number == _RAW and kind == wire.BYTES and len(value) > LARGE:
            raw = value
            continue
        if number == _NAME and kind == wire.BYTES:
            name = bytes(value).decode("utf-8", "replace")
        parts.append(_field(number, kind, value))
    if raw is not None:
        if not name or name in weights:
            raise InvalidSource(f"Expected weights with names of their own. Received {name!r} twice or none.")
        address = np.frombuffer(raw, np.uint8).__array_interface__["data"][0]
        weights[name] = Weight(address - start, len(raw))
    return b"".join(parts)


def _field(number: int, kind: int, value: int | memoryview | bytes) -> bytes:
    tag = varint(number << 3 | kind)
    if isinstance(value, int):
        return tag + varint(value)
    return tag + (varint(len(value)) if kind == wire.BYTES else b"") + bytes(value)


def varint(value: int) -> bytes:
    """The number as protocol buffers write it."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def attach(proto: onnx.ModelProto, model: ir.Model, path: Path, weights: dict[str, Weight]) -> None:
    """Gives the initializers that `skeleton` left out their tensors, mapped from the file when asked for.

    Raises:
        InvalidSource: a declared shape does not fit the bytes that are there.
    """
    for tensor in proto.graph.initializer:
        weight = weights.get(tensor.name)
        if weight is None:
            continue
        dtype = ir.DataType(tensor.data_type)
        shape = tuple(tensor.dims)
        expected = _bytes_of(shape, dtype)
        if expected != weight.length:
            raise InvalidSource(
                f"Expected {expected} bytes for the weight {tensor.name!r} of shape {list(shape)}. "
                f"Received {weight.length}."
            )
        model.graph.initializers[tensor.name].const_value = _mapped_tensor(tensor.name, path, weight, shape, dtype)


def _mapped_tensor(
    name: str, path: Path, weight: Weight, shape: tuple[int, ...], dtype: ir.DataType
) -> ir.TensorProtocol:
    def load() -> ir.TensorProtocol:
        if dtype.bitwidth < 8:
            packed = np.memmap(path, np.uint8, "r", weight.offset, (weight.length,))
            return ir.PackedTensor(packed, dtype, shape=ir.Shape(shape), name=name)
        numpy_type = dtype.numpy()
        return ir.Tensor(
            np.memmap(path, np.uint8, "r", weight.offset, (weight.length,)).view(numpy_type).reshape(shape)
        )

    return ir.LazyTensor(load, dtype, ir.Shape(shape), name=name)


def _bytes_of(shape: Iterable[int], dtype: ir.DataType) -> int:
    return (_elements(shape) * dtype.bitwidth + 7) // 8


def _elements(shape: Iterable[int]) -> int:
    size = 1
    for axis in shape:
        if axis < 0:
            raise InvalidSource(f"Expected sizes of at least 0. Received a weight with an axis of {axis}.")
        size *= axis
    return size


_HELD = {
    "float_data": (1, 14),
    "int32_data": (2, 3, 4, 5, 6, 9, 10, 16, 17, 18, 19, 20, 21, 22, 23),
    "int64_data": (7,),
    "double_data": (11, 15),
    "uint64_data": (12, 13),
}
_PAIRS = (14, 15)


def wrong_tensors(proto: onnx.ModelProto, left_out: dict[str, Weight]) -> Iterator[str]:
    """Every tensor of the model whose data are not as many as its shape declares, one sentence each."""
    for tensor in tensors(proto):
        if tensor.name in left_out and not tensor.HasField("raw_data"):
            continue
        try:
            dtype = ir.DataType(tensor.data_type)
            if dtype == ir.DataType.STRING:
                elements = _elements(tensor.dims)
                if len(tensor.string_data) != elements or tensor.data_location == onnx.TensorProto.EXTERNAL:
                    yield f"the tensor {tensor.name!r} declares {elements} strings and holds {len(tensor.string_data)}"
                continue
            expected = _bytes_of(tensor.dims, dtype)
        except (ValueError, InvalidSource, TypeError) as error:
            yield f"the tensor {tensor.name!r}: {error}"
            continue
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            continue
        if tensor.HasField("raw_data"):
            if len(tensor.raw_data) != expected:
                yield f"the tensor {tensor.name!r} declares {expected} bytes and holds {len(tensor.raw_data)}"
            continue
        field = next((name for name, kinds in _HELD.items() if tensor.data_type in kinds), "int32_data")
        held = len(getattr(tensor, field))
        elements = expected if dtype.bitwidth < 8 else expected * 8 // dtype.bitwidth
        if held != elements * (2 if tensor.data_type in _PAIRS else 1):
            yield f"the tensor {tensor.name!r} declares {elements} elements and holds {held}"
