"""Numbers of an element type in code: `0.01`, `torch.finfo(torch.float32).min`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import ml_dtypes
import onnx_ir as ir

from interlingua.codegen import expressions
from interlingua.ir.facts import plain

if TYPE_CHECKING:
    from interlingua.codegen.context import Context

_LARGEST = {
    dtype: float(ml_dtypes.finfo(dtype.numpy()).max)
    for dtype in (ir.DataType.FLOAT, ir.DataType.DOUBLE, ir.DataType.FLOAT16, ir.DataType.BFLOAT16)
}


def number(context: Context, value: bool | int | float, dtype: ir.DataType) -> ast.expr:
    """The number, exact in its type; the largest and the least of a type by the name of the dialect's limits."""
    limits = context.dialect.limits
    if not isinstance(value, float):
        return expressions.literal(value)
    if limits and abs(value) == _LARGEST.get(dtype):
        of_type = expressions.call(context.api(limits), [context.dtype(dtype)])
        return ast.Attribute(of_type, "max" if value > 0 else "min", ast.Load())
    return expressions.literal(plain(value, dtype))
