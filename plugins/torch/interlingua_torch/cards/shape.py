"""Shapes: reshaping, moving and joining axes, padding."""

from typing import Any

from interlingua.adapters import axes, choice, parameter, same, single
from interlingua.cards import REQUIRED, Adapter, Facts, Kind, card
from interlingua.errors import Unsupported


def _last_axes_first(value: Any, facts: Facts) -> Any:
    """ONNX's pads as torch writes them: the last axis first, begin and end together, leading zeros left out."""
    count = facts["input_rank"]
    axes_said = facts.get("axes") or range(count)
    begin, end = [0] * count, [0] * count
    for position, axis in enumerate(axes_said):
        begin[axis] = value[position]
        end[axis] = value[position + len(value) // 2]
    pairs = list(zip(begin, end, strict=True))
    while len(pairs) > 1 and pairs[0] == (0, 0):
        pairs.pop(0)
    return tuple(number for pair in reversed(pairs) for number in pair)


def _all_axes(value: Any, facts: Facts) -> list[int]:
    count = facts["input_rank"]
    pairs = [(0, 0)] * (count - len(value) // 2) + [
        (value[i], value[i + 1]) for i in range(len(value) - 2, -1, -2)
    ]
    return [begin for begin, _ in pairs] + [end for _, end in pairs]


def _new_shape(value: Any, facts: Facts) -> Any:
    if 0 in value:
        raise Unsupported(f"a shape with a copied axis: {list(value)}")
    return tuple(value)


_SHAPE = Adapter("new_shape", _new_shape, lambda value, facts: list(value))
_PADS = Adapter("last_axes_first", _last_axes_first, _all_axes, "last axis first, begin and end together")

CARDS = (
    card(
        "Flatten",
        "torch.flatten",
        inputs={"input": "input"},
        axis=same("start_dim", 0, positional=True),
        when=lambda facts: facts["axis"] == 1 or facts.get("input_rank") == facts["axis"] + 1 == 1,
        ignored=("end_dim",),
    ),
    card("Flatten", "torch.nn.Flatten", kind=Kind.LAYER, write=False, inputs={"input": "input"}, axis=same("start_dim", 1)),
    card(
        "Reshape",
        "torch.reshape",
        inputs={"data": "input"},
        shape=parameter("shape", REQUIRED, _SHAPE, positional=True),
        aliases=("torch.Tensor.view", "torch.Tensor.reshape"),
    ),
    card(
        "Transpose",
        "torch.permute",
        inputs={"data": "input"},
        perm=same("dims", positional=True),
        aliases=("torch.Tensor.permute",),
    ),
    card(
        "Concat",
        "torch.cat",
        inputs={"inputs": "tensors"},
        axis=same("dim", 0),
        aliases=("torch.concat", "torch.concatenate"),
    ),
    card("Squeeze", "torch.squeeze", inputs={"data": "input"}, axes=axes("dim", None, positional=True)),
    card("Unsqueeze", "torch.unsqueeze", inputs={"data": "input"}, axes=single("dim", positional=True)),
    card(
        "Pad",
        "torch.nn.functional.pad",
        inputs={"data": "input"},
        pads=parameter("pad", REQUIRED, _PADS, positional=True),
        axes=parameter("axes", None, Adapter("told_by_pads", lambda value, facts: None, None)),
        mode=choice("mode", "constant", constant="constant", reflect="reflect", edge="replicate", wrap="circular"),
        constant_value=same("value", 0.0),
    ),
)
