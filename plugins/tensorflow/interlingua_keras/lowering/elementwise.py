"""Arithmetic: merging layers where two tensors meet, operators where a number does."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen.lowering import Context
from interlingua.codegen.weights import Weight
from interlingua.ir.facts import is_constant, known, shape_of
from interlingua.ir.parameters import is_trained
from interlingua_keras.lowering.common import chosen, just_written, layer_card, on_list, taken_over
from interlingua_keras.lowering.registry import lowers


@lowers("Add", "Sub", "Mul")
def merging(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """Says `Add()([a, b])` where both are tensors of one number of axes, `a + b` elsewhere."""
    if facts.record == "Add":
        biased = _bias(context, node)
        if biased is not None:
            return biased
    left, right = node.inputs[0], node.inputs[1]
    if left is None or right is None or is_constant(left) or is_constant(right):
        return chosen(context, node, facts)
    card = layer_card(facts.record)
    if card.when is not None and not card.when(facts):
        return chosen(context, node, facts)
    return on_list(context.layer(node, card.spelled(0)), [context.ref(left), context.ref(right)])


def _bias(context: Context, node: ir.Node) -> ast.expr | None:
    """Replaces `Add(Dense(x, use_bias=False), vector)` by `Dense(x)` with the vector as bias."""
    dense = layer_card("Gemm")
    kernel, bias = dense.weights["B"].name, dense.weights["C"].name
    switch = dense.parameters["has_bias"].name
    for source, vector in (node.inputs[:2], reversed(node.inputs[:2])):
        layer = just_written(context, source)
        if layer is None or vector is None or not isinstance(layer.call, ast.Call) or not is_constant(vector):
            continue
        said = [keyword.arg for keyword in layer.call.keywords]
        if set(layer.weights) == {kernel} and switch in said and is_trained(vector):
            if known(shape_of(vector)) != [layer.weights[kernel].shape[-1]]:
                continue
            layer.call.keywords[:] = [keyword for keyword in layer.call.keywords if keyword.arg != switch]
            layer.weights[bias] = Weight(vector)
            context.note_mapping(node, dense.api)
            return taken_over(context)
    return None
