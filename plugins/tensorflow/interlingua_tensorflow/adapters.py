"""Adapters that only TensorFlow's cards need: paddings in a word or in pairs, defaults that stand for something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interlingua.adapters import parameter, same_pads, split_pads
from interlingua.cards import REQUIRED, Adapter, Facts, Parameter
from interlingua.errors import Unsupported

_WORDS = {"SAME": "SAME_UPPER", "VALID": "VALID"}


def _word(value: Any, facts: Facts) -> str:
    """The word for pads; `VALID` where nothing is padded."""
    if not any(value):
        return "VALID"
    if list(value) == same_pads(facts):
        return "SAME"
    raise Unsupported(f"pads {list(value)} are neither 'VALID' nor 'SAME'")


def _read_word(value: Any, facts: Facts) -> Any:
    if isinstance(value, str) and value.upper() in _WORDS:
        return _WORDS[value.upper()]
    raise Unsupported(f"padding {value!r} is neither 'VALID' nor 'SAME'")


def _word_or_pairs(value: Any, facts: Facts) -> Any:
    try:
        return _word(value, facts)
    except Unsupported:
        begin, end = split_pads(value)
        return [[0, 0], *([first, last] for first, last in zip(begin, end, strict=True)), [0, 0]]


def _read_word_or_pairs(value: Any, facts: Facts) -> Any:
    if isinstance(value, str):
        return _read_word(value, facts)
    if list(value[0]) != [0, 0] or list(value[-1]) != [0, 0]:
        raise Unsupported(f"padding {value!r} pads the batch or channel axis")
    return [pair[0] for pair in value[1:-1]] + [pair[1] for pair in value[1:-1]]


def padding(default: Any = REQUIRED, *, pairs: bool = False) -> Parameter:
    """Pads as "SAME" or "VALID", with `pairs` also as one pair for each axis of the data."""
    if pairs:
        return parameter(
            "padding",
            default,
            Adapter("word_or_pairs", _word_or_pairs, _read_word_or_pairs, "a word, or a pair an axis"),
        )
    return parameter("padding", default, Adapter("policy", _word, _read_word, "'SAME' or 'VALID' only"))


def _whole(value: Any, facts: Facts) -> Any:
    return list(value) if isinstance(value, list | tuple) else [value] * facts.rank


def _collapsed(value: Any) -> Any:
    return value[0] if len(set(value)) == 1 else tuple(value)


def ones_unsaid(name: str, default: Any = None, *, written_out: bool = False) -> Parameter:
    """One number for every axis, where leaving it unsaid means 1; `written_out` never shortens a list."""
    return parameter(
        name,
        default,
        Adapter(
            "ones_unsaid",
            lambda value, facts: (
                default if all(item == 1 for item in value) else list(value) if written_out else _collapsed(value)
            ),
            lambda value, facts: [1] * facts.rank if value is None else _whole(value, facts),
            "1 where unsaid",
        ),
    )


def unsaid_for(name: str, default: Any, meaning: Any) -> Parameter:
    """A value as it is, where the API's own default stands for `meaning`."""
    return parameter(
        name,
        default,
        Adapter(
            "unsaid_for",
            lambda value, facts: default if value == meaning else value,
            lambda value, facts: meaning if value == default else value,
            f"{meaning} where unsaid",
        ),
    )


def output_sizes(facts: Facts) -> list[int]:
    """The spatial sizes of a transposed convolution's output.

    Raises:
        Unsupported: the input's are unknown.
    """
    shape = facts.shapes.get("X")
    sizes: list[int] = []
    begin, end = split_pads(facts["pads"])
    for axis in range(facts.rank):
        size = None if shape is None else shape[2 + axis]
        if not isinstance(size, int):
            raise Unsupported("the size of the transposed convolution's output is not known")
        reach = (facts["kernel_shape"][axis] - 1) * facts["dilations"][axis] + 1
        total = begin[axis] + end[axis]
        sizes.append((size - 1) * facts["strides"][axis] + reach - total + facts["output_padding"][axis])
    return sizes


def full_shape(name: str) -> Parameter:
    """The whole shape of a transposed convolution's output, channels last; it also tells the output padding."""

    def lower(value: Any, facts: Facts) -> Any:
        batch = (facts.shapes.get("X") or (None,))[0]
        return [batch, *output_sizes(facts), facts["out_channels"]]

    return parameter(name, REQUIRED, Adapter("full_shape", lower, None, "the output's shape, given in full"))


def told_elsewhere(name: str, how: str) -> Parameter:
    """A canonical parameter that another argument already tells, so that nothing is written for it."""
    return parameter(name, None, Adapter("told", lambda value, facts: None, None, how))


def bound(name: str) -> Parameter:
    """A bound of Clip that must be given."""

    def lower(value: Any, facts: Facts) -> Any:
        if value is None:
            raise Unsupported(f"{name} must be given")
        return value

    return parameter(name, REQUIRED, Adapter("bound", lower, lambda value, facts: value), positional=True)


def as_written(
    name: str, default: Any, lower: Callable[[Any, Facts], Any], read: Callable[[Any, Facts], Any], remark: str
) -> Parameter:
    """A positional parameter with two functions of its own card."""
    return parameter(name, default, Adapter(name, lower, read, remark), remark, True)
