"""A layer's fields as a card's arguments, by dotted path, and back.

Caffe spells some values in two ways (`kernel_size: 3` or `kernel_h` and `kernel_w`; `axis` or, of old, `concat_dim`);
here is where the second is turned into the first, which is the one the cards name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from interlingua.errors import Unsupported
from interlingua.ir.facts import plain
from interlingua_caffe.proto import Message

_SIDES = {"kernel_size": ("kernel_h", "kernel_w"), "stride": ("stride_h", "stride_w"), "pad": ("pad_h", "pad_w")}
_UNSAID = {"stride": 1, "pad": 0}
_OLD = {"concat_param.concat_dim": "concat_param.axis", "slice_param.slice_dim": "slice_param.axis"}
_FORKS = {"pooling_param.ceil_mode": ("pooling_param.round_mode", {True: "CEIL", False: "FLOOR"})}
_FILLER = "FillerParameter"
_SLOT = re.compile(r"(?P<role>bottom|blobs)(?:\[(?P<index>\d+)\])?")
_TRAINING = ("transform_param",)


def _value(field: Any, value: Any) -> Any:
    if field.enum_type is not None:
        return field.enum_type.values_by_number[value].name
    return plain(value) if isinstance(value, float) else value


def _flat(message: Message, path: str) -> Iterator[tuple[str, Any]]:
    for field, value in message.ListFields():
        here = f"{path}.{field.name}"
        if field.message_type is not None and field.message_type.name == _FILLER:
            yield here, value.type
        elif field.message_type is not None and not field.is_repeated:
            yield from _flat(value, here)
        elif field.is_repeated and field.message_type is None:
            values = [_value(field, item) for item in value]
            yield here, values[0] if len(values) == 1 else values
        elif field.message_type is None:
            yield here, _value(field, value)
        else:
            raise Unsupported(f"{here} is given several times")


def arguments_of(layer: Message) -> dict[str, Any]:
    """What a layer says, by dotted path: enums by name, a list of one as its item, a filler by its type."""
    said: dict[str, Any] = {}
    for field, value in layer.ListFields():
        if field.message_type is not None and field.name.endswith("_param") and field.name not in _TRAINING:
            said |= dict(_flat(value, field.name))
    for path in [
        path for path in said if path.rpartition(".")[2] in ("kernel_h", "stride_h", "stride_w", "pad_h", "pad_w")
    ]:
        _join_sides(said, path.rpartition(".")[0])
    for old, new in _OLD.items():
        if old in said:
            said[new] = said.pop(old)
    for theirs, (ours, words) in _FORKS.items():
        if theirs in said:
            said[ours] = words[said.pop(theirs)]
    return said


def _join_sides(said: dict[str, Any], owner: str) -> None:
    for name, sides in _SIDES.items():
        given = [said.pop(f"{owner}.{side}", None) for side in sides]
        if any(value is not None for value in given):
            values = [_UNSAID.get(name) if value is None else value for value in given]
            if None in values:
                raise Unsupported(f"{owner} says one of {sides[0]} and {sides[1]} alone")
            said[f"{owner}.{name}"] = values


def set_arguments(layer: Message, said: Mapping[str, Any]) -> None:
    """Writes a card's arguments into the layer's fields; two numbers of a size become its `_h` and `_w` fields.

    Raises:
        Unsupported: the field cannot hold the value.
    """
    for path, value in said.items():
        owner_path, _, name = path.rpartition(".")
        owner = layer
        for part in owner_path.split("."):
            owner = getattr(owner, part)
            owner.SetInParent()
        _set_field(owner, name, value)


def _set_field(owner: Message, name: str, value: Any) -> None:
    field = owner.DESCRIPTOR.fields_by_name[name]
    if isinstance(value, list | tuple) and len(value) == 2 and name in _SIDES:
        for side, item in zip(_SIDES[name], value, strict=True):
            setattr(owner, side, item)
    elif field.is_repeated:
        getattr(owner, name).extend(value if isinstance(value, list | tuple) else [value])
    elif isinstance(value, list | tuple):
        raise Unsupported(f"{field.full_name} holds one number, not {list(value)}")
    elif field.enum_type is not None:
        setattr(owner, name, field.enum_type.values_by_name[value].number)
    else:
        setattr(owner, name, value)


def slot_index(name: str) -> tuple[str, int | None]:
    """What a card's slot is: ("bottom", 0), ("blobs", 1), ("bottom", None) for all of them, ("", None) for a field."""
    match = _SLOT.fullmatch(name)
    if match is None:
        return "", None
    return match["role"], None if match["index"] is None else int(match["index"])
