"""Pooling that torch's functions cannot say: indices, whole numbers, uneven or wide padding, dilated means."""

from __future__ import annotations

import ast
from typing import Any

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.codegen.parts import is_read, unpack
from interlingua.errors import Unsupported
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.common import by_api, by_cards, by_helper
from interlingua_torch.lowering.convolution import SAME_LOWER, pads_itself


def _source(context: Context, node: ir.Node) -> ast.expr:
    assert node.inputs[0] is not None
    return context.as_tensor(node.inputs[0])


def _window(context: Context, node: ir.Node, facts: Facts) -> list[Any]:
    """The arguments that the helpers share: input, window, steps, pads, distances."""
    source = _source(context, node)
    size, stride, dilation = (list(facts[name]) for name in ("kernel_shape", "strides", "dilations"))
    pads: Any = list(facts["pads"])
    if pads_itself(facts):
        lower = {"lower": True} if facts["auto_pad"] == SAME_LOWER else {}
        pads = expressions.call(context.helper("same_pads"), [source, size, stride, dilation], lower)
    return [source, size, stride, pads, dilation]


def _check_windows(node: ir.Node, facts: Facts) -> None:
    """Refuses windows that nowhere fit the padded input: torch gives no empty tensors of it.

    Raises:
        Unsupported: an axis is shorter than its windows.
    """
    source = node.inputs[0]
    if source is None or source.shape is None or pads_itself(facts):
        return
    size, pads = facts["kernel_shape"], facts["pads"]
    for axis, (kernel, dilation) in enumerate(zip(size, facts["dilations"], strict=True)):
        length = source.shape[axis + 2]
        if isinstance(length, int) and length + pads[axis] + pads[axis + len(size)] < (kernel - 1) * dilation + 1:
            raise Unsupported("windows that are larger than the input")


def _flags(**flags: Any) -> dict[str, bool]:
    return {name: True for name, value in flags.items() if value}


@lowers("MaxPool")
def maximum(context: Context, node: ir.Node, facts: Facts) -> ast.expr | None:
    """The card's call where that says it; else a helper that pads with minus infinity, or gives indices too."""
    _check_windows(node, facts)
    flags = _flags(ceil_mode=facts["ceil_mode"])
    if len(node.outputs) > 1 and is_read(node.outputs[1]):
        flags |= _flags(column_major=facts["storage_order"])
        call = by_helper(context, node, "max_pool_with_indices", _window(context, node, facts), flags)
        unpack(context, node, call, "x", "indices")
        return None
    source = node.inputs[0]
    floating = source is None or source.dtype is None or source.dtype.is_floating_point()
    if floating and not pads_itself(facts):
        try:
            return by_cards(context, node, facts)
        except Unsupported:
            if not facts["ceil_mode"]:
                raise
    return by_helper(context, node, "max_pool", _window(context, node, facts), flags)


@lowers("AveragePool")
def mean(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """The card's call where that says it; else a helper that divides sums by how many elements count."""
    _check_windows(node, facts)
    dilated = any(number != 1 for number in facts["dilations"])
    if not dilated and not pads_itself(facts):
        try:
            return by_cards(context, node, facts)
        except Unsupported:
            if facts["count_include_pad"] and not facts["ceil_mode"]:
                raise
    flags = _flags(ceil_mode=facts["ceil_mode"], count_include_pad=facts["count_include_pad"])
    return by_helper(context, node, "average_pool", _window(context, node, facts), flags)


@lowers("LpPool")
def norm(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """The card's call where that says it; else a helper that sums the powers of absolute values."""
    _check_windows(node, facts)
    if not pads_itself(facts):
        try:
            return by_cards(context, node, facts)
        except Unsupported:
            pass
    source, *rest = _window(context, node, facts)
    return by_helper(context, node, "lp_pool", [source, facts["p"], *rest], _flags(ceil_mode=facts["ceil_mode"]))


@lowers("GlobalMaxPool", "GlobalLpPool")
def whole(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.amax` or the norm over the spatial axes, however many there are."""
    if node.op_type == "GlobalMaxPool" and facts.rank in (1, 2, 3):
        return by_cards(context, node, facts)
    if not facts.rank:
        raise Unsupported("an input with an unknown number of axes")
    axes = tuple(range(2, 2 + facts.rank))
    keywords: dict[str, Any] = {"dim": axes, "keepdim": True}
    if node.op_type == "GlobalMaxPool":
        return by_api(context, node, "torch.amax", [_source(context, node)], keywords)
    return by_api(context, node, "torch.linalg.vector_norm", [_source(context, node), facts["p"]], keywords)


@lowers("MaxUnpool")
def unpooled(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """A helper: the indices are those of the whole tensor, not of each plane."""
    indices = node.inputs[1]
    assert indices is not None
    window = [list(facts[name]) for name in ("kernel_shape", "strides", "pads")]
    shape = context.given(node, "output_shape")
    keywords = {} if shape is None else {"output_shape": shape}
    arguments = [_source(context, node), context.as_tensor(indices), *window]
    return by_helper(context, node, "max_unpool", arguments, keywords)
