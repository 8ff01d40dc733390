"""Comparisons of element types that PyTorch does not compare; choices."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.common import by_cards
from interlingua_torch.lowering.templates import WIDER, given, said, widened

_SIGNS = {"Greater": ">", "GreaterOrEqual": ">=", "Less": "<", "LessOrEqual": "<="}


@lowers(*_SIGNS)
def compared(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`a < b`, in a wider type that keeps the order where PyTorch has no order of the numbers' own."""
    left, right = given(node, 0), given(node, 1)
    if left.dtype not in WIDER:
        return by_cards(context, node, facts)
    sign = _SIGNS[node.op_type]
    context.note_mapping(node, sign)
    return expressions.operator(sign, widened(context, left, order=True), widened(context, right, order=True))


@lowers("Not")
def negation(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`~x`."""
    return said(context, node, "torch.logical_not", "~X", X=context.as_tensor(given(node, 0)))


def _is_number(expression: ast.expr) -> bool:
    """Whether it is a number's literal; `float("inf")` is one of what has no other."""
    text = isinstance(expression, ast.Call) and isinstance(expression.func, ast.Name) and expression.func.id == "float"
    return text or isinstance(expression, ast.Constant | ast.UnaryOp)


@lowers("Where")
def choice(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.where(condition, x, y)`; of two numbers one is made a tensor where Python's have another element type."""
    condition, first, second = (given(node, position) for position in range(3))
    chosen = [context.ref(first), context.ref(second)]
    if all(_is_number(each) for each in chosen) and first.dtype not in (ir.DataType.FLOAT, ir.DataType.INT64):
        chosen[0] = context.as_tensor(first)
    text = "torch.where(C, X, Y)"
    return said(context, node, "torch.where", text, C=context.as_tensor(condition), X=chosen[0], Y=chosen[1])
