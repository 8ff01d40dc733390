"""Shapes: reshaping, moving and joining axes, padding."""

from typing import Any

from interlingua.adapters import choice, parameter, same
from interlingua.cards import REQUIRED, Adapter, Card, Facts, Fixed, card
from interlingua.errors import Unsupported
from interlingua_fluid.cards.forms import listed, non_empty, operator, pairs


def _every_axis(value: Any, facts: Facts) -> Any:
    """ONNX's pads with begin and end of each axis in turn, for all axes of the input."""
    count = facts.get("input_rank")
    if count is None:
        raise Unsupported("the input's rank is not known")
    said = facts.get("axes")
    half = len(value) // 2
    found = [0] * (2 * count)
    for position, axis in enumerate(said if said is not None else range(count)):
        found[2 * (axis % count)], found[2 * (axis % count) + 1] = value[position], value[position + half]
    if min(found) < 0:
        raise Unsupported(f"pads {list(value)} cut elements off")
    return found


def _image(first: int) -> Adapter:
    def lower(value: Any, facts: Facts) -> Any:
        every = _every_axis(value, facts)
        inside = every[2 * first : 2 * first + 4]
        if len(every) != 8 or sum(every) != sum(inside):
            raise Unsupported(f"pads {list(value)} are not on the two axes of images")
        return inside

    return Adapter("image", lower, _split, "[top, bottom, left, right]")


def _split(value: Any, facts: Facts) -> list[int]:
    return [*value[0::2], *value[1::2]]


def _from_the_front(value: Any, facts: Facts) -> Any:
    if value >= 0:
        return value
    if facts.get("input_rank") is None:
        raise Unsupported(f"axis={value} where the input's rank is not known")
    return value + facts["input_rank"]


_FRONT = Adapter("from_the_front", _from_the_front, lambda value, facts: value, "not negative")
_EVERY = Adapter("every_axis", _every_axis, _split, "begin and end of each axis in turn")
_IMAGES = {"NCHW": 2, "NHWC": 1}
_TOLD = parameter("axes", None, Adapter("told_by_pads", lambda value, facts: None, None))
_MODES = {"constant": "constant", "reflect": "reflect", "edge": "edge"}


def _pair(record: str, api: str, op: str, inputs: tuple[str, str], **more: Any) -> tuple[Card, ...]:
    """The function and the operator, with and without the output of the old shape, that share their parameters."""
    name, argument = inputs
    parameters, ignored = more.pop("parameters"), more.pop("ignored", ())
    serial = more.pop("serial", parameters)
    return (
        card(record, f"paddle.fluid.layers.{api}", inputs={name: argument}, **parameters, ignored=("name", *ignored)),
        *(
            operator(record, spelled, inputs={name: "X"}, **serial, ignored=("data_format",))
            for spelled in (op, f"{op}2")
        ),
    )


CARDS = (
    *_pair("Flatten", "flatten", "flatten", ("input", "x"), parameters={"axis": parameter("axis", 1, _FRONT)}),
    *_pair(
        "Reshape",
        "reshape",
        "reshape",
        ("data", "x"),
        parameters={"shape": listed("shape", positional=True)},
        ignored=("actual_shape", "act", "inplace"),
    ),
    *_pair(
        "Transpose",
        "transpose",
        "transpose",
        ("data", "x"),
        parameters={"perm": listed("perm", positional=True)},
        serial={"perm": listed("axis")},
    ),
    *_pair(
        "Squeeze",
        "squeeze",
        "squeeze",
        ("data", "input"),
        parameters={"axes": non_empty("axes", positional=True)},
    ),
    *_pair(
        "Unsqueeze",
        "unsqueeze",
        "unsqueeze",
        ("data", "input"),
        parameters={"axes": listed("axes", positional=True)},
    ),
    card("Concat", "paddle.fluid.layers.concat", inputs={"inputs": "input"}, axis=same("axis", 0), ignored=("name",)),
    operator("Concat", "concat", inputs={"inputs": "X"}, axis=same("axis", 0)),
    card(
        "Pad",
        "paddle.fluid.layers.pad",
        inputs={"data": "x"},
        pads=parameter("paddings", REQUIRED, _EVERY, positional=True),
        axes=_TOLD,
        constant_value=same("pad_value", 0.0),
        ignored=("name",),
        limits=("negative padding", "another mode than constant"),
    ),
    *(
        card(
            "Pad",
            "paddle.fluid.layers.pad2d",
            read=False,
            inputs={"data": "input"},
            pads=parameter("paddings", [0, 0, 0, 0], _image(first)),
            axes=_TOLD,
            mode=choice("mode", "constant", **_MODES),
            constant_value=same("pad_value", 0.0),
            fixed={"data_format": Fixed(order, "NCHW")},
            ignored=("name",),
            limits=("other axes than those of images",),
        )
        for order, first in _IMAGES.items()
    ),
    operator(
        "Pad",
        "pad",
        inputs={"data": "X"},
        pads=pairs("paddings"),
        constant_value=same("pad_value", 0.0),
    ),
    *(
        operator(
            "Pad",
            "pad2d",
            inputs={"data": "X"},
            pads=parameter("paddings", [0, 0, 0, 0], _image(first)),
            implied={"axes": [first, first + 1]},
            mode=choice("mode", "constant", **_MODES),
            constant_value=same("pad_value", 0.0),
            fixed={"data_format": Fixed(order, "NCHW")},
        )
        for order, first in _IMAGES.items()
    ),
)
