"""Rotated pairs of features as the operator that ONNX has for them since opset 23."""

from __future__ import annotations

import onnx_ir as ir

from interlingua.ir.edit import insert_before, replace
from interlingua.passes.forms.rotary import rotation
from interlingua.passes.raising.reading import attribute_int, integers, maker, new, rank, sizes_of

SINCE = 23
"""The opset that has the operator."""


def name_rotations(model: ir.Model) -> bool:
    """Replaces `X · cos + turned(X) · sin` by `RotaryEmbedding(X, Cos(angles), Sin(angles))`; says whether it did.

    So where cos and sin are those of `Concat(angles, angles)` for each sample, the heads in front of the positions.
    """
    made: dict[tuple[str, ir.Value], ir.Value] = {}
    changed = False
    for node in list(model.graph):
        piece = rotation(node) if node.op_type == "Add" and node.domain == "" else None
        if piece is None or piece.attributes["interleaved"]:
            continue
        source, cosine, sine = piece.inputs
        cos, sin = _angles(cosine, "Cos"), _angles(sine, "Sin")
        if source is None or rank(source) != 4 or cos is None or sin is None:
            continue
        if not _fits(source, cos[1]) or not _fits(source, sin[1]):
            continue
        caches = [_half(made, *cos), _half(made, *sin)]
        replace(node, [new("RotaryEmbedding", [source, *caches], like=node.outputs[0])])
        changed = True
    return changed


def _angles(table: ir.Value | None, op: str) -> tuple[ir.Node, ir.Value] | None:
    """The node that computes `Unsqueeze(op(Concat(angles, angles)), 1)` from angles, and those."""
    wide = maker(table, "Unsqueeze")
    function = None if wide is None or integers(wide.inputs[1]) != [1] else maker(wide.inputs[0], op)
    twice = None if function is None else maker(function.inputs[0], "Concat")
    if function is None or twice is None or len(twice.inputs) != 2 or twice.inputs[0] is not twice.inputs[1]:
        return None
    angles = twice.inputs[0]
    if angles is None or rank(angles) != 3 or attribute_int(twice, "axis", 0) not in (-1, 2):
        return None
    return function, angles


def _fits(source: ir.Value, angles: ir.Value) -> bool:
    """Whether there is an angle for each pair of features of each position of each sample."""
    shape, given = sizes_of(source), sizes_of(angles)
    if shape is None or given is None or None in (shape[0], shape[2]) or not isinstance(shape[3], int):
        return False
    return (shape[0], shape[2], shape[3]) == (given[0], given[1], 2 * given[2] if isinstance(given[2], int) else None)


def _half(made: dict[tuple[str, ir.Value], ir.Value], whole: ir.Node, angles: ir.Value) -> ir.Value:
    """The cosines or sines of the angles, which `whole` has twice, each made once."""
    key = whole.op_type, angles
    if key not in made:
        node = new(whole.op_type, [angles], like=angles)
        insert_before(whole, [node])
        made[key] = node.outputs[0]
    return made[key]
