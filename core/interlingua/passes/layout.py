"""The layout pass: gives a model the axis order of its target, and moves Transposes to the edges or into weights."""

from __future__ import annotations

from collections.abc import Iterable

import onnx_ir as ir

from interlingua.errors import UsageError
from interlingua.ir import metadata
from interlingua.notes import Changed, Notes
from interlingua.passes import run
from interlingua.passes.base import Pass
from interlingua.passes.channels_last import to_channels_last
from interlingua.passes.duplicates import MergeInitializers
from interlingua.passes.transposes import CancelTransposes, CancelTransposesFreely, transposes
from interlingua.passes.unused import RemoveUnused

LAYOUTS = ("source", "native", "channels_first")


def apply(
    model: ir.Model, *, data_axes: str, ops: Iterable[str], layout: str, notes: Notes, debug: bool = False
) -> ir.Model:
    """The model, changed in place, with data in the target's order and the fewest Transposes that this leaves.

    `data_axes` is the target's order ("N C *" or "N * C"); `ops` are those that want it, where it is "N * C".
    `layout` "source" and "channels_first" keep the axis order of inputs and outputs as the model has them, "native"
    gives them the order that the inside meets them in and records it in their metadata.

    Raises:
        UsageError: `data_axes` or `layout` is none of these.
    """
    if data_axes not in ("N C *", "N * C"):
        raise UsageError(f"Expected data axes 'N C *' or 'N * C'. Received {data_axes!r}.")
    if layout not in LAYOUTS:
        raise UsageError(f"Expected a layout ({', '.join(LAYOUTS)}). Received {layout!r}.")
    if data_axes == "N * C" and layout != "channels_first":
        to_channels_last(model, ops)
    return edges(model, layout, notes=notes, debug=debug)


def edges(model: ir.Model, layout: str, *, notes: Notes, debug: bool = False) -> ir.Model:
    """The model with its Transposes cancelled, unless all are the source's own.

    Under the layout "native" those at its inputs and outputs go too.
    """
    kind: type[Pass] = CancelTransposesFreely if layout == "native" else CancelTransposes
    own = layout != "native" and all(metadata.is_own(node) for node in transposes(model.graph))
    passes = (MergeInitializers, RemoveUnused) if own else (kind, MergeInitializers, RemoveUnused)
    model = run(model, passes, notes=notes, debug=debug)
    for node in transposes(model.graph):
        if not metadata.is_own(node):
            _own_place(node)
    for value in (*model.graph.inputs, *model.graph.outputs):
        order = metadata.permutation(value)
        if order is not None and layout == "native":
            notes.add(
                Changed(value.name or "", f"axes in the target's own order: the source's, transposed by {list(order)}")
            )
    return model


def _own_place(node: ir.Node) -> None:
    """A Transpose that stands for axis orders alone belongs to no layer of the source: the layers keep their names."""
    edge = node.inputs[0] if _at_edge(node) and not node.outputs[0].is_graph_output() else node.outputs[0]
    metadata.set_place(node, f"{edge.name if edge is not None else node.name}/axes")


def leftover(model: ir.Model) -> int:
    """How many Transposes are neither the source's own nor next to an input or output of the graph."""
    return sum(not metadata.is_own(node) and not _at_edge(node) for node in transposes(model.graph))


def _at_edge(node: ir.Node) -> bool:
    source = node.inputs[0]
    return (source is not None and source.is_graph_input()) or node.outputs[0].is_graph_output()
