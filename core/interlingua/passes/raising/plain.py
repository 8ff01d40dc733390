"""What exporters write in a roundabout way and the rules should not have to know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import bypass, constant, graph_of
from interlingua.ir.facts import shape_of
from interlingua.ir.metadata import copy_place
from interlingua.ir.weights import moved
from interlingua.passes.raising.reading import Reading, Rule, attribute_int, home, integers, maker, new, sides, tensor

_LAST = np.iinfo(np.int32).max
_LARGEST = 1 << 20
"""Entries of a table of places up to which it is read."""


def cast_like(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `CastLike(X, Y)` by `Cast(X)` to the type of Y, or by X where it has that type."""
    source, like = node.inputs[0], node.inputs[1]
    if source is None or like is None or like.dtype is None:
        return None
    if source.dtype == like.dtype and bypass(node, source):
        return None
    made = new("Cast", [source], {"to": int(like.dtype)})
    made.attributes.update(node.attributes)
    made.outputs[0].type, made.outputs[0].shape = ir.TensorType(like.dtype), source.shape
    return [made]


def whole_slice(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Slice(X, 0, end)` that leaves out nothing by X."""
    source = node.inputs[0]
    starts, ends = integers(node.inputs[1]), integers(node.inputs[2])
    if source is None or starts is None or ends is None or any(starts):
        return None
    axes = integers(node.inputs[3]) if len(node.inputs) > 3 and node.inputs[3] is not None else list(range(len(starts)))
    steps = integers(node.inputs[4]) if len(node.inputs) > 4 and node.inputs[4] is not None else [1] * len(starts)
    if axes is None or steps is None or any(step != 1 for step in steps):
        return None
    shape = shape_of(source)
    for end, axis in zip(ends, axes, strict=True):
        size = None if shape is None else shape[axis]
        if end < _LAST and not (isinstance(size, int) and end >= size):
            return None
    bypass(node, source)
    return None


def plain_gather(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `GatherND(X, Unsqueeze(I, -1))` by `Gather(X, I)` along the first axis, as `table[indices]` is meant.

    Constant I is written with that axis.
    """
    source, shape = node.inputs[0], shape_of(node.inputs[1])
    added, held = maker(_alone(node.inputs[1], "Concat"), "Unsqueeze"), constant(node.inputs[1], _LARGEST)
    axes = None if added is None else integers(added.inputs[1])
    if shape is None or attribute_int(node, "batch_dims", 0):
        return None
    if added is not None and axes in ([-1], [len(shape) - 1]):
        return [new("Gather", [source, added.inputs[0]], {"axis": 0}, like=node.outputs[0])]
    if held is None or held.shape[-1] != 1 or node.inputs[1] is None or metadata.is_state(node.inputs[1]):
        return None
    places = moved(home(node), node.inputs[1], [("reshape", held.shape[:-1])])
    return [new("Gather", [source, places], {"axis": 0}, like=node.outputs[0])]


def _alone(value: ir.Value | None, op: str) -> ir.Value | None:
    """What an operator of any number of inputs is given alone and so leaves as it is; else the value."""
    node = maker(value, op)
    return node.inputs[0] if node is not None and len(node.inputs) == 1 else value


def own_shape(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Expand(X, Shape(X))` by X: the common shape of all indices of `table[indices]`, where there is one."""
    source, asked = node.inputs[0], maker(node.inputs[1], "Shape")
    whole = asked is not None and attribute_int(asked, "start", 0) == 0 and "end" not in asked.attributes
    if source is not None and asked is not None and whole and _alone(asked.inputs[0], "Max") is source:
        bypass(node, source)
    return None


def sequence_of_parts(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `SequenceAt(SplitToSequence(X, n), i)` for constant i by the outputs of one `Split`."""
    source = node.inputs[0]
    shape = shape_of(source)
    if source is None or shape is None or not node.outputs or attribute_int(node, "keepdims", 1) != 1:
        return None
    axis = attribute_int(node, "axis", 0) % len(shape)
    length = shape[axis]
    split = constant(node.inputs[1]) if len(node.inputs) > 1 else np.asarray(1)
    if not isinstance(length, int) or split is None or node.outputs[0].is_graph_output():
        return None
    if split.ndim:
        sizes = [int(size) for size in split]
    else:
        each = int(split)
        sizes = [min(each, length - start) for start in range(0, length, each)] if each > 0 else []
    uses = list(node.outputs[0].uses())
    chosen = [(use.node, integers(use.node.inputs[1])) for use in uses if use.node.op_type == "SequenceAt"]
    if len(chosen) != len(uses) or sum(sizes) != length or any(index is None for _, index in chosen):
        return None
    parts = _split_before(node, source, axis, sizes) or _split(node, source, axis, sizes)
    for use, index in chosen:
        assert index is not None
        part = parts[index[0]]
        if use.outputs[0].is_graph_output():
            part.name = f"{part.name} (part)"
            bypass(use, part)
            continue
        if not part.uses() and use.outputs[0].name:
            name, use.outputs[0].name = use.outputs[0].name, f"{use.outputs[0].name} (part)"
            part.name = name
        use.outputs[0].replace_all_uses_with(part)
        assert use.graph is not None
        use.graph.remove(use, safe=True)
    graph_of(node).remove(node, safe=True)
    return None


def _split(node: ir.Node, source: ir.Value, axis: int, sizes: Sequence[int]) -> list[ir.Value]:
    """The parts that a new Split in front of the node makes."""
    shape = shape_of(source)
    assert shape is not None and node.graph is not None
    lengths = tensor(node, f"{node.outputs[0].name}_sizes", np.asarray(sizes, np.int64))
    names = [f"{node.outputs[0].name}_{number}" for number in range(len(sizes))]
    parts = [
        ir.Value(name=name, type=source.type, shape=_part(shape, axis, size))
        for name, size in zip(names, sizes, strict=True)
    ]
    made = ir.Node("", "Split", [source, lengths], [ir.AttrInt64("axis", axis)], outputs=parts)
    copy_place(node, [made])
    node.graph.insert_before(node, made)
    return parts


def _split_before(node: ir.Node, source: ir.Value, axis: int, sizes: Sequence[int]) -> list[ir.Value] | None:
    """The parts that the same sequence became before: PyTorch's exporter writes one for each part that is read."""
    for use in source.uses():
        same = use.node.op_type == "Split" and use.idx == 0 and use.node.graph is node.graph
        if same and attribute_int(use.node, "axis", 0) == axis and integers(use.node.inputs[1]) == [*sizes]:
            return list(use.node.outputs)
    return None


def scalar_ends(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces ends and step of `Range` that are one element on an axis by `Squeeze(X)`: the standard wants scalars."""
    if not any(shape_of(value) == (1,) for value in node.inputs):
        return None
    made: list[ir.Node] = []
    ends: list[ir.Value | None] = []
    for value in node.inputs:
        if shape_of(value) == (1,):
            made.append(new("Squeeze", [value], like=value, shape=()))
            value = made[-1].outputs[0]
        ends.append(value)
    return [*made, new("Range", ends, like=node.outputs[0])]


def select(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Cast(condition) · X + Cast(Not(condition)) · Y` of whole numbers by `Where(condition, X, Y)`."""
    dtype = node.outputs[0].dtype
    if dtype is None or not dtype.is_integer():
        return None
    terms = [reading.made(value, "Mul") for value in node.inputs]
    for one, other in (terms, terms[::-1]):
        for kept, first in sides(one) if one is not None else ():
            for left, second in sides(other) if other is not None else ():
                mark = reading.mark()
                yes, no = _cast_condition(reading, kept), _cast_condition(reading, left)
                turned = None if no is None else reading.made(no, "Not")
                if yes is not None and turned is not None and turned.inputs[0] is yes:
                    return [new("Where", [yes, first, second], like=node.outputs[0])]
                reading.back(mark)
    return None


def _cast_condition(reading: Reading, value: ir.Value) -> ir.Value | None:
    """What is cast from a condition to zeros and ones."""
    node = reading.made(value, "Cast")
    source = None if node is None else node.inputs[0]
    return source if source is not None and source.dtype == ir.DataType.BOOL else None


def _part(shape: tuple[int | str | None, ...], axis: int, size: int) -> ir.Shape:
    return ir.Shape([size if position == axis else each for position, each in enumerate(shape)])


RULES: Mapping[str, Sequence[Rule]] = {
    "Add": (select,),
    "CastLike": (cast_like,),
    "Expand": (own_shape,),
    "GatherND": (plain_gather,),
    "Range": (scalar_ends,),
    "Slice": (whole_slice,),
    "SplitToSequence": (sequence_of_parts,),
}
