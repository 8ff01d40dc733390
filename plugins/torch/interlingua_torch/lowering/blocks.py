"""Blocks of images as channels and back, and their sums."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.errors import Unsupported
from interlingua.ir.facts import inputs_of, shape_of
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.common import by_cards
from interlingua_torch.lowering.terms import number_of, source

UNSHUFFLE = "torch.nn.functional.pixel_unshuffle"
_SHUFFLE = "torch.nn.functional.pixel_shuffle"
_FOLD = "torch.nn.functional.fold"


def _turned(value: ast.expr, sizes: tuple[int, int]) -> ast.expr:
    """The channels (A · B) as (B · A)."""
    apart = expressions.method(value, "unflatten", [1, sizes])
    return expressions.method(expressions.method(apart, "transpose", [1, 2]), "flatten", [1, 2])


@lowers("DepthToSpace")
def depth_to_space(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`F.pixel_shuffle(x, 2)`; in mode DCR the channels change places before it."""
    if facts["mode"] == "CRD":
        return by_cards(context, node, facts)
    size = facts["blocksize"]
    context.note_mapping(node, _SHUFFLE)
    turned = _turned(source(context, node), (size * size, -1))
    return expressions.call(context.api(_SHUFFLE), [turned, size])


@lowers("SpaceToDepth")
def space_to_depth(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`F.pixel_unshuffle(x, 2)`; of several channels they change places after it."""
    size = facts["blocksize"]
    context.note_mapping(node, UNSHUFFLE)
    call = expressions.call(context.api(UNSHUFFLE), [source(context, node), size])
    channels = (facts.shapes.get("input") or (None, None))[1]
    return call if channels == 1 else _turned(call, (-1, size * size))


@lowers("Col2Im")
def columns_to_image(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`F.fold(x, image, block, …)` for images with the same pads at both ends, else a helper."""
    given = inputs_of(node)
    sizes = [context.integers(given[name][0]) for name in ("image_shape", "block_shape")]
    count = len(sizes[0])
    strides, dilations = (facts[name] or [1] * count for name in ("strides", "dilations"))
    pads = facts["pads"] or [0] * (2 * count)
    context.note_mapping(node, _FOLD)
    if count != 2 or pads[:count] != pads[count:]:
        arguments = [source(context, node), *sizes, strides, pads, dilations]
        return expressions.call(context.helper("columns_to_image"), arguments)
    said = {"dilation": dilations, "padding": pads[:count], "stride": strides}
    named = {
        name: _short(list(value))
        for name, value in said.items()
        if list(value) != [0 if name == "padding" else 1] * count
    }
    image, block = (_short([_plain(each) for each in size]) for size in sizes)
    if not isinstance(image, tuple):
        image = (image, image)
    return expressions.call(context.api(_FOLD), [source(context, node), image, block], named)


def _plain(size: ast.expr) -> int | ast.expr:
    number = number_of(size)
    return size if number is None else number


def _short(sizes: list[int | ast.expr]) -> object:
    return sizes[0] if isinstance(sizes[0], int) and all(each == sizes[0] for each in sizes) else tuple(sizes)


@lowers("ReverseSequence")
def reverse_sequence(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """A helper that gathers each sequence's elements from its end."""
    context.note_mapping(node, "torch.Tensor.__getitem__")
    arguments = [source(context, node), source(context, node, 1), facts["time_axis"], facts["batch_axis"]]
    return expressions.call(context.helper("reverse_sequence"), arguments)


@lowers("CenterCropPad")
def center_crop_pad(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`F.pad(x, (-1, -2))` where the sizes are known, else a helper that works them out."""
    given = inputs_of(node)
    shape, sizes = shape_of(given["input_data"][0]), context.sizes.entries(given["shape"][0])
    axes = facts["axes"]
    if axes is None:
        if shape is None:
            raise Unsupported("all axes of an input with an unknown number of them")
        axes = list(range(len(shape)))
    context.note_mapping(node, "torch.nn.functional.pad")
    pads = _pads(shape, sizes, axes)
    if pads is not None:
        return expressions.call(context.api("torch.nn.functional.pad"), [source(context, node), tuple(pads)])
    target = context.python(given["shape"][0])
    return expressions.call(context.helper("center_crop_pad"), [source(context, node), target, list(axes)])


def _pads(
    shape: tuple[int | str | None, ...] | None, sizes: list[ast.expr] | None, axes: list[int]
) -> list[int] | None:
    if shape is None or sizes is None:
        return None
    pairs = [(0, 0)] * len(shape)
    for axis, size in zip(axes, sizes, strict=True):
        old, new = shape[axis], number_of(size)
        if not isinstance(old, int) or new is None:
            return None
        more = new - old
        before = more // 2 if more > 0 else -(-more // 2)
        pairs[axis] = (before, more - before)
    while len(pairs) > 1 and pairs[0] == (0, 0):
        pairs.pop(0)
    return [amount for pair in reversed(pairs) for amount in pair]
