"""Masks of shifted windows: each window of an image has its own, the same in all images of the batch."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import is_initializer
from interlingua.ir.origin import Constant
from interlingua.ir.weights import moved
from interlingua.passes.raising.reading import Reading, Sizes, home, new, sides, sizes_of
from interlingua.passes.raising.views import Builder

_LAST = 4
"""Axes of a mask: windows, heads, queries, keys."""


def window_masks(reading: Reading, node: ir.Node) -> tuple[ir.Value, ir.Value, int | str | None] | None:
    """The scores, the masks and how many images there are, of scores that windows are split off for a sum.

    That is `Reshape(Add(Reshape(scores, [-1, windows, heads, q, k]), masks), [-1, heads, q, k])`.
    """
    total = reading.made(node.inputs[0], "Add") if reading.alone(node.inputs[0]) else None
    for wide, masks in sides(total) if total is not None else ():
        mark = reading.mark()
        apart = reading.made(wide, "Reshape") if reading.alone(wide) else None
        source = None if apart is None else apart.inputs[0]
        inside = sizes_of(wide)
        parted = source is not None and _is_parted(sizes_of(source), inside, sizes_of(node.outputs[0]))
        if source is not None and parted and inside is not None and _fits(sizes_of(masks), inside):
            return source, masks, inside[0]
        reading.back(mark)
    return None


def _is_parted(before: Sizes | None, inside: Sizes | None, after: Sizes | None) -> bool:
    """Whether nothing but windows are split off the first axis of scores, and joined again."""
    if before is None or inside is None or after is None or (len(before), len(inside)) != (_LAST, _LAST + 1):
        return False
    return None not in before[1:] and before[1:] == inside[2:] == after[1:]


def _fits(masks: Sizes | None, scores: Sizes) -> bool:
    """Whether there is a mask for each of several windows, and none for each image."""
    if masks is None or len(masks) not in (_LAST, _LAST + 1):
        return False
    pairs = zip(masks[-_LAST:], scores[-_LAST:], strict=True)
    whole = isinstance(masks[-_LAST], int) and masks[-_LAST] == scores[-_LAST] != 1
    return whole and masks[:-_LAST] in ((), (1,)) and all(size in (1, wanted) for size, wanted in pairs)


def by_windows(builder: Builder, masks: ir.Value) -> ir.Value:
    """The masks as (windows, heads or 1, queries, keys)."""
    shape = sizes_of(masks) or ()
    if len(shape) == _LAST:
        return masks
    if is_initializer(masks):
        sizes = tuple(size for size in shape[1:] if isinstance(size, int))
        made = moved(home(builder.node), masks, [("reshape", sizes)], "window_mask")
        return metadata.set_origin(made, Constant(made.name or "")) if metadata.is_constant(made) else made
    return builder.add("Squeeze", [masks, builder.numbers("axis", [0])], {}, shape[1:])


def with_windows(
    node: ir.Node, operands: Sequence[ir.Value | None], attributes: dict[str, object], images: int | str | None
) -> list[ir.Node] | None:
    """`Reshape(Attention(Reshape(Q), Reshape(K), Reshape(V), mask))`: the heads of all windows of an image are heads.

    Each of queries, keys and values is (images · windows, heads, length, size), the mask is for the windows of one.
    """
    builder, mask = Builder(node), operands[3]
    shapes, masked = [sizes_of(each) or () for each in operands[:3]], sizes_of(mask)
    heads, result = [shape[1] if len(shape) == _LAST else None for shape in shapes], sizes_of(node.outputs[0])
    count = None if masked is None else masked[0]
    if mask is None or masked is None or result is None or len(masked) != _LAST or not isinstance(count, int):
        return None
    if not isinstance(heads[0], int) or len({*heads}) > 1 or not all(isinstance(size, int) for size in masked[2:]):
        return None
    if masked[1] not in (1, heads[0]) or masked[2] not in (1, shapes[0][2]) or masked[3] != shapes[1][2]:
        return None
    lifted: list[ir.Value] = []
    for each, shape in zip(operands[:3], shapes, strict=True):
        if each is None or not all(isinstance(size, int) for size in shape[2:]):
            return None
        lifted.append(_reshaped(builder, each, (images, count * heads[0], *shape[2:])))
    if masked[1] != heads[0]:
        whole = (count, heads[0], *masked[2:])
        mask = builder.add("Expand", [mask, builder.numbers("heads", [1, heads[0], 1, 1])], {}, whole)
    mask = _reshaped(builder, mask, (count * heads[0], *masked[2:]))
    made = new("Attention", [*lifted, mask], attributes, like=node.outputs[0])
    made.outputs[0].shape = ir.Shape([images, count * heads[0], *result[2:]])
    builder.nodes.append(made)
    _reshaped(builder, made.outputs[0], result)
    return builder.nodes


def _reshaped(builder: Builder, value: ir.Value, sizes: Sizes) -> ir.Value:
    """The value with other sizes, of which the first may be unknown."""
    entries = [size if isinstance(size, int) else -1 for size in sizes]
    return builder.add("Reshape", [value, builder.numbers("shape", entries)], {}, sizes)
