"""Pooling: output sizes rounded up, and the layout."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua.adapters import split_pads
from interlingua.cards import Facts
from interlingua.codegen.lowering import Context
from interlingua.errors import Unsupported
from interlingua.ir.facts import facts_of
from interlingua_keras.lowering.common import chosen
from interlingua_keras.lowering.registry import lowers


@lowers("MaxPool", "AveragePool")
def window(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """Replaces a size rounded up by as much more padding at the end, where the input's size is known."""
    if facts["ceil_mode"]:
        facts = _rounded_down(node, facts)
    return chosen(context, node, facts)


def _rounded_down(node: ir.Node, facts: Facts) -> Facts:
    shape = facts.shapes["X"]
    sizes = shape[2:] if shape else ()
    if len(sizes) != facts.rank or not all(isinstance(size, int) for size in sizes):
        raise Unsupported("an output size rounded up, of an input whose size is not known")
    begin, end = split_pads(facts["pads"])
    longer = list(end)
    for axis, size in enumerate(size for size in sizes if isinstance(size, int)):
        stride = facts["strides"][axis]
        reach = (facts["kernel_shape"][axis] - 1) * facts["dilations"][axis] + 1
        room = size + begin[axis] + end[axis] - reach
        count = -(-room // stride) + 1
        if (count - 1) * stride >= size + begin[axis]:  # the last window must begin inside
            count -= 1
        longer[axis] = max((count - 1) * stride + reach - size - begin[axis], 0)
    if facts.get("count_include_pad") and longer != end:
        raise Unsupported("an output size rounded up, and padding that counts in the mean")
    node.attributes["ceil_mode"] = ir.AttrInt64("ceil_mode", 0)
    node.attributes["pads"] = ir.AttrInt64s("pads", [*begin, *longer])
    return facts_of(node)


@lowers("GlobalAveragePool")
def over_everything(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """Says the layout."""
    return chosen(context, node, facts)
