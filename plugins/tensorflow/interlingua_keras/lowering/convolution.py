"""Convolutions: the layout, and what a transposed one has too much."""

from __future__ import annotations

import ast
import dataclasses

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context, by_card
from interlingua.errors import Unsupported
from interlingua.ir import metadata
from interlingua_keras.cards.convolution import CROPPING, crop, reach
from interlingua_keras.lowering.common import chosen, in_layout, layer_card
from interlingua_keras.lowering.registry import lowers


@lowers("Conv")
def convolution(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """Says the layout."""
    return chosen(context, node, facts)


@lowers("ConvTranspose")
def transposed(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """Replaces pads that are neither "valid" nor "same" by `Cropping(ConvTranspose("valid"))`."""
    try:
        return chosen(context, node, facts)
    except Unsupported:
        rows = crop(facts)
        if any(number < 0 for row in rows for number in row) or not any(number for row in rows for number in row):
            raise
    short = [max(facts["strides"][axis] - reach(facts, axis), 0) for axis in range(facts.rank)]
    whole = {**facts.values, "pads": [0] * 2 * facts.rank, "output_padding": short}
    everything = dataclasses.replace(facts, values=whole)
    card = layer_card("ConvTranspose")
    keywords = in_layout(node, card.lower(everything))
    inner = by_card(context, node, everything, card, keywords)
    place = metadata.set_place(ir.Node("", "Slice", []), f"{metadata.place(node).layer}.crop")
    sizes = rows[0] if facts.rank == 1 else tuple(rows)
    cropping = context.layer(place, CROPPING.format(n=facts.rank), [sizes], in_layout(node, {}))
    return expressions.call(cropping, [inner])
