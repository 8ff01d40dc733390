"""Shapes: reshaping, moving, adding and repeating axes."""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from typing import Any

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.codegen.parts import unpack
from interlingua.errors import Unsupported
from interlingua.ir.facts import inputs_of, shape_of
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.linear import turned_table
from interlingua_torch.lowering.terms import as_method, number_of, source


def _parameter(node: ir.Node, name: str) -> ir.Value:
    return inputs_of(node)[name][0]


def _method(context: Context, node: ir.Node, name: str, arguments: Sequence[object] = ()) -> ast.expr:
    """`x.name(…)` on the node's first input."""
    call = expressions.method(source(context, node), name, arguments)
    context.note_mapping(node, f"torch.Tensor.{name}", call)
    return call


@lowers("Reshape")
def reshape(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`x.reshape(batch, -1, 64)`; a copied size is -1 where it is the only one that is not told."""
    value, data = _parameter(node, "shape"), node.inputs[0]
    assert data is not None
    sizes = context.sizes.entries(value)
    if sizes is None:
        shape = context.python(value)
        if facts["allowzero"]:
            return _method(context, node, "reshape", [shape])
        context.note_mapping(node, "torch.reshape")
        return expressions.call(context.helper("reshape"), [source(context, node), shape])
    numbers = [number_of(size) for size in sizes]
    copied = [axis for axis, number in enumerate(numbers) if number == 0 and not facts["allowzero"]]
    flat = _flattened(context, data, sizes, copied)
    if flat:
        return _method(context, node, "flatten", [flat])
    if len(copied) == 1 and -1 in numbers:
        sizes[numbers.index(-1)] = expressions.literal(_rest(data, copied[0], numbers))
        numbers = [number_of(size) for size in sizes]
    if len(copied) == 1 and -1 not in numbers and _full(data):
        sizes[copied[0]] = expressions.literal(-1)
    else:
        for axis in copied:
            sizes[axis] = _size(context, data, axis)
    return _method(context, node, "reshape", sizes or [()])


def _size(context: Context, value: ir.Value, axis: int) -> ast.expr:
    if shape_of(value) is not None:
        return context.size(value, axis)
    return expressions.parse(f"{ast.unparse(context.as_tensor(value))}.shape[{axis}]")


def _full(value: ir.Value) -> bool:
    """Whether no size of a tensor is known to be 0, of which a size could not be worked out."""
    return 0 not in (shape_of(value) or ())


def _rest(data: ir.Value, copied: int, numbers: Sequence[int | None]) -> int:
    """The size that -1 stands for, where those beside a copied one tell it; else -1."""
    others = [size for axis, size in enumerate(shape_of(data) or (None,)) if axis != copied]
    told = [size for axis, size in enumerate(numbers) if axis != copied and size != -1]
    if not all(isinstance(size, int) and size for size in (*others, *told)):
        return -1
    whole, part = (math.prod(size for size in sizes if isinstance(size, int)) for sizes in (others, told))
    return whole // part if whole % part == 0 else -1


def _flattened(context: Context, data: ir.Value, sizes: Sequence[ast.expr], copied: Sequence[int]) -> int:
    """The axis from which on all axes become one, where the new shape says that; 0 where it does not."""
    old = shape_of(data)
    last = len(sizes) - 1
    if old is None or not 1 <= last < len(old) - 1:
        return 0
    for axis, size in enumerate(sizes[:-1]):
        number = number_of(size)
        same = axis in copied or (number is not None and number == old[axis])
        if not same and (number is not None or ast.unparse(size) != ast.unparse(context.size(data, axis))):
            return 0
    rest = old[last:]
    whole = math.prod(each for each in rest if isinstance(each, int))
    told = number_of(sizes[-1])
    return last if told == -1 or (told == whole and all(isinstance(each, int) for each in rest)) else 0


@lowers("Flatten")
def flatten(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`x.flatten(1)`; `x.flatten(0, 1).flatten(1)` where more axes come first, `x.flatten().unsqueeze(0)` if none."""
    axis, rank = facts["axis"], facts.get("input_rank")
    if axis == 1 and (rank is None or rank > 1):
        return as_method(context, node, facts)
    if rank is None and axis < 0:
        raise Unsupported(f"the axis {axis} counted from the end of an unknown number")
    axis = axis + rank if axis < 0 else axis
    if axis in (0, rank):
        return expressions.method(_method(context, node, "flatten"), "unsqueeze", [1 if axis else 0])
    first = _method(context, node, "flatten", [0, axis - 1]) if axis > 1 else source(context, node)
    return expressions.method(first, "flatten", [1])


@lowers("Transpose")
def transpose(context: Context, node: ir.Node, facts: Facts) -> ast.expr | None:
    """`x.T`, `x.transpose(1, 2)` for a swap of two axes, else `x.permute(0, 2, 3, 1)`; a product's table stays."""
    if turned_table(node, context) is not None:
        return None
    order = facts.get("perm")
    if order is None:
        raise Unsupported("reversing the axes of an input with an unknown number of them")
    moved = [axis for axis, old in enumerate(order) if axis != old]
    if len(order) == 2 and moved:
        context.note_mapping(node, "torch.Tensor.T")
        return ast.Attribute(source(context, node), "T", ast.Load())
    if len(moved) == 2:
        return _method(context, node, "transpose", moved)
    return as_method(context, node, facts) if order else source(context, node)


def _listed(axes: Any) -> Any:
    """The axes as a list, of which exporters make a plain number where it is one."""
    return [axes] if isinstance(axes, int) else axes


@lowers("Squeeze")
def squeeze(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`x.squeeze(2)`, `x.squeeze((1, 3))`."""
    if "axes" in facts.computed:
        value = _parameter(node, "axes")
        axes = context.python(value)
        return _method(context, node, "squeeze", [axes.elts if isinstance(axes, ast.Tuple) else axes])
    if facts.get("axes") == []:
        return source(context, node)
    axes = _listed(facts.get("axes"))
    arguments = [] if axes is None else axes if len(axes) == 1 else [tuple(axes)]
    return _method(context, node, "squeeze", arguments)


@lowers("Unsqueeze")
def unsqueeze(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`x.unsqueeze(1)`, one after the other from the first to the last of several axes."""
    if "axes" in facts.computed:
        context.note_mapping(node, "torch.unsqueeze")
        arguments = [source(context, node), context.python(_parameter(node, "axes"))]
        return expressions.call(context.helper("unsqueeze"), arguments)
    axes: list[int] = _listed(facts["axes"])
    count = facts.get("input_rank")
    if count is not None:
        axes = sorted(axis % (count + len(axes)) for axis in axes) if len(axes) > 1 else axes
    elif all(axis < 0 for axis in axes):
        axes = sorted(axes, reverse=True)
    elif any(axis < 0 for axis in axes):
        raise Unsupported(f"axes {axes} counted from the end of an unknown number")
    call = source(context, node)
    for axis in axes if count is not None or axes[0] < 0 else sorted(axes):
        call = expressions.method(call, "unsqueeze", [axis])
    context.note_mapping(node, "torch.unsqueeze", call)
    return call


@lowers("Expand")
def expand(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`x.expand(-1, 3, 4)`; `x.expand(torch.broadcast_shapes(x.shape, shape))` where a size may be either's."""
    value, data = _parameter(node, "shape"), node.inputs[0]
    assert data is not None
    sizes, old = context.sizes.entries(value), shape_of(data)
    if sizes is None or old is None:
        return _broadcast(context, node, context.python(value))
    padded = [None] * (len(sizes) - len(old)) + list(old)
    sizes = [expressions.literal(1)] * (len(old) - len(sizes)) + sizes
    said: list[ast.expr] = []
    for axis, (size, before) in enumerate(zip(sizes, padded, strict=True)):
        number = number_of(size)
        new = axis < len(padded) - len(old)
        if not new and (number == 1 or number == before or (isinstance(before, int) and before != 1)):
            said.append(expressions.literal(-1))
        elif new or before == 1:
            said.append(size)
        elif ast.unparse(size) == ast.unparse(context.size(data, axis - len(padded) + len(old))):
            said.append(expressions.literal(-1))
        else:
            return _broadcast(context, node, expressions.literal(tuple(sizes)))
    same = len(said) == len(old) and all(number_of(size) == -1 for size in said)
    return source(context, node) if same else _method(context, node, "expand", said)


def _broadcast(context: Context, node: ir.Node, shape: ast.expr) -> ast.expr:
    old = ast.Attribute(source(context, node), "shape", ast.Load())
    return _method(context, node, "expand", [expressions.call(context.api("torch.broadcast_shapes"), [old, shape])])


@lowers("Tile")
def tile(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`x.repeat(1, 2)`."""
    value = _parameter(node, "repeats")
    counts = context.sizes.entries(value)
    return _method(context, node, "repeat", [context.python(value)] if counts is None else counts)


@lowers("Shape")
def sizes(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.tensor(x.shape[1:])`, where nobody takes the sizes as numbers."""
    shape: ast.expr = ast.Attribute(source(context, node), "shape", ast.Load())
    start, end = facts["start"], facts["end"]
    if start or end is not None:
        bounds = (None if not start else expressions.literal(start), None if end is None else expressions.literal(end))
        shape = ast.Subscript(shape, ast.Slice(*bounds), ast.Load())
    context.note_mapping(node, "torch.Tensor.shape")
    return expressions.call(context.api("torch.tensor"), [shape], {"dtype": context.dtype(ir.DataType.INT64)})


@lowers("Size")
def elements(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.tensor(x.numel())`, where nobody takes it as a number."""
    return expressions.call(context.api("torch.tensor"), [_method(context, node, "numel")])


@lowers("Split")
def split(context: Context, node: ir.Node, facts: Facts) -> ast.expr | None:
    """`a, b = x.chunk(2, dim=1)`, or `x.split([2, 3], dim=1)`."""
    given = inputs_of(node)
    axis, count = facts["axis"], len(node.outputs)
    pieces: list[ast.expr] | ast.expr | None = None
    if "split" in given:
        pieces = context.sizes.entries(given["split"][0])
        pieces = context.python(given["split"][0]) if pieces is None else pieces
    if pieces is None or (isinstance(pieces, list) and _even(pieces, given["input"][0], axis)):
        call = expressions.method(source(context, node), "chunk", [count], {"dim": axis} if axis else {})
        context.note_mapping(node, "torch.chunk", call)
    else:
        call = expressions.method(source(context, node), "split", [pieces], {"dim": axis} if axis else {})
        context.note_mapping(node, "torch.split", call)
    if count == 1:
        return ast.Subscript(call, ast.Constant(0), ast.Load())
    unpack(context, node, call, *["part"] * count)
    return None


def _even(pieces: Sequence[ast.expr], data: ir.Value, axis: int) -> bool:
    """Whether all pieces have one size and `chunk` makes the same ones."""
    numbers = [number_of(piece) for piece in pieces]
    shape = shape_of(data)
    whole = None if shape is None else shape[axis]
    first = numbers[0]
    return bool(
        isinstance(whole, int) and first and all(each == first for each in numbers) and whole == first * len(numbers)
    )
