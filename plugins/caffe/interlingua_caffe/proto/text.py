"""Prototxt to messages and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from google.protobuf import text_encoding, text_format

from interlingua.errors import InvalidSource
from interlingua_caffe.proto.scan import Entry, Malformed, outline
from interlingua_caffe.proto.schema import Message, message

_DEEPEST = 50


class Unknown(NamedTuple):
    """A field the schema does not know, as forks add them: its dotted path, its line, the name of its layer."""

    path: str
    line: int
    layer: str


_LAYERS = ("layer", "layers")


def _name(entry: Entry) -> str:
    """The name of a layer; in Caffe's first form the layer inside holds it."""
    for child in entry.children:
        if child.name == "name" and isinstance(child.value, str):
            return child.value
    return next((_name(child) for child in entry.children if child.name == "layer"), "")


def _unknown(entries: list[Entry], descriptor: Any, path: str = "", layer: str = "") -> Iterator[Unknown]:
    for entry in entries:
        field = descriptor.fields_by_name.get(entry.name)
        is_layer = not layer and entry.name in _LAYERS
        here = f"{path}.{entry.name}".lstrip(".")
        if field is None:
            yield Unknown(here, entry.line, layer)
        elif field.message_type is not None:
            yield from _unknown(
                entry.children, field.message_type, "" if is_layer else here, _name(entry) if is_layer else layer
            )


def parse(text: str, place: str) -> tuple[Message, list[Unknown]]:
    """A `NetParameter`, and the fields of it that the schema does not know.

    Raises:
        InvalidSource: the text is no protobuf text, or a value does not fit its field; the line is named.
    """
    net = message("NetParameter")
    try:
        unknown = list(_unknown(outline(text), net.DESCRIPTOR))
        text_format.Parse(text, net, allow_unknown_field=bool(unknown), max_recursion_depth=_DEEPEST)
    except (Malformed, text_format.ParseError, ValueError) as error:
        raise InvalidSource(f"Expected a Caffe network as protobuf text. Received {error}.", place=place) from error
    return net, unknown


def _is_short(item: Message) -> bool:
    fields = item.ListFields()
    if len(fields) != 1:
        return not fields
    field, value = fields[0]
    return field.message_type is None or all(_is_short(inner) for inner in (value if field.is_repeated else (value,)))


def _written(field: Any, value: Any) -> str:
    if field.enum_type is not None:
        return str(field.enum_type.values_by_number[value].name)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{text_encoding.CEscape(value, as_utf8=True)}"'
    if isinstance(value, float):
        plain = 1e-6 <= abs(value) < 1e9 or value == 0
        single = np.float32(value)
        return np.format_float_positional(single, trim="-") if plain else str(single)
    return str(value)


def _lines(item: Message, indent: str) -> Iterator[str]:
    for field, value in item.ListFields():
        for one in value if field.is_repeated else (value,):
            if field.message_type is None:
                yield f"{indent}{field.name}: {_written(field, one)}"
            elif _is_short(one):
                yield f"{indent}{field.name} {{ {' '.join(_lines(one, ''))} }}"
            else:
                yield f"{indent}{field.name} {{"
                yield from _lines(one, f"{indent}  ")
                yield f"{indent}}}"


def render(net: Message) -> str:
    """The message as a person writes a prototxt: a message of one kind of field stands on one line."""
    return "\n".join(_lines(net, "")) + "\n"
