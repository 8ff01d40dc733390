"""Picking elements by number, and putting them there."""

from __future__ import annotations

import ast

import numpy as np
import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.codegen.parts import unpack
from interlingua.codegen.weights import Weight
from interlingua.ir.edit import constant
from interlingua.ir.facts import inputs_of, is_constant, known, qualified, shape_of
from interlingua.ir.parameters import is_trained
from interlingua.ir.scopes import class_around
from interlingua.own_operators import BAGS
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.slicing import sliced, subscript
from interlingua_torch.lowering.terms import never_negative, source

EMBEDDING = "torch.nn.Embedding"
_LONGEST = 16
_REDUCES = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def _input(node: ir.Node, name: str) -> ir.Value:
    return inputs_of(node)[name][0]


def _index(context: Context, indices: ir.Value) -> ast.expr:
    """The index as a number, a slice, a short list, or a tensor."""
    array = constant(indices)
    if array is not None and array.ndim == 0:
        return expressions.literal(int(array))
    if array is not None and array.ndim == 1 and array.size > 0:
        numbers = [int(number) for number in array]
        first = numbers[0]
        if numbers == list(range(first, first + len(numbers))) and (first >= 0 or numbers[-1] < -1):
            return sliced(expressions.literal(first), expressions.literal(numbers[-1] + 1), 1, None)
        if len(numbers) <= _LONGEST:
            return expressions.literal(numbers)
    if context.sizes.holds(indices):
        return context.python(indices)
    return context.as_tensor(indices)


@lowers("Gather")
def gather(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`x[:, index]`; `nn.Embedding` where the data is a trained table, and the indices are computed or it was one.

    A table that the source's state has under a name of its own, as one of relative positions, makes no layer.
    """
    data, indices = _input(node, "data"), _input(node, "indices")
    axis = facts["axis"]
    shape = shape_of(data)
    sizes = known(shape)
    table = is_constant(data) and is_trained(data) and sizes is not None and len(sizes) == 2
    table = table and (not context.dialect.keeps_state or Weight(data).is_named("weight"))
    if table and axis in (0, -2) and (not is_constant(indices) or class_around(node, context.model) == "Embedding"):
        layer = context.layer(node, EMBEDDING, sizes or (), {}, {"weight": Weight(data)})
        return expressions.call(layer, [context.as_tensor(indices)])
    context.note_mapping(node, "torch.Tensor.__getitem__")
    rank = None if shape is None else len(shape)
    return subscript(context.as_tensor(data), {axis: _index(context, indices)}, rank)


@lowers(*BAGS)
def embedding_bag(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`nn.EmbeddingBag` where the table is trained and the source has it as a layer's, else the function."""
    table, *others = (_input(node, name) for name in ("weight", "indices", "offsets"))
    indices, offsets = (context.as_tensor(value) for value in others)
    mode, sizes = {"mode": BAGS[qualified(node)]}, known(shape_of(table))
    own = is_constant(table) and is_trained(table) and sizes is not None
    if own and (not context.dialect.keeps_state or Weight(table).is_named("weight")):
        layer = context.layer(node, f"{EMBEDDING}Bag", sizes or (), mode, {"weight": Weight(table)})
        return expressions.call(layer, [indices, offsets])
    call = expressions.call(
        context.api("torch.nn.functional.embedding_bag"), [indices, context.as_tensor(table), offsets], mode
    )
    context.note_mapping(node, "torch.nn.functional.embedding_bag", call)
    return call


def _whole(context: Context, indices: ir.Value, size: ast.expr | None) -> ast.expr:
    """The indices as int64, counted from the start: `indices % size` where some may be negative."""
    expression = context.as_tensor(indices)
    if indices.dtype == ir.DataType.INT32:
        expression = expressions.method(expression, "long")
    if size is None or never_negative(indices):
        return expression
    return ast.BinOp(expression, ast.Mod(), size)


def _size(context: Context, value: ir.Value, axis: int) -> ast.expr:
    """The size of an axis of which `axis` may count from the end."""
    shape = shape_of(value)
    if shape is not None:
        return context.size(value, axis % len(shape))
    return ast.Subscript(
        ast.Attribute(context.as_tensor(value), "shape", ast.Load()), expressions.literal(axis), ast.Load()
    )


@lowers("GatherElements")
def gather_elements(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`x.gather(1, indices)`."""
    data = _input(node, "data")
    indices = _whole(context, _input(node, "indices"), _size(context, data, facts["axis"]))
    call = expressions.method(context.as_tensor(data), "gather", [facts["axis"], indices])
    context.note_mapping(node, "torch.gather", call)
    return call


@lowers("ScatterElements")
def scatter_elements(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`x.scatter(1, indices, updates)`, `x.scatter_add(…)`, or `x.scatter_reduce(…, "amax")`."""
    data, reduction = _input(node, "data"), facts["reduction"]
    indices = _whole(context, _input(node, "indices"), _size(context, data, facts["axis"]))
    arguments = [facts["axis"], indices, context.as_tensor(_input(node, "updates"))]
    name = {"none": "scatter", "add": "scatter_add"}.get(reduction, "scatter_reduce")
    if name == "scatter_reduce":
        arguments.append(_REDUCES[reduction])
    call = expressions.method(context.as_tensor(data), name, arguments)
    context.note_mapping(node, f"torch.{name}", call)
    return call


def _unbound(context: Context, indices: ir.Value) -> ast.expr:
    """`indices.unbind(-1)`: an index tensor for each axis."""
    return expressions.method(context.as_tensor(indices), "unbind", [-1])


@lowers("GatherND")
def gather_nd(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`x[indices.unbind(-1)]`; a helper where the first axes go together."""
    data, indices = _input(node, "data"), _input(node, "indices")
    context.note_mapping(node, "torch.Tensor.__getitem__")
    if facts["batch_dims"]:
        arguments = [context.as_tensor(data), context.as_tensor(indices), facts["batch_dims"]]
        return expressions.call(context.helper("gather_nd"), arguments)
    return ast.Subscript(context.as_tensor(data), _unbound(context, indices), ast.Load())


@lowers("ScatterND")
def scatter_nd(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`x.index_put(indices.unbind(-1), updates)`, with `accumulate=True` for sums; a helper for other reductions."""
    data, indices, updates = (_input(node, name) for name in ("data", "indices", "updates"))
    reduction = facts["reduction"]
    context.note_mapping(node, "torch.index_put")
    if reduction not in ("none", "add"):
        arguments = [context.as_tensor(each) for each in (data, indices, updates)]
        return expressions.call(context.helper("scatter_nd"), [*arguments, _REDUCES[reduction]])
    named = {"accumulate": True} if reduction == "add" else {}
    arguments = [_unbound(context, indices), context.as_tensor(updates)]
    return expressions.method(context.as_tensor(data), "index_put", arguments, named)


@lowers("TensorScatter")
def tensor_scatter(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """A helper that writes the update into the cache along the axis of time."""
    context.note_mapping(node, "torch.scatter")
    start = source(context, node, 2) if "write_indices" in inputs_of(node) else None
    arguments = [source(context, node), source(context, node, 1), start, facts["axis"], facts["mode"] == "circular"]
    return expressions.call(context.helper("tensor_scatter"), arguments)


@lowers("OneHot")
def one_hot(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`F.one_hot(indices, 10)` of places that the model found itself, else a helper."""
    indices, depth, values = (_input(node, name) for name in ("indices", "depth", "values"))
    number, numbers = constant(depth), constant(values)
    context.note_mapping(node, "torch.nn.functional.one_hot")
    plain = numbers is not None and number is not None and np.array_equal(numbers, [0, 1])
    if plain and facts["axis"] == -1 and indices.dtype == ir.DataType.INT64 and _places(indices):
        assert number is not None
        api = context.api("torch.nn.functional.one_hot")
        call = expressions.call(api, [context.as_tensor(indices), int(number.reshape(()))])
        if values.dtype == ir.DataType.INT64:
            return call
        assert values.dtype is not None
        return expressions.method(call, "to", [context.dtype(values.dtype)])
    count: ast.expr = expressions.method(context.as_tensor(depth), "item")
    if number is not None or context.sizes.holds(depth):
        count = context.integers(depth)[0] if number is None else expressions.literal(int(number.reshape(())))
    arguments = [context.as_tensor(indices), count, context.as_tensor(values), facts["axis"]]
    return expressions.call(context.helper("one_hot"), arguments)


def _places(indices: ir.Value) -> bool:
    return not is_constant(indices) and never_negative(indices)


@lowers("NonZero")
def non_zero(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`x.nonzero().T`."""
    context.note_mapping(node, "torch.nonzero")
    return ast.Attribute(expressions.method(source(context, node), "nonzero"), "T", ast.Load())


@lowers("Compress")
def compress(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`x[:, condition]`; the places of the condition where it may be shorter than the axis."""
    data, condition = _input(node, "input"), _input(node, "condition")
    axis, shape = facts["axis"], shape_of(data)
    whole = context.as_tensor(data)
    if axis is None:
        whole, size = expressions.method(whole, "flatten"), None
    else:
        size = None if shape is None else shape[axis]
    length = (shape_of(condition) or (None,))[0]
    mask = context.as_tensor(condition)
    if size is None or size != length:
        mask = ast.Subscript(
            expressions.method(mask, "nonzero"),
            ast.Tuple([ast.Slice(), ast.Constant(0)], ast.Load()),
            ast.Load(),
        )
    context.note_mapping(node, "torch.masked_select")
    return subscript(whole, {axis or 0: mask}, None if shape is None or axis is None else len(shape))


@lowers("Unique")
def unique(context: Context, node: ir.Node, facts: Facts) -> ast.expr | None:
    """`torch.unique(x)` where only the sorted elements are read, else a helper."""
    axis, ordered = facts["axis"], bool(facts["sorted"])
    read = [bool(output.uses()) or output.is_graph_output() for output in node.outputs]
    context.note_mapping(node, "torch.unique")
    if ordered and not any(read[1:]):
        return expressions.call(
            context.api("torch.unique"), [source(context, node)], {} if axis is None else {"dim": axis}
        )
    call = expressions.call(context.helper("unique"), [source(context, node), axis, ordered])
    if not any(read[1:]):
        return ast.Subscript(call, ast.Constant(0), ast.Load())
    hints = ["values", "first", "inverse", "counts"]
    unpack(context, node, call, *hints)
    return None
