"""Makes a card of a record: the operator of the same name with the same parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from interlingua.adapters import parameter
from interlingua.cards import REQUIRED, Adapter, Card, Facts, Parameter, Slot, card
from interlingua.records import CanonicalParameter, Record, records


def _unsaid_where_neutral(described: CanonicalParameter) -> Adapter:
    """A list that ONNX leaves out where it does nothing: strides of 1, pads of 0."""

    def lower(value: Any, facts: Facts) -> Any:
        return None if described.is_default(value) else list(value)

    def read(value: Any, facts: Facts) -> Any:
        count = 2 * facts.rank if described.name == "pads" else facts.rank
        return [described.neutral] * count if value is None else list(value)

    return Adapter("each_axis", lower, read, f"one number an axis, {described.neutral} where unsaid")


_SCHEMA_NAMES = {"Exp": {"X": "input"}, "Log": {"X": "input"}}
"""Where the standard's own name of an input is not the record's."""

_SAME = Adapter("same", lambda value, facts: value, lambda value, facts: value)


def _parameter(described: CanonicalParameter) -> Parameter:
    adapter = _SAME if described.neutral is None else _unsaid_where_neutral(described)
    return parameter(described.name, described.default, adapter)


def _ranks(row: Record) -> Sequence[int]:
    """One to three spatial axes where the data has them, and no statement where any shape goes."""
    return (1, 2, 3) if "kernel_shape" in row.parameters else ()


def operator(row: Record, **more: Any) -> Card:
    """The card of the ONNX operator that the record stands for."""
    parameters = {name: _parameter(p) for name, p in row.parameters.items() if not p.derived}
    if "kernel_shape" in row.parameters and "W" in (i.name for i in row.inputs):
        parameters["kernel_shape"] = parameter("kernel_shape", None, Adapter("told_by_weight", _same_kernel, None))
    names = _SCHEMA_NAMES.get(row.name, {})
    inputs = {i.name: Slot(names.get(i.name, i.name), i.axes, None if i.optional else REQUIRED) for i in row.inputs}
    outputs = {o.name: o.axes for o in row.outputs}
    return card(row.name, row.name, inputs=inputs, outputs=outputs, ranks=_ranks(row), parameters=parameters, **more)


def _same_kernel(value: Any, facts: Facts) -> Any:
    """ONNX takes the kernel's size from the weight where it is unsaid."""
    return None if "W" in facts.shapes or "kernel_shape" not in facts.values else value


def family(name: str) -> tuple[Card, ...]:
    """The cards of a family of records, concepts left out."""
    return tuple(operator(row) for row in records().values() if row.family == name and not row.concept)
