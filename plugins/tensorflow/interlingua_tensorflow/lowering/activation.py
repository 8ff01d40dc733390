"""Activations that TensorFlow has no function for."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.ir.facts import inputs_of
from interlingua_tensorflow.lowering import lowers
from interlingua_tensorflow.lowering.common import called, chosen


@lowers("PRelu")
def prelu(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`tf.maximum(x, 0) + slope * tf.minimum(x, 0)`: there is no function with a learned slope."""
    given = inputs_of(node)
    x, slope = context.ref(given["X"][0]), context.ref(given["slope"][0])
    positive = expressions.call(context.api("tf.maximum"), [x, 0.0])
    negative = expressions.call(context.api("tf.minimum"), [x, 0.0])
    context.note_mapping(node, "tf.maximum")
    return expressions.operator("+", positive, expressions.operator("*", slope, negative))


@lowers("Elu")
def elu(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`tf.where(x > 0, x, alpha * (tf.exp(x) - 1))` where alpha is not 1: `tf.nn.elu` has no alpha."""
    if facts["alpha"] == 1:
        return called(context, node, facts, *chosen(facts))
    x = context.ref(inputs_of(node)["X"][0])
    above = ast.Compare(x, [ast.Gt()], [ast.Constant(0)])
    below = expressions.operator(
        "*", expressions.literal(facts["alpha"]), expressions.call(context.api("tf.math.expm1"), [x])
    )
    context.note_mapping(node, "tf.where")
    return expressions.call(context.api("tf.where"), [above, x, below])
