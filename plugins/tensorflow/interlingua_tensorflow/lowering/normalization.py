"""Normalizations and dropout."""

from __future__ import annotations

import ast
import dataclasses

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context, arranged
from interlingua.codegen.weights import Weight
from interlingua.errors import Unsupported
from interlingua.ir.facts import inputs_of, is_constant
from interlingua_tensorflow.lowering import lowers
from interlingua_tensorflow.lowering.common import chosen

TRAINING = "training"


@lowers("BatchNormalization")
def batch_normalization(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`tf.nn.batch_normalization(x, mean, variance, offset, scale, ε)` with statistics that training does not move."""
    given = inputs_of(node)
    if facts["training_mode"]:
        return by_own_statistics(context, node, facts)
    card, keywords = chosen(facts)
    x = context.operand(given["X"][0])
    tensors = [
        (
            context.tensor(Weight(given[name][0]), trainable=name in ("B", "scale"))
            if is_constant(given[name][0])
            else context.ref(given[name][0])
        )
        for name in card.weights
    ]
    context.note_mapping(node, card.api, expressions.call("x", [], keywords))
    return expressions.call(context.api(card.api), [x, *tensors, *keywords.values()])


def by_own_statistics(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`tf.nn.batch_normalization(x, *tf.nn.moments(x, axes), offset, scale, ε)`: by the batch's own statistics.

    Raises:
        Unsupported: the running statistics are asked for too, or the data's axes are not known.
    """
    if any(output.uses() or output.is_graph_output() for output in node.outputs[1:]):
        raise Unsupported("running statistics that move")
    shape = facts.shapes.get("X")
    if shape is None:
        raise Unsupported("normalization by the batch's own statistics over unknown axes")
    card, keywords = chosen(dataclasses.replace(facts, values={**facts.values, "training_mode": 0}))
    given = inputs_of(node)
    x = context.ref(given["X"][0])
    moments = expressions.call(context.api("tf.nn.moments"), [x, list(range(len(shape) - 1))])
    learned = [context.ref(given[name][0]) for name in ("B", "scale")]
    context.note_mapping(node, card.api, expressions.call("x", [], keywords))
    return expressions.call(context.api(card.api), [x, ast.Starred(moments, ast.Load()), *learned, *keywords.values()])


@lowers("Dropout")
def dropout(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`tf.nn.dropout(x, rate if training else 0.0)`: it drops whenever it is called."""
    if len(node.outputs) > 1 and (node.outputs[1].uses() or node.outputs[1].is_graph_output()):
        raise Unsupported("the mask of a dropout")
    card, keywords = chosen(facts)
    (rate,), named = arranged(card, keywords)
    when = ast.IfExp(expressions.name(TRAINING), expressions.literal(rate), ast.Constant(0.0))
    context.note_mapping(node, card.api, expressions.call("x", [], keywords))
    return expressions.call(context.api(card.api), [context.ref(inputs_of(node)["data"][0]), when], named)
