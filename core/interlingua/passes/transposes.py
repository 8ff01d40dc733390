"""Moves Transposes until fewest are left, exactly.

Every Transpose is first dissolved into the edges that read through it. Then an order of axes is chosen for every
movable node (see `axis_table`) such that few edges disagree: candidate orders spread from each disagreement over the
nodes around it, and a minimum cut decides which of these take theirs (`order_choice`). At last the graph is written
with a Transpose on each edge that still disagrees (`order_writing`). Nothing is accepted that leaves more than before.
"""

from __future__ import annotations

import onnx_ir as ir

from interlingua.passes.base import Pass
from interlingua.passes.order_choice import Choice
from interlingua.passes.order_writing import Writer
from interlingua.passes.orders import is_transpose


class CancelTransposes(Pass):
    """Replaces the Transposes of a graph by fewest others, e.g. `Transpose(Relu(Transpose(X, p)), p⁻¹)` by `Relu(X)`.

    With `free_edges` the graph's inputs and outputs take whatever order is met; it is recorded in their metadata.
    """

    free_edges = False

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        if not any(is_transpose(node) for node in model.graph):
            return False
        before = [(node.op_type, node.name, tuple(node.inputs)) for node in model.graph]
        choice = Choice(model.graph, self.free_edges)
        Writer(choice, choice.best()).write()
        return before != [(node.op_type, node.name, tuple(node.inputs)) for node in model.graph]


class CancelTransposesFreely(CancelTransposes):
    """Cancels Transposes, those at the graph's inputs and outputs too: these change their axis order."""

    free_edges = True


def transposes(graph: ir.Graph) -> list[ir.Node]:
    """All Transposes of the graph."""
    return [node for node in graph if is_transpose(node)]
