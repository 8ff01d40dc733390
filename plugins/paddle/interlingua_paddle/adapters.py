"""Paddle's own forms of arguments, two ways: paddings by pairs, ceil mode, pads from the last axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from interlingua.adapters import parameter, same_pads, split_pads
from interlingua.cards import REQUIRED, Adapter, Facts, Parameter
from interlingua.errors import Unsupported


def _lower_pairs(value: Sequence[int], facts: Facts) -> Any:
    begin, end = split_pads(value)
    if begin == end:
        return begin[0] if len(set(begin)) == 1 else tuple(begin)
    return [number for pair in zip(begin, end, strict=True) for number in pair]


def _read_pairs(value: Any, facts: Facts) -> Any:
    if isinstance(value, str):
        return _by_word(value.upper(), facts)
    numbers = [value] * facts.rank if isinstance(value, int) else list(value)
    if len(numbers) == facts.rank:
        return numbers * 2
    if len(numbers) == 2 * facts.rank:
        return numbers[0::2] + numbers[1::2]
    raise Unsupported(f"a padding of {len(numbers)} numbers for {facts.rank} spatial axes")


def _by_word(word: str, facts: Facts) -> Any:
    """The pads that VALID or SAME stands for; Paddle's SAME takes every dilation for 1."""
    if word == "VALID":
        return [0] * (2 * facts.rank)
    if word != "SAME":
        raise Unsupported(f"the padding {word!r} is neither 'SAME' nor 'VALID'")
    if any(dilation != 1 for dilation in facts.get("dilations") or []):
        raise Unsupported("padding 'SAME' with a dilation, which Paddle ignores")
    pads = same_pads(facts) if "kernel_shape" in facts.values else None
    return "SAME_UPPER" if pads is None else pads


_PAIRS = Adapter("pairs", _lower_pairs, _read_pairs, "one number an axis, or begin and end of each axis in turn")


def pairs(name: str, default: Any = REQUIRED) -> Parameter:
    """Padding: a number, one an axis, or [begin, end, begin, end, …]; the words SAME and VALID are read."""
    return parameter(name, default, _PAIRS)


def _exclusive(value: Any, facts: Facts) -> int:
    """The opposite sense; refuses pads that differ at the two ends and count."""
    begin, end = split_pads(facts["pads"]) if not isinstance(facts["pads"], str) else ([], [])
    if begin != end and not value:
        raise Unsupported("pads that differ at the two ends of an axis and count in the mean")
    return int(not value)


def _lower_exclusive(value: Any, facts: Facts) -> bool:
    _exclusive(not value, facts)
    return not value


def exclusive(name: str, default: Any = True) -> Parameter:
    """Whether padding is left out of the mean; where it counts, Paddle takes the padding before an axis for both ends.

    `pads` must stand before it.
    """
    return parameter(name, default, Adapter("flip", _lower_exclusive, _exclusive, "opposite sense"))


def _keeps_last_window(facts: Facts) -> bool:
    """Whether rounding up leaves no window that starts beyond the data, which Paddle keeps and ONNX drops."""
    sizes = (facts.shapes.get("X") or ())[2:]
    begin, end = split_pads(facts["pads"] if not isinstance(facts["pads"], str) else [0] * (2 * facts.rank))
    for axis, kernel in enumerate(facts["kernel_shape"]):
        stride = facts["strides"][axis]
        size = sizes[axis] if axis < len(sizes) else None
        if stride + end[axis] <= kernel:
            continue
        if not isinstance(size, int):
            return False
        last = -(-(size + begin[axis] + end[axis] - kernel) // stride) * stride
        if last >= size + begin[axis]:
            return False
    return True


def _rounded_down(facts: Facts) -> list[int]:
    """Pads with which rounding down gives ONNX's windows, where Paddle would keep one more when it rounds up.

    Raises:
        Unsupported: a size is unknown, or other pads would change a mean that counts them.
    """
    sizes = (facts.shapes.get("X") or ())[2:]
    begin, end = split_pads(facts["pads"])
    ends: list[int] = []
    for axis, (kernel, stride) in enumerate(zip(facts["kernel_shape"], facts["strides"], strict=True)):
        size = sizes[axis] if axis < len(sizes) else None
        if not isinstance(size, int):
            raise Unsupported("ceil_mode of an unknown size, where Paddle may keep a last window that ONNX drops")
        windows = -(-(size + begin[axis] + end[axis] - kernel) // stride) + 1
        windows -= (windows - 1) * stride >= size + begin[axis]
        ends.append(max((windows - 1) * stride + kernel - size - begin[axis], 0))
    if ends != end and facts.get("count_include_pad"):
        raise Unsupported("ceil_mode with a last window in the padding, which Paddle keeps and ONNX drops")
    return [*begin, *ends]


def _lower_window_pairs(value: Sequence[int], facts: Facts) -> Any:
    rounded_up = facts.get("ceil_mode") and not _keeps_last_window(facts)
    return _lower_pairs(_rounded_down(facts) if rounded_up else value, facts)


def window_pairs(name: str, default: Any = REQUIRED) -> Parameter:
    """Padding of a pooling; where Paddle's rounding up has a window too many, the pads do without it."""
    return parameter(name, default, Adapter("pairs", _lower_window_pairs, _read_pairs, _PAIRS.remark))


def _lower_ceil(value: Any, facts: Facts) -> bool:
    return bool(value) and _keeps_last_window(facts)


def _read_ceil(value: Any, facts: Facts) -> int:
    if value and not _keeps_last_window(facts):
        raise Unsupported("ceil_mode with a last window that lies in the padding, which Paddle keeps and ONNX drops")
    return int(bool(value))


def ceil_mode(name: str, default: Any = False) -> Parameter:
    """Rounding the output's size up; `kernel_shape`, `strides` and `pads` must stand before it."""
    return parameter(name, default, Adapter("ceil", _lower_ceil, _read_ceil, "keeps a last window in the padding"))


def _lower_odd(value: int, facts: Facts) -> int:
    if value % 2 == 0:
        raise Unsupported(f"a window of even size {value}, which Paddle places one channel lower")
    return value


def odd(name: str) -> Parameter:
    """LRN's window: of an even one Paddle sums a channel more before and one less behind than ONNX."""
    return parameter(name, REQUIRED, Adapter("odd", _lower_odd, _lower_odd, "odd windows as in ONNX"), positional=True)


def _number(value: Any, facts: Facts) -> Any:
    if value is None:
        raise Unsupported("an argument that must be a number")
    return value


def bound(name: str, default: Any) -> Parameter:
    """An argument that must be a number, whatever its default says."""
    return parameter(name, default, Adapter("same", _number, _number))


def _every_axis(value: Sequence[int], facts: Facts) -> tuple[list[int], list[int]]:
    """The pads before and after each axis of the input."""
    count = facts["input_rank"]
    begin, end = [0] * count, [0] * count
    given_begin, given_end = split_pads(value)
    axes = facts.get("axes")
    for position, axis in enumerate(range(count) if axes is None else axes):
        begin[axis], end[axis] = given_begin[position], given_end[position]
    return begin, end


def _lower_pad(value: Sequence[int], facts: Facts) -> list[int]:
    begin, end = _every_axis(value, facts)
    spatial = range(2, len(begin))
    if 3 <= len(begin) <= 5 and not any((*begin[:2], *end[:2])):
        return [number for axis in reversed(spatial) for number in (begin[axis], end[axis])]
    if facts.get("mode", "constant") != "constant" or min((*begin, *end)) < 0:
        raise Unsupported(f"pads {list(value)} on the batch or channel axis, other than by a constant")
    return [number for pair in zip(begin, end, strict=True) for number in pair]


def _read_pad(value: Sequence[int], facts: Facts) -> list[int]:
    count = facts["input_rank"]
    pairs_of = [(value[i], value[i + 1]) for i in range(0, len(value), 2)]
    if len(pairs_of) != count:
        pairs_of = [(0, 0)] * (count - len(pairs_of)) + pairs_of[::-1]
    return [begin for begin, _ in pairs_of] + [end for _, end in pairs_of]


PADS = Adapter(
    "last_axis_first",
    _lower_pad,
    _read_pad,
    "the spatial axes, the last first; every axis, the first first, where all are given",
)


def _lower_new_axes(value: Sequence[int], facts: Facts) -> Any:
    if len(value) == 1:
        return value[0]
    rank = facts.get("input_rank")
    if min(value) < 0 and rank is None:
        raise Unsupported(f"axes {list(value)} counted from the end of an unknown number")
    return sorted(axis if axis >= 0 else axis + rank + len(value) for axis in value)


NEW_AXES = Adapter(
    "new_axes",
    _lower_new_axes,
    lambda value, facts: [value] if isinstance(value, int) else list(value),
    "inserted one after the other",
)
