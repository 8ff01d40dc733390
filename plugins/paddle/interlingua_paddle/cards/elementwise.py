"""Arithmetic element by element."""

from typing import Any

from interlingua.cards import Card, Fixed, Kind, card

_XY = {"A": "x", "B": "y"}
_REST = ("name", "out")


def _arithmetic(record: str, operator: str, api: str, *short: str, **more: Any) -> Card:
    names = (api, *short)
    return card(
        record,
        f"paddle.{api}",
        kind=Kind.OPERATOR,
        operator=operator,
        inputs=more.pop("inputs", _XY),
        aliases=(*(f"paddle.{name}" for name in short), *(f"paddle.Tensor.{name}" for name in names)),
        ignored=_REST,
        **more,
    )


CARDS = (
    _arithmetic("Add", "+", "add", fixed={"alpha": Fixed(1, 1)}),
    _arithmetic("Sub", "-", "subtract", "sub", fixed={"alpha": Fixed(1, 1)}),
    _arithmetic("Mul", "*", "multiply", "mul"),
    _arithmetic("Div", "/", "divide", "div", fixed={"rounding_mode": Fixed(None, None)}),
    _arithmetic("Pow", "**", "pow", inputs={"X": "x", "Y": "y"}),
    *(
        card(op, f"paddle.{name}", inputs={"X": "x"}, aliases=(f"paddle.Tensor.{name}",), ignored=_REST)
        for op, name in (("Sqrt", "sqrt"), ("Exp", "exp"), ("Log", "log"), ("Abs", "abs"))
    ),
)
