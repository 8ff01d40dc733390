"""Arithmetic that depends on the element type, and sums of many."""

from __future__ import annotations

import ast
import functools

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.codegen.weights import Weight
from interlingua.ir.facts import is_constant, shape_of
from interlingua.ir.parameters import is_trained
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.common import by_cards
from interlingua_torch.lowering.templates import (
    WIDER,
    converted,
    fill,
    filled_inputs,
    given,
    narrowed,
    said,
    widened,
)

_SIGNS = {"Add": "+", "Sub": "-", "Mul": "*", "BitwiseAnd": "&", "BitwiseOr": "|", "BitwiseXor": "^"}


@lowers("Sub", "Mul", "BitwiseAnd", "BitwiseOr", "BitwiseXor")
def arithmetic(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """The operator; numbers of types that PyTorch does not add are added in a wider one."""
    left, right = given(node, 0), given(node, 1)
    if left.dtype not in WIDER:
        return by_cards(context, node, facts)
    sign = _SIGNS[node.op_type]
    whole = expressions.operator(sign, widened(context, left), widened(context, right))
    context.note_mapping(node, sign)
    return narrowed(context, whole, left.dtype)


@lowers("Div")
def divide(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.div(a, b, rounding_mode="trunc")` for whole numbers, of which `/` would make floats."""
    left, right = given(node, 0), given(node, 1)
    if left.dtype is None or not left.dtype.is_integer():
        return by_cards(context, node, facts)
    if left.dtype == ir.DataType.UINT64:
        return _unsigned(context, node, "divide_unsigned")
    first = context.tensor(Weight(left)) if is_constant(left) and left.dtype not in WIDER else widened(context, left)
    text = 'torch.div(A, B, rounding_mode="trunc")'
    whole = said(context, node, "torch.div", text, A=first, B=widened(context, right))
    return narrowed(context, whole, left.dtype)


def _unsigned(context: Context, node: ir.Node, helper: str) -> ast.expr:
    operands = [context.as_tensor(given(node, 0)), context.as_tensor(given(node, 1))]
    context.note_mapping(node, helper)
    return expressions.call(context.helper(helper), operands)


@lowers("Mod")
def remainder(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`a % b`, whose sign is b's; `torch.fmod(a, b)`, whose sign is a's, where the op says so."""
    left, right = given(node, 0), given(node, 1)
    if left.dtype == ir.DataType.UINT64:
        return _unsigned(context, node, "remainder_unsigned")
    first = context.as_tensor(left) if left.dtype not in WIDER else widened(context, left)
    api, text = ("torch.fmod", "torch.fmod(A, B)") if facts["fmod"] else ("torch.remainder", "A % B")
    return narrowed(context, said(context, node, api, text, A=first, B=widened(context, right)), left.dtype)


@lowers("Pow")
def power(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`a ** b` in the element type of a, which PyTorch would leave for that of b."""
    base, exponent = given(node, 0), given(node, 1)
    mixed = base.dtype != exponent.dtype and base.dtype is not None and exponent.dtype is not None
    if not mixed and base.dtype not in WIDER:
        return by_cards(context, node, facts)
    number = is_constant(exponent) and isinstance(context.ref(exponent), ast.Constant | ast.UnaryOp)
    first = context.as_tensor(base) if base.dtype not in WIDER else widened(context, base)
    context.note_mapping(node, "torch.pow")
    whole = expressions.operator("**", first, widened(context, exponent))
    assert base.dtype is not None
    keeps = base.dtype.is_floating_point() and exponent.dtype is not None and exponent.dtype.is_integer()
    if base.dtype not in WIDER and (keeps or (number and base.dtype.is_floating_point())):
        return whole
    return converted(context, whole, base.dtype)


@lowers("Neg")
def negative(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`-x`."""
    return said(context, node, "torch.neg", "-X", X=context.as_tensor(given(node, 0)))


@lowers("BitwiseNot")
def inverted(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`~x`."""
    value = given(node, 0)
    x = context.as_tensor(value) if value.dtype not in WIDER else widened(context, value)
    return narrowed(context, said(context, node, "torch.bitwise_not", "~X", X=x), value.dtype)


@lowers("Reciprocal")
def reciprocal(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`1 / x`."""
    return said(context, node, "torch.reciprocal", "1 / X", X=context.as_tensor(given(node, 0)))


@lowers("Abs", "Sign")
def magnitude(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.abs(x)`; of unsigned numbers the number itself, and whether it is not 0."""
    value = given(node, 0)
    if value.dtype not in WIDER:
        return by_cards(context, node, facts)
    x = context.as_tensor(value)
    context.note_mapping(node, f"torch.{node.op_type.lower()}")
    return x if node.op_type == "Abs" else narrowed(context, fill(context, "(X != 0).int()", X=x), value.dtype)


@lowers("BitShift")
def shift(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`x << y` or `x >> y`."""
    value, places = given(node, 0), given(node, 1)
    right = facts["direction"] == "RIGHT"
    if right and value.dtype == ir.DataType.UINT64:
        return _unsigned(context, node, "shift_right")
    first = widened(context, value) if value.dtype in WIDER else context.as_tensor(value)
    sign = ">>" if right else "<<"
    whole = expressions.operator(sign, first, widened(context, places))
    context.note_mapping(node, sign)
    return narrowed(context, whole, value.dtype)


@lowers("IsInf")
def infinite(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.isinf(x)`, or of one sign alone."""
    both = facts["detect_negative"], facts["detect_positive"]
    names = {(1, 1): "isinf", (0, 1): "isposinf", (1, 0): "isneginf"}
    x = context.as_tensor(given(node, 0))
    if both not in names:
        return said(context, node, "torch.zeros_like", "torch.zeros_like(X, dtype=torch.bool)", X=x)
    return said(context, node, f"torch.{names[both]}", f"torch.{names[both]}(X)", X=x)


@lowers("Sum", "Mean")
def total(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`a + b + c`, for the mean over their number."""
    values = filled_inputs(node)
    first = context.as_tensor(values[0])
    whole = functools.reduce(lambda a, b: expressions.operator("+", a, context.ref(b)), values[1:], first)
    context.note_mapping(node, "torch.add")
    return whole if node.op_type == "Sum" or len(values) == 1 else fill(context, "A / B", A=whole, B=len(values))


def _is_number(value: ir.Value) -> bool:
    """Whether a value is a number that nobody trains."""
    return is_constant(value) and not is_trained(value) and shape_of(value) == ()


@lowers("Max", "Min")
def extreme(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.maximum(a, b)`, one in another where there are more; `a.clamp(min=0.5)` where one is a number."""
    api = f"torch.{node.op_type.lower()}imum"
    values = filled_inputs(node)
    dtype = values[0].dtype
    bounds = [value for value in values if _is_number(value)]
    if len(values) == 2 and len(bounds) == 1 and dtype not in WIDER:
        (other,) = (value for value in values if value is not bounds[0])
        bound = "min" if node.op_type == "Max" else "max"
        call = expressions.method(context.as_tensor(other), "clamp", [], {bound: context.constant(bounds[0])})
        context.note_mapping(node, "torch.clamp", call)
        return call
    operands = [widened(context, value, order=True) if dtype in WIDER else context.as_tensor(value) for value in values]
    whole = functools.reduce(lambda a, b: expressions.call(context.api(api), [a, b]), operands)
    context.note_mapping(node, api)
    return narrowed(context, whole, dtype, order=True) if len(values) > 1 else context.as_tensor(values[0])
