"""The forms of Caffe's fields that several cards share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from interlingua.adapters import halves, parameter, per_axis
from interlingua.cards import REQUIRED, Adapter, Card, Facts, Kind, Parameter, Slot
from interlingua.cards import card as _card
from interlingua.errors import Unsupported

X = {"X": "bottom[0]"}
AB = {"A": "bottom[0]", "B": "bottom[1]"}


def layer(record: str, api: str, inputs: Mapping[str, str | Slot], **rest: Any) -> Card:
    """A card of a layer type."""
    return _card(record, api, kind=Kind.LAYER, inputs=inputs, **rest)


def same_shapes(*names: str) -> Any:
    """Selects a card where these inputs are computed, all of one shape: Caffe's Eltwise does not broadcast."""

    def when(facts: Facts) -> bool:
        shapes = [facts.shapes.get(name) for name in names]
        return not facts.constants.intersection(names) and alike(shapes)

    return when


def alike(shapes: Sequence[Sequence[int | str | None] | None]) -> bool:
    """Whether shapes are the same; an unknown size, which Caffe does not have, counts as the other unknown one."""
    if any(shape is None for shape in shapes):
        return False
    told = [tuple(size if isinstance(size, int) else None for size in shape or ()) for shape in shapes]
    return all(shape == told[0] for shape in told)


def number(name: str) -> Any:
    """Selects a card where this input is a constant of one element."""

    def when(facts: Facts) -> bool:
        shape = facts.shapes.get(name)
        return name in facts.constants and shape is not None and all(size == 1 for size in shape)

    return when


def axis_met(facts: Facts, data: str, name: str) -> int | None:
    """The one axis of the data that a constant has numbers for; None where it is none or several."""
    shape, other = facts.shapes.get(data), facts.shapes.get(name)
    if name not in facts.constants or not shape or other is None or len(other) > len(shape):
        return None
    padded = (*(1 for _ in range(len(shape) - len(other))), *other)
    met = [position for position, size in enumerate(padded) if size != 1]
    return met[0] if len(met) == 1 and padded[met[0]] == shape[met[0]] else None


def one_axis(data: str, name: str) -> Any:
    """Selects a card where this input is a constant with numbers along one axis of the data."""
    return lambda facts: axis_met(facts, data, name) is not None


def told_axis(field: str, data: str, name: str) -> Any:
    """Lowers to the axis that the constant meets; the channels' is unsaid."""

    def lower(facts: Facts) -> dict[str, Any]:
        met = axis_met(facts, data, name)
        return {} if met == 1 else {field: met}

    return lower


def axis(name: str, default: int) -> Parameter:
    """An axis, counted from the front where the rank is known."""

    def lower(value: Any, facts: Facts) -> Any:
        shape = next((shape for shape in facts.shapes.values() if shape is not None), None)
        return value + len(shape) if value < 0 and shape is not None else value

    return parameter(name, default, Adapter("axis", lower, lambda value, facts: value))


def listed(name: str) -> Parameter:
    """A list of numbers; a single one may be read as a plain number."""
    return parameter(
        name,
        REQUIRED,
        Adapter(
            "listed",
            lambda value, facts: list(value),
            lambda value, facts: [value] if isinstance(value, int) else list(value),
        ),
    )


def _repeated(value: Any, facts: Facts, default: Any) -> Any:
    """A plain number where all axes are alike; of three axes each is said, which readers of two-axis fields need."""
    alike = len(set(value)) == 1
    return value[0] if alike and (facts.rank < 3 or value[0] == default) else list(value)


def sizes(name: str, default: Any = REQUIRED) -> Parameter:
    """One number for every spatial axis."""
    base = per_axis(name, default).adapter
    return parameter(name, default, Adapter("per_axis", lambda v, facts: _repeated(v, facts, default), base.read))


def pads(name: str) -> Parameter:
    """One padding for both ends of every spatial axis."""
    base = halves(name, 0).adapter

    def lower(value: Any, facts: Facts) -> Any:
        base.lower(value, facts)
        return _repeated(value[: len(value) // 2], facts, 0)

    return parameter(name, 0, Adapter("halves", lower, base.read, base.remark))


def odd(name: str, default: int) -> Parameter:
    """A window's size, which must be odd."""

    def lower(value: Any, facts: Facts) -> Any:
        if value % 2 == 0:
            raise Unsupported(f"a window of even size {value}")
        return value

    return parameter(name, default, Adapter("odd", lower, lower, "odd only"))
