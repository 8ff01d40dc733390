"""Walks serialised messages in place: a `.caffemodel` is read by offset, its weights never copied.

Two facts shape this: binary models of forks give one field number several meanings (so of a layer only its name, type
and blobs are taken), and the weights of one layer can be hundreds of megabytes (so they are pointed at).
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from google.protobuf.message import DecodeError
from interlingua.errors import InvalidSource

from interlingua_caffe.proto.schema import message

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_WIDTHS = {FIXED64: 8, FIXED32: 4}


class Field(NamedTuple):
    """One field in a buffer: number, wire type, where its value begins and ends, where the whole field begins."""

    number: int
    kind: int
    begin: int
    end: int
    start: int


class Extent(NamedTuple):
    """Weights in a file: where the first one is, how many, their type (`<f4` or `<f8`), bytes from one to the next."""

    offset: int
    count: int
    dtype: str
    stride: int


class Blob(NamedTuple):
    """A blob of a layer: its shape as stored (legacy shapes have four axes) and where its numbers are."""

    shape: tuple[int, ...]
    legacy: bool
    extent: Extent


class StoredLayer(NamedTuple):
    """A layer of a binary model: what can be trusted of it."""

    name: str
    blobs: tuple[Blob, ...]


class Corrupt(ValueError):
    """The bytes are not the message they should be."""


def _varint(buffer: mmap.mmap | bytes, position: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while position < end and shift < 70:
        byte = buffer[position]
        value |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        if byte < 0x80:
            return value, position
    raise Corrupt(f"a number breaks off at byte {position}")


def fields(buffer: mmap.mmap | bytes, begin: int, end: int) -> Iterator[Field]:
    """The fields of the message at `begin`..`end`.

    Raises:
        Corrupt: a field reaches beyond `end`, or has a wire type that proto2 messages of Caffe do not use.
    """
    position = begin
    while position < end:
        start = position
        tag, position = _varint(buffer, position, end)
        number, kind = tag >> 3, tag & 7
        value = position
        if kind == VARINT:
            _, position = _varint(buffer, position, end)
        elif kind == LENGTH:
            length, value = _varint(buffer, position, end)
            position = value + length
        elif kind in _WIDTHS:
            position += _WIDTHS[kind]
        else:
            raise Corrupt(f"wire type {kind} at byte {start}")
        if number == 0 or position > end:
            raise Corrupt(f"field {number} at byte {start} reaches to byte {position} of {end}")
        yield Field(number, kind, value, position, start)


_BULK = {5: "<f4", 6: "", 8: "<f8", 9: ""}
"""The fields of a BlobProto that hold numbers: data, diff, double_data, double_diff; gradients are not read."""


def _extent(parts: list[Field]) -> Extent:
    """The numbers of a blob: one packed field, or one field a number in unbroken succession."""
    if not parts:
        return Extent(0, 0, "<f4", 4)
    first = parts[0]
    dtype = _BULK[first.number]
    width = int(dtype[-1])
    if len(parts) == 1 and first.kind == LENGTH:
        if (first.end - first.begin) % width:
            raise Corrupt(f"{first.end - first.begin} bytes at byte {first.begin} are no whole count of numbers")
        return Extent(first.begin, (first.end - first.begin) // width, dtype, width)
    stride = first.end - first.start
    unbroken = all(part.start == first.start + index * stride for index, part in enumerate(parts))
    if first.kind == LENGTH or not unbroken or len({(part.number, part.kind) for part in parts}) > 1:
        raise Corrupt(f"the numbers of the blob at byte {first.start} are scattered")
    return Extent(first.begin, len(parts), dtype, stride)


def blob(buffer: mmap.mmap | bytes, begin: int, end: int) -> Blob:
    """The `BlobProto` at `begin`..`end`, its numbers by place."""
    header, numbers = b"", []
    for field in fields(buffer, begin, end):
        if field.number not in _BULK:
            header += buffer[field.start : field.end]
        elif _BULK[field.number] and field.end > field.begin:
            numbers.append(field)
    proto = message("BlobProto")
    proto.ParseFromString(header)
    names = ("num", "channels", "height", "width")
    legacy = any(proto.HasField(name) for name in names)
    shape = tuple(getattr(proto, name) for name in names) if legacy else tuple(proto.shape.dim)
    extent = _extent(numbers)
    if any(size < 0 for size in shape) or math.prod(shape) != extent.count:
        raise Corrupt(f"a blob at byte {begin} declares the shape {list(shape)} and holds {extent.count} numbers")
    return Blob(shape, legacy, extent)


class _Form(NamedTuple):
    """Where a layer message keeps its name and its blobs, and which message of an older form is inside it."""

    name: int
    blobs: int
    inner: int = 0


_V2 = _Form(name=1, blobs=7)
_V1 = _Form(name=4, blobs=6, inner=1)
_V0 = _Form(name=1, blobs=50)
_LAYERS = {100: _V2, 2: _V1}


def _layer(buffer: mmap.mmap | bytes, begin: int, end: int, form: _Form) -> StoredLayer:
    name, blobs = "", []
    for field in fields(buffer, begin, end):
        if field.kind != LENGTH:
            continue
        if field.number == form.name:
            name = buffer[field.begin : field.end].decode("utf-8")
        elif field.number == form.blobs:
            blobs.append(blob(buffer, field.begin, field.end))
        elif field.number == form.inner:
            inner = _layer(buffer, field.begin, field.end, _V0)
            name, blobs = inner.name or name, [*blobs, *inner.blobs]
    return StoredLayer(name, tuple(blobs))


def stored_layers(path: Path) -> list[StoredLayer]:
    """The layers of a `.caffemodel` of any age, their weights by place in the file.

    Raises:
        InvalidSource: the file is truncated or no serialised `NetParameter`.
    """
    with path.open("rb") as file:
        try:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as buffer:
                return [
                    _layer(buffer, field.begin, field.end, _LAYERS[field.number])
                    for field in fields(buffer, 0, len(buffer))
                    if field.number in _LAYERS and field.kind == LENGTH
                ]
        except (Corrupt, DecodeError, UnicodeDecodeError, ValueError) as error:
            raise InvalidSource(
                f"Expected the weights of a Caffe network. Received {path.name!r}, which is truncated or corrupt: {error}.",
                place=str(path),
            ) from error


def looks_like(buffer: bytes | mmap.mmap, kinds: Mapping[int, int], limit: int = 64) -> set[int] | None:
    """The field numbers found when the first fields all have the wire types `kinds` gives; None otherwise."""
    seen: set[int] = set()
    try:
        for index, field in enumerate(fields(buffer, 0, len(buffer))):
            if kinds.get(field.number) != field.kind:
                return None
            seen.add(field.number)
            if index == limit:
                break
    except Corrupt:
        return None
    return seen


def write_blob(shape: Sequence[int], data_bytes: int) -> bytes:
    """What stands before the little-endian float32 numbers of a `BlobProto` with that shape: all but the numbers."""
    header = message("BlobProto")
    header.shape.dim.extend(shape)
    return bytes(header.SerializeToString()) + prefix(5, data_bytes)


def prefix(number: int, length: int) -> bytes:
    """The tag and length that stand before a field of that number and so many bytes."""
    return _encoded(number << 3 | LENGTH) + _encoded(length)


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
