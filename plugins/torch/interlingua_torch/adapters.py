"""PyTorch's own forms of arguments, two ways: pads from the last axis, padding of half a window, odd windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from interlingua.adapters import halves, parameter, split_pads
from interlingua.cards import REQUIRED, Adapter, Facts, Parameter
from interlingua.errors import Unsupported

_SPATIAL = 3


def half_window(name: str, default: Any = 0) -> Parameter:
    """A pooling's padding: both ends alike, and at most half of the window, which must stand before it."""
    base = halves(name, default).adapter

    def lower(value: Any, facts: Facts) -> Any:
        if any(2 * pad > size for pad, size in zip(value, [*facts["kernel_shape"]] * 2, strict=True)):
            raise Unsupported(f"pads {list(value)} exceed half of the window {facts['kernel_shape']}")
        return base.lower(value, facts)

    return parameter(name, default, Adapter("halves", lower, base.read, f"{base.remark}, at most half the window"))


def counted_padding(name: str) -> Parameter:
    """Whether padding counts in the mean: unsaid where there is none. `pads` must stand before it."""

    def lower(value: Any, facts: Facts) -> bool:
        return bool(value) or not any(facts["pads"])

    return parameter(name, True, Adapter("flag", lower, lambda value, facts: int(bool(value))))


def _odd(value: int, facts: Facts) -> int:
    if value % 2 == 0:
        raise Unsupported(f"a window of even size {value}, which PyTorch places one channel lower")
    return value


def odd(name: str) -> Parameter:
    """LRN's window: of an even one PyTorch sums a channel more before and one less behind than ONNX."""
    return parameter(name, REQUIRED, Adapter("odd", _odd, _odd, "odd windows as in ONNX"), positional=True)


def each_pad(value: Sequence[int], facts: Facts) -> list[tuple[int, int]]:
    """The pads before and after each axis of the input.

    Raises:
        Unsupported: how many axes the input has is not known.
    """
    count = facts.get("input_rank")
    if count is None:
        raise Unsupported("pads of an input with an unknown number of axes")
    begin, end = split_pads(value)
    axes = facts.get("axes")
    pairs = [(0, 0)] * count
    for position, axis in enumerate(range(count) if axes is None else axes):
        pairs[axis] = (begin[position], end[position])
    return pairs


def _lower_pads(value: Sequence[int], facts: Facts) -> tuple[int, ...]:
    pairs = each_pad(value, facts)
    if facts.get("mode", "constant") == "constant":
        while len(pairs) > 1 and pairs[0] == (0, 0):
            pairs.pop(0)
    else:
        pairs = _unbatched(pairs, facts["mode"])
    return tuple(number for pair in reversed(pairs) for number in pair)


def _unbatched(pairs: list[tuple[int, int]], mode: str) -> list[tuple[int, int]]:
    """The pads of the axes behind batch and channel, which the modes other than constant alone can pad."""
    spatial = pairs[2:]
    if any(pair != (0, 0) for pair in pairs[:2]) or not 1 <= len(spatial) <= _SPATIAL:
        raise Unsupported(f"padding by {mode} beyond the spatial axes")
    return spatial


def _read_pads(value: Sequence[int], facts: Facts) -> list[int]:
    pairs = [(value[i], value[i + 1]) for i in range(len(value) - 2, -1, -2)]
    pairs = [(0, 0)] * (facts["input_rank"] - len(pairs)) + pairs
    return [begin for begin, _ in pairs] + [end for _, end in pairs]


PADS = Adapter("last_axis_first", _lower_pads, _read_pads, "last axis first, begin and end together")


def _lower_spatial_pads(value: Sequence[int], facts: Facts) -> tuple[int, ...] | int:
    pairs = each_pad(value, facts)
    if any(pair != (0, 0) for pair in pairs[:2]):
        raise Unsupported("padding beyond the spatial axes")
    said = tuple(number for pair in reversed(pairs[2:]) for number in pair)
    return said[0] if len({*said}) == 1 else said


SPATIAL_PADS = Adapter("last_axis_first", _lower_spatial_pads, None, "last axis first, a number where all are equal")

NOTHING = Adapter(
    "none_is_zero",
    lambda value, facts: None if value == 0 else value,
    lambda value, facts: 0.0 if value is None else value,
    "None is 0",
)


def _lower_shape(value: Sequence[int], facts: Facts) -> tuple[int, ...]:
    if 0 in value and not facts.get("allowzero"):
        raise Unsupported(f"a shape with a copied axis: {list(value)}")
    return tuple(value)


SHAPE = Adapter("new_shape", _lower_shape, lambda value, facts: list(value))


def _lower_axes(value: Sequence[int] | None, facts: Facts) -> Any:
    if not value:
        if facts.get("keepdims"):
            count = facts.get("input_rank")
            if count is None:
                raise Unsupported("all axes of an input with an unknown number of them")
            return tuple(range(count))
        return None
    return value[0] if len(value) == 1 else tuple(value)


REDUCED = Adapter(
    "axes",
    _lower_axes,
    lambda value, facts: None if value is None else ([value] if isinstance(value, int) else list(value)),
    "all of them where unsaid, and then keepdim needs them said",
)


def _lower_order(value: Sequence[int] | None, facts: Facts) -> tuple[int, ...]:
    if value is not None:
        return tuple(value)
    shape = facts.shapes.get("data")
    if shape is None:
        raise Unsupported("reversing the axes of an input with an unknown number of them")
    return tuple(reversed(range(len(shape))))


ORDER = Adapter("order", _lower_order, lambda value, facts: list(value))
