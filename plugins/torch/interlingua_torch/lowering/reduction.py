"""Reductions: over axes that the model computes, of whole numbers, of nothing; positions and running totals."""

from __future__ import annotations

import ast
from typing import Any

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.ir.facts import inputs_of, shape_of
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.templates import WIDER, converted, element_type, fill, given, narrowed, said, widened

_WHOLE = {
    "ReduceSum": "X",
    "ReduceMean": "X",
    "ReduceProd": "X",
    "ReduceMax": "X",
    "ReduceMin": "X",
    "ReduceL1": "X.abs()",
    "ReduceL2": "X.abs()",
    "ReduceLogSum": "X.log()",
    "ReduceLogSumExp": "X",
    "ReduceSumSquare": "X.square()",
}
"""What a reduction over no axis is."""

_FORMS = {
    "ReduceSum": "X.sum()",
    "ReduceMean": "X.mean()",
    "ReduceProd": "X.prod()",
    "ReduceMax": "X.amax()",
    "ReduceMin": "X.amin()",
    "ReduceL1": "X.abs().sum()",
    "ReduceL2": "torch.linalg.vector_norm(X)",
    "ReduceLogSum": "X.sum()",
    "ReduceLogSumExp": "X.logsumexp()",
    "ReduceSumSquare": "X.square().sum()",
}
"""The call that reduces, to which axes are added; the logarithm comes behind."""


_EXTREMES = {"ReduceMax": "largest", "ReduceMin": "smallest"}
_FLOATING = (ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.DOUBLE)


@lowers(*_FORMS)
def reduction(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`x.sum(dim=1, keepdim=True)`, `x.abs().sum(…)`, `torch.linalg.vector_norm(x, …)`, …"""
    value = given(node, 0)
    ordered = node.op_type in ("ReduceMax", "ReduceMin")
    x = widened(context, value, order=ordered) if value.dtype in WIDER else context.as_tensor(value)
    if facts["noop_with_empty_axes"] and "axes" not in facts.computed and not facts.get("axes"):
        whole = said(context, node, f"torch.{node.op_type}", _WHOLE[node.op_type], X=x)
        if node.op_type == "ReduceLogSum" and value.dtype is not None and value.dtype.is_integer():
            return converted(context, whole, value.dtype)
        return narrowed(context, whole, value.dtype, order=ordered)
    axes = _axes(context, node, facts)
    nothing = _of_nothing(node, facts)
    if nothing is not None:
        dtype = element_type(context, value.dtype or ir.DataType.FLOAT)
        return said(context, node, "torch.full", "torch.full(S, V, dtype=T)", S=nothing[0], V=nothing[1], T=dtype)
    if "axes" in facts.computed and facts["noop_with_empty_axes"]:
        axes = context.statement("axes", axes)
    whole = _reduced(context, node, facts, x, axes)
    if "axes" in facts.computed and facts["noop_with_empty_axes"]:
        alone = fill(context, _WHOLE[node.op_type], X=x)
        whole = ast.IfExp(axes, whole, alone)
    return narrowed(context, whole, value.dtype, order=ordered)


def _axes(context: Context, node: ir.Node, facts: Facts) -> Any:
    """The axes as Python says them: a number, a tuple, an expression, or None for all without keeping them."""
    if "axes" in facts.computed:
        told = context.python(inputs_of(node)["axes"][0])
        if node.op_type != "ReduceLogSumExp":
            return told
        # of an empty list all other calls reduce every axis, and logsumexp none
        return fill(context, "AXES or tuple(range(X.ndim))", AXES=told, X=context.as_tensor(given(node, 0)))
    axes = facts.get("axes")
    if axes:
        return axes[0] if len(axes) == 1 else tuple(axes)
    shape = shape_of(node.inputs[0])
    if not facts["keepdims"] and node.op_type != "ReduceLogSumExp":
        return None
    if shape is not None:
        return tuple(range(len(shape)))
    return fill(context, "tuple(range(X.ndim))", X=context.as_tensor(given(node, 0)))


def _of_nothing(node: ir.Node, facts: Facts) -> tuple[tuple[int, ...], Any] | None:
    """The shape, and the value of an extreme of no elements, where an axis that is reduced has none."""
    shape = shape_of(node.inputs[0])
    if node.op_type not in ("ReduceMax", "ReduceMin") or shape is None or "axes" in facts.computed:
        return None
    axes = {axis % len(shape) for axis in facts.get("axes") or range(len(shape))} if shape else set()
    if not any(shape[axis] == 0 for axis in axes):
        return None
    kept = [1 if axis in axes else size for axis, size in enumerate(shape) if axis not in axes or facts["keepdims"]]
    sizes = tuple(size for size in kept if isinstance(size, int))
    dtype = given(node, 0).dtype or ir.DataType.FLOAT
    lowest = node.op_type == "ReduceMax"
    if len(sizes) != len(kept):
        return None
    if dtype == ir.DataType.BOOL:
        return sizes, not lowest
    if dtype.is_integer():
        return sizes, int(dtype.min if lowest else dtype.max)
    return sizes, float("-inf" if lowest else "inf")


def _reduced(context: Context, node: ir.Node, facts: Facts, x: ast.expr, axes: Any) -> ast.expr:
    op, dtype = node.op_type, given(node, 0).dtype
    integer = dtype is not None and dtype.is_integer()
    if integer and op in ("ReduceMean", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp"):
        x = fill(context, "X.double()", X=x)
    several = isinstance(axes, tuple | ast.expr)
    if op in _EXTREMES and "axes" in facts.computed and dtype in _FLOATING and 0 in (shape_of(node.inputs[0]) or ()):
        call = expressions.call(context.helper(_EXTREMES[op]), [x, axes, bool(facts["keepdims"])])
    elif op == "ReduceProd" and axes is not None and several:
        call = expressions.call(context.helper("product"), [x, axes, bool(facts["keepdims"])])
    else:
        filled = fill(context, _FORMS[op], X=x)
        assert isinstance(filled, ast.Call)
        call = filled
        if axes is not None:
            call.keywords.append(ast.keyword("dim", expressions.literal(axes)))
            if facts["keepdims"]:
                call.keywords.append(ast.keyword("keepdim", ast.Constant(True)))
    context.note_mapping(node, f"torch.{node.op_type}", call)
    if op == "ReduceLogSum":
        call = expressions.method(call, "log")
    summed = op in ("ReduceSum", "ReduceProd", "ReduceL1", "ReduceSumSquare")
    if integer and dtype is not None and dtype not in WIDER and (dtype != ir.DataType.INT64 or not summed):
        widens = summed or op in ("ReduceMean", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp")
        return converted(context, call, dtype) if widens else call
    if integer and dtype in WIDER and not summed and op not in ("ReduceMax", "ReduceMin"):
        return fill(context, "X.long()", X=call)
    return call


@lowers("ArgMax", "ArgMin")
def position(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`x.argmax(1, keepdim=True)`; for the last of several from the other end."""
    value = given(node, 0)
    x = widened(context, value, order=True) if value.dtype in WIDER else context.ref(value)
    keep = ", keepdim=True" if facts["keepdims"] else ""
    name = node.op_type.lower()
    if facts["select_last_index"]:
        text = f"X.shape[AXIS] - 1 - X.flip(AXIS).{name}(AXIS{keep})"
    else:
        text = f"X.{name}(AXIS{keep})"
    return said(context, node, f"torch.{name}", text, X=x, AXIS=facts["axis"])


@lowers("CumSum", "CumProd")
def running(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`x.cumsum(1)`; from the end or without the element itself by a helper."""
    value = given(node, 0)
    axis = context.integers(given(node, 1))[0]
    name = node.op_type.lower()
    x = widened(context, value) if value.dtype in WIDER else context.as_tensor(value)
    integer = value.dtype is not None and value.dtype.is_integer()
    if facts["exclusive"] or facts["reverse"]:
        flags = {word: True for word in ("exclusive", "reverse") if facts[word]}
        function = "cumulative_sum" if name == "cumsum" else "cumulative_product"
        whole: ast.expr = expressions.call(context.helper(function), [x, axis], flags)
        context.note_mapping(node, f"torch.{name}", whole)
    else:
        whole = said(context, node, f"torch.{name}", f"X.{name}(AXIS)", X=x, AXIS=axis)
    widens = integer and value.dtype is not None and value.dtype != ir.DataType.INT64
    return converted(context, whole, value.dtype) if widens and value.dtype is not None else whole


def _is_all(context: Context, value: ir.Value, axis: int, count: ast.expr) -> bool:
    """Whether as many elements are asked for as the axis has."""
    return shape_of(value) is not None and ast.unparse(count) == ast.unparse(context.size(value, axis))


@lowers("TopK")
def top(context: Context, node: ir.Node, facts: Facts) -> list[ast.expr] | ast.expr:
    """`x.topk(k)` for the values alone; with their places a stable sort, so that of equals the first comes first."""
    value = given(node, 0)
    if value.dtype in WIDER:
        x = context.statement("ordered", widened(context, value, order=True))
    else:
        x = context.ref(value)
    count = context.integers(given(node, 1))[0]
    axis, shape = facts["axis"], shape_of(value)
    indices = node.outputs[1] if len(node.outputs) > 1 else None
    if indices is None or not (indices.uses() or indices.is_graph_output()):
        rest = {} if axis in (-1, len(shape or ()) - 1) else {"dim": axis}
        rest |= {} if facts["largest"] else {"largest": False}
        call = expressions.method(x, "topk", [count], rest)
        context.note_mapping(node, "torch.topk", call)
        return narrowed(context, ast.Attribute(call, "values", ast.Load()), value.dtype, order=True)
    descending = ", descending=True" if facts["largest"] else ""
    found = context.statement(
        "order", said(context, node, "torch.sort", f"X.sort(dim=AXIS{descending}, stable=True)", X=x, AXIS=axis)
    )
    cut = "" if _is_all(context, value, axis, count) else "[..., :K]" if axis == -1 else ".narrow(A, 0, K)"
    parts = [fill(context, f"X.{name}{cut}", X=found, A=axis, K=count) for name in ("values", "indices")]
    return [narrowed(context, parts[0], value.dtype, order=True), parts[1]]
