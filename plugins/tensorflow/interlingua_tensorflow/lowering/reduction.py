"""Reductions over nothing."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.ir.facts import inputs_of
from interlingua_tensorflow.lowering import lowers
from interlingua_tensorflow.lowering.common import called, chosen


@lowers("ReduceMean")
def mean(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`tf.reduce_mean(x, axis, keepdims)`; `tf.identity(x)` where no axes mean none, not all."""
    if facts.get("noop_with_empty_axes") and not facts.get("axes"):
        context.note_mapping(node, "tf.identity")
        return expressions.call(context.api("tf.identity"), [context.ref(inputs_of(node)["data"][0])])
    return called(context, node, facts, *chosen(facts))
