"""Truth values: logic, comparisons, and a choice between two tensors."""

from interlingua.records import Input, Record, record_of


def _binary(name: str, summary: str, *synonyms: str) -> Record:
    return record_of(name, summary, [Input("A"), Input("B")], outputs=[Input("C")], synonyms=synonyms)


RECORDS = (
    _binary("And", "whether both are true", "logical_and"),
    _binary("Or", "whether one or both are true", "logical_or"),
    _binary("Xor", "whether one alone is true", "logical_xor"),
    record_of("Not", "whether X is false", [Input("X")], synonyms=["logical_not"]),
    _binary("Equal", "whether A is B", "eq"),
    _binary("Greater", "whether A exceeds B", "gt"),
    _binary("GreaterOrEqual", "whether A exceeds B or is B", "ge"),
    _binary("Less", "whether B exceeds A", "lt"),
    _binary("LessOrEqual", "whether B exceeds A or is A", "le"),
    record_of(
        "Where",
        "X where the condition holds, else Y",
        [Input("condition"), Input("X"), Input("Y")],
        outputs=[Input("output")],
        synonyms=["select"],
    ),
)
