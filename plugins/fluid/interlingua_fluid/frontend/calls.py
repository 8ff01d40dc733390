"""What readers of operators share: the call through a card, numbers, and their registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir

from interlingua import cards
from interlingua.cards import Card
from interlingua.errors import Unsupported
from interlingua.formats.program_desc import Operator
from interlingua.ir.build import read_call
from interlingua_fluid.frontend.graph import Reading, layer_of, output_of

Reader = Callable[[Reading, Operator, str | None], None]
READERS: dict[str, Reader] = {}


def reads(*types: str) -> Callable[[Reader], Reader]:
    """Registers the function that reads operators of these types."""

    def keep(function: Reader) -> Reader:
        READERS.update(dict.fromkeys(types, function))
        return function

    return keep


def by_card(reading: Reading, op: Operator, bias: str | None = None) -> ir.Value:
    """The operator through the card that its attributes select."""
    arguments = {
        name: "NCHW"
        if name in ("data_format", "data_layout") and value == "AnyLayout" and op.type != "softmax"
        else value
        for name, value in op.attributes.items()
    }
    row = cards.find_to_read("fluid", op.type, arguments)
    value = called(reading, op, row, arguments, bias)
    reading.define(output_of(op), value)
    return value


def called(reading: Reading, op: Operator, row: Card, arguments: dict[str, Any], bias: str | None) -> ir.Value:
    """The operator's output through a card, with arguments that may differ from its attributes.

    Raises:
        Unsupported: an argument no card knows, or an input that no slot of the card takes.
    """
    inputs = {name: [reading.value(v) for v in op.inputs.get(slot.name, ())] for name, slot in row.inputs.items()}
    weights = {
        slot.name: reading.value(op.inputs[slot.name][0]) for slot in row.weights.values() if op.inputs.get(slot.name)
    }
    if bias is not None:
        slot = row.weights["C" if row.record == "Gemm" else "B"]
        weights[slot.name] = reading.value(bias)
    known_slots = {slot.name for slot in (*row.inputs.values(), *row.weights.values())}
    unread = [name for name, given in op.inputs.items() if given and name not in known_slots]
    if unread:
        raise Unsupported(f"its inputs {', '.join(unread)} are computed by the model")
    first = next(iter(op.inputs[slot.name][0] for slot in row.inputs.values() if op.inputs.get(slot.name)), "")
    rank = row.ranks[0] if row.ranks else max(reading.rank(first) - 2, 0)
    return read_call(
        reading.builder, row, arguments, {n: v for n, v in inputs.items() if v}, weights, layer=layer_of(op), rank=rank
    )


def number_like(reading: Reading, op: Operator, value: float, like: str) -> ir.Value:
    """A scalar constant of the element type of the variable `like`."""
    dtype = reading.program.variables[like].dtype if like in reading.program.variables else None
    return reading.builder.constant(f"{layer_of(op)}.number", np.asarray(value, dtype or np.float32))
