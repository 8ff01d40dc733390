"""The named two-way adapters that cards are made of.

Each builder takes the API's parameter name and its own default and returns a `Parameter`. `lower` goes from the
canonical value to the argument, `read` back. Canonical forms: sizes are lists with one number a spatial axis; `pads`
is [begin…, end…] as in ONNX, or one of the words "SAME_UPPER", "SAME_LOWER", "VALID" when only read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from interlingua.cards import REQUIRED, Adapter, Facts, Parameter
from interlingua.errors import Unsupported


def parameter(name: str, default: Any, adapter: Adapter, remark: str = "", positional: bool = False) -> Parameter:
    """A parameter with an adapter of the card's own."""
    return Parameter(name, default, adapter, remark or adapter.remark, positional)


_SAME = Adapter("same", lambda value, facts: value, lambda value, facts: value)


def same(name: str, default: Any = REQUIRED, remark: str = "", positional: bool = False) -> Parameter:
    """The value as it is."""
    return parameter(name, default, _SAME, remark, positional)


_FLAG = Adapter("flag", lambda value, facts: bool(value), lambda value, facts: int(bool(value)))


def flag(name: str, default: Any = REQUIRED) -> Parameter:
    """ONNX's 0 or 1 as False or True."""
    return parameter(name, default, _FLAG)


_FLIP = Adapter("flip", lambda value, facts: not value, lambda value, facts: int(not value), "opposite sense")


def flip(name: str, default: Any = REQUIRED) -> Parameter:
    """ONNX's 0 or 1 with the opposite sense."""
    return parameter(name, default, _FLIP)


def _one_minus(value: Any, facts: Facts) -> Any:
    return float(f"{1 - value:.12g}")


_ONE_MINUS = Adapter("one_minus", _one_minus, _one_minus, "weight of the new value, where ONNX weighs the old")


def one_minus(name: str, default: Any = REQUIRED) -> Parameter:
    """1 − value: momentum as the weight of the new value."""
    return parameter(name, default, _ONE_MINUS)


def _spread(value: Any, facts: Facts) -> list[Any]:
    return [value] * facts.rank if not isinstance(value, list | tuple) else list(value)


def _collapse(value: Sequence[Any]) -> Any:
    return value[0] if value and len(set(value)) == 1 else tuple(value)


_PER_AXIS = Adapter("per_axis", lambda value, facts: _collapse(value), _spread)


def per_axis(name: str, default: Any = REQUIRED, positional: bool = False) -> Parameter:
    """One number for every spatial axis: a plain number where all are equal, else a tuple."""
    return parameter(name, default, _PER_AXIS, "", positional)


_EACH_AXIS = Adapter("each_axis", lambda value, facts: list(value), _spread)


def each_axis(name: str, default: Any = REQUIRED, positional: bool = False) -> Parameter:
    """A list with one number a spatial axis, always written out."""
    return parameter(name, default, _EACH_AXIS, "", positional)


def _strides_or_kernel(value: Any, facts: Facts) -> Any:
    return None if list(value) == list(facts["kernel_shape"]) else _collapse(value)


def _read_strides_or_kernel(value: Any, facts: Facts) -> list[Any]:
    return list(facts["kernel_shape"]) if value is None else _spread(value, facts)


_STRIDE = Adapter("stride_or_kernel", _strides_or_kernel, _read_strides_or_kernel, "the kernel's size where unsaid")


def stride_or_kernel(name: str) -> Parameter:
    """Strides of a pooling whose default, None, is the kernel's size. `kernel_shape` must stand before it."""
    return parameter(name, None, _STRIDE)


def split_pads(pads: Sequence[int]) -> tuple[list[int], list[int]]:
    """ONNX's pads as those at the begin and those at the end of each axis."""
    half = len(pads) // 2
    return list(pads[:half]), list(pads[half:])


def _halves(value: Any, facts: Facts) -> Any:
    begin, end = split_pads(value)
    if begin != end:
        raise Unsupported(f"pads {list(value)} differ at the two ends of an axis")
    return _collapse(begin)


_HALVES = Adapter(
    "halves",
    _halves,
    lambda value, facts: value.upper() if isinstance(value, str) else _spread(value, facts) * 2,
    "one number an axis, both ends alike",
)


def halves(name: str, default: Any = REQUIRED) -> Parameter:
    """One padding an axis, for both its ends."""
    return parameter(name, default, _HALVES)


def same_pads(facts: Facts) -> list[int] | None:
    """The pads that SAME_UPPER stands for with these facts, None where a size is unknown and matters."""
    shape = facts.shapes.get("X")
    begin: list[int] = []
    end: list[int] = []
    dilations = facts.get("dilations") or [1] * facts.rank
    strides = facts.get("strides") or [1] * facts.rank
    for axis in range(facts.rank):
        reach = (facts["kernel_shape"][axis] - 1) * dilations[axis] + 1
        stride = strides[axis]
        size = shape[-facts.rank + axis] if shape else None
        if stride == 1:
            total = reach - 1
        elif isinstance(size, int):
            total = max((-(-size // stride) - 1) * stride + reach - size, 0)
        else:
            return None
        begin.append(total // 2)
        end.append(total - total // 2)
    return begin + end


def policy(name: str, default: Any, *, same: str, valid: str) -> Parameter:
    """Padding by a word: `valid` for none, `same` where the pads are what SAME_UPPER gives for this input size."""

    def lower(value: Any, facts: Facts) -> Any:
        if not any(value):
            return valid
        if list(value) == same_pads(facts):
            return same
        raise Unsupported(f"pads {list(value)} are neither {valid!r} nor {same!r}")

    words = {same.upper(): "SAME_UPPER", valid.upper(): "VALID"}

    def read(value: Any, facts: Facts) -> Any:
        if str(value).upper() in words:
            return words[str(value).upper()]
        raise Unsupported(f"padding {value!r} is neither {valid!r} nor {same!r}")

    return parameter(name, default, Adapter("policy", lower, read, f"{same!r} or {valid!r} only"))


def choice(name: str, default: Any = REQUIRED, **words: Any) -> Parameter:
    """A word of ONNX's for a word of theirs: `choice("mode", "zeros", constant="zeros")`."""

    def lower(value: Any, facts: Facts) -> Any:
        if value not in words:
            raise Unsupported(f"{name} cannot say {value!r}")
        return words[value]

    back = {theirs: ours for ours, theirs in words.items()}

    def read(value: Any, facts: Facts) -> Any:
        if value not in back:
            raise Unsupported(f"{name}={value!r} has no counterpart")
        return back[value]

    return parameter(name, default, Adapter("choice", lower, read))


def only(name: str, value: Any, default: Any = REQUIRED, canonical: Any = None) -> Parameter:
    """An argument that always says `value`, which stands for the canonical value `canonical` alone."""
    wanted = value if canonical is None else canonical

    def lower(given: Any, facts: Facts) -> Any:
        if given != wanted:
            raise Unsupported(f"{name} can only be {value!r}")
        return value

    def read(given: Any, facts: Facts) -> Any:
        if given != value:
            raise Unsupported(f"{name}={given!r} has no counterpart")
        return wanted

    return parameter(name, default, Adapter("only", lower, read))


_SINGLE = Adapter(
    "single",
    lambda value, facts: value[0] if len(value) == 1 else _refuse_many(value),
    lambda value, facts: [value] if isinstance(value, int) else list(value),
    "one axis only",
)


def _refuse_many(value: Sequence[int]) -> Any:
    raise Unsupported(f"axes {list(value)}: one axis only")


def single(name: str, default: Any = REQUIRED, positional: bool = False) -> Parameter:
    """A list of one axis as a plain number."""
    return parameter(name, default, _SINGLE, "", positional)


_AXES = Adapter(
    "axes",
    lambda value, facts: None if value is None else (value[0] if len(value) == 1 else tuple(value)),
    lambda value, facts: None if value is None else ([value] if isinstance(value, int) else list(value)),
)


def axes(name: str, default: Any = REQUIRED, positional: bool = False) -> Parameter:
    """A list of axes; a plain number where it is one."""
    return parameter(name, default, _AXES, "", positional)


def by_size(name: str, default: Any = REQUIRED) -> Parameter:
    """LRN's alpha where the API does not divide it by the window's size: alpha / size."""
    return parameter(
        name,
        default,
        Adapter(
            "by_size",
            lambda value, facts: float(f"{value / facts['size']:.12g}"),
            lambda value, facts: float(f"{value * facts['size']:.12g}"),
            "not divided by the window's size",
        ),
    )


def radius(name: str, default: Any = REQUIRED) -> Parameter:
    """LRN's window given by its half: size = 2 · radius + 1."""

    def lower(value: Any, facts: Facts) -> Any:
        if value % 2 == 0:
            raise Unsupported(f"a window of even size {value}")
        return value // 2

    return parameter(name, default, Adapter("radius", lower, lambda value, facts: 2 * value + 1, "half the window"))


def with_edges(name: str, default: Any = REQUIRED, *, data: str = "N * C") -> Parameter:
    """Sizes with a 1 for the batch and channel axes: [1, h, w, 1]."""
    last = data.endswith("C")

    def lower(value: Any, facts: Facts) -> Any:
        return [1, *value, 1] if last else [1, 1, *value]

    def read(value: Any, facts: Facts) -> Any:
        if isinstance(value, int):
            return [value] * facts.rank
        if len(value) == facts.rank:
            return list(value)
        edges = (value[0], value[-1]) if last else (value[0], value[1])
        if edges != (1, 1):
            raise Unsupported(f"{name}={value} acts on the batch or channel axis")
        return list(value[1:-1] if last else value[2:])

    return parameter(name, default, Adapter("with_edges", lower, read, "with a 1 for batch and channels"))


def counted(name: str, default: Any = REQUIRED) -> Parameter:
    """A derived number that the API cannot do without."""

    def lower(value: Any, facts: Facts) -> Any:
        if value is None:
            raise Unsupported(f"{name} is not the same for the whole tensor")
        return value

    return parameter(name, default, Adapter("counted", lower, _SAME.read))


def told_otherwise(reason: str) -> Parameter:
    """A canonical parameter that another argument or the weight's own axis order tells."""
    return parameter("", None, Adapter("told_otherwise", lambda value, facts: None, None, reason))


WORDS: Mapping[str, str] = {
    "same": "as it is",
    "counted": "as it is",
    "told_otherwise": "told by another argument",
    "flag": "True/False for 1/0",
    "flip": "opposite sense",
    "one_minus": "1 − value",
    "per_axis": "a number, or one an axis",
    "each_axis": "one number an axis",
    "stride_or_kernel": "the kernel's size where unsaid",
    "halves": "one padding an axis for both ends",
    "policy": "a word, no numbers",
    "choice": "other words",
    "only": "one value only",
    "single": "one axis only",
    "axes": "a number or a tuple",
    "by_size": "not divided by the window's size",
    "radius": "half the window",
    "with_edges": "with a 1 for batch and channels",
}
