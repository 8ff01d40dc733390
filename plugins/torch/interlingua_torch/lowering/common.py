"""What several lowerings share."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.codegen.lowering import by_cards as by_cards
from interlingua.ir.facts import inputs_of

FRAMEWORK = "torch"


def by_api(
    context: Context, node: ir.Node, api: str, arguments: Sequence[Any] = (), keywords: Mapping[str, Any] | None = None
) -> ast.expr:
    """A call of an API in a form that no card says, taken down for the report."""
    call = expressions.call(context.api(api), arguments, keywords)
    context.note_mapping(node, api, call)
    return call


def by_helper(
    context: Context, node: ir.Node, name: str, arguments: Sequence[Any] = (), keywords: Mapping[str, Any] | None = None
) -> ast.expr:
    """A call of a helper function, which the file then holds, taken down for the report."""
    call = expressions.call(context.helper(name), arguments, keywords)
    context.note_mapping(node, name, call)
    return call


def tensors(context: Context, node: ir.Node, *names: str) -> list[ast.expr | None]:
    """The inputs of these canonical names as tensors, None for an absent one."""
    given = inputs_of(node)
    return [context.as_tensor(given[name][0]) if name in given else None for name in names]


def without(facts: Facts, *names: str) -> Facts:
    """The facts with these parameters left out, which the lowering says itself."""
    return dataclasses.replace(facts, values={key: value for key, value in facts.values.items() if key not in names})


def said(**parameters: tuple[Any, Any]) -> dict[str, Any]:
    """Keywords for those of (value, default) that are not the default."""
    return {name: value for name, (value, default) in parameters.items() if value != default}
