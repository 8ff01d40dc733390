"""Normalizations: the axis of the channels, and the one that Keras has no layer for."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua import cards
from interlingua.cards import Facts, Kind
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context, by_card
from interlingua.errors import Unsupported
from interlingua.ir.facts import CHANNELS_LAST, inputs_of, shape_of
from interlingua_keras.cards.forms import AXIS
from interlingua_keras.lowering.common import FRAMEWORK
from interlingua_keras.lowering.registry import lowers


@lowers("BatchNormalization")
def batch_normalization(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """Says the axis where the channels are not the last."""
    shape = shape_of(node.inputs[0])
    first = node.domain != CHANNELS_LAST and (shape is None or len(shape) > 2)
    if not {"scale", "B", "input_mean", "input_var"} <= facts.constants:
        return _computed(context, node, facts, 1 if first else -1)
    card, keywords = cards.choose(FRAMEWORK, facts)
    if first:
        keywords = {AXIS: 1, **keywords}
    return by_card(context, node, facts, card, keywords)


def _computed(context: Context, node: ir.Node, facts: Facts, axis: int) -> ast.expr:
    """Statistics that the model computes go into the function."""
    card = next(row for row in cards.by_record(FRAMEWORK)[facts.record] if row.kind is Kind.FUNCTION)
    keywords = {**card.lower(facts), AXIS: axis}
    given = inputs_of(node)
    (data, mean, variance), rest = list(card.inputs)[:3], list(card.inputs)[3:]
    named = {card.inputs[name].name: context.ref(given[name][0]) for name in rest}
    operands = [context.ref(given[name][0]) for name in (data, mean, variance)]
    value = expressions.call(context.api(card.api), operands, {**keywords, **named})
    context.note_mapping(node, card.api, value)
    return value


@lowers("LRN")
def local_response(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """Replaces `LRN(x)` by `x / (bias + alpha · mean of x² over the channels around)^beta`."""
    source, shape = node.inputs[0], shape_of(node.inputs[0])
    if source is None or shape is None:
        raise Unsupported("the input's number of axes is not known")
    last = node.domain == CHANNELS_LAST
    channels = len(shape) - 1 if last else 1
    if not last and len(shape) != 4:
        raise Unsupported("channels first and other than two spatial axes")
    before = (facts["size"] - 1) // 2
    pads = [(0, 0)] * len(shape)
    pads[channels] = (before, facts["size"] - 1 - before)
    x = context.ref(source)
    (card,) = cards.by_record(FRAMEWORK)["LRN"]
    context.note_mapping(node, card.api)
    squares = expressions.call(context.api("keras.ops.pad"), [expressions.operator("*", x, x), tuple(pads)])
    # the channels become a spatial axis of an image with one channel, along which the window goes
    image = expressions.call(context.api("keras.ops.expand_dims"), [squares], {"axis": -1})
    window = [1] * (len(shape) - 1)
    window[channels - 1] = facts["size"]
    pooled = expressions.call(context.api(card.api), [image, tuple(window)], {"strides": 1})
    mean = expressions.call(context.api("keras.ops.squeeze"), [pooled], {"axis": -1})
    scaled = expressions.operator("*", expressions.literal(facts["alpha"]), mean)
    total = expressions.operator("+", expressions.literal(facts["bias"]), scaled)
    return expressions.operator("/", x, expressions.operator("**", total, expressions.literal(facts["beta"])))
