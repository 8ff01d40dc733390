"""Sequences as Python's lists, and values that may be absent as None."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.errors import Unsupported
from interlingua.ir.facts import inputs_of, shape_of
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.terms import number_of, source


def _items(context: Context, node: ir.Node) -> ast.expr:
    sequence = node.inputs[0]
    if sequence is None:
        raise Unsupported("a sequence that is absent")
    return context.ref(sequence)


def _position(context: Context, node: ir.Node) -> ast.expr | None:
    value = next(iter(inputs_of(node).get("position", ())), None)
    return None if value is None else context.integers(value)[0]


@lowers("SequenceConstruct")
def construct(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`[a, b]`."""
    context.note_mapping(node, "list")
    return ast.List([source(context, node, index) for index in range(len(node.inputs))], ast.Load())


@lowers("SequenceEmpty")
def empty(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`[]`."""
    context.note_mapping(node, "list")
    return ast.List([], ast.Load())


@lowers("SequenceAt")
def at(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`items[2]`."""
    position = _position(context, node)
    assert position is not None
    context.note_mapping(node, "list.__getitem__")
    return ast.Subscript(_items(context, node), position, ast.Load())


@lowers("SequenceInsert")
def insert(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`[*items, x]`, or `[*items[:2], x, *items[2:]]`."""
    items, tensor, position = _items(context, node), source(context, node, 1), _position(context, node)
    context.note_mapping(node, "list.insert")
    if position is None:
        return ast.List([ast.Starred(items, ast.Load()), tensor], ast.Load())
    if number_of(position) == 0:
        return ast.List([tensor, ast.Starred(items, ast.Load())], ast.Load())
    before = ast.Subscript(items, ast.Slice(None, position), ast.Load())
    behind = ast.Subscript(items, ast.Slice(position), ast.Load())
    parts = [ast.Starred(before, ast.Load()), tensor, ast.Starred(behind, ast.Load())]
    return ast.List(parts, ast.Load())


@lowers("SequenceErase")
def erase(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`items[:-1]`, or `items[:2] + items[3:]`."""
    items, position = _items(context, node), _position(context, node)
    context.note_mapping(node, "list.pop")
    number = -1 if position is None else number_of(position)
    if number is None:
        return expressions.call(context.helper("without"), [items, position])
    before = ast.Subscript(items, ast.Slice(None, expressions.literal(number)), ast.Load())
    behind = ast.Subscript(items, ast.Slice(expressions.literal(number + 1)), ast.Load())
    if number == -1:
        return before
    return behind if number == 0 else expressions.operator("+", before, behind)


@lowers("SequenceLength")
def length(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.tensor(len(items))`."""
    context.note_mapping(node, "len")
    return expressions.call(context.api("torch.tensor"), [expressions.call("len", [_items(context, node)])])


@lowers("ConcatFromSequence")
def concat(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.cat(items, dim=1)`, or `torch.stack(items, dim=1)`."""
    api = "torch.stack" if facts["new_axis"] else "torch.cat"
    call = expressions.call(context.api(api), [_items(context, node)], {"dim": facts["axis"]} if facts["axis"] else {})
    context.note_mapping(node, api, call)
    return call


@lowers("SplitToSequence")
def split(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`list(x.unbind(1))` without an axis left, else `list(x.split(2, dim=1))`."""
    dim = {"dim": facts["axis"]} if facts["axis"] else {}
    pieces = next(iter(inputs_of(node).get("split", ())), None)
    if pieces is None:
        whole = source(context, node)
        parts = expressions.method(whole, "split", [1], dim) if facts["keepdims"] else _unbind(whole, facts["axis"])
    else:
        sizes = context.sizes.entries(pieces)
        scalar = shape_of(pieces) == ()
        told = context.python(pieces) if sizes is None else sizes[0] if scalar else ast.List(sizes, ast.Load())
        parts = expressions.method(source(context, node), "split", [told], dim)
    context.note_mapping(node, "torch.split", parts)
    return expressions.call("list", [parts])


def _unbind(whole: ast.expr, axis: int) -> ast.Call:
    return expressions.method(whole, "unbind", [axis] if axis else [])


@lowers("Optional")
def optional(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """The value itself, or `None`."""
    context.note_mapping(node, "None")
    value = node.inputs[0] if node.inputs else None
    return ast.Constant(None) if value is None else _as_it_is(context, value)


def _as_it_is(context: Context, value: ir.Value) -> ast.expr:
    tensor = value.type is None or isinstance(value.type, ir.TensorType)
    return context.as_tensor(value) if tensor else context.ref(value)


@lowers("OptionalHasElement")
def has_element(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.tensor(x is not None)`."""
    value = node.inputs[0] if node.inputs else None
    context.note_mapping(node, "is not None")
    known = value is None or isinstance(value.type, ir.TensorType | ir.SequenceType)
    there: ast.expr = ast.Constant(value is not None)
    if not known:
        assert value is not None
        there = ast.Compare(context.ref(value), [ast.IsNot()], [ast.Constant(None)])
    return expressions.call(context.api("torch.tensor"), [there])


@lowers("OptionalGetElement")
def get_element(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """The value itself."""
    value = node.inputs[0]
    assert value is not None
    context.note_mapping(node, "value")
    return _as_it_is(context, value)
