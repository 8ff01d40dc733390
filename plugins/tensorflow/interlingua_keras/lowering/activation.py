"""Activations: fused into the layer before them where a person would, else layers of their own."""

from __future__ import annotations

import ast
import dataclasses

import onnx_ir as ir

from interlingua import cards
from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.codegen.weights import Weight
from interlingua.errors import Unsupported
from interlingua.ir import metadata
from interlingua.ir.facts import known, shape_of
from interlingua_keras.cards.forms import ACTIVATION
from interlingua_keras.lowering.common import FRAMEWORK, chosen, just_written, layer_card, spelled_card, taken_over
from interlingua_keras.lowering.registry import lowers

_BY_NAME = "keras.activations."


def _word(facts: Facts) -> str | None:
    """The name under which Keras knows exactly this activation, with no argument left to say."""
    for row in cards.by_record(FRAMEWORK)[facts.record]:
        if row.api.startswith(_BY_NAME):
            try:
                said = row.lower(facts)
            except Unsupported:
                continue
            if not said:
                return row.api.removeprefix(_BY_NAME)
    return None


def _counted_from_the_end(facts: Facts) -> Facts:
    """The facts with the last axis as −1."""
    shape, axis = facts.shapes.get("input"), facts.get("axis")
    if shape is None or axis is None or axis % len(shape) != len(shape) - 1:
        return facts
    return dataclasses.replace(facts, values={**facts.values, "axis": -1})


@lowers("Relu", "LeakyRelu", "Elu", "Sigmoid", "Tanh", "Softmax", "Clip")
def activation(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """Says the activation of a convolution or dense layer by its name, `activation="relu"`.

    A Softmax under a name of its own keeps it: people look at the layer before it.
    """
    facts = _counted_from_the_end(facts)
    source = node.inputs[0]
    layer, word = just_written(context, source), _word(facts)
    if layer is not None and word is not None and isinstance(layer.call, ast.Call):
        card = spelled_card(context, layer.call)
        free = all(keyword.arg != ACTIVATION for keyword in layer.call.keywords)
        own_name = facts.record == "Softmax" and metadata.place(node).layer != layer.source
        if card is not None and ACTIVATION in card.ignored and free and not own_name:
            layer.call.keywords.append(ast.keyword(ACTIVATION, ast.Constant(word)))
            context.note_mapping(node, f"{_BY_NAME}{word}")
            return taken_over(context)
    return chosen(context, node, facts)


@lowers("PRelu")
def learned_slope(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """Gives the slope the input's number of axes without the batch, the axes of size 1 shared."""
    data, slope = shape_of(node.inputs[0]), node.inputs[1]
    if data is None or slope is None or "slope" not in facts.constants:
        raise Unsupported("the slope is computed by the model, or the input's number of axes is not known")
    shape = known(shape_of(slope)) or []
    features = len(data) - 1
    if len(shape) > features and set(shape[: len(shape) - features]) == {1}:
        shape = shape[len(shape) - features :]
    wide = [1] * (features - len(shape)) + shape
    if len(wide) != features:
        raise Unsupported(f"a slope of shape {tuple(shape)}")
    shared = [axis + 1 for axis, size in enumerate(wide) if size == 1 and data[axis + 1] != 1]
    weight = Weight(slope)
    if weight.shape != tuple(wide):
        weight = weight.then(("reshape", tuple(wide)))
    card = layer_card("PRelu")
    keywords = {"shared_axes": shared} if shared else {}
    layer = context.layer(node, card.spelled(facts.rank), [], keywords, {card.weights["slope"].name: weight})
    return expressions.call(layer, [context.ref(node.inputs[0])]) if node.inputs[0] is not None else layer
