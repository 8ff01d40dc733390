"""Conversions between element types."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.errors import Unsupported
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.templates import FLOAT8, converted, element_type, fill, given

_LARGEST = {
    ir.DataType.FLOAT8E4M3FN: 448.0,
    ir.DataType.FLOAT8E4M3FNUZ: 240.0,
    ir.DataType.FLOAT8E5M2: 57344.0,
    ir.DataType.FLOAT8E5M2FNUZ: 57344.0,
}


@lowers("Cast", "CastLike")
def cast(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`x.float()`, `x.to(torch.uint8)`; for floats of 8 bits what is too large becomes the largest before."""
    value = given(node, 0)
    dtype = ir.DataType(facts["to"]) if node.op_type == "Cast" else given(node, 1).dtype
    if dtype is None:
        like = context.as_tensor(given(node, 1))
        return expressions.method(context.as_tensor(value), "type_as", [like])
    if value.dtype == ir.DataType.STRING:
        raise Unsupported("torch has no tensors of strings")
    element_type(context, dtype)
    x = context.as_tensor(value)
    context.note_mapping(node, "torch.Tensor.to")
    return as_type(context, x, value.dtype, dtype, saturate=bool(facts["saturate"]), mode=facts["round_mode"])


def as_type(
    context: Context, x: ast.expr, source: ir.DataType | None, dtype: ir.DataType, *, saturate: bool, mode: str = "up"
) -> ast.expr:
    """The value in an element type, rounded and held within its range as ONNX says."""
    if dtype == ir.DataType.FLOAT8E8M0 and source != dtype:
        x = fill(context, "X.float()", X=x) if source != ir.DataType.FLOAT else x
        return expressions.call(context.helper("power_of_two"), [x, mode, saturate])
    if source in FLOAT8 and dtype in FLOAT8 and source != dtype:
        x = fill(context, "X.float()", X=x)
    if dtype in _LARGEST and saturate and source != dtype:
        x = fill(context, "X.clamp(LOW, HIGH)", X=x, LOW=-_LARGEST[dtype], HIGH=_LARGEST[dtype])
    if dtype == ir.DataType.FLOAT8E4M3FN and not saturate and source != dtype:
        # PyTorch holds this type's numbers within its range; the standard makes NaN of what rounds beyond it
        x = context.statement("number", x)
        x = fill(context, "torch.where(X.abs() > 464, float('nan'), X)", X=x)
    return converted(context, x, dtype)


@lowers("BitCast")
def bitcast(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`x.view(torch.int32)`."""
    dtype = element_type(context, ir.DataType(facts["to"]))
    context.note_mapping(node, "torch.Tensor.view")
    return expressions.method(context.as_tensor(given(node, 0)), "view", [dtype])
