"""Names nodes after their layers."""

from __future__ import annotations

import onnx_ir as ir
import onnx_ir.passes.common as common

from interlingua.ir import metadata
from interlingua.ir.edit import is_initializer
from interlingua.ir.origin import parameters
from interlingua.passes.base import Pass, ensure


class NameNodes(Pass):
    """Gives every node a name of its own, near its source layer's, and every value one.

    A node that bears a name keeps it, unless another had it first, or an exporter made it up and the node's weights
    tell a better one: `encoder.fc` of `encoder.fc.weight`.
    """

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        changed = False
        taken: set[str] = set()
        nodes = list(model.graph.all_nodes())
        for node in nodes:
            if node.name and node.name not in taken and not _is_automatic(node):
                taken.add(node.name)
            else:
                node.name = None
        for node in nodes:
            if node.name:
                continue
            stem = node.metadata_props.get(metadata.LAYER) or _owner(node) or node.outputs[0].name or node.op_type
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


def _is_automatic(node: ir.Node) -> bool:
    """Whether onnx_ir made the name up, or PyTorch's exporter did for a node that its weights name."""
    name = node.name or ""
    return name.startswith(f"node_{node.op_type}_") or (name.startswith("node_") and bool(_owner(node)))


def _owner(node: ir.Node) -> str:
    """The module that the node's weights belong to in the source; a product's may be told by the bias added to it."""
    readers = list(node.outputs[0].consumers()) if node.op_type == "MatMul" else []
    return _told(node) or (_told(readers[0]) if len(readers) == 1 and readers[0].op_type == "Add" else "")


def _told(node: ir.Node) -> str:
    given = [value for value in node.inputs if value is not None and is_initializer(value)]
    names = [name for value in given for name in parameters(metadata.origin(value))]
    parts = [name.rpartition(".") for name in names]
    owners = {owner for owner, _, last in parts if last.startswith(("weight", "bias"))}
    return owners.pop() if len(owners) == 1 else ""


class SortNodes(Pass):
    """Puts every node after those it reads from."""

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        return common.TopologicalSortPass()(model).modified
