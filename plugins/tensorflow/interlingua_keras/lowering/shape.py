"""Shapes: what a global pooling leaves away by itself."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua.cards import Facts
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


@lowers("Flatten", "Squeeze", "Reshape")
def flattening(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """Replaces `Flatten(GlobalAveragePooling(x, keepdims=True))` by `GlobalAveragePooling(x)`, and likewise."""
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
