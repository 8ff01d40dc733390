"""Layers that make their own parameters: convolutions, dense layers, normalizations, slopes."""

from __future__ import annotations

import ast
import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import onnx_ir as ir

from interlingua import cards
from interlingua.cards import Card, Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context, arranged, weight_for
from interlingua.codegen.weights import Weight
from interlingua.errors import Unsupported
from interlingua.ir import metadata
from interlingua.ir.facts import inputs_of, is_constant, known, shape_of
from interlingua.ir.parameters import is_trained
from interlingua_fluid.lowering import lowers
from interlingua_fluid.naming import parameters_of

ARITHMETIC = "arithmetic"
"""What the report says of a layer that became plain arithmetic."""


def make(context: Context, node: ir.Node, facts: Facts, source: ast.expr, weights: Mapping[str, Weight]) -> ast.expr:
    """The call of the card that can say the facts, its parameters named; `weights` are by canonical name."""
    card, keywords = cards.choose("fluid", facts)
    return call(context, node, facts, card, keywords, source, weights)


def call(
    context: Context,
    node: ir.Node,
    facts: Facts,
    card: Card,
    keywords: Mapping[str, Any],
    source: ast.expr,
    weights: Mapping[str, Weight],
) -> ast.expr:
    """The card's call with the names of its parameters and of its layer."""
    positional, named = arranged(card, keywords)
    parameters = {name: parameters_of(context).name(weight) for name, weight in weights.items()}
    attributes = {slot.name: parameters.get(name, named.get(slot.name)) for name, slot in card.weights.items()}
    named = {name: value for name, value in named.items() if name not in attributes}
    named |= {name: value for name, value in attributes.items() if value is not None}
    layer = metadata.place(node).layer
    if layer:
        named["name"] = layer
        context.program.names[layer] = layer
    made = expressions.call(context.api(card.spelled(facts.rank)), [source, *positional], named)
    context.note_mapping(node, card.spelled(facts.rank), expressions.call("x", positional, named))
    return made


def _weights(node: ir.Node, facts: Facts) -> dict[str, Weight]:
    """The node's weights by canonical name.

    Raises:
        Unsupported: one of them is computed by the model.
    """
    card = next(row for row in cards.by_record("fluid")[facts.record] if row.weights)
    given = inputs_of(node)
    found: dict[str, Weight] = {}
    for name, slot in card.weights.items():
        if name not in given:
            continue
        value = given[name][0]
        if not is_constant(value):
            raise Unsupported(f"{name} is computed by the model; the layer makes its own parameters")
        found[name] = weight_for(card, facts, name, slot, value)
    return found


def first_input(node: ir.Node) -> ir.Value:
    """The node's data."""
    value = node.inputs[0]
    assert value is not None
    return value


@lowers("Conv", "ConvTranspose")
def convolution(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """A convolution of one spatial axis is one of two whose first has size 1."""
    weights = _weights(node, facts)
    if facts.rank != 1:
        return make(context, node, facts, context.operand(first_input(node)), weights)
    kernel = weights["W"]
    weights["W"] = kernel.then(("reshape", (*kernel.shape[:2], 1, kernel.shape[2])))
    return as_images(context, node, facts, weights)


_NEUTRAL = {"kernel_shape": [1], "strides": [1], "dilations": [1], "output_padding": [0]}


def as_images(context: Context, node: ir.Node, facts: Facts, weights: Mapping[str, Weight]) -> ast.expr:
    """`squeeze(layer(unsqueeze(x, [2])), [2])`: what is done over one spatial axis, done over two."""
    values = dict(facts.values)
    for name, first in _NEUTRAL.items():
        if values.get(name) is not None:
            values[name] = [*first, *values[name]]
    if values.get("pads") is not None:
        begin, end = values["pads"]
        values["pads"] = [0, begin, 0, end]
    shapes = {
        name: (*shape[:2], 1, *shape[2:]) if shape is not None and name in ("X", "Y", "W") else shape
        for name, shape in facts.shapes.items()
    }
    wide = dataclasses.replace(facts, rank=2, values=values, shapes=shapes)
    source = function(context, "Unsqueeze", {"axes": [2]}, context.operand(first_input(node)))
    if weights:
        made = make(context, node, wide, source, weights)
    else:
        card, keywords = cards.choose("fluid", wide)
        positional, named = arranged(card, keywords)
        context.note_mapping(node, card.spelled(2), expressions.call("x", positional, named))
        made = expressions.call(context.api(card.spelled(2)), [source, *positional], named)
    return function(context, "Squeeze", {"axes": [2]}, made)


def function(context: Context, record: str, values: Mapping[str, Any], source: ast.expr) -> ast.expr:
    """A function without weights, called through its card."""
    card, keywords = cards.choose("fluid", Facts(record, values))
    positional, named = arranged(card, keywords)
    return expressions.call(context.api(card.api), [source, *positional], named)


@lowers("Gemm")
def dense(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """A dense layer flattens its input itself: a flattening just before it is left out."""
    if facts["alpha"] != 1 or facts["beta"] != 1 or facts["transA"]:
        raise Unsupported("fc has no factors and takes its input as it is")
    weights = _weights(node, facts)
    weight = weights["B"]
    if facts["transB"]:
        facts = dataclasses.replace(facts, values={**facts.values, "transB": 0})
    bias = weights.get("C")
    if bias is not None and bias.shape != (weight.shape[1],):
        if bias.size != weight.shape[1]:
            raise Unsupported(f"a bias of the shape {list(bias.shape)}")
        weights["C"] = bias.then(("reshape", (weight.shape[1],)))
    return make(context, node, facts, _unflattened(context, first_input(node)), weights)


def _unflattened(context: Context, value: ir.Value) -> ast.expr:
    """What the flattening flattened, where it stands just before and nothing else reads it; else the value itself."""
    reference = context.operand(value)
    last = context.program.statements[-1] if context.program.statements else None
    if (
        last is None
        or last.comment
        or last.targets != (ast.unparse(reference),)
        or not isinstance(last.value, ast.Call)
    ):
        return reference
    if not _flattens(value.producer()) or len(list(value.uses())) != 1 or value.is_graph_output():
        return reference
    context.program.statements.remove(last)
    return last.value.args[0]


def _flattens(node: ir.Node | None) -> bool:
    """Whether the node keeps the first axis and joins all others."""
    if node is None or node.op_type not in ("Flatten", "Reshape"):
        return False
    if node.op_type == "Flatten":
        return node.attributes.get_int("axis", 1) == 1
    before, after = shape_of(node.inputs[0]), shape_of(node.outputs[0])
    rest = known(before[1:]) if before else None
    return rest is not None and after is not None and len(after) == 2 and after[1] == math.prod(rest)


@lowers("BatchNormalization")
def batch_normalization(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """By the batch's statistics in the training program, by the stored ones in its clone for testing."""
    if facts["training_mode"]:
        raise Unsupported("a normalization that stays in training mode")
    stored = all(is_constant(value) for value in node.inputs[1:])
    try:
        if stored:
            return make(context, node, facts, context.operand(first_input(node)), _weights(node, facts))
    except Unsupported:
        return _by_arithmetic(context, node, facts)
    return _by_arithmetic(context, node, facts)


def _by_arithmetic(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`(x - mean) / sqrt(variance + epsilon) * scale + bias`, for what batch_norm refuses."""
    shape = facts.shapes.get("X")
    if shape is None:
        raise Unsupported("the input's rank is not known")
    scale, bias, mean, variance = (_along_channels(context, value, len(shape) - 2) for value in node.inputs[1:])
    source = context.operand(first_input(node))
    spread = expressions.operator("+", variance, expressions.literal(facts["epsilon"]))
    centred = expressions.operator("-", source, mean)
    scaled = expressions.operator("/", centred, function(context, "Sqrt", {}, spread))
    context.note_mapping(node, ARITHMETIC)
    return expressions.operator("+", expressions.operator("*", scaled, scale), bias)


def _along_channels(context: Context, value: ir.Value | None, rank: int) -> ast.expr:
    """A vector of one number a channel, with axes of size 1 for the spatial ones."""
    assert value is not None
    if is_constant(value):
        weight = Weight(value)
        wide = weight.then(("reshape", (weight.size, *[1] * rank))) if rank else weight
        learned = next(iter(value.uses())).idx in (1, 2)
        return context.tensor(wide, trainable=learned and is_trained(value))
    axes = list(range(1, rank + 1))
    return function(context, "Unsqueeze", {"axes": axes}, context.ref(value)) if axes else context.ref(value)


@lowers("PRelu")
def prelu(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """One slope, one a channel or one an element, said by `mode`."""
    weights = _weights(node, facts)
    slope, shape = weights["slope"], facts.shapes.get("X")
    if shape is None:
        raise Unsupported("the input's rank is not known")
    aligned = (*[1] * (len(shape) - len(slope.shape)), *slope.shape)
    wanted: tuple[int, ...] = (1,)
    if slope.size == 1:
        mode = "all"
    elif len(shape) > 1 and aligned[1] == slope.size:
        mode, wanted = "channel", (1, slope.size, 1, 1)
    elif aligned[1:] == tuple(shape[1:]):
        mode, wanted = "element", aligned
    else:
        raise Unsupported(f"slopes of the shape {list(slope.shape)} for an input of {list(shape)}")
    weights["slope"] = slope.then(("reshape", wanted)) if slope.shape != wanted else slope
    card, keywords = cards.choose("fluid", facts)
    source = context.operand(first_input(node))
    return call(context, node, facts, card, {"mode": mode, **keywords}, source, weights)
