"""What assignments to a part of a tensor, `x[:, 1:] = y`, come as: scatters along an axis, and parts read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import bypass, constant
from interlingua.ir.facts import shape_of
from interlingua.passes.orders import order_of
from interlingua.passes.raising.reading import (
    Reading,
    Rule,
    attribute_int,
    integers,
    maker,
    new,
    number,
    rank,
    sizes_of,
    tensor,
)

Cut = tuple[int, int, int, int]
"""Axis, start, end and step of a slice."""
_WRITTEN = "interlingua.written"
"""Marks a Concat that stands for a scatter."""
_LONGEST = 1 << 16
"""Entries of an axis up to which written places are read one by one."""


def rows_written(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `ScatterND(X, [[a], …, [b - 1]], Y)` by `Concat(X[:a], Y, X[b:])`, or by Y where that is all of X."""
    data, updates = node.inputs[0], node.inputs[2]
    if data is None or updates is None or _is_turned(node):
        return None
    return _written(node, node, data, updates, 0)


def slices_written(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces a `ScatterND` like that between Transposes, as PyTorch writes other axes, by a `Concat` along the axis.

    The axis is the one that the Transposes bring to the front.
    """
    scatter, back = maker(node.inputs[0], "ScatterND"), order_of(node)
    if scatter is None or back is None or scatter.graph is not node.graph:
        return None
    order = tuple(back.index(axis) for axis in range(len(back)))
    data, updates = (_turned_back(node, scatter.inputs[index], order, back) for index in (0, 2))
    return None if data is None or updates is None else _written(node, scatter, data, updates, order[0])


def _turned_back(
    node: ir.Node, value: ir.Value | None, order: tuple[int, ...], back: tuple[int, ...]
) -> ir.Value | None:
    """What the value is a Transpose of, to that order; a constant that the code states is written as it was."""
    source = maker(value, "Transpose")
    if source is not None:
        return source.inputs[0] if order_of(source) == order else None
    held = constant(value)
    if value is None or held is None or held.ndim != len(back) or not metadata.is_constant(value):
        return None
    return tensor(node, value.name or "", np.ascontiguousarray(held.transpose(back)))


def entry_written(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `ScatterElements(X, k everywhere, Y)`, of a Y as large as X but for one entry along the axis, alike."""
    data, updates = node.inputs[0], node.inputs[2]
    whole, part = sizes_of(data), sizes_of(updates)
    place = _one_place(node.inputs[1])
    if data is None or updates is None or whole is None or part is None or place is None or not _plain(node):
        return None
    axis = attribute_int(node, "axis", 0) % len(whole)
    size = whole[axis]
    if part != (*whole[:axis], 1, *whole[axis + 1 :]) or None in part or not isinstance(size, int):
        return None
    start = place + size if place < 0 else place
    return _put(node, data, updates, axis, start, start + 1, size)


def part_of_parts(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Slice(Concat(X, Y), …)` by Y where that is just what is cut out of what was written in parts.

    What the source itself joins stays: the module that takes it apart is given the whole.
    """
    source, cut = node.inputs[0], _one_cut(node)
    piece = None if source is None or cut is None else _piece(source, *cut)
    if piece is not None and piece.graph is node.graph:
        bypass(node, piece)
    return None


def entry_read(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Squeeze(Slice(X, i, i + 1, axis), axis)` by `Gather(X, i)` along the axis: `x.unbind()` comes so."""
    part, squeezed = reading.made(node.inputs[0], "Slice"), integers(node.inputs[1]) if len(node.inputs) > 1 else None
    cut, count = None if part is None else _one_cut(part), rank(node.inputs[0])
    if part is None or cut is None or squeezed is None or count is None:
        return None
    axis, start, end = cut
    if end - start != 1 or [each % count for each in squeezed] != [axis]:
        return None
    place = tensor(node, f"{node.outputs[0].name}_place", np.asarray(start, np.int64))
    return [new("Gather", [part.inputs[0], place], {"axis": axis}, like=node.outputs[0])]


def slice_of_slice(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Slice(Slice(X, …), …)` by one Slice: `x[:, 1:, ::2]` comes as one an axis."""
    source, cuts = node.inputs[0], _cuts(node)
    if source is None or cuts is None or _uncut(source, cuts)[0] is source:
        return None
    made = _cut(node, source, cuts)
    made.outputs[0].shape = node.outputs[0].shape
    return [made]


def _is_turned(node: ir.Node) -> bool:
    """Whether the scatter stands between Transposes, so that `slices_written` is the rule for it."""
    users = [use.node for use in node.outputs[0].uses()]
    turned = any(maker(node.inputs[index], "Transpose") is not None for index in (0, 2))
    return turned and len(users) == 1 and users[0].op_type == "Transpose" and not node.outputs[0].is_graph_output()


def _plain(node: ir.Node) -> bool:
    """Whether what is there is replaced, not added to."""
    reduction = node.attributes.get("reduction")
    return reduction is None or reduction.as_string() == "none"


def _written(root: ir.Node, scatter: ir.Node, data: ir.Value, updates: ir.Value, axis: int) -> Sequence[ir.Node] | None:
    """What replaces the root, whose value is `data` with `updates` along the axis at the scatter's places."""
    whole, part = sizes_of(data), sizes_of(updates)
    start = _first_place(scatter.inputs[1])
    if whole is None or part is None or start is None or len(whole) != len(part) or not _plain(scatter):
        return None
    size, count = whole[axis], part[axis]
    if start == 0 and size is not None and size == count:
        bypass(root, updates)
        return None
    if not isinstance(size, int) or not isinstance(count, int) or start + count > size:
        return None
    return _put(root, data, updates, axis, start, start + count, size)


def _put(
    root: ir.Node, data: ir.Value, updates: ir.Value, axis: int, start: int, end: int, size: int
) -> Sequence[ir.Node] | None:
    """The Concat of what is before, the updates, and what is behind; nothing where they are there already."""
    if _piece(data, axis, start, end) is updates or _is_cut(updates, data, (axis, start, end)):
        bypass(root, data)
        return None
    made: list[ir.Node] = []
    before = _parts(root, data, axis, 0, start, made)
    behind = _parts(root, data, axis, end, size, made)
    if not before and not behind:
        bypass(root, updates)
        return None
    joined = new("Concat", [*before, updates, *behind], {"axis": axis}, like=root.outputs[0])
    joined.meta[_WRITTEN] = True
    return [*made, joined]


def _parts(root: ir.Node, value: ir.Value, axis: int, start: int, end: int, made: list[ir.Node]) -> list[ir.Value]:
    """The values that, joined, are `value` from start to end along the axis; Slices that are needed go to `made`."""
    shape = shape_of(value)
    assert shape is not None
    if start >= end:
        return []
    if start == 0 and end == shape[axis]:
        return [value]
    joined = _joined(value, axis)
    if joined is not None:
        found: list[ir.Value] = []
        for each, size in joined:
            found.extend(_parts(root, each, axis, max(start, 0), min(end, size), made))
            start, end = start - size, end - size
        return found
    made.append(_cut(root, value, [(axis, start, end, 1)]))
    made[-1].outputs[0].shape = ir.Shape([end - start if index == axis else size for index, size in enumerate(shape)])
    return [made[-1].outputs[0]]


def _cut(root: ir.Node, value: ir.Value, cuts: list[Cut]) -> ir.Node:
    """A Slice of the value, or of what the value itself is a Slice of."""
    source, cuts = _uncut(value, cuts)
    stem = root.outputs[0].name
    given = [
        tensor(root, f"{stem}_{name}", np.asarray([cut[index] for cut in cuts], np.int64))
        for index, name in ((1, "starts"), (2, "ends"), (0, "axes"), (3, "steps"))
    ]
    if all(cut[3] == 1 for cut in cuts):
        given.pop()
    made = new("Slice", [source, *given])
    made.outputs[0].type = value.type
    return made


def _uncut(value: ir.Value, cuts: list[Cut]) -> tuple[ir.Value, list[Cut]]:
    """What the value is a Slice of, with both cuts as one in order of axes; the value itself where that is not told."""
    inner = maker(value, "Slice")
    others, shape = (None, None) if inner is None else (_cuts(inner), shape_of(inner.inputs[0]))
    if inner is None or inner.inputs[0] is None or others is None or shape is None:
        return value, cuts
    found = {cut[0]: cut for cut in others}
    for cut in cuts:
        axis, start, end, step = cut
        size = shape[axis]
        if axis in found:
            if not isinstance(size, int) or found[axis][3] != 1:
                return value, cuts
            first, last, _ = slice(*found[axis][1:3]).indices(size)
            start, end, _ = slice(start, end).indices(max(last - first, 0))
            cut = (axis, first + start, first + max(end, start), step)
        found[axis] = cut
    return inner.inputs[0], sorted(found.values())


def _piece(value: ir.Value, axis: int, start: int, end: int) -> ir.Value | None:
    """The one of joined values that is `value` from start to end along the axis."""
    for each, size in _joined(value, axis) or ():
        if (start, end) == (0, size):
            return each
        if 0 <= start < end <= size:
            return _piece(each, axis, start, end)
        start, end = start - size, end - size
    return None


def _joined(value: ir.Value, axis: int) -> list[tuple[ir.Value, int]] | None:
    """The values that were written along the axis to make this one, with their known sizes there."""
    node = maker(value, "Concat")
    if node is None or _WRITTEN not in node.meta or attribute_int(node, "axis", 0) % (rank(value) or 1) != axis:
        return None
    found = [(each, shape[axis]) for each in node.inputs if each is not None and (shape := shape_of(each)) is not None]
    known = [(each, size) for each, size in found if isinstance(size, int)]
    return known if len(known) == len(node.inputs) else None


def _first_place(value: ir.Value | None) -> int | None:
    """Where places of one axis each, that follow one another, begin: `[[2], [3], [4]]`, or a Range from there on."""
    held, shape = constant(value, _LONGEST), shape_of(value)
    if shape is None or len(shape) != 2 or shape[1] != 1:
        return None
    if held is not None:
        places = held.reshape(-1)
        following = places.size and places[0] >= 0 and bool((np.diff(places) == 1).all())
        return int(places[0]) if following else None
    added = maker(value, "Unsqueeze")
    counted = None if added is None else maker(added.inputs[0], "Range")
    start = None if counted is None else number(counted.inputs[0])
    return int(start) if counted is not None and start is not None and number(counted.inputs[2]) == 1 else None


def _one_place(value: ir.Value | None) -> int | None:
    """The number that all places have in common."""
    spread = maker(value, "Expand")
    held = constant(value if spread is None else spread.inputs[0], _LONGEST)
    return int(held.flat[0]) if held is not None and held.size and bool((held == held.flat[0]).all()) else None


def _cuts(node: ir.Node) -> list[Cut] | None:
    """Each axis that a Slice by constants cuts; None where it goes backwards or is not told."""
    count = rank(node.inputs[0])
    told = [integers(value) for value in node.inputs[1:]]
    if count is None or any(held is None and node.inputs[1 + index] is not None for index, held in enumerate(told)):
        return None
    starts, ends, axes, steps = [*told, None, None][:4]
    assert starts is not None and ends is not None
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    rows = zip(axes, starts, ends, steps, strict=True)
    return [(axis % count, start, end, step) for axis, start, end, step in rows] if min(steps, default=1) > 0 else None


def _one_cut(node: ir.Node) -> tuple[int, int, int] | None:
    """Axis, start and end of a Slice along one axis of a known length, in steps of one."""
    rows, shape = _cuts(node), shape_of(node.inputs[0])
    if rows is None or shape is None or len(rows) != 1 or rows[0][3] != 1:
        return None
    axis, start, end, _ = rows[0]
    size = shape[axis]
    if not isinstance(size, int):
        return None
    start, end, _ = slice(start, end).indices(size)
    return axis, start, end


def _is_cut(part: ir.Value, whole: ir.Value, cut: tuple[int, int, int]) -> bool:
    """Whether the part is that slice of the whole."""
    node = maker(part, "Slice")
    return node is not None and node.inputs[0] is whole and _one_cut(node) == cut


RULES: Mapping[str, Sequence[Rule]] = {
    "ScatterElements": (entry_written,),
    "ScatterND": (rows_written,),
    "Slice": (part_of_parts,),
    "Transpose": (slices_written,),
}
SLICES: Mapping[str, Sequence[Rule]] = {"Slice": (slice_of_slice,), "Squeeze": (entry_read,)}
"""What is said shorter; rules that know an operator by its pieces look for these as the source spells them."""
