"""Arithmetic that depends on the element type."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.codegen.weights import Weight
from interlingua.ir.facts import is_constant
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.common import by_cards


@lowers("Div")
def divide(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.div(a, b, rounding_mode="trunc")` for whole numbers, of which `/` would make floats."""
    left, right = node.inputs
    assert left is not None and right is not None
    if left.dtype is None or not left.dtype.is_integer():
        return by_cards(context, node, facts)
    api = "torch.div"
    first = context.tensor(Weight(left)) if is_constant(left) else context.ref(left)
    call = expressions.call(context.api(api), [first, context.ref(right)], {"rounding_mode": "trunc"})
    context.note_mapping(node, api, call)
    return call
