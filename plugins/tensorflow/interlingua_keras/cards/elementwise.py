"""Arithmetic element by element: operators, and the merging layers that carry a name."""

from interlingua.cards import Card, Facts, Kind, card
from interlingua_keras.cards.forms import PLAIN

_AB = {"A": "x1", "B": "x2"}


def _one_rank(facts: Facts) -> bool:
    left, right = facts.shapes.get("A"), facts.shapes.get("B")
    return left is not None and right is not None and len(left) == len(right) > 1


def _binary(
    record: str, function: str, operator: str, layer: str = "", aliases: tuple[str, ...] = ()
) -> tuple[Card, ...]:
    inputs = {"X": "x1", "Y": "x2"} if record == "Pow" else _AB
    plain = card(record, function, kind=Kind.OPERATOR, operator=operator, inputs=inputs, ignored=PLAIN, aliases=aliases)
    if not layer:
        return (plain,)
    merging = card(
        record,
        layer,
        kind=Kind.LAYER,
        write=False,
        when=_one_rank,
        inputs={"A": "inputs", "B": "inputs"},
        ignored=PLAIN,
        remark="Called on a list of tensors of one rank.",
        limits=("tensors of different numbers of axes, or of one axis",),
        traits={"call": "on a list"},
    )
    return plain, merging


def _unary(record: str, function: str, *aliases: str) -> Card:
    return card(record, function, inputs={"X": "x"}, ignored=PLAIN, aliases=aliases)


CARDS = (
    *_binary("Add", "keras.ops.add", "+", "keras.layers.Add"),
    *_binary("Sub", "keras.ops.subtract", "-", "keras.layers.Subtract"),
    *_binary("Mul", "keras.ops.multiply", "*", "keras.layers.Multiply"),
    *_binary("Div", "keras.ops.divide", "/", aliases=("keras.ops.true_divide",)),
    *_binary("Pow", "keras.ops.power", "**"),
    _unary("Sqrt", "keras.ops.sqrt"),
    _unary("Exp", "keras.ops.exp", "keras.activations.exponential", "keras.ops.exponential"),
    _unary("Log", "keras.ops.log"),
    _unary("Abs", "keras.ops.abs", "keras.ops.absolute"),
)
