"""Takes decisions that no input makes."""

from __future__ import annotations

from collections import Counter

import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import constant, forget_names, fresh_name, graph_of
from interlingua.passes.base import Pass

_BRANCHES = ("else_branch", "then_branch")


class ChooseBranches(Pass):
    """Replaces an `If` whose condition is a constant by the nodes of the branch that it takes.

    Exporters write such decisions: the body of a function asks for the attribute that it was called with, a `squeeze`
    for the size of its axis.
    """

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        waiting = [node for node in model.graph.all_nodes() if _decided(node)]
        if not waiting:
            return False
        forget_names(model.graph)
        names = Counter(output.name for node in model.graph.all_nodes() for output in node.outputs)
        gone: set[ir.Node] = set()
        for node in waiting:  # an outer one stands before those inside it
            if node not in gone:
                gone.update(_choose(node, model.graph, names))
        return True


def _decided(node: ir.Node) -> bool:
    return node.op_type == "If" and node.domain == "" and constant(node.inputs[0], 1) is not None


def _choose(node: ir.Node, main: ir.Graph, names: Counter[str | None]) -> set[ir.Node]:
    """Puts the branch in the node's place; the nodes of the other branch, which are gone."""
    held = constant(node.inputs[0], 1)
    assert held is not None
    taken = bool(held.reshape(-1)[0])
    branch = node.attributes[_BRANCHES[taken]].as_graph()
    results, nodes = list(branch.outputs), list(branch)
    branch.outputs.clear()
    branch.remove(nodes)
    metadata.copy_place(node, nodes)
    graph_of(node).insert_before(node, nodes)
    for output in (output for each in nodes for output in each.outputs):
        if names[output.name] > 1:  # scopes beside each other may use a name twice
            names[output.name] -= 1
            output.name = fresh_name(main, output.name or "value")
    for output, result in zip(list(node.outputs), results, strict=True):
        _hand_over(node, output, result)
    graph_of(node).remove(node, safe=True)
    return set(node.attributes[_BRANCHES[not taken]].as_graph().all_nodes())


def _hand_over(node: ir.Node, output: ir.Value, result: ir.Value) -> None:
    """Lets the branch's result stand for the node's output; where that is an output of its graph, it is its name."""
    if not output.is_graph_output():
        output.replace_all_uses_with(result)
        return
    identity = ir.node("Identity", [result])
    heir = identity.outputs[0]
    heir.name, output.name = output.name, f"{output.name} (replaced)"
    heir.type, heir.shape = output.type, output.shape if output.shape is not None else result.shape
    metadata.copy_place(node, [identity])
    graph_of(node).insert_before(node, identity)
    output.replace_all_uses_with(heir, replace_graph_outputs=True)
