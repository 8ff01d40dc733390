"""Rotation of pairs of features by the angles of their positions: each function's first sentence is the form."""

from __future__ import annotations

import onnx_ir as ir

from interlingua.ir.facts import shape_of
from interlingua.passes.forms.moves import half
from interlingua.passes.forms.outline import Form, Piece, closed
from interlingua.passes.raising.reading import attribute_int, integers, maker, rank, sides


def _halves(value: ir.Value) -> tuple[ir.Value, list[ir.Node]] | None:
    """What `Concat(Neg(second half), first half)` turns by a quarter, and the nodes."""
    node = maker(value, "Concat")
    count = rank(value)
    if node is None or len(node.inputs) != 2 or count is None or attribute_int(node, "axis", 0) not in (-1, count - 1):
        return None
    minus = maker(node.inputs[0], "Neg")
    second, first = (None if minus is None else half(minus.inputs[0])), half(node.inputs[1])
    if minus is None or second is None or first is None or second[0] is not first[0]:
        return None
    if (first[1], first[2]) != (count - 1, 0) or (second[1], second[2]) != (count - 1, 1):
        return None
    return first[0], [*dict.fromkeys([*second[3], minus, *first[3]]), node]


def _every_other(value: ir.Value | None, start: int) -> tuple[ir.Value, ir.Node] | None:
    """What the value has every other feature of, from the first or the second on."""
    node, count = maker(value, "Slice"), rank(value)
    if node is None or node.inputs[0] is None or count is None or len(node.inputs) != 5:
        return None
    starts, ends, axes, steps = (integers(each) for each in node.inputs[1:])
    size = (shape_of(node.inputs[0]) or (None,))[-1]
    if starts != [start] or steps != [2] or axes not in ([-1], [count - 1]) or not isinstance(size, int):
        return None
    return (node.inputs[0], node) if ends is not None and ends[0] >= size and not size % 2 else None


def _neighbours(value: ir.Value) -> tuple[ir.Value, list[ir.Node]] | None:
    """What `Reshape(Concat(Unsqueeze(Neg(odd features)), Unsqueeze(even features)))` turns by a quarter."""
    last = maker(value, "Reshape")
    joined = None if last is None else maker(last.inputs[0], "Concat")
    count = rank(value)
    if last is None or joined is None or count is None or len(joined.inputs) != 2:
        return None
    wide = [maker(each, "Unsqueeze") for each in joined.inputs]
    if attribute_int(joined, "axis", 0) not in (-1, count) or wide[0] is None or wide[1] is None:
        return None
    if any(each is not None and integers(each.inputs[1]) not in ([-1], [count]) for each in wide):
        return None
    minus = maker(wide[0].inputs[0], "Neg")
    odd, even = (None if minus is None else _every_other(minus.inputs[0], 1)), _every_other(wide[1].inputs[0], 0)
    if minus is None or odd is None or even is None or odd[0] is not even[0]:
        return None
    if shape_of(value) != shape_of(odd[0]) or None in (shape_of(value) or (None,)):
        return None
    return odd[0], [odd[1], minus, wide[0], even[1], wide[1], joined, last]


def rotation(node: ir.Node) -> Piece | None:
    """`Rotary(X, cos, sin)`: `X · cos + turned(X) · sin`, each pair of features turned by a quarter.

    A pair is a feature and the one half the features further on, or two neighbours (`interleaved`).
    """
    for straight, across in sides(node):
        first, second = maker(straight, "Mul"), maker(across, "Mul")
        for turned, sine in sides(second) if first is not None and second is not None else ():
            for interleaved, read in enumerate((_halves, _neighbours)):
                found = read(turned)
                cosine = None if found is None or first is None else _other(first, found[0])
                if found is None or cosine is None or first is None or second is None:
                    continue
                nodes = [first, *found[1], second, node]
                if closed(nodes):
                    return Piece(nodes, [found[0], cosine, sine], {"interleaved": interleaved})
    return None


def _other(product: ir.Node, value: ir.Value) -> ir.Value | None:
    """The other factor of a product with the value."""
    return next((other for inner, other in sides(product) if inner is value), None)


FORMS = (Form("Rotary", frozenset({"Add"}), rotation),)
