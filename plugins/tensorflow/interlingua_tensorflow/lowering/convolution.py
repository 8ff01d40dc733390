"""Convolutions, transposed ones with the output's shape."""

from __future__ import annotations

import ast
from typing import Any

import onnx_ir as ir
from interlingua.adapters import split_pads
from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.errors import Unsupported
from interlingua.ir.facts import inputs_of

from interlingua_tensorflow.lowering import lowers
from interlingua_tensorflow.lowering.common import called, chosen, own_weights


@lowers("Conv")
def conv(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`tf.nn.conv2d(x, weights, …)`."""
    own_weights(node, ("W",))
    return called(context, node, facts, *chosen(facts))


@lowers("ConvTranspose")
def conv_transpose(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`tf.nn.conv2d_transpose(x, weights, [tf.shape(x)[0], h, w, c], …)`: the output's shape is told."""
    own_weights(node, ("W",))
    if facts["group"] != 1:
        raise Unsupported("a transposed convolution with groups")
    sizes, padding = _sizes(facts), _padding(facts)
    without_pads = {**facts.values, "pads": [0] * (2 * facts.rank)}
    card, keywords = chosen(Facts(facts.record, without_pads, facts.rank, facts.shapes, facts.constants))
    keywords = {name: value for name, value in keywords.items() if name != "padding"}
    if padding != "SAME":
        keywords["padding"] = padding
    x = context.ref(inputs_of(node)["X"][0])
    batch = ast.Subscript(expressions.call(context.api("tf.shape"), [x]), ast.Constant(0), ast.Load())
    shape = [batch, *sizes, facts["out_channels"]]
    return called(context, node, facts, card, keywords, (shape,))


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
    """What the forward convolution of that output would have been padded with."""
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
        raise Unsupported(f"pads {list(facts['pads'])} are neither 'VALID' nor 'SAME'")
    return [[0, 0], *([first, last] for first, last in zip(begin, end, strict=True)), [0, 0]]
