"""Pooling, and what else is done over images only."""

from __future__ import annotations

import ast
import dataclasses

import onnx_ir as ir

from interlingua import cards
from interlingua.adapters import split_pads
from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context, arranged
from interlingua.ir.facts import known
from interlingua_fluid.cards.forms import rounds_alike
from interlingua_fluid.lowering import lowers
from interlingua_fluid.lowering.layers import as_images, first_input, function


@lowers("MaxPool", "AveragePool", "LRN")
def over_images(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """What is done over one spatial axis is done over two whose first has size 1."""
    facts = _without_rounding(facts)
    if facts.rank == 1:
        return as_images(context, node, facts, {})
    padding, facts = _padded_before(facts)
    card, keywords = cards.choose("fluid", facts)
    positional, named = arranged(card, keywords)
    context.note_mapping(node, card.spelled(facts.rank), expressions.call("x", positional, named))
    source = context.operand(first_input(node))
    if padding is not None:
        source = function(context, "Pad", padding, source)
    return expressions.call(context.api(card.spelled(facts.rank)), [source, *positional], named)


def _without_rounding(facts: Facts) -> Facts:
    """Pooling whose rounding up Fluid understands otherwise, said by padding at the end instead."""
    shapes = [facts.shapes.get(name) for name in ("X", "Y")]
    sizes = [known(shape[2:]) if shape else None for shape in shapes]
    if rounds_alike(facts) or facts.get("count_include_pad") or sizes[0] is None or sizes[1] is None:
        return facts
    begin, end = split_pads(facts["pads"])
    for axis, (size, count) in enumerate(zip(*sizes, strict=True)):
        reach = (count - 1) * facts["strides"][axis] + facts["kernel_shape"][axis]
        end[axis] = max(reach - size - begin[axis], 0)
    return dataclasses.replace(facts, values={**facts.values, "ceil_mode": 0, "pads": [*begin, *end]})


def _padded_before(facts: Facts) -> tuple[dict[str, object] | None, Facts]:
    """A mean that counts its padding and rounds up, said by padding first: what lies behind it then does not count."""
    if not facts.get("count_include_pad") or rounds_alike(facts):
        return None, facts
    shape, pads = facts.shapes.get("X"), facts["pads"]
    if shape is None:
        return None, facts
    begin, end = split_pads(pads)
    counted = {"count_include_pad": 0}
    if not rounds_alike(dataclasses.replace(facts, values={**facts.values, **counted})):
        return None, facts
    sizes = [size + b + e if isinstance(size, int) else size for size, b, e in zip(shape[2:], begin, end, strict=True)]
    values = {**facts.values, **counted, "pads": [0] * len(pads)}
    shapes = {**facts.shapes, "X": (*shape[:2], *sizes)}
    every: dict[str, object] = {"pads": [0, 0, *begin, 0, 0, *end], "input_rank": len(shape)}
    return every if any(pads) else None, dataclasses.replace(facts, values=values, shapes=shapes)
