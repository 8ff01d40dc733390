"""Convolutions, transposed ones with the output's shape."""

from __future__ import annotations

import ast
import dataclasses
from typing import Any

import onnx_ir as ir

from interlingua.adapters import split_pads
from interlingua.axes import permutation
from interlingua.cards import Card, Facts, by_record
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.errors import Unsupported
from interlingua.ir.facts import inputs_of, is_constant
from interlingua.records import record
from interlingua_tensorflow.adapters import output_sizes
from interlingua_tensorflow.lowering import lowers
from interlingua_tensorflow.lowering.common import FRAMEWORK, called, chosen


@lowers("Conv")
def conv(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`tf.nn.conv2d(x, weights, …)`."""
    grouped = facts.rank == 3 and facts["group"] > 1
    single = dataclasses.replace(facts, values={**facts.values, "group": 1, "depthwise": False})
    card, keywords = chosen(single if grouped else facts)
    if grouped:
        return _grouped(context, node, facts, card, keywords)
    kernel = inputs_of(node)["W"][0]
    if is_constant(kernel):
        return called(context, node, facts, card, keywords)
    return called(context, node, facts, card, keywords, weights=(_turned(context, card, kernel, facts),))


def _grouped(
    context: Context, node: ir.Node, facts: Facts, card: Card, keywords: dict[str, Any], between: tuple[Any, ...] = ()
) -> ast.expr:
    """`tf.concat([convolution(part, kernel, …) for part, kernel in zip(tf.split(x, 2, -1), …)], axis=-1)`.

    With one group it is the plain call.
    """
    kernel = inputs_of(node)["W"][0]
    weights = None if is_constant(kernel) else (_turned(context, card, kernel, facts),)
    if facts["group"] == 1:
        return called(context, node, facts, card, keywords, between, weights)
    whole = called(context, node, facts, card, keywords, between, weights)
    assert isinstance(whole, ast.Call)
    x, tensor = whole.args[:2]
    parts = [expressions.call(context.api("tf.split"), [value, facts["group"]], {"axis": -1}) for value in (x, tensor)]
    one = ast.Call(whole.func, [expressions.name("part"), expressions.name("kernel"), *whole.args[2:]], whole.keywords)
    names = ast.Tuple([ast.Name("part", ast.Store()), ast.Name("kernel", ast.Store())], ast.Store())
    over = ast.comprehension(target=names, iter=expressions.call("zip", parts), ifs=[], is_async=0)
    joining = by_record(FRAMEWORK)["Concat"][0].api
    return expressions.call(context.api(joining), [ast.ListComp(one, [over])], {"axis": -1})


def _turned(context: Context, card: Card, kernel: ir.Value, facts: Facts) -> ast.expr:
    """A computed kernel in the card's axis order.

    Raises:
        Unsupported: that is more than a transpose.
    """
    canonical, theirs = record(card.record).input("W").axes, card.weights["W"].axes
    if "M" in theirs:
        raise Unsupported("a depthwise convolution whose kernel is computed")
    order = permutation(canonical, theirs, facts.rank)
    turn = by_record(FRAMEWORK)["Transpose"][0].api
    return expressions.call(context.api(turn), [context.ref(kernel), list(order)])


@lowers("ConvTranspose")
def conv_transpose(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`tf.nn.conv2d_transpose(x, weights, [tf.shape(x)[0], h, w, c], …)`: the output's shape is told.

    What no padding of TensorFlow's says is computed whole and cut.
    """
    sizes, padding = output_sizes(facts), _padding(facts)
    without_pads = {**facts.values, "pads": [0] * (2 * facts.rank), "group": 1}
    card, keywords = chosen(dataclasses.replace(facts, values=without_pads))
    keywords = {name: value for name, value in keywords.items() if name not in ("padding", "output_shape")}
    cut: list[ast.expr] = []
    if padding is None:
        begin, _ = split_pads(facts["pads"])
        cut = [_range(first, first + size) for first, size in zip(begin, sizes, strict=True)]
        whole = output_sizes(dataclasses.replace(facts, values={**without_pads, "output_padding": [0] * facts.rank}))
        sizes = [max(full, first + size) for full, first, size in zip(whole, begin, sizes, strict=True)]
        padding = "VALID"
    if padding != "SAME":
        keywords["padding"] = padding
    x = context.ref(inputs_of(node)["X"][0])
    batch = ast.Subscript(expressions.call(context.api("tf.shape"), [x]), ast.Constant(0), ast.Load())
    shape = [batch, *sizes, facts["out_channels"] // facts["group"]]
    result = _grouped(context, node, facts, card, keywords, (shape,))
    if not cut:
        return result
    everything = ast.Slice()
    return ast.Subscript(result, ast.Tuple([everything, *cut, everything], ast.Load()), ast.Load())


def _range(first: int, last: int) -> ast.expr:
    return ast.Slice(ast.Constant(first) if first else None, ast.Constant(last))


def _padding(facts: Facts) -> Any:
    """What the forward convolution of that output would have been padded with; None where TensorFlow cannot say it."""
    begin, end = split_pads(facts["pads"])
    if not any((*begin, *end)):
        return "VALID"
    same = True
    for axis in range(facts.rank):
        stride, extra = facts["strides"][axis], facts["output_padding"][axis]
        total = max(facts["kernel_shape"][axis] - stride, 0)
        grown = facts["kernel_shape"][axis] - begin[axis] - end[axis] + extra == stride
        same = same and grown and (begin[axis], end[axis]) == (total // 2, total - total // 2)
    if same:
        return "SAME"
    if facts.rank != 2:
        return None
    return [[0, 0], *([first, last] for first, last in zip(begin, end, strict=True)), [0, 0]]
