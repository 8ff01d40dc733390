"""Arithmetic element by element."""

from interlingua.cards import Fixed, Kind, card

_XY = {"A": "x", "B": "y"}
_REST = ("name", "out")

CARDS = (
    card(
        "Add", "paddle.add", kind=Kind.OPERATOR, operator="+", inputs=_XY, fixed={"alpha": Fixed(1, 1)}, ignored=_REST
    ),
    card(
        "Sub",
        "paddle.subtract",
        kind=Kind.OPERATOR,
        operator="-",
        inputs=_XY,
        fixed={"alpha": Fixed(1, 1)},
        ignored=_REST,
    ),
    card("Mul", "paddle.multiply", kind=Kind.OPERATOR, operator="*", inputs=_XY, ignored=_REST),
    card(
        "Div",
        "paddle.divide",
        kind=Kind.OPERATOR,
        operator="/",
        inputs=_XY,
        fixed={"rounding_mode": Fixed(None, None)},
        ignored=_REST,
    ),
    card("Pow", "paddle.pow", kind=Kind.OPERATOR, operator="**", inputs={"X": "x", "Y": "y"}, ignored=_REST),
    *(card(op, f"paddle.{op.lower()}", inputs={"X": "x"}, ignored=_REST) for op in ("Sqrt", "Exp", "Log", "Abs")),
)
