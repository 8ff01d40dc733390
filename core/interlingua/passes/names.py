"""Names nodes after their layers."""

from __future__ import annotations

import onnx_ir as ir
import onnx_ir.passes.common as common

from interlingua.ir import metadata
from interlingua.passes.base import Pass, ensure


class NameNodes(Pass):
    """Gives every node a name of its own, near its source layer's, and every value one.

    A node that bears a name keeps it, unless another had it first.
    """

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        changed = False
        taken: set[str] = set()
        nodes = list(model.graph.all_nodes())
        for node in nodes:
            if node.name and node.name not in taken and not _automatic(node):
                taken.add(node.name)
            else:
                node.name = None
        for node in nodes:
            if node.name:
                continue
            stem = node.metadata_props.get(metadata.LAYER) or node.outputs[0].name or node.op_type
            if stem in taken:
                stem = f"{stem}/{node.op_type}"
            name, count = stem, 1
            while name in taken:
                count += 1
                name = f"{stem}_{count}"
            taken.add(name)
            node.name = name
            changed = True
        return common.NameFixPass()(model).modified or changed

    def ensures(self, model: ir.Model) -> None:
        """Names are there and unique."""
        names = [node.name for node in model.graph.all_nodes()]
        ensure(all(names) and len(set(names)) == len(names), "Every node has a name of its own.")


def _automatic(node: ir.Node) -> bool:
    """Whether onnx_ir made the name up."""
    return node.name is not None and node.name.startswith(f"node_{node.op_type}_")


class SortNodes(Pass):
    """Puts every node after those it reads from."""

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        return common.TopologicalSortPass()(model).modified
