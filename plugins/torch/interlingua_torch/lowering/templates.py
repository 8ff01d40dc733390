"""Expressions written out as text with places to fill: `fill(context, "torch.clamp(X + beta, 0, 1)", X=…, beta=…)`."""

from __future__ import annotations

import ast
import copy
from typing import Any

import onnx_ir as ir

from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.errors import Unsupported

_IMPORTED = {"torch": "torch", "F": "torch.nn.functional", "nn": "torch.nn"}


class _Filling(ast.NodeTransformer):
    def __init__(self, context: Context, parts: dict[str, Any]) -> None:
        self._context = context
        self._parts = parts

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """A place is filled, a module imported, any other name stays."""
        if node.id in self._parts:
            return copy.deepcopy(expressions.literal(self._parts[node.id]))
        return self._context.api(_IMPORTED[node.id]) if node.id in _IMPORTED else node


def fill(context: Context, text: str, **parts: Any) -> ast.expr:
    """The expression that `text` spells, its names that are `parts` replaced by them; `torch` and `F` are imported."""
    filled: ast.expr = _Filling(context, parts).visit(expressions.parse(text))
    return filled


def said(context: Context, node: ir.Node, api: str, text: str, **parts: Any) -> ast.expr:
    """Like `fill`; the report tells that the node became `api`."""
    expression = fill(context, text, **parts)
    context.note_mapping(node, api, expression)
    return expression


WIDER = {
    ir.DataType.UINT16: ir.DataType.INT32,
    ir.DataType.UINT32: ir.DataType.INT64,
    ir.DataType.UINT64: ir.DataType.INT64,
}
"""Element types that PyTorch keeps but hardly computes with, and those that hold their numbers (modulo 2 ** 64)."""

FLOAT8 = frozenset(
    {
        ir.DataType.FLOAT8E4M3FN,
        ir.DataType.FLOAT8E4M3FNUZ,
        ir.DataType.FLOAT8E5M2,
        ir.DataType.FLOAT8E5M2FNUZ,
        ir.DataType.FLOAT8E8M0,
    }
)
_METHODS = {
    ir.DataType.FLOAT: "float",
    ir.DataType.DOUBLE: "double",
    ir.DataType.FLOAT16: "half",
    ir.DataType.BFLOAT16: "bfloat16",
    ir.DataType.INT32: "int",
    ir.DataType.INT64: "long",
    ir.DataType.BOOL: "bool",
}


def element_type(context: Context, dtype: ir.DataType) -> ast.expr:
    """PyTorch's name of an element type: `torch.float16`.

    Raises:
        Unsupported: PyTorch has no tensors of it.
    """
    if dtype == ir.DataType.STRING:
        raise Unsupported("torch has no tensors of strings")
    if dtype.bitwidth < 8:
        raise Unsupported(f"torch has no tensors of {dtype.name.lower()}")
    return context.api(f"torch.{dtype.numpy().name}")


def converted(context: Context, value: ast.expr, dtype: ir.DataType) -> ast.expr:
    """The value in another element type: `x.float()`, `x.to(torch.uint8)`."""
    if dtype in _METHODS:
        return expressions.method(value, _METHODS[dtype])
    return expressions.method(value, "to", [element_type(context, dtype)])


def widened(context: Context, value: ir.Value, *, order: bool = False) -> ast.expr:
    """A value in a type that PyTorch computes with; in one that keeps its `order` where that is asked for."""
    if value.dtype not in WIDER:
        return context.ref(value)
    if order and value.dtype == ir.DataType.UINT64:
        return expressions.call(context.helper("signed_in_order"), [context.as_tensor(value)])
    return converted(context, context.as_tensor(value), WIDER[value.dtype])


def narrowed(context: Context, expression: ast.expr, dtype: ir.DataType | None, *, order: bool = False) -> ast.expr:
    """What was computed with `widened` values, back in their type."""
    if dtype not in WIDER:
        return expression
    if order and dtype == ir.DataType.UINT64:
        return expressions.call(context.helper("unsigned_in_order"), [expression])
    return converted(context, expression, dtype)


def given(node: ir.Node, position: int) -> ir.Value:
    """The node's input at a position.

    Raises:
        Unsupported: it is absent.
    """
    value = node.inputs[position] if position < len(node.inputs) else None
    if value is None:
        raise Unsupported(f"{node.op_type} without its input {position}")
    return value


def filled_inputs(node: ir.Node) -> list[ir.Value]:
    """The inputs that are there."""
    return [value for value in node.inputs if value is not None]
