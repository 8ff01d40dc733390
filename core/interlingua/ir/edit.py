"""Edits of the graph that several passes make: constants, new initializers, replacing a node by others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from interlingua.ir import metadata
from interlingua.ir.origin import Origin

SMALL = 4096
_NAMES = "interlingua.names"


def graph_of(node: ir.Node) -> ir.Graph:
    """The graph that holds the node.

    Raises:
        ValueError: none does.
    """
    if node.graph is None:
        raise ValueError(f"The node {node.name!r} stands in no graph.")
    return node.graph


def constant(value: ir.Value | None, limit: int = SMALL) -> NDArray[np.generic] | None:
    """The array of an initializer of at most `limit` elements; None for anything else."""
    if value is None or not value.is_initializer() or value.const_value is None or value.is_graph_input():
        return None
    return value.const_value.numpy() if value.const_value.size <= limit else None


def is_initializer(value: ir.Value | None) -> bool:
    """Whether the value is an initializer that no caller can replace."""
    return value is not None and value.is_initializer() and not value.is_graph_input() and value.const_value is not None


def fresh_name(graph: ir.Graph, stem: str) -> str:
    """`stem`, or `stem_1`, `stem_2`, …: the first that no value of the graph has."""
    taken = graph.meta.get(_NAMES)
    if taken is None:
        taken = {value.name for value in (*graph.inputs, *graph.initializers.values())}
        taken |= {output.name for node in graph.all_nodes() for output in node.outputs}
        graph.meta[_NAMES] = taken
    name, count = stem, 0
    while name in taken or name in graph.initializers:
        count += 1
        name = f"{stem}_{count}"
    taken.add(name)
    return name


def add_initializer(
    graph: ir.Graph, stem: str, tensor: ir.TensorProtocol | NDArray[np.generic], origin: Origin
) -> ir.Value:
    """A new initializer of the graph with that tensor and origin, under a name near `stem`."""
    name = fresh_name(graph, stem)
    held = ir.tensor(tensor, name=name) if isinstance(tensor, np.ndarray) else tensor
    held.name = name
    value = ir.Value(name=name, shape=ir.Shape(held.shape.numpy()), type=ir.TensorType(held.dtype), const_value=held)
    graph.register_initializer(value)
    return metadata.set_origin(value, origin)


def insert_before(node: ir.Node, new: Sequence[ir.Node]) -> None:
    """Puts new nodes, which belong to the same source layer, in front of `node`."""
    metadata.copy_place(node, new)
    for each in new:
        for output in each.outputs:
            if not output.name:
                output.name = fresh_name(graph_of(node), f"{node.outputs[0].name}_{each.op_type.lower()}")
    graph_of(node).insert_before(node, new)


def replace(node: ir.Node, new: Sequence[ir.Node], outputs: Sequence[ir.Value | None] | None = None) -> None:
    """Puts `new` in the place of `node`; `outputs` (the last new node's by default) take over names and uses."""
    heirs = list(new[-1].outputs if outputs is None else outputs)
    insert_before(node, new)
    for old, heir in zip(node.outputs, heirs, strict=False):
        if heir is not None:
            take_over(old, heir)
    graph_of(node).remove(node, safe=True)


def take_over(old: ir.Value, heir: ir.Value) -> None:
    """Lets `heir` have `old`'s name, shape, type, metadata and uses, also as a graph output."""
    name = old.name
    old.name = f"{name} (replaced)"
    heir.name = name
    heir.shape = old.shape if old.shape is not None else heir.shape
    heir.type = old.type if old.type is not None else heir.type
    heir.metadata_props.update(old.metadata_props)
    old.replace_all_uses_with(heir, replace_graph_outputs=True)


def bypass(node: ir.Node, value: ir.Value) -> bool:
    """Removes a node whose first output equals `value`; returns False where the graph's outputs forbid it."""
    output = node.outputs[0]
    if output.is_graph_output():
        if value.producer() is None or value.is_graph_output() or value.graph is not output.graph:
            return False
        name, output.name = output.name, f"{output.name} (replaced)"
        value.name = name
        value.metadata_props.update(output.metadata_props)
        if value.shape is None:
            value.shape = output.shape
    output.replace_all_uses_with(value, replace_graph_outputs=True)
    graph_of(node).remove(node, safe=True)
    return True


def forget_names(graph: ir.Graph) -> None:
    """Forgets the names that `fresh_name` remembers; to be called when a pass begins."""
    graph.meta.pop(_NAMES, None)
