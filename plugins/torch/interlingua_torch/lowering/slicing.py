"""Parts of tensors as Python's subscripts."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.ir.facts import inputs_of, shape_of
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.terms import number_of

_FAR = 2**31 - 1
_COLONS = 2


def subscript(value: ast.expr, items: Mapping[int, ast.expr], rank: int | None) -> ast.expr:
    """`value[:, item]`, with an item for each of some axes; `...` stands for many axes before them.

    Axes that count from the end are all negative.
    """
    if not items:
        return value
    if rank is not None:
        items = {axis % rank: item for axis, item in items.items()}
    first, last = min(items), max(items)
    if first < 0:
        row: list[ast.expr] = [ast.Constant(...), *(items.get(axis, ast.Slice()) for axis in range(first, 0))]
    elif rank is not None and first >= _COLONS and 2 * first >= rank:
        row = [ast.Constant(...), *(items.get(axis, ast.Slice()) for axis in range(first, rank))]
    else:
        row = [items.get(axis, ast.Slice()) for axis in range(last + 1)]
    key = row[0] if len(row) == 1 else ast.Tuple(row, ast.Load())
    return ast.Subscript(value, key, ast.Load())


def _bound(value: ast.expr, far: bool, turned: bool) -> ast.expr | None:
    """A start or end of a slice, None where it does nothing; counted from the other end where `turned`."""
    number = number_of(value)
    if number is None:
        minus = expressions.operator("-", ast.UnaryOp(ast.USub(), value), ast.Constant(1))
        return minus if turned else value
    number = ~number if turned else number
    if (far and number >= _FAR) or (not far and (number == 0 or number <= -_FAR)):
        return None
    return expressions.literal(number)


def sliced(start: ast.expr, end: ast.expr, step: int, size: int | None) -> ast.expr:
    """`start:end:step` of an axis, or of the reversed axis where the step is negative."""
    turned = step < 0
    upper = _bound(end, far=True, turned=turned)
    told = None if upper is None else number_of(upper)
    if told is not None and size is not None and told >= size:
        upper = None
    return ast.Slice(_bound(start, far=False, turned=turned), upper, ast.Constant(abs(step)) if abs(step) > 1 else None)


@lowers("Slice")
def cut(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`x[:, 1:]`, `x[..., ::2]`, `x.flip(1)[:, ::2]` for a step backward; a helper where steps or axes are computed."""
    given = {name: values[0] for name, values in inputs_of(node).items()}
    data = given["data"]
    shape = shape_of(data)
    bounds = [context.sizes.entries(given[name]) for name in ("starts", "ends")]
    known = [
        context.integers(given[name]) if each is None and _counted(given[name]) else each
        for name, each in zip(("starts", "ends"), bounds, strict=True)
    ]
    starts, ends = known
    if starts is None or ends is None or {"axes", "steps"} & facts.computed:
        return _by_helper(context, node, given)
    axes: Sequence[int] = facts["axes"] if facts.get("axes") is not None else range(len(starts))
    steps: Sequence[int] = facts["steps"] if facts.get("steps") is not None else [1] * len(starts)
    items: dict[int, ast.expr] = {}
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        size = shape[axis] if shape is not None else None
        item = sliced(start, end, step, size if isinstance(size, int) else None)
        if ast.unparse(item) != ":":
            items[axis] = item
    source = context.as_tensor(data)
    turned = [axis for axis, step in zip(axes, steps, strict=True) if step < 0]
    if turned:
        source = expressions.method(source, "flip", turned)
    whole = source
    for group in _groups(items, shape is None):
        whole = subscript(whole, group, None if shape is None else len(shape))
    context.note_mapping(node, "torch.Tensor.__getitem__")
    return whole


def _counted(value: ir.Value) -> bool:
    shape = shape_of(value)
    return shape is not None and len(shape) == 1 and isinstance(shape[0], int)


def _groups(items: Mapping[int, ast.expr], unknown_rank: bool) -> list[dict[int, ast.expr]]:
    """The items together; apart where some count from the start and some from the end of an unknown number of axes."""
    if not unknown_rank:
        return [dict(items)]
    halves = ({a: i for a, i in items.items() if a >= 0}, {a: i for a, i in items.items() if a < 0})
    return [half for half in halves if half]


def _by_helper(context: Context, node: ir.Node, given: Mapping[str, ir.Value]) -> ast.expr:
    starts, ends = context.python(given["starts"]), context.python(given["ends"])
    count = expressions.call("range", [expressions.call("len", [starts])])
    axes = context.python(given["axes"]) if "axes" in given else expressions.call("list", [count])
    if "steps" in given:
        steps = context.python(given["steps"])
    else:
        steps = expressions.operator("*", expressions.literal([1]), expressions.call("len", [starts]))
    context.note_mapping(node, "torch.Tensor.__getitem__")
    arguments = [context.as_tensor(given["data"]), starts, ends, axes, steps]
    return expressions.call(context.helper("slice_steps"), arguments)
