"""Operators read through their cards, and opaque nodes for those that no card knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx_ir as ir

from interlingua import cards
from interlingua.adapters import same_pads
from interlingua.cards import Card, Facts
from interlingua.errors import Unsupported
from interlingua.ir.build import read_call
from interlingua.notes import Changed
from interlingua.records import record
from interlingua_paddle.cards.program import Operation
from interlingua_paddle.frontend.pir import Operator
from interlingua_paddle.frontend.reading import Reading


def by_card(reading: Reading, operator: Operator, **instead: ir.Value) -> ir.Value:
    """The operator's first result, read through its card; `instead` gives weights in the place of the program's."""
    arguments = dict(operator.attributes)
    operands = dict(zip(_operands(operator.name), operator.inputs, strict=False))
    given = {name: number for name, number in operands.items() if number}
    for name, number in given.items():
        array = reading.array(number)
        if array is not None:
            arguments[name] = _number(array)
    _say_padding(reading, operator, arguments, given)
    card = cards.find_to_read("paddle", operator.name, arguments)
    described = record(card.record)
    inputs: dict[str, list[ir.Value]] = {}
    for name, slot in card.inputs.items():
        if slot.name in given:
            members = reading.members(given[slot.name])
            variadic = described.input(name).variadic
            inputs[name] = [reading.tensor(number) for number in (members if variadic else members[:1])]
            arguments.pop(slot.name, None)
    weights = dict(instead)
    for slot in card.weights.values():
        if slot.name in given:
            weights.setdefault(slot.name, reading.tensor(given[slot.name]))
            arguments.pop(slot.name, None)
    _refuse_computed(card, given.keys() - {s.name for s in (*card.inputs.values(), *card.weights.values())}, arguments)
    layer = reading.layer(operator)
    return read_call(reading.builder, card, arguments, inputs, weights, layer=layer, rank=reading.rank(operator))


def _say_padding(reading: Reading, operator: Operator, arguments: dict[str, Any], operands: Mapping[str, int]) -> None:
    """Puts what a padding's word stands for in the place of its numbers.

    With SAME, Paddle takes every dilation for 1, whatever was written.
    """
    word = arguments.pop("padding_algorithm", "EXPLICIT")
    if word == "EXPLICIT":
        return
    rank = reading.rank(operator)
    arguments["paddings"] = word
    if word != "SAME":
        return
    if any(dilation != 1 for dilation in arguments.get("dilations", ())):
        reading.notes.add(Changed(reading.layer(operator), "Paddle ignores the dilation where the padding is SAME"))
        arguments["dilations"] = [1] * rank
    source = reading.described[operator.inputs[0]].shape or ()
    sizes = source if str(arguments["data_format"]).startswith("NC") else (source[0], source[-1], *source[1:-1])
    kernel = arguments.get("kernel_size")
    if kernel is None:
        kernel = (reading.described[operands["filter"]].shape or ())[2:]
    facts = Facts("Conv", {"kernel_shape": list(kernel), "strides": arguments["strides"]}, rank, {"X": sizes})
    pads = same_pads(facts)
    if pads is not None:
        arguments["paddings"] = [number for axis in range(rank) for number in (pads[axis], pads[axis + rank])]
    elif "transpose" in operator.name:
        raise Unsupported("padding SAME of a transposed convolution whose input's size is not known")


def _operands(name: str) -> tuple[str, ...]:
    """The operands' names in the file's order; those of an API are its tensor parameters."""
    card = cards.by_api("paddle")[name][0]
    if isinstance(card, Operation):
        return card.operands
    return tuple(slot.name for slot in card.inputs.values())


def _number(array: Any) -> Any:
    """A constant as an argument: a plain number, or a list of them."""
    return array.item() if array.size == 1 and array.ndim == 0 else array.tolist()


def _refuse_computed(card: Card, operands: Any, arguments: Any) -> None:
    computed = sorted(name for name in operands if name not in arguments and name not in card.ignored)
    if computed:
        raise Unsupported(f"{card.api} takes {', '.join(computed)} from a computation; only a constant can be read")


def opaque(reading: Reading, operator: Operator) -> ir.Value:
    """A node of domain `paddle` with the operator's own name, operands and attributes; its first result."""
    inputs = [reading.tensor(member) for number in operator.inputs if number for member in reading.members(number)]
    attributes = {
        key: value for key, value in operator.attributes.items() if isinstance(value, int | float | str | list)
    }
    first = reading.builder.node(
        operator.name,
        inputs,
        {key: value for key, value in attributes.items() if value != []},
        layer=reading.layer(operator),
        outputs=len(operator.outputs),
        domain="paddle",
    )
    node = first.producer()
    assert node is not None
    for value, tensor in zip(operator.outputs, node.outputs, strict=True):
        if value.dtype:
            reading.keep(value, tensor)
    return first
