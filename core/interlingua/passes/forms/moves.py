"""Rolled axes, gated halves and blocks of pixels: each function's first sentence is the form."""

from __future__ import annotations

import onnx_ir as ir

from interlingua.ir.facts import shape_of
from interlingua.passes.forms.outline import Form, Piece, closed
from interlingua.passes.orders import order_of
from interlingua.passes.raising.reading import attribute_int, integers, maker, sides, sizes_of
from interlingua.passes.raising.views import views


def _part(value: ir.Value | None, axis: int, size: int) -> tuple[ir.Node, int, int] | None:
    """The Slice that makes the value, from where to where along the axis."""
    node = maker(value, "Slice")
    if node is None or len(node.inputs) < 3:
        return None
    held = [None if each is None else integers(each) for each in node.inputs[1:]]
    starts, ends = held[:2]
    axes, steps = (held[2] if len(held) > 2 else [0]), (held[3] if len(held) > 3 else [1])
    rank = len(shape_of(node.inputs[0]) or ())
    if starts is None or ends is None or axes is None or len(axes) != 1 or steps != [1] or axes[0] % rank != axis:
        return None
    start, end, _ = slice(starts[0], ends[0]).indices(size)
    return node, start, end


def roll(node: ir.Node) -> Piece | None:
    """`Roll(X, shifts, axes)`: `Concat(Slice(X, k, end), Slice(X, 0, k))` along one axis after another."""
    found = _roll(node)
    if found is None:
        return None
    source, axes = found.inputs[0], found.attributes["axes"]
    before = None if source is None else maker(source, "Concat")
    inner = None if before is None else roll(before)
    if inner is None or not closed([*inner.nodes, *found.nodes]) or {*axes} & {*inner.attributes["axes"]}:
        return found
    said = {name: [*inner.attributes[name], *found.attributes[name]] for name in found.attributes}
    return Piece([*inner.nodes, *found.nodes], inner.inputs, said)


def _roll(node: ir.Node) -> Piece | None:
    shape = shape_of(node.outputs[0])
    if len(node.inputs) != 2 or shape is None:
        return None
    axis = attribute_int(node, "axis", 0) % len(shape)
    size = shape[axis]
    if not isinstance(size, int):
        return None
    front, back = (_part(value, axis, size) for value in node.inputs)
    if front is None or back is None:
        return None
    (first, start, end), (second, zero, shift) = front, back
    source = first.inputs[0]
    before = shape_of(source)
    if second.inputs[0] is not source or before is None or before[axis] != size:
        return None
    if end != size or zero != 0 or start != shift or not 0 < shift < size or not closed([first, second, node]):
        return None
    shorter = -shift if shift <= size - shift else size - shift
    return Piece([first, second, node], [source], {"shifts": [shorter], "axes": [axis]})


def gated(node: ir.Node) -> Piece | None:
    """`Glu(X, axis)`: one half of an axis times the sigmoid of the other."""
    for inner, gate in sides(node):
        sigmoid = maker(gate, "Sigmoid")
        plain, gating = half(inner), None if sigmoid is None else half(sigmoid.inputs[0])
        if sigmoid is None or plain is None or gating is None:
            continue
        (source, axis, index, makers), (other, same, second, more) = plain, gating
        nodes = [*dict.fromkeys([*makers, *more]), sigmoid, node]
        if source is other and axis == same and (index, second) == (0, 1) and closed(nodes):
            return Piece(nodes, [source], {"axis": axis})
    return None


def half(value: ir.Value | None) -> tuple[ir.Value, int, int, list[ir.Node]] | None:
    """What the value is one half of, along which axis, and which one."""
    node = maker(value, "Split", "Slice")
    if value is None or node is None or node.inputs[0] is None:
        return None
    for view in views(value):
        if view.base is not node.inputs[0] or len(view.chosen) != 1:
            continue
        ((factor, index),) = view.chosen.items()
        axis = next(at for at, each in enumerate(view.source) if factor in each)
        rest = [[each for each in one if each is not factor] for one in view.source]
        if factor.size == 2 and rest == view.axes:
            return view.base, axis, index, [node]
    return None


_UNSHUFFLE = (0, 1, 3, 5, 2, 4)


def unshuffled(node: ir.Node) -> Piece | None:
    """`PixelUnshuffle(X)`: the blocks of each channel as channels beside each other, `Reshape(Transpose(Reshape(X)))`.

    `SpaceToDepth` has the blocks of all channels in the other order.
    """
    turn = maker(node.inputs[0], "Transpose")
    first = None if turn is None or order_of(turn) != _UNSHUFFLE else maker(turn.inputs[0], "Reshape")
    source = None if first is None else first.inputs[0]
    if turn is None or first is None or source is None or not closed([first, turn, node]):
        return None
    before, inside, after = sizes_of(source), sizes_of(turn.inputs[0]), sizes_of(node.outputs[0])
    if before is None or inside is None or after is None or (len(before), len(inside), len(after)) != (4, 6, 4):
        return None
    block = inside[3]
    sizes = [size for size in (*before[1:], *inside[1:], *after[1:]) if isinstance(size, int)]
    if not isinstance(block, int) or block < 2 or len(sizes) != 11:
        return None
    channels, height, width = sizes[:3]  # where they fit, the number of elements settles the batch
    fits = sizes[3:8] == [channels, height // block, block, width // block, block]
    fits = fits and sizes[8:] == [channels * block**2, height // block, width // block]
    return Piece([first, turn, node], [source], {"blocksize": block}) if fits else None


FORMS = (
    Form("Roll", frozenset({"Concat"}), roll),
    Form("Glu", frozenset({"Mul"}), gated),
    Form("PixelUnshuffle", frozenset({"Reshape"}), unshuffled),
)
