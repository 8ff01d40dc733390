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


def _unary(record: str, name: str, x: str = "X", *aliases: str) -> Card:
    return card(record, f"torch.{name}", inputs={x: "input"}, aliases=(f"torch.Tensor.{name}", *aliases))


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
    _binary("Mod", "remainder", "%", implied={"fmod": 0}),
    card(
        "Mod",
        "torch.fmod",
        inputs={"A": "input", "B": "other"},
        implied={"fmod": 1},
        aliases=("torch.Tensor.fmod",),
    ),
    _unary("Sqrt", "sqrt"),
    _unary("Exp", "exp"),
    _unary("Log", "log"),
    _unary("Abs", "abs"),
    _unary("Neg", "neg"),
    _unary("Ceil", "ceil"),
    _unary("Floor", "floor"),
    card(
        "Round",
        "torch.round",
        inputs={"X": "input"},
        fixed={"decimals": Fixed(0, 0)},
        aliases=("torch.Tensor.round",),
    ),
    _unary("Reciprocal", "reciprocal"),
    _unary("Sign", "sign", "input"),
    _unary("Erf", "erf", "input", "torch.special.erf"),
    *(
        _unary(record, record.lower(), "input")
        for record in ("Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh")
    ),
    _unary("IsNaN", "isnan"),
    card("IsInf", "torch.isinf", inputs={"X": "input"}, aliases=("torch.Tensor.isinf",)),
    card("IsInf", "torch.isposinf", inputs={"X": "input"}, implied={"detect_negative": 0, "detect_positive": 1}),
    card("IsInf", "torch.isneginf", inputs={"X": "input"}, implied={"detect_negative": 1, "detect_positive": 0}),
    _binary("BitwiseAnd", "bitwise_and", "&"),
    _binary("BitwiseOr", "bitwise_or", "|"),
    _binary("BitwiseXor", "bitwise_xor", "^"),
    _unary("BitwiseNot", "bitwise_not"),
    card(
        "BitShift",
        "torch.bitwise_left_shift",
        kind=Kind.OPERATOR,
        operator="<<",
        inputs={"X": "input", "Y": "other"},
        implied={"direction": "LEFT"},
    ),
    card(
        "BitShift",
        "torch.bitwise_right_shift",
        kind=Kind.OPERATOR,
        operator=">>",
        inputs={"X": "input", "Y": "other"},
        implied={"direction": "RIGHT"},
    ),
)
