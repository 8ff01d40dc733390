"""Forms of arguments that Fluid alone has, and the attributes of its operators that change no number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from interlingua.adapters import parameter, split_pads
from interlingua.cards import REQUIRED, Adapter, Card, Facts, Fixed, Kind, Parameter, Slot, card
from interlingua.errors import Unsupported

HINTS = (
    *("op_role", "op_role_var", "op_namescope", "op_callstack", "op_device", "with_quant_attr"),
    *("use_cudnn", "use_mkldnn", "use_quantizer", "is_test", "workspace_size_MB", "exhaustive_search"),
    *("Scale_in", "Scale_out", "Scale_weights", "Scale_in_eltwise", "Scale_x", "Scale_y", "scale_x", "scale_y"),
    *("scale_out", "force_fp32_output", "fuse_alpha", "fuse_beta", "fuse_brelu_threshold", "head_number"),
    *("fuse_relu_before_depthwise_conv", "x_data_format", "y_data_format", "mkldnn_data_type"),
)
"""Attributes of operators that say how to compute, not what: roles, devices, libraries, int8 scales left at 1."""

_UNFUSED = {
    "fuse_relu": False,
    "fuse_brelu": False,
    "fuse_activation": "",
    "fuse_residual_connection": False,
    "fuse_with_relu": False,
}


def operator(record: str, api: str, **rest: Any) -> Card:
    """A card of an operator of saved programs: read only."""
    rest["ignored"] = (*HINTS, *rest.get("ignored", ()))
    return card(record, api, kind=Kind.SERIAL, write=False, **rest)


def unfused(*names: str) -> dict[str, Fixed]:
    """The attributes of fused operators of those names, held at what they are in a program nobody fused."""
    return {name: Fixed(_UNFUSED[name], _UNFUSED[name]) for name in names}


def _interleave(value: Sequence[int], facts: Facts) -> Any:
    begin, end = split_pads(value)
    if begin == end:
        return begin[0] if len(set(begin)) == 1 else list(begin)
    return [pad for pair in zip(begin, end, strict=True) for pad in pair]


def _separate(value: Any, facts: Facts) -> Any:
    if isinstance(value, str):
        words = {"SAME": "SAME_UPPER", "VALID": "VALID"}
        if value.upper() not in words:
            raise Unsupported(f"padding {value!r} is neither 'SAME' nor 'VALID'")
        return words[value.upper()]
    if isinstance(value, int):
        return [value] * (2 * facts.rank)
    if any(isinstance(pair, list | tuple) for pair in value):
        value = [pad for pair in value for pad in pair]
        outer = value[:4] if len(value) == 2 * facts.rank + 4 else []
        if any(outer):
            raise Unsupported(f"padding {value} acts on the batch or channel axis")
        value = value[len(outer) :]
    if len(value) == facts.rank:
        return [*value, *value]
    return [*value[0::2], *value[1::2]]


_EDGES = Adapter("edges", _interleave, _separate, "one number an axis, or begin and end of each axis in turn")


def edges(name: str, default: Any = REQUIRED, positional: bool = False) -> Parameter:
    """Padding as one number, one an axis, or [top, bottom, left, right]; the words "SAME" and "VALID" are read."""
    return parameter(name, default, _EDGES, positional=positional)


_PAIRS = Adapter(
    "edges",
    lambda value, facts: [pad for pair in zip(*split_pads(value), strict=True) for pad in pair],
    _separate,
    "begin and end of each axis in turn",
)


def pairs(name: str, default: Any = REQUIRED, positional: bool = False) -> Parameter:
    """Padding with the begin and end of each axis in turn, always written out."""
    return parameter(name, default, _PAIRS, positional=positional)


_GROUPS = Adapter(
    "groups",
    lambda value, facts: None if value == 1 else value,
    lambda value, facts: 1 if value is None else value,
)


def groups(name: str) -> Parameter:
    """Groups of channels, None for one."""
    return parameter(name, None, _GROUPS)


def bound(name: str, absent: float, positional: bool = False) -> Parameter:
    """A bound that must be said: an infinite one where there is none."""
    adapter = Adapter(
        "bound",
        lambda value, facts: absent if value is None else value,
        lambda value, facts: None if value == absent else value,
        "infinite where there is none",
    )
    return parameter(name, REQUIRED, adapter, positional=positional)


def _list(value: Any, facts: Facts) -> Any:
    return None if value is None else [value] if isinstance(value, int) else list(value)


_LIST = Adapter("list", _list, _list)


def listed(name: str, default: Any = REQUIRED, positional: bool = False) -> Parameter:
    """A list, always written as one."""
    return parameter(name, default, _LIST, positional=positional)


_AXES = Adapter(
    "axes",
    lambda value, facts: None if value is None else value[0] if len(value) == 1 else list(value),
    _list,
)


def axes(name: str, default: Any = REQUIRED) -> Parameter:
    """Axes: a number where it is one, else a list; a tuple is refused by the operator."""
    return parameter(name, default, _AXES)


_NON_EMPTY = Adapter("list", lambda value, facts: value or [], lambda value, facts: _list(value, facts) or None)


def non_empty(name: str, default: Any = REQUIRED, positional: bool = False) -> Parameter:
    """A list of axes in which none stands for all that fit."""
    return parameter(name, default, _NON_EMPTY, positional=positional)


def _whole_size(value: Any, facts: Facts) -> Any:
    if not any(value):
        return None
    shape = facts.shapes.get("Y")
    sizes = [] if shape is None else [size for size in shape[2:] if isinstance(size, int)]
    if len(sizes) != len(value):
        raise Unsupported(f"output_padding={list(value)} where the output's size is not known")
    return sizes


_WHOLE_SIZE = Adapter("whole_size", _whole_size, lambda value, facts: [0] * facts.rank, "the output's whole size")


def whole_size(name: str) -> Parameter:
    """A transposed convolution's output padding, said by the whole size of the output; None is the least one."""
    return parameter(name, None, _WHOLE_SIZE)


def rounds_alike(facts: Facts) -> bool:
    """Whether ceil_mode means what it means in ONNX: Fluid keeps windows that begin behind the input.

    A mean that counts padding divides by the whole window there, where ONNX leaves out what is behind the padding.
    """
    if not facts.get("ceil_mode"):
        return True
    shape, (begin, end) = facts.shapes.get("X"), split_pads(facts["pads"])
    sizes = shape[2:] if shape is not None else (None,) * facts.rank
    for axis, size in enumerate(sizes):
        window, stride = facts["kernel_shape"][axis], facts["strides"][axis]
        if not isinstance(size, int):
            if begin[axis] or end[axis] or stride > window or facts.get("count_include_pad"):
                return False
            continue
        rest = (size + begin[axis] + end[axis] - window) % stride
        last = -(-(size + begin[axis] + end[axis] - window) // stride) * stride
        if rest and (facts.get("count_include_pad") or last >= size + begin[axis]):
            return False
    return True


_BIAS = Adapter(
    "switch",
    lambda value, facts: None if value else False,
    lambda value, facts: int(value is not False),
    "False makes none",
)


def switch(name: str) -> Parameter:
    """Whether there is a bias, said by the attribute that names it: False makes none."""
    return parameter(name, None, _BIAS)


def layouts(first: str, last: str, slot: str, name: str = "data_format") -> Sequence[tuple[Mapping[str, Fixed], Slot]]:
    """The two axis orders an operator knows: what selects each, and the input slot in that order."""
    return (
        ({name: Fixed(first, first)}, Slot(slot)),
        ({name: Fixed(last, first)}, Slot(slot, "N * C")),
    )
