"""Blocks of pixels that exporters reshape: each rule's first sentence is the transformation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx_ir as ir

from interlingua.passes.orders import order_of
from interlingua.passes.raising.reading import Reading, Rule, new, sizes_of

_CRD = (0, 1, 4, 2, 5, 3)
_DCR = (0, 3, 4, 1, 5, 2)
_DEPTH = (0, 3, 5, 1, 2, 4)


def blocks(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Reshape(Transpose(Reshape(x)))` that moves blocks of pixels by `DepthToSpace(x)` or `SpaceToDepth(x)`.

    Both orders of channels and blocks are known. Channel shuffles, windows and torch's `pixel_unshuffle`, whose order
    no operator has, stay what they are.
    """
    turn = reading.made(node.inputs[0], "Transpose")
    first = None if turn is None else reading.made(turn.inputs[0], "Reshape")
    source = None if first is None else first.inputs[0]
    order = None if turn is None else order_of(turn)
    if turn is None or source is None or order not in (_CRD, _DCR, _DEPTH):
        return None
    before, inside, after = sizes_of(source), sizes_of(turn.inputs[0]), sizes_of(node.outputs[0])
    if before is None or inside is None or after is None or len(before) != 4 or len(inside) != 6 or len(after) != 4:
        return None
    if not before[0] == inside[0] == after[0] or before[0] is None:
        return None
    sizes = [size for size in (*before[1:], *inside[1:], *after[1:]) if isinstance(size, int)]
    if len(sizes) != 11:
        return None
    channels, height, width, one, two, three, four, five, left, tall, wide = sizes
    if order == _DEPTH:
        block, fits = three, (one, two * three, four * five) == (channels, height, width) and three == five
        fits = fits and (left, tall, wide) == (channels * block**2, height // block, width // block)
        return (
            [new("SpaceToDepth", [source], {"blocksize": block}, like=node.outputs[0])] if fits and block > 1 else None
        )
    rest, block, other = (one, two, three) if order == _CRD else (three, one, two)
    fits = block == other and rest * block**2 == channels and (four, five) == (height, width)
    fits = fits and (left, tall, wide) == (rest, height * block, width * block)
    mode = "CRD" if order == _CRD else "DCR"
    said: dict[str, object] = {"blocksize": block, "mode": mode}
    return [new("DepthToSpace", [source], said, like=node.outputs[0])] if fits and block > 1 else None


RULES: Mapping[str, Sequence[Rule]] = {"Reshape": (blocks,)}
