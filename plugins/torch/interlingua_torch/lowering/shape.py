"""Shapes that a single call cannot say."""

from __future__ import annotations

import ast
from collections.abc import Sequence

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.errors import Unsupported
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.common import by_cards


def _axis(value: ast.expr, number: int) -> ast.expr:
    """`x.shape[0]`."""
    return ast.Subscript(ast.Attribute(value, "shape", ast.Load()), ast.Constant(number), ast.Load())


def _source(context: Context, node: ir.Node) -> ast.expr:
    assert node.inputs[0] is not None
    return context.ref(node.inputs[0])


@lowers("Reshape")
def reshape(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`x.reshape(x.shape[0], -1, 64)` where the new shape copies axes; -1 where it copies one and works out none."""
    shape: Sequence[int] = facts["shape"]
    copied = [axis for axis, size in enumerate(shape) if size == 0]
    if not copied or facts["allowzero"]:
        return by_cards(context, node, facts)
    api = "torch.reshape"
    source = _source(context, node)
    if len(copied) == 1 and -1 not in shape:
        sizes: list[int | ast.expr] = [size or -1 for size in shape]
    else:
        sizes = [_axis(source, axis) if size == 0 else size for axis, size in enumerate(shape)]
    call = expressions.call(context.api(api), [source, tuple(sizes)])
    context.note_mapping(node, api, call)
    return call


@lowers("Unsqueeze")
def unsqueeze(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """One `torch.unsqueeze` in another for each axis, from the first to the last."""
    axes: list[int] = facts["axes"]
    if len(axes) < 2:
        return by_cards(context, node, facts)
    count = facts.get("input_rank")
    if count is None and min(axes) < 0:
        raise Unsupported(f"axes {axes} counted from the end of an unknown number")
    api = "torch.unsqueeze"
    call = _source(context, node)
    for axis in sorted(axis if axis >= 0 else axis + count + len(axes) for axis in axes):
        call = expressions.call(context.api(api), [call, axis])
    context.note_mapping(node, api, call)
    return call
