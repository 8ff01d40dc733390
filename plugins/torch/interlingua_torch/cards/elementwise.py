"""Arithmetic element by element."""

from interlingua.cards import Fixed, Kind, card

_AB = {"A": "input", "B": "other"}

CARDS = (
    card("Add", "torch.add", kind=Kind.OPERATOR, operator="+", inputs=_AB, fixed={"alpha": Fixed(1, 1)}),
    card("Sub", "torch.sub", kind=Kind.OPERATOR, operator="-", inputs=_AB, fixed={"alpha": Fixed(1, 1)}),
    card("Mul", "torch.mul", kind=Kind.OPERATOR, operator="*", inputs=_AB),
    card("Div", "torch.div", kind=Kind.OPERATOR, operator="/", inputs=_AB, fixed={"rounding_mode": Fixed(None, None)}),
    card("Pow", "torch.pow", kind=Kind.OPERATOR, operator="**", inputs={"X": "input", "Y": "exponent"}),
    card("Sqrt", "torch.sqrt", inputs={"X": "input"}),
    card("Exp", "torch.exp", inputs={"X": "input"}),
    card("Log", "torch.log", inputs={"X": "input"}),
    card("Abs", "torch.abs", inputs={"X": "input"}),
)
