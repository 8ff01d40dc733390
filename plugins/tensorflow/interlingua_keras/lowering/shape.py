"""Shapes: sizes that are known, what is cut off, and what a global pooling leaves away by itself."""

from __future__ import annotations

import ast
import dataclasses
import math

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.ir import metadata
from interlingua.ir.facts import CHANNELS_LAST, shape_of
from interlingua_keras.lowering.common import chosen, just_written, layer_card, spelled_card, taken_over
from interlingua_keras.lowering.registry import lowers

_KEEPS = "keepdims"


@lowers("Transpose")
def transposing(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """Names a change of layout, which no layer of the source is, after what it gives."""
    if not metadata.is_own(node) and facts.get("perm"):
        rank = len(facts["perm"])
        to_last = list(facts["perm"]) == [0, *range(2, rank), 1]
        metadata.set_place(node, "channels_last" if to_last else "channels_first")
    return chosen(context, node, facts)


@lowers("Pad")
def padding(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """Replaces pads below zero by slices."""
    pads, source = facts["pads"], node.inputs[0]
    if source is None or min(pads, default=0) >= 0:
        return chosen(context, node, facts)
    half = len(pads) // 2
    cut = dict(zip(facts.get("axes") or range(half), zip(pads[:half], pads[half:], strict=True), strict=True))
    rows = [cut.get(axis, (0, 0)) for axis in range(facts["input_rank"])]
    last = max(axis for axis, row in enumerate(rows) if min(row) < 0)
    slices = [_slice(max(-begin, 0), min(end, 0)) for begin, end in rows[: last + 1]]
    inner = context.ref(source)
    if max(pads) > 0:
        added = {**facts.values, "pads": [max(number, 0) for number in pads]}
        inner = chosen(context, node, dataclasses.replace(facts, values=added))
    else:
        context.note_mapping(node, "slice")
    return ast.Subscript(inner, ast.Tuple(slices, ast.Load()), ast.Load())


def _slice(begin: int, end: int) -> ast.expr:
    return ast.Slice(ast.Constant(begin) if begin else None, expressions.literal(end) if end else None)


def _resolved(facts: Facts) -> Facts:
    """The facts with the new shape's copied axes as numbers where they are known.

    One unknown axis, the batch as a rule, becomes −1, where what was −1 before follows from the others.
    """
    given, target = facts.shapes.get("data"), facts.get("shape")
    if given is None or not isinstance(target, list) or facts.get("allowzero") or 0 not in target:
        return facts
    whole = [given[axis] if size == 0 else size for axis, size in enumerate(target)]
    unknown = [axis for axis, size in enumerate(whole) if not isinstance(size, int)]
    rest = [size for axis, size in enumerate(given) if axis not in unknown]
    if len(unknown) > 1 or not all(isinstance(size, int) for size in rest):
        return facts
    said = [size for size in whole if isinstance(size, int)]
    if unknown and -1 in said:
        others = math.prod(size for size in said if size != -1)
        left = math.prod(size for size in rest if isinstance(size, int)) // max(others, 1)
        said = [left if size == -1 else size for size in said]
    for axis in unknown:
        said.insert(axis, -1)
    return dataclasses.replace(facts, values={**facts.values, "shape": said})


@lowers("Flatten", "Squeeze", "Reshape")
def flattening(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """Replaces `Flatten(GlobalAveragePooling(x, keepdims=True))` by `GlobalAveragePooling(x)`, and likewise."""
    if facts.record == "Reshape":
        facts = _resolved(facts)
    source = node.inputs[0]
    layer = just_written(context, source)
    before, after = shape_of(source), shape_of(node.outputs[0])
    if layer is None or not isinstance(layer.call, ast.Call) or before is None or after is None or len(after) != 2:
        return chosen(context, node, facts)
    card = spelled_card(context, layer.call)
    said = [keyword.arg for keyword in layer.call.keywords]
    producer = source.producer() if source is not None else None
    last = producer is not None and producer.domain == CHANNELS_LAST
    channels = before[-1] if last else before[1]
    if card is not None and card.api == layer_card("GlobalAveragePool").api and _KEEPS in said and after[1] == channels:
        layer.call.keywords[:] = [keyword for keyword in layer.call.keywords if keyword.arg != _KEEPS]
        context.note_mapping(node, card.spelled(len(before) - 2))
        return taken_over(context)
    return chosen(context, node, facts)
