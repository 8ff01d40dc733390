"""Arithmetic element by element."""

from interlingua.cards import Kind, card

_XY = {"A": "x", "B": "y"}
_X = {"X": "x"}
_NAME = ("name",)

CARDS = (
    card("Add", "tf.add", kind=Kind.OPERATOR, operator="+", inputs=_XY, aliases=("tf.math.add",), ignored=_NAME),
    card(
        "Sub", "tf.subtract", kind=Kind.OPERATOR, operator="-", inputs=_XY, aliases=("tf.math.subtract",), ignored=_NAME
    ),
    card(
        "Mul", "tf.multiply", kind=Kind.OPERATOR, operator="*", inputs=_XY, aliases=("tf.math.multiply",), ignored=_NAME
    ),
    card("Div", "tf.divide", kind=Kind.OPERATOR, operator="/", inputs=_XY, aliases=("tf.math.divide",), ignored=_NAME),
    card(
        "Pow",
        "tf.pow",
        kind=Kind.OPERATOR,
        operator="**",
        inputs={"X": "x", "Y": "y"},
        aliases=("tf.math.pow",),
        ignored=_NAME,
    ),
    card("Sqrt", "tf.sqrt", inputs=_X, aliases=("tf.math.sqrt",), ignored=_NAME),
    card("Exp", "tf.exp", inputs=_X, aliases=("tf.math.exp",), ignored=_NAME),
    card("Log", "tf.math.log", inputs=_X, ignored=_NAME),
    card("Log", "tf.log", inputs=_X, versions="<2", write=False, ignored=_NAME),
    card("Abs", "tf.abs", inputs=_X, aliases=("tf.math.abs",), ignored=_NAME),
)
