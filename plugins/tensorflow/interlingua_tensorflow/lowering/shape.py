"""Shapes with axes that are copied from the input."""

from __future__ import annotations

import ast
from typing import Any

import onnx_ir as ir
from interlingua.cards import Facts, by_record
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.ir.facts import inputs_of

from interlingua_tensorflow.lowering import lowers
from interlingua_tensorflow.lowering.common import FRAMEWORK, called, chosen


@lowers("Reshape")
def reshape(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`tf.reshape(x, [tf.shape(x)[0], …])` where an axis of unknown size is copied from the input."""
    target = facts.get("shape")
    if target is None or facts.get("allowzero") or 0 not in target:
        return called(context, node, facts, *chosen(facts))
    source = inputs_of(node)["data"][0]
    shape = facts.shapes.get("data") or (None,) * len(target)
    x = context.ref(source)
    sizes: list[Any] = []
    for axis, size in enumerate(target):
        known = shape[axis] if size == 0 and axis < len(shape) else size
        if isinstance(known, int):
            sizes.append(known)
        elif -1 not in target and -1 not in sizes:
            sizes.append(-1)
        else:
            whole = expressions.call(context.api("tf.shape"), [x])
            sizes.append(ast.Subscript(whole, ast.Constant(axis), ast.Load()))
    card = by_record(FRAMEWORK)[facts.record][0]
    context.note_mapping(node, card.api)
    return expressions.call(context.api(card.api), [x, sizes])
