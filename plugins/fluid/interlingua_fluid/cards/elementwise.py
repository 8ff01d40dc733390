"""Arithmetic element by element."""

from interlingua.cards import Card, Fixed, Slot, card
from interlingua_fluid.cards.forms import operator

_BROADCAST = "numpy's broadcasting; another axis says where y's first axis stands in x"


def _binary(record: str, name: str, left: str = "A", right: str = "B") -> tuple[Card, Card]:
    return (
        card(
            record,
            f"paddle.fluid.layers.{name}",
            inputs={left: "x", right: "y"},
            fixed={"axis": Fixed(-1, -1)},
            ignored=("act", "name"),
            traits={"axis −1": _BROADCAST},
        ),
        operator(record, name, inputs={left: "X", right: "Y"}, fixed={"axis": Fixed(-1, -1)}),
    )


def _unary(record: str, name: str) -> tuple[Card, Card]:
    return (
        card(record, f"paddle.fluid.layers.{name}", inputs={"X": "x"}, ignored=("name",)),
        operator(
            record,
            name,
            inputs={"X": "X"},
        ),
    )


CARDS = (
    *_binary("Add", "elementwise_add"),
    *_binary("Sub", "elementwise_sub"),
    *_binary("Mul", "elementwise_mul"),
    *_binary("Div", "elementwise_div"),
    *_binary("Pow", "elementwise_pow", "X", "Y"),
    *_unary("Sqrt", "sqrt"),
    *_unary("Exp", "exp"),
    *_unary("Log", "log"),
    *_unary("Abs", "abs"),
    card(
        "Pow",
        "paddle.fluid.layers.pow",
        inputs={"X": "x", "Y": Slot("factor", default=1.0, remark="a number, or a tensor of one")},
        when=lambda facts: facts.shapes.get("Y") in ((), (1,)),
        ignored=("name",),
        write=False,
    ),
)
