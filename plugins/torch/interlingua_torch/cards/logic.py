"""Truth values: logic, comparisons, and a choice between two tensors."""

from interlingua.cards import Card, Kind, card


def _binary(record: str, name: str, sign: str) -> Card:
    return card(
        record,
        f"torch.{name}",
        kind=Kind.OPERATOR,
        operator=sign,
        inputs={"A": "input", "B": "other"},
        aliases=(f"torch.Tensor.{name}",),
    )


CARDS = (
    _binary("And", "logical_and", "&"),
    _binary("Or", "logical_or", "|"),
    _binary("Xor", "logical_xor", "^"),
    card("Not", "torch.logical_not", inputs={"X": "input"}, aliases=("torch.Tensor.logical_not",)),
    _binary("Equal", "eq", "=="),
    _binary("Greater", "gt", ">"),
    _binary("GreaterOrEqual", "ge", ">="),
    _binary("Less", "lt", "<"),
    _binary("LessOrEqual", "le", "<="),
    card("Where", "torch.where", inputs={"condition": "condition", "X": "input", "Y": "other"}),
)
