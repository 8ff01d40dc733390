"""What several lowerings share."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import onnx_ir as ir

from interlingua import cards
from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context, by_card
from interlingua.ir.facts import inputs_of

FRAMEWORK = "torch"


def by_cards(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """The expression of the first card that can say the node.

    Raises:
        Unsupported: none can.
    """
    card, keywords = cards.choose(FRAMEWORK, facts)
    return by_card(context, node, facts, card, keywords)


def by_api(
    context: Context, node: ir.Node, api: str, arguments: Sequence[Any] = (), keywords: Mapping[str, Any] | None = None
) -> ast.expr:
    """A call of an API by its full name, taken down for the report."""
    call = expressions.call(context.api(api), arguments, keywords)
    context.note_mapping(node, api, call)
    return call


def by_helper(
    context: Context, node: ir.Node, name: str, arguments: Sequence[Any] = (), keywords: Mapping[str, Any] | None = None
) -> ast.expr:
    """A call of a helper function, taken down for the report."""
    call = expressions.call(context.helper(name), arguments, keywords)
    context.note_mapping(node, name, call)
    return call


def tensors(context: Context, node: ir.Node, *names: str) -> list[ast.expr | None]:
    """The tensor inputs of those names, None where one is absent."""
    given = inputs_of(node)
    return [context.as_tensor(given[name][0]) if name in given else None for name in names]


def without(facts: Facts, *names: str) -> Facts:
    """The facts without some of their values."""
    return dataclasses.replace(facts, values={k: v for k, v in facts.values.items() if k not in names})
