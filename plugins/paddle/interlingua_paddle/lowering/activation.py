"""Activations that no card can say."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua import cards
from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context, by_card
from interlingua.errors import Unsupported
from interlingua_paddle.lowering import lowers


@lowers("PRelu")
def prelu(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """Where the slope is computed or lies along other axes than the channels: `relu(x) - slope * relu(-x)`."""
    try:
        card, keywords = cards.choose("paddle", facts)
    except Unsupported:
        source, slope = node.inputs[0], node.inputs[1]
        assert source is not None
        assert slope is not None
        relu = cards.by_record("paddle")["Relu"][0].api
        x = context.ref(source)
        above = expressions.call(context.api(relu), [x])
        below = expressions.call(context.api(relu), [ast.UnaryOp(ast.USub(), x)])
        context.note_mapping(node, relu)
        return expressions.operator("-", above, expressions.operator("*", context.ref(slope), below))
    return by_card(context, node, facts, card, keywords)
