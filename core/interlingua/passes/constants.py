"""Lifts constants to initializers."""

from __future__ import annotations

import onnx_ir as ir
import onnx_ir.passes.common as common

from interlingua.ir import metadata
from interlingua.ir.edit import graph_of
from interlingua.ir.origin import Constant
from interlingua.passes.base import Pass, ensure


class LiftConstants(Pass):
    """Replaces each Constant node by an initializer of the main graph, and subgraphs' initializers likewise."""

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        changed = _identify_outputs(model)
        for node in model.graph.all_nodes():
            if node.op_type == "Constant" and node.domain == "" and node.outputs[0].name:
                metadata.set_origin(node.outputs[0], Constant(node.outputs[0].name))
        for each in (
            common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
            common.RemoveInitializersFromInputsPass(),
            common.LiftSubgraphInitializersToMainGraphPass(),
        ):
            changed = each(model).modified or changed
        return changed

    def ensures(self, model: ir.Model) -> None:
        """No Constant node is left but one of a sparse tensor."""
        left = [node for node in model.graph.all_nodes() if node.op_type == "Constant" and node.domain == ""]
        ensure(all("sparse_value" in node.attributes for node in left), "No Constant node is left.")


def _identify_outputs(model: ir.Model) -> bool:
    """Puts an Identity between a Constant node and a graph output, so that the constant can be lifted."""
    changed = False
    for node in list(model.graph.all_nodes()):
        output = node.outputs[0]
        if node.op_type != "Constant" or node.domain != "" or not output.is_graph_output():
            continue
        graph = graph_of(node)
        name = output.name
        output.name = f"{name}_value"
        identity = ir.node("Identity", [output])
        heir = identity.outputs[0]
        heir.name, heir.type, heir.shape = name, output.type, output.shape
        metadata.copy_place(node, [identity])
        for index, each in enumerate(graph.outputs):
            if each is output:
                graph.outputs[index] = heir
        graph.insert_after(node, identity)
        changed = True
    return changed
