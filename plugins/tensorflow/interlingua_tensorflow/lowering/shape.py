"""Shapes with axes that are copied from the input; padding that `tf.pad` does not know."""

from __future__ import annotations

import ast
from typing import Any

import onnx_ir as ir

from interlingua.cards import Facts, by_record
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.errors import Unsupported
from interlingua.ir.facts import inputs_of
from interlingua_tensorflow.cards.shape import pairs_of
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


@lowers("Pad")
def pad(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`tf.pad(x, pairs)`; an edge or a wrap is gathered, what is cut off is sliced."""
    if facts.get("pads") is None:
        raise Unsupported("pads that are computed")
    pairs = pairs_of(facts)
    if facts["mode"] in ("edge", "wrap"):
        return _gathered(context, node, facts, pairs)
    if all(number >= 0 for pair in pairs for number in pair):
        return called(context, node, facts, *chosen(facts))
    if facts["mode"] != "constant":
        raise Unsupported(f"pads that cut off in mode {facts['mode']}")
    x = context.ref(inputs_of(node)["data"][0])
    cuts = [ast.Slice(_cut(first), _cut(last, -1)) for first, last in pairs]
    sliced: ast.expr = ast.Subscript(x, ast.Tuple(list(cuts), ast.Load()), ast.Load())
    rest = [[max(first, 0), max(last, 0)] for first, last in pairs]
    context.note_mapping(node, by_record(FRAMEWORK)["Pad"][0].api)
    if not any(number for pair in rest for number in pair):
        return sliced
    value = facts.get("constant_value") or 0
    named = {"constant_values": value} if value else {}
    return expressions.call(context.api(by_record(FRAMEWORK)["Pad"][0].api), [sliced, rest], named)


def _cut(number: int, sign: int = 1) -> ast.expr | None:
    return expressions.literal(-number * sign) if number < 0 else None


def _gathered(context: Context, node: ir.Node, facts: Facts, pairs: list[list[int]]) -> ast.expr:
    """`tf.gather(x, tf.clip_by_value(tf.range(-2, 30), 0, 27), axis=1)`, and `% 28` for a wrap."""
    result = context.ref(inputs_of(node)["data"][0])
    shape = facts.shapes.get("data") or ()
    for axis, (first, last) in enumerate(pairs):
        if not first and not last:
            continue
        size = shape[axis] if axis < len(shape) else None
        if not isinstance(size, int):
            raise Unsupported(f"padding of mode {facts['mode']} on an axis of unknown size")
        indices: ast.expr = expressions.call(context.api("tf.range"), [-first, size + last])
        if facts["mode"] == "edge":
            indices = expressions.call(context.api("tf.clip_by_value"), [indices, 0, size - 1])
        else:
            indices = ast.BinOp(indices, ast.Mod(), ast.Constant(size))
        result = expressions.call(context.api("tf.gather"), [result, indices], {"axis": axis})
    context.note_mapping(node, "tf.gather")
    return result
