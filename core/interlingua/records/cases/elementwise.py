"""Arithmetic element by element."""

from typing import Any

from interlingua.records.cases import EVERY, Array, Case, case

_IMAGE = (2, 3, 4, 5)


def _binary(op: str, left: str = "A", right: str = "B", kind: str = "normal", exponent: str = "") -> list[Case]:
    """Equal shapes, every way of broadcasting, and operands that the model holds."""

    def both(name: str, a: tuple[int, ...], b: tuple[int, ...], constant: bool = False) -> Case:
        inputs: dict[str, Any] = {left: Array(a, kind), right: Array(b, exponent or kind, constant=constant)}
        return case(op, name, **inputs)

    return [
        both("equal shapes", _IMAGE, _IMAGE),
        both("by channel", _IMAGE, (3, 1, 1)),
        both("by the last axis", _IMAGE, (5,)),
        both("axes of one", (2, 1, 4, 5), (2, 3, 1, 5)),
        both("fewer axes first", (4, 5), _IMAGE),
        both("held by the model", _IMAGE, (3, 1, 1), constant=True),
        both("a number", (3, 7), (), constant=True),
    ]


CASES = (
    *_binary("Add"),
    *_binary("Sub"),
    *_binary("Mul"),
    *_binary("Div", kind="positive"),
    *_binary("Pow", "X", "Y", kind="positive", exponent="normal"),
    case("Pow", "square", X=_IMAGE, Y=Array((), "constant", 2, constant=True)),
    case("Sqrt", "image", X=Array(_IMAGE, "positive")),
    case("Sqrt", "rows", X=Array((3, 7), "positive")),
    case("Exp", "image", X=_IMAGE),
    case("Exp", "rows", X=(3, 7)),
    case("Log", "image", X=Array(_IMAGE, "positive")),
    case("Log", "rows", X=Array((3, 7), "positive")),
    case("Abs", "image", X=_IMAGE),
    case("Abs", "rows", X=(3, 7)),
)

UNPROVED = {
    "Add": {
        "caffe": {
            "held by the model": "notyet: OpenCV has no layer Bias",
        },
    },
    "Sub": {
        "caffe": {
            "held by the model": "notyet: OpenCV has no layer Bias",
        },
    },
}

CANNOT = {
    "Add": {
        "caffe": (
            "by channel",
            "by the last axis",
            "axes of one",
            "fewer axes first",
        ),
    },
    "Div": {
        "caffe": (EVERY,),
    },
    "Mul": {
        "caffe": (
            "by channel",
            "by the last axis",
            "axes of one",
            "fewer axes first",
        ),
    },
    "Pow": {
        "caffe": (
            "equal shapes",
            "by channel",
            "by the last axis",
            "axes of one",
            "fewer axes first",
            "held by the model",
        ),
    },
    "Sub": {
        "caffe": (
            "by channel",
            "by the last axis",
            "axes of one",
            "fewer axes first",
            "held by the model",
            "a number",
        ),
    },
}
