"""A `.caffemodel` in place: its weights are views of the mapped file, never copied.

Two facts shape this: binary models of forks give one field number several meanings (so of a layer only its name
and blobs are taken), and the weights of one layer can be hundreds of megabytes (so they are pointed at).
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from interlingua.errors import InvalidSource
from interlingua.formats.wire import BYTES, fields
from interlingua_caffe.proto.schema import message

_DATA, _SHAPE, _DOUBLES = 5, 7, 8
_TYPES = {_DATA: "<f4", _DOUBLES: "<f8"}


class Blob(NamedTuple):
    """A blob of a layer: its shape as stored (`legacy` shapes have four axes whatever they hold) and its numbers."""

    shape: tuple[int, ...]
    legacy: bool
    numbers: NDArray[Any]

    @property
    def array(self) -> NDArray[Any]:
        """The numbers in the stored shape: a view of the file."""
        return self.numbers.reshape(self.shape)


class StoredLayer(NamedTuple):
    """A layer of a binary model: what can be trusted of it."""

    name: str
    blobs: tuple[Blob, ...]


class _Form(NamedTuple):
    """Where a layer message keeps its name and its blobs, and which field holds a layer of the form before."""

    name: int
    blobs: int
    inner: int = 0


_V2, _V1, _V0 = _Form(name=1, blobs=7), _Form(name=4, blobs=6, inner=1), _Form(name=1, blobs=50)
_LAYERS = {100: _V2, 2: _V1}


def _numbers(parts: list[tuple[int, memoryview]]) -> NDArray[Any]:
    """The numbers of a blob: one packed field is a view, several (older writers, unpacked) are joined."""
    if not parts:
        return np.zeros(0, "<f4")
    dtype = np.dtype(_TYPES[parts[0][0]])
    raw = parts[0][1] if len(parts) == 1 else b"".join(view for _, view in parts)
    if len(raw) % dtype.itemsize or len({number for number, _ in parts}) > 1:
        raise InvalidSource(f"Expected whole numbers of {dtype.itemsize} bytes in a blob. Received {len(raw)} bytes.")
    return np.frombuffer(raw, dtype)


def blob(data: memoryview) -> Blob:
    """The `BlobProto` whose bytes `data` is.

    Raises:
        InvalidSource: its shape and the count of its numbers do not agree.
    """
    proto, parts, dims = message("BlobProto"), [], b""
    legacy: dict[int, int] = {}
    for number, kind, raw in fields(data):
        if number in _TYPES and not isinstance(raw, int):
            parts.append((number, raw))
        elif number in (1, 2, 3, 4) and isinstance(raw, int):
            legacy[number] = raw
        elif kind == BYTES and number == _SHAPE:
            dims += prefix(number, len(raw)) + bytes(raw)
    proto.ParseFromString(dims)
    shape = tuple(legacy.get(axis, 0) for axis in (1, 2, 3, 4)) if legacy else tuple(proto.shape.dim)
    numbers = _numbers([(number, raw) for number, raw in parts if len(raw)])
    if any(size < 0 for size in shape) or math.prod(shape) != numbers.size:
        raise InvalidSource(f"Expected a blob of the shape {list(shape)} it declares. Received {numbers.size} numbers.")
    return Blob(shape, bool(legacy), numbers)


def _layer(data: memoryview, form: _Form) -> StoredLayer:
    name, blobs = "", []
    for number, kind, raw in fields(data):
        if kind != BYTES:
            continue
        if number == form.name:
            name = str(raw, "utf-8")
        elif number == form.blobs:
            blobs.append(blob(raw))
        elif number == form.inner:
            inner = _layer(raw, _V0)
            name, blobs = inner.name or name, [*blobs, *inner.blobs]
    return StoredLayer(name, tuple(blobs))


def mapped(path: Path) -> memoryview:
    """The bytes of a file, read when looked at."""
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def stored_layers(path: Path) -> list[StoredLayer]:
    """The layers of a `.caffemodel` of any age, their weights as views of the file.

    Raises:
        InvalidSource: the file is truncated or no serialised `NetParameter`.
    """
    layer = "the first layer"
    found: list[StoredLayer] = []
    try:
        for number, kind, raw in fields(mapped(path)):
            if number in _LAYERS and kind == BYTES:
                found.append(_layer(raw, _LAYERS[number]))
                layer = f"what follows layer {found[-1].name!r}"
    except (InvalidSource, DecodeError, UnicodeDecodeError, ValueError) as error:
        reason = error.message if isinstance(error, InvalidSource) else str(error)
        raise InvalidSource(
            f"Expected the weights of a Caffe network. "
            f"Received {path.name!r}, truncated or corrupt in {layer}: {reason}",
            place=str(path),
        ) from error
    return found


def first_fields(
    data: memoryview, kinds: Mapping[int, int] | None = None, limit: int = 32
) -> dict[int, list[Any]] | None:
    """The first fields by number; None when one of them has not the wire type that `kinds` gives for it.

    A message that breaks off counts by what stands before the break.
    """
    found: dict[int, list[Any]] = {}
    try:
        for index, (number, kind, raw) in enumerate(fields(data)):
            if kinds is not None and kinds.get(number) != kind:
                return None
            found.setdefault(number, []).append(raw)
            if index >= limit:
                break
    except InvalidSource:
        pass
    return found


def prefix(number: int, length: int) -> bytes:
    """The tag and length that stand before a field of that number and so many bytes."""
    return _varint(number << 3 | BYTES) + _varint(length)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def blob_head(shape: Sequence[int], length: int) -> bytes:
    """What stands before the `length` bytes of little-endian float32 numbers in a `BlobProto` of that shape."""
    proto = message("BlobProto")
    proto.shape.dim.extend(shape)
    return bytes(proto.SerializeToString()) + prefix(_DATA, length)
