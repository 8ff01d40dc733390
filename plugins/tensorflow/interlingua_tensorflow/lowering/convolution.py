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

from interlingua_tensorflow.lowering import lowers
from interlingua_tensorflow.lowering.common import FRAMEWORK, called, chosen


@lowers("Conv")
def conv(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`tf.nn.conv2d(x, weights, …)`."""
    card, keywords = chosen(facts)
    kernel = inputs_of(node)["W"][0]
    if is_constant(kernel):
        return called(context, node, facts, card, keywords)
    return called(context, node, facts, card, keywords, weights=(_turned(context, card, kernel, facts),))


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
    if facts["group"] != 1:
        raise Unsupported("a transposed convolution with groups")
    sizes, padding = _sizes(facts), _padding(facts)
    without_pads = {**facts.values, "pads": [0] * (2 * facts.rank)}
    card, keywords = chosen(dataclasses.replace(facts, values=without_pads))
    keywords = {name: value for name, value in keywords.items() if name != "padding"}
    cut: list[ast.expr] = []
    if padding is None:
        begin, _ = split_pads(facts["pads"])
        cut = [_range(first, first + size) for first, size in zip(begin, sizes, strict=True)]
        whole = _sizes(dataclasses.replace(facts, values={**without_pads, "output_padding": [0] * facts.rank}))
        sizes = [max(full, first + size) for full, first, size in zip(whole, begin, sizes, strict=True)]
        padding = "VALID"
    if padding != "SAME":
        keywords["padding"] = padding
    x = context.ref(inputs_of(node)["X"][0])
    batch = ast.Subscript(expressions.call(context.api("tf.shape"), [x]), ast.Constant(0), ast.Load())
    shape = [batch, *sizes, facts["out_channels"]]
    kernel = inputs_of(node)["W"][0]
    weights = None if is_constant(kernel) else (_turned(context, card, kernel, facts),)
    result = called(context, node, facts, card, keywords, (shape,), weights)
    if not cut:
        return result
    everything = ast.Slice()
    return ast.Subscript(result, ast.Tuple([everything, *cut, everything], ast.Load()), ast.Load())


def _range(first: int, last: int) -> ast.expr:
    return ast.Slice(ast.Constant(first) if first else None, ast.Constant(last))


def _sizes(facts: Facts) -> list[int]:
    """The spatial sizes of the output.

    Raises:
        Unsupported: the input's are unknown.
    """
    shape = facts.shapes.get("X")
    sizes: list[int] = []
    begin, end = split_pads(facts["pads"])
    for axis in range(facts.rank):
        size = None if shape is None else shape[2 + axis]
        if not isinstance(size, int):
            raise Unsupported("the size of the transposed convolution's output is not known")
        reach = (facts["kernel_shape"][axis] - 1) * facts["dilations"][axis] + 1
        total = begin[axis] + end[axis]
        sizes.append((size - 1) * facts["strides"][axis] + reach - total + facts["output_padding"][axis])
    return sizes


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
