"""Padding that also cuts off."""

from __future__ import annotations

import ast
import dataclasses

import onnx_ir as ir

from interlingua import cards
from interlingua.adapters import split_pads
from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context, arranged
from interlingua.errors import Unsupported
from interlingua_fluid.lowering import lowers

_SLICE = "paddle.fluid.layers.slice"
_OPEN = 2**31 - 1


@lowers("Pad")
def pad(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """What negative padding cuts off is sliced away first: `pad(slice(x, …), …)`."""
    source = node.inputs[0]
    assert source is not None
    operand = context.operand(source)
    pads = list(facts["pads"])
    if min(pads, default=0) < 0:
        operand = _sliced(context, facts, operand)
        facts = dataclasses.replace(facts, values={**facts.values, "pads": [max(number, 0) for number in pads]})
        if not any(facts["pads"]):
            context.note_mapping(node, _SLICE)
            return operand
    card, keywords = cards.choose("fluid", facts)
    positional, named = arranged(card, keywords)
    context.note_mapping(node, card.api, expressions.call("x", positional, named))
    return expressions.call(context.api(card.api), [operand, *positional], named)


def _sliced(context: Context, facts: Facts, operand: ast.expr) -> ast.expr:
    if facts.get("mode", "constant") != "constant" or facts.get("input_rank") is None:
        raise Unsupported(f"pads {list(facts['pads'])} cut elements off in the mode {facts.get('mode')!r}")
    begin, end = split_pads(facts["pads"])
    axes = facts.get("axes") or range(facts["input_rank"])
    rows = [
        (axis, -min(b, 0), min(e, 0) or _OPEN) for axis, b, e in zip(axes, begin, end, strict=True) if min(b, e) < 0
    ]
    said = {name: [row[index] for row in rows] for index, name in enumerate(("axes", "starts", "ends"))}
    return expressions.call(context.api(_SLICE), [operand], said)
