"""Rotated pairs of features as the operator that ONNX has for them since opset 23."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx_ir as ir

from interlingua.ir.edit import replace
from interlingua.onnx.rotary_tables import Tables
from interlingua.passes.forms.outline import Piece
from interlingua.passes.forms.rotary import rotation
from interlingua.passes.raising.reading import (
    Sizes,
    attribute_int,
    integers,
    maker,
    new,
    remember_home,
    sizes_of,
    tensor,
)

SINCE = 23
"""The opset that has the operator."""

_RANK = 4


@dataclasses.dataclass(frozen=True)
class _Rotation:
    """What is rotated, of how many features of each head, and the last node of it; `heads` is the axis of the heads."""

    node: ir.Node
    source: ir.Value
    features: int
    heads: int
    partial: bool = False


def name_rotations(model: ir.Model) -> bool:
    """Replaces `X · cos + turned(X) · sin` by `RotaryEmbedding(X, cos, sin)`; says whether it did.

    So where the cosines and sines of each pair of features are the same, and the heads in front of the positions or
    behind them. What the operator wants for each sample is repeated where the source has it for all. Features of each
    head that are left as they are, behind those that are rotated, become part of it.
    """
    remember_home(model)
    tables = Tables(model.graph)
    changed = False
    for node in list(model.graph):
        piece = rotation(node) if node.op_type == "Add" and node.domain == "" else None
        found = None if piece is None else _found(node, piece)
        if piece is None or found is None:
            continue
        interleaved = bool(piece.attributes["interleaved"])
        halves = [tables.pairs(table, interleaved, found.heads) for table in piece.inputs[1:]]
        if any(half is None for half in halves):
            continue
        samples = sizes_of(found.source)
        caches = [tables.of_samples(half, found.source, samples, node) for half in halves if half is not None]
        replace(found.node, _rotated(found, caches, interleaved))
        changed = True
    return changed


def _found(node: ir.Node, piece: Piece) -> _Rotation | None:
    """The rotation that ends at a sum, with what is not rotated beside it; None where sizes are not known to fit."""
    source, cosine, sine = piece.inputs
    shape = sizes_of(source)
    if source is None or shape is None or len(shape) != _RANK or None in shape[:3] or not isinstance(shape[3], int):
        return None
    axes = {_heads(shape, sizes_of(table)) for table in (cosine, sine)}
    heads = axes.pop()
    if axes or heads is None or (heads == 2 and not isinstance(shape[2], int)):
        return None
    return _with_rest(_Rotation(node, source, shape[3], heads))


def _heads(shape: Sizes, table: Sizes | None) -> int | None:
    """The axis of the heads, for which a table has one row; None where it is no table for samples and positions."""
    if table is None or not 2 <= len(table) <= _RANK:
        return None
    wide = (*(1,) * (_RANK - len(table)), *table)
    if wide[0] not in (1, shape[0]) or wide[3] != shape[3]:
        return None
    if wide[1] == 1 and wide[2] == shape[2]:
        return 1
    return 2 if wide[2] == 1 and wide[1] == shape[1] else None


def _with_rest(found: _Rotation) -> _Rotation:
    """The rotation of the first features of what is `Concat(rotated, rest)` afterwards."""
    part = _cut(found.source)
    uses = list(found.node.outputs[0].uses())
    if part is None or part[1] != 0 or len(uses) != 1 or found.node.outputs[0].is_graph_output():
        return found
    joined = uses[0].node
    plain = joined.op_type == "Concat" and joined.domain == "" and attribute_int(joined, "axis", 0) in (-1, 3)
    rest = _cut(joined.inputs[1]) if plain and len(joined.inputs) == 2 and uses[0].idx == 0 else None
    size = (sizes_of(part[0]) or (None,))[-1]
    if rest is None or rest != (part[0], part[2], size):
        return found
    return dataclasses.replace(found, node=joined, source=part[0], partial=True)


def _cut(value: ir.Value | None) -> tuple[ir.Value, int, int] | None:
    """What the value has some successive features of, from where to where."""
    node = maker(value, "Slice", "Split")
    source = None if node is None else node.inputs[0]
    size = (sizes_of(source) or (None,))[-1]
    if node is None or source is None or value is None or not isinstance(size, int):
        return None
    if node.op_type == "Split":
        parts = [(sizes_of(each) or (None,))[-1] for each in node.outputs]
        numbers = [each for each in parts if isinstance(each, int)]
        at = list(node.outputs).index(value)
        if attribute_int(node, "axis", 0) not in (-1, 3) or len(numbers) != len(parts):
            return None
        return source, sum(numbers[:at]), sum(numbers[: at + 1])
    starts, ends, axes, steps = ([*(integers(each) for each in node.inputs[1:]), None, None])[:4]
    if starts is None or ends is None or axes not in ([-1], [3]) or steps not in (None, [1]):
        return None
    start, stop, _ = slice(starts[0], ends[0]).indices(size)
    return source, start, stop


def _rotated(found: _Rotation, caches: list[ir.Value], interleaved: bool) -> list[ir.Node]:
    """The operator; with heads behind the positions, of which it takes all features side by side."""
    source, result = found.source, found.node.outputs[0]
    said: dict[str, object] = {"interleaved": 1} if interleaved else {}
    said |= {"rotary_embedding_dim": found.features} if found.partial else {}
    if found.heads == 1:
        return [new("RotaryEmbedding", [source, *caches], said, like=result, shape=sizes_of(source))]
    samples, positions, heads, size = sizes_of(source) or ()
    assert isinstance(heads, int) and isinstance(size, int)
    whole = (samples, positions, heads * size)
    apart = maker(source, "Reshape")
    nodes: list[ir.Node] = []
    if apart is not None and apart.inputs[0] is not None and sizes_of(apart.inputs[0]) == whole:
        flat = apart.inputs[0]
    else:
        entries = tensor(found.node, "features", np.asarray([0, 0, heads * size], np.int64))
        nodes.append(new("Reshape", [source, entries], like=result, shape=whole))
        flat = nodes[-1].outputs[0]
    nodes.append(new("RotaryEmbedding", [flat, *caches], {**said, "num_heads": heads}, like=result, shape=whole))
    entries = tensor(found.node, "heads", np.asarray([0, 0, heads, size], np.int64))
    return [*nodes, new("Reshape", [nodes[-1].outputs[0], entries], like=result, shape=sizes_of(source))]
