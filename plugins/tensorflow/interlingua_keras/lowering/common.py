"""What the lowerings share: the layer just written, layouts, single arguments."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import onnx_ir as ir

from interlingua import cards
from interlingua.cards import Card, Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context, by_card
from interlingua.codegen.program import Layer
from interlingua.ir.facts import CHANNELS_LAST
from interlingua.records import record
from interlingua_keras.cards.forms import CHANNELS_FIRST, DATA_FORMAT

FRAMEWORK = "keras"


def spelled_card(context: Context, call: ast.expr) -> Card | None:
    """The card of the layer that a constructor call makes, None where it has none."""
    if not isinstance(call, ast.Call):
        return None
    written = ast.unparse(call.func)
    for row in context.dialect.abbreviations:
        if written == row.short or written.startswith(f"{row.short}."):
            found = cards.by_api(FRAMEWORK).get(f"{row.prefix}{written[len(row.short) :]}")
            return found[0] if found else None
    return None


def just_written(context: Context, value: ir.Value | None) -> Layer | None:
    """The layer whose call is the last statement, where `value` is its result and nothing else reads it."""
    if value is None or not context.program.statements or not context.program.layers:
        return None
    if len(value.uses()) != 1 or value.is_graph_output():
        return None
    statement, layer = context.program.statements[-1], context.program.layers[-1]
    call = statement.value
    fits = isinstance(call, ast.Call) and ast.unparse(call.func) == f"self.{layer.attribute}"
    return layer if fits and ast.unparse(context.ref(value)) == statement.targets[0] else None


def taken_over(context: Context) -> ast.expr:
    """The last statement's expression, taken out so that it goes on as another node's."""
    return context.program.statements.pop().value


def in_layout(node: ir.Node, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, with the layout said where the data has its channels first."""
    return dict(keywords) if node.domain == CHANNELS_LAST else {**keywords, DATA_FORMAT: CHANNELS_FIRST}


def chosen(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """The expression of the first card that can say the node, in its layout."""
    card, keywords = cards.choose(FRAMEWORK, facts)
    if DATA_FORMAT in card.ignored and facts.rank and record(facts.record).inputs[0].axes == "N C *":
        keywords = in_layout(node, keywords)
    return by_card(context, node, facts, card, keywords)


def layer_card(op: str) -> Card:
    """The card of the layer that says the op."""
    return next(row for row in cards.by_record(FRAMEWORK)[op] if row.kind is cards.Kind.LAYER)


def on_list(layer: ast.expr, operands: list[ast.expr]) -> ast.expr:
    """`layer([a, b])`."""
    return expressions.call(layer, [ast.List(operands, ast.Load())])
