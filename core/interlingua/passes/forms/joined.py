"""Tensors put beside each other, and elements put at places: each function's first sentence is the form."""

from __future__ import annotations

import onnx_ir as ir

from interlingua.ir.facts import shape_of
from interlingua.passes.forms.outline import Form, Piece, closed
from interlingua.passes.raising.reading import attribute_int, integers, maker


def added(value: ir.Value | None, *, last: bool = False) -> tuple[ir.Node, ir.Value, int] | None:
    """The Unsqueeze that makes the value by one new axis, what it is made of, and the axis."""
    node = maker(value, "Unsqueeze")
    source = None if node is None else node.inputs[0]
    axes = None if node is None else integers(node.inputs[1])
    before = shape_of(source)
    if node is None or source is None or before is None or axes is None or len(axes) != 1:
        return None
    axis = axes[0] % (len(before) + 1)
    return None if last and axis != len(before) else (node, source, axis)


def stacked(node: ir.Node) -> Piece | None:
    """`Stack(X, Y, …, axis)`: `Concat(Unsqueeze(X), Unsqueeze(Y), …)` along the new axis; of sizes it is arithmetic."""
    shape = shape_of(node.outputs[0])
    if shape is None or len(node.inputs) < 2:
        return None
    axis = attribute_int(node, "axis", 0) % len(shape)
    found = [added(value) for value in node.inputs]
    parts = [each for each in found if each is not None and each[2] == axis and shape_of(each[1]) != ()]
    nodes = [*dict.fromkeys(part[0] for part in parts), node]
    if len(parts) != len(node.inputs) or not closed(nodes):
        return None
    return Piece(nodes, list(dict.fromkeys(part[1] for part in parts)), {"axis": axis}) if _unlike(parts) else None


def _unlike(parts: list[tuple[ir.Node, ir.Value, int]]) -> bool:
    """Whether no tensor stands there twice, and none is a weight that no form may own."""
    sources = [part[1] for part in parts]
    return len({*sources}) == len(sources) and not any(source.is_initializer() for source in sources)


def put(node: ir.Node) -> Piece | None:
    """`IndexPut(X, places, Y)`: `ScatterND(X, Unsqueeze(places, -1), Y)`, what is there replaced or added to."""
    said = node.attributes.get("reduction")
    reduction = "none" if said is None else said.as_string()
    found = added(node.inputs[1], last=True)
    if found is None or reduction not in ("none", "add") or not closed([found[0], node]):
        return None
    data, updates = node.inputs[0], node.inputs[2]
    if any(value is None or value.is_initializer() for value in (data, found[1], updates)):
        return None
    return Piece([found[0], node], [data, found[1], updates], {"accumulate": int(reduction == "add")})


FORMS = (
    Form("Stack", frozenset({"Concat"}), stacked),
    Form("IndexPut", frozenset({"ScatterND"}), put),
)
