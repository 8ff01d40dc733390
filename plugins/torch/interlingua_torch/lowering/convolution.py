"""Convolutions whose padding depends on sizes, transposed ones with odd edges, and deformable ones."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua.adapters import split_pads
from interlingua.cards import Facts
from interlingua.codegen.lowering import Context
from interlingua.errors import Unsupported
from interlingua.ir.facts import facts_of
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.common import by_cards, by_helper, said, tensors

SAME_LOWER = "SAME_LOWER"


def pads_itself(facts: Facts) -> bool:
    """Whether the padding depends on sizes that only the running model knows."""
    return facts["auto_pad"] in ("SAME_UPPER", SAME_LOWER)


def pad_as_needed(context: Context, node: ir.Node, facts: Facts) -> None:
    """Replaces `Conv(X, auto_pad)` by `Conv(pad_same(X))`, in place."""
    source = node.inputs[0]
    assert source is not None
    window = [facts["kernel_shape"], facts["strides"], facts["dilations"]]
    lower = {"lower": True} if facts["auto_pad"] == SAME_LOWER else {}
    call = by_helper(context, node, "pad_same", [context.ref(source), *window], lower)
    variable = context.statement("padded", call)
    assert isinstance(variable, ast.Name)
    padded = ir.Value(name=f"{source.name}.padded.{node.name}", type=source.type)
    context.name(padded, variable.id)
    node.replace_input_with(0, padded)
    node.attributes.pop("auto_pad")


@lowers("Conv")
def convolution(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """The card's call; of a padded input where the padding depends on sizes."""
    if pads_itself(facts):
        pad_as_needed(context, node, facts)
        facts = facts_of(node)
    return by_cards(context, node, facts)


@lowers("ConvTranspose")
def transposed(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """The card's call; a helper where the output's padding is wider than a stride."""
    if pads_itself(facts) or facts["output_shape"] is not None:
        raise Unsupported("a size of the output whose padding depends on sizes of the input")
    reach = [max(pair) for pair in zip(facts["strides"], facts["dilations"], strict=True)]
    if all(extra < limit for extra, limit in zip(facts["output_padding"], reach, strict=True)):
        return by_cards(context, node, facts)
    numbers = [facts[name] for name in ("strides", "pads", "output_padding", "dilations")]
    groups = {"groups": facts["group"]} if facts["group"] != 1 else {}
    return by_helper(context, node, "conv_transpose", [*tensors(context, node, "X", "W", "B"), *numbers], groups)


@lowers("DeformConv")
def deformable(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """A helper, since torch itself has none: bilinear samples, then a product with the kernels."""
    if facts.rank != 2:
        raise Unsupported("deformable convolution of other than two spatial axes")
    x, weight, offset, bias, mask = tensors(context, node, "X", "W", "offset", "B", "mask")
    begin, _ = split_pads(facts["pads"])
    keywords = said(
        bias=(bias, None),
        mask=(mask, None),
        stride=(tuple(facts["strides"]), (1, 1)),
        padding=(tuple(begin), (0, 0)),
        dilation=(tuple(facts["dilations"]), (1, 1)),
        groups=(facts["group"], 1),
        offset_groups=(facts["offset_group"], 1),
    )
    return by_helper(context, node, "deform_conv2d", [x, weight, offset], keywords)
