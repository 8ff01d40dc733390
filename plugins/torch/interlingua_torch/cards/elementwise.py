"""Arithmetic element by element: operators, and the functions and methods that say the same."""

from typing import Any

from interlingua.cards import Card, Fixed, Kind, card


def _binary(record: str, name: str, sign: str, **more: Any) -> Card:
    return card(
        record,
        f"torch.{name}",
        kind=Kind.OPERATOR,
        operator=sign,
        inputs={"A": "input", "B": "other"},
        aliases=(f"torch.Tensor.{name}",),
        **more,
    )


def _unary(record: str, name: str) -> Card:
    return card(record, f"torch.{name}", inputs={"X": "input"}, aliases=(f"torch.Tensor.{name}",))


CARDS = (
    _binary("Add", "add", "+", fixed={"alpha": Fixed(1, 1)}),
    _binary("Sub", "sub", "-", fixed={"alpha": Fixed(1, 1)}),
    _binary("Mul", "mul", "*"),
    _binary(
        "Div",
        "div",
        "/",
        fixed={"rounding_mode": Fixed(None, None)},
        traits={"whole numbers": "the quotient is a float"},
    ),
    card(
        "Pow",
        "torch.pow",
        kind=Kind.OPERATOR,
        operator="**",
        inputs={"X": "input", "Y": "exponent"},
        aliases=("torch.Tensor.pow",),
    ),
    _unary("Sqrt", "sqrt"),
    _unary("Exp", "exp"),
    _unary("Log", "log"),
    _unary("Abs", "abs"),
)
