"""Pooling: what rounds up becomes padding at the end, and what changes nothing is left out."""

from __future__ import annotations

import ast
import dataclasses

import onnx_ir as ir

from interlingua.adapters import split_pads
from interlingua.cards import Facts, by_record
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context, arranged
from interlingua.errors import Unsupported
from interlingua.ir.facts import inputs_of
from interlingua_tensorflow.lowering import lowers
from interlingua_tensorflow.lowering.common import FRAMEWORK, called, chosen


@lowers("MaxPool", "AveragePool")
def pool(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`tf.nn.max_pool2d(x, …)`; where the size is rounded up, the windows' missing ends are padding."""
    if len(node.outputs) > 1 and (node.outputs[1].uses() or node.outputs[1].is_graph_output()):
        raise Unsupported("the indices of the maxima")
    values = {**facts.values}
    if values.get("ceil_mode"):
        values |= {"pads": rounded_up(facts), "ceil_mode": 0}
    if values.get("count_include_pad") and not any(values["pads"]):
        values["count_include_pad"] = 0
    values.pop("storage_order", None)
    plain = dataclasses.replace(facts, values=values)
    try:
        card, keywords = chosen(plain)
    except Unsupported:
        if node.op_type != "AveragePool" or values.get("count_include_pad") or not any(values["pads"]):
            raise
        return mean_of_what_is_there(context, node, plain)
    return called(context, node, plain, card, keywords)


def mean_of_what_is_there(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`mean(pad(x)) / mean(pad(ones))`: a mean over padded windows that divides by what is not padding."""
    bare = dataclasses.replace(facts, values={**facts.values, "pads": [0] * (2 * facts.rank)})
    card, keywords = chosen(bare)
    padding = by_record(FRAMEWORK)["Pad"][0].api
    begin, end = split_pads(facts["pads"])
    pairs = [[0, 0], *([first, last] for first, last in zip(begin, end, strict=True)), [0, 0]]
    x = context.ref(inputs_of(node)["X"][0])
    positional, named = arranged(card, keywords)

    def mean(value: ast.expr) -> ast.expr:
        padded = expressions.call(context.api(padding), [value, pairs])
        return expressions.call(context.api(card.spelled(facts.rank)), [padded, *positional], named)

    context.note_mapping(node, card.spelled(facts.rank))
    ones = expressions.call(context.api("tf.ones_like"), [x])
    return expressions.operator("/", mean(x), mean(ones))


def rounded_up(facts: Facts) -> list[int]:
    """The pads with which rounding down gives the size that rounding up gives without them.

    Raises:
        Unsupported: a size is not known, or the padding would count in a mean.
    """
    shape = facts.shapes.get("X")
    begin, end = split_pads(facts["pads"])
    if facts.get("count_include_pad") and any((*begin, *end)):
        raise Unsupported("a mean that counts padding, with the size rounded up")
    for axis in range(facts.rank):
        size = None if shape is None else shape[2 + axis]
        if not isinstance(size, int):
            raise Unsupported("the size is rounded up and not known")
        stride = facts["strides"][axis]
        reach = (facts["kernel_shape"][axis] - 1) * facts["dilations"][axis] + 1
        steps = -(-(size + begin[axis] + end[axis] - reach) // stride)
        if steps * stride >= size + begin[axis]:
            steps -= 1  # a window that would start in the padding at the end is left out
        end[axis] = max(steps * stride + reach - size - begin[axis], 0)
    return [*begin, *end]
