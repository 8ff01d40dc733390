"""Statements that take a tuple apart: `x, (h, c) = self.lstm(x)`."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.codegen.program import UNREAD, Statement

Hint = str | tuple[str, ...]


def parts(context: Context, value: ast.expr, *hints: Hint) -> list[ast.expr]:
    """Adds a statement that takes a tuple apart; the new variables in their order.

    `parts(context, call, "x", ("h", "c"))` adds `x, (h, c) = call`; the hint `_` is for what nobody reads.
    """
    found: list[str] = []

    def part(hint: str) -> str:
        found.append(UNREAD if hint == UNREAD else context.fresh(hint))
        return found[-1]

    targets = [part(each) if isinstance(each, str) else f"({', '.join(map(part, each))})" for each in hints]
    context.add(Statement(tuple(targets), value))
    return [expressions.name(each) for each in found]


def unpack(context: Context, node: ir.Node, value: ast.expr, *hints: Hint) -> None:
    """Takes a tuple apart into the node's outputs, as `parts` does."""
    outputs = iter(node.outputs)

    def read(hint: str) -> str:
        output = next(outputs, None)
        return hint if is_read(output) else UNREAD

    told = [read(each) if isinstance(each, str) else tuple(map(read, each)) for each in hints]
    for variable, output in zip(parts(context, value, *told), node.outputs, strict=False):
        assert isinstance(variable, ast.Name)
        if variable.id != UNREAD:
            context.name(output, variable.id)


def is_read(output: ir.Value | None) -> bool:
    """Whether anything reads the value."""
    return output is not None and (output.is_graph_output() or bool(output.uses()))
