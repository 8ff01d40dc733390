"""Convolutions: the layout, and what a transposed one has too much."""

from __future__ import annotations

import ast
import dataclasses

import onnx_ir as ir

from interlingua import cards
from interlingua.axes import permutation
from interlingua.cards import Facts, Kind
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context, arranged, by_card
from interlingua.errors import Unsupported
from interlingua.ir import metadata
from interlingua.records import record
from interlingua_keras.cards.convolution import CROPPING, RESHAPE, TRANSPOSE, crop, reach
from interlingua_keras.cards.forms import DATA_FORMAT
from interlingua_keras.lowering.common import FRAMEWORK, chosen, in_layout, layer_card
from interlingua_keras.lowering.registry import lowers


@lowers("Conv")
def convolution(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """Replaces strides beside dilations by `MaxPooling(1, strides)(Conv(dilations))`, which takes every so manieth."""
    if "W" not in facts.constants:
        return _computed(context, node, facts)
    if max(facts["strides"]) == 1 or max(facts["dilations"]) == 1:
        return chosen(context, node, facts)
    every = dataclasses.replace(facts, values={**facts.values, "strides": [1] * facts.rank})
    inner = chosen(context, node, every)
    step = metadata.set_place(ir.Node("", "MaxPool", []), f"{metadata.place(node).layer}.step")
    pool = layer_card("MaxPool")
    ones = Facts(
        "MaxPool",
        {"kernel_shape": [1] * facts.rank, "strides": facts["strides"], "pads": [0] * 2 * facts.rank},
        facts.rank,
    )
    positional, named = arranged(pool, pool.lower(ones))
    return expressions.call(context.layer(step, pool.spelled(facts.rank), positional, in_layout(node, named)), [inner])


def _computed(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """A kernel that the model computes goes into the function, transposed there."""
    card = next(row for row in cards.by_record(FRAMEWORK)[facts.record] if row.kind is Kind.FUNCTION)
    keywords = card.lower(facts)
    order = permutation(record(facts.record).input("W").axes, card.inputs["W"].axes, facts.rank)
    data, kernel = node.inputs[0], node.inputs[1]
    if data is None or kernel is None:
        raise Unsupported("a convolution without its kernel")
    turned = expressions.call(context.api(TRANSPOSE), [context.ref(kernel), order])
    said = in_layout(node, keywords)
    value: ast.expr = expressions.call(context.api(card.api), [context.ref(data), turned], said)
    context.note_mapping(node, card.api, value)
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if bias is None:
        return value
    added = context.ref(bias)
    if DATA_FORMAT in said:
        added = expressions.call(context.api(RESHAPE), [added, (-1, *[1] * facts.rank)])
    return expressions.operator("+", value, added)


@lowers("ConvTranspose")
def transposed(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """Replaces pads that are neither "valid" nor "same" by `Cropping(ConvTranspose("valid"))`."""
    if "W" not in facts.constants:
        raise Unsupported("Keras 3.15.1 mixes up the arguments of a transposed convolution with a computed kernel")
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
