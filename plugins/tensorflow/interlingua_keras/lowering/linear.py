"""Matrix products with a learned matrix are dense layers."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.codegen.weights import Weight
from interlingua.ir.facts import is_constant, known, shape_of
from interlingua.ir.parameters import is_trained
from interlingua_keras.lowering.common import chosen, layer_card
from interlingua_keras.lowering.registry import lowers


@lowers("MatMul")
def product(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """Replaces `MatMul(x, W)` with a learned matrix W by `Dense(use_bias=False)`, over the last axis of any rank."""
    data, matrix = node.inputs[0], node.inputs[1]
    shape, given = known(shape_of(matrix)), shape_of(data)
    learned = matrix is not None and is_constant(matrix) and is_trained(matrix)
    if data is None or matrix is None or not learned or shape is None or len(shape) != 2 or not given or len(given) < 2:
        return chosen(context, node, facts)
    card = layer_card("Gemm")
    keywords = {card.parameters["has_bias"].name: False}
    layer = context.layer(node, card.api, [shape[1]], keywords, {card.weights["B"].name: Weight(matrix)})
    return expressions.call(layer, [context.ref(data)])
