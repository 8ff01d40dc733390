"""Arithmetic element by element, with numpy's broadcasting."""

from interlingua.records import Input, Record, record_of


def _binary(name: str, summary: str, *synonyms: str) -> Record:
    return record_of(name, summary, [Input("A"), Input("B")], outputs=[Input("C")], synonyms=synonyms)


def _unary(name: str, summary: str, *synonyms: str) -> Record:
    return record_of(name, summary, [Input("X")], synonyms=synonyms)


RECORDS = (
    _binary("Add", "A + B, broadcast", "sum", "eltwise"),
    _binary("Sub", "A − B, broadcast", "subtract", "minus"),
    _binary("Mul", "A · B, broadcast", "multiply", "product"),
    _binary("Div", "A / B, broadcast", "divide", "quotient"),
    record_of("Pow", "X to the power Y, broadcast", [Input("X"), Input("Y")], outputs=[Input("Z")], synonyms=["power"]),
    _unary("Sqrt", "square root", "square root"),
    _unary("Exp", "e to the power X", "exponential"),
    _unary("Log", "natural logarithm", "ln"),
    _unary("Abs", "absolute value", "AbsVal"),
)
