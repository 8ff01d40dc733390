"""What several lowerings share."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua import cards
from interlingua.cards import Facts
from interlingua.codegen.lowering import Context, by_card

FRAMEWORK = "torch"


def by_cards(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """The expression of the first card that can say the node.

    Raises:
        Unsupported: none can.
    """
    card, keywords = cards.choose(FRAMEWORK, facts)
    return by_card(context, node, facts, card, keywords)
