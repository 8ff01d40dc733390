"""Protocol-buffer messages read from their bytes by a schema that is plain data.

A schema is a mapping from field number to `Field`. Unknown fields are skipped, as the format demands; a length
that runs over its message is an error before anything is copied.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from interlingua.errors import InvalidSource

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
DEEPEST = 64


@dataclasses.dataclass(frozen=True)
class Field:
    """One field of a message: `kind` is "int", "uint", "bool", "float", "double", "string", "bytes" or a schema."""

    name: str
    kind: str | Mapping[int, Field]
    repeated: bool = False


Schema = Mapping[int, Field]


def varint(data: memoryview, position: int) -> tuple[int, int]:
    """The unsigned number that starts at `position`, and where it ends.

    Raises:
        InvalidSource: it runs over the end or is longer than ten bytes.
    """
    value = 0
    for index in range(10):
        if position + index >= len(data):
            raise InvalidSource("Expected a whole protocol-buffer message. Received one that ends inside a number.")
        byte = data[position + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    raise InvalidSource("Expected a protocol-buffer message. Received a number of more than ten bytes.")


def fields(data: memoryview) -> Iterator[tuple[int, int, Any]]:
    """Every (field number, wire type, raw value) of a message: an int, or a memoryview of the bytes.

    Raises:
        InvalidSource: a tag, a length or a wire type is not one of the format.
    """
    position = 0
    while position < len(data):
        tag, position = varint(data, position)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise InvalidSource("Expected a protocol-buffer message. Received the field number 0.")
        if kind == VARINT:
            value, position = varint(data, position)
            yield number, kind, value
            continue
        if kind == BYTES:
            length, position = varint(data, position)
        elif kind in (FIXED64, FIXED32):
            length = 8 if kind == FIXED64 else 4
        else:
            raise InvalidSource(f"Expected a protocol-buffer message. Received the wire type {kind}.")
        if length > len(data) - position:
            raise InvalidSource(
                f"Expected a whole protocol-buffer message. Received a field of {length} bytes "
                f"where {len(data) - position} are left."
            )
        yield number, kind, data[position : position + length]
        position += length


def decode(data: memoryview | bytes, schema: Schema, depth: int = 0) -> dict[str, Any]:
    """The message as a dict: a repeated field is a list (empty when absent), a single one is left out when absent.

    Raises:
        InvalidSource: the bytes are not a message of that schema.
    """
    if depth > DEEPEST:
        raise InvalidSource(f"Expected messages nested at most {DEEPEST} deep. Received deeper ones.")
    message: dict[str, Any] = {field.name: [] for field in schema.values() if field.repeated}
    for number, wire, raw in fields(memoryview(data)):
        field = schema.get(number)
        if field is None:
            continue
        values = _values(field, wire, raw, depth)
        if field.repeated:
            message[field.name].extend(values)
        elif values:
            message[field.name] = values[-1]
    return message


_FIXED = {"float": ("<f", 4), "double": ("<d", 8)}


def _values(field: Field, wire: int, raw: Any, depth: int) -> list[Any]:
    """The values one occurrence of a field holds; several where numbers are packed."""
    if not isinstance(field.kind, str):
        return [decode(_bytes(field, wire, raw), field.kind, depth + 1)]
    if field.kind == "string":
        try:
            return [str(_bytes(field, wire, raw), "utf-8")]
        except UnicodeDecodeError:
            raise InvalidSource(f"Expected UTF-8 text in the field {field.name!r}. Received other bytes.") from None
    if field.kind == "bytes":
        return [bytes(_bytes(field, wire, raw))]
    if field.kind in _FIXED:
        form, size = _FIXED[field.kind]
        if isinstance(raw, int) or len(raw) % size:
            raise InvalidSource(f"Expected {field.kind} numbers in the field {field.name!r}. Received other bytes.")
        return [number for (number,) in struct.iter_unpack(form, raw)]
    if wire == VARINT:
        return [_integer(field.kind, raw)]
    packed, position, numbers = _bytes(field, wire, raw), 0, []
    while position < len(packed):
        number, position = varint(packed, position)
        numbers.append(_integer(field.kind, number))
    return numbers


def _bytes(field: Field, wire: int, raw: Any) -> memoryview:
    if wire != BYTES:
        raise InvalidSource(f"Expected bytes in the field {field.name!r}. Received the wire type {wire}.")
    return raw  # type: ignore[no-any-return]


def _integer(kind: str, value: int) -> int | bool:
    if kind == "bool":
        return bool(value)
    if kind == "uint":
        return value & 0xFFFFFFFFFFFFFFFF
    value &= 0xFFFFFFFFFFFFFFFF
    return value - (1 << 64) if value >> 63 else value
