"""Writes a graph in chosen orders of axes, with a Transpose where two still disagree."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import add_initializer, fresh_name
from interlingua.ir.origin import Constant
from interlingua.passes.order_choice import Choice, Labels, Read
from interlingua.passes.orders import Order, compose, identity, inverse, only_ones


class Writer:
    """Writes the graph for a labelling: rewires reads, puts Transposes where orders disagree, applies the labels."""

    def __init__(self, solver: Choice, labels: Labels) -> None:
        self.solver, self.labels, self.graph = solver, labels, solver.graph
        self.made: dict[tuple[ir.Value, Order], ir.Value] = {}
        self.plain = {root: list(root.shape) if root.shape is not None else None for root in solver.reads}

    def write(self) -> None:
        """Writes the graph."""
        solver = self.solver
        kept = {root: solver.stored(root, self.labels) for root in solver.reads}
        plans = [
            (root, read, solver.wanted(read, self.labels)) for root, reads in solver.reads.items() for read in reads
        ]
        outputs = list(self.graph.outputs)
        for root, order in kept.items():
            if order is not None and root.shape is not None:
                root.shape = ir.Shape([root.shape[axis] for axis in order])
            if order is not None and root.is_graph_input():
                _record(root, order)
        for root, read, target in plans:
            if read.node is not None:
                read.node.replace_input_with(read.index, self._turned(root, kept[root], target, read))
        for root, read, target in plans:
            if read.node is None:
                self._output(outputs[read.index], root, kept[root], target, read)
        for node, order in self.labels.items():
            if isinstance(node, ir.Node):
                solver.movable[node].apply(order)
        for transpose in reversed(solver.dissolved):
            if not transpose.outputs[0].uses() and not transpose.outputs[0].is_graph_output():
                self.graph.remove(transpose, safe=True)
        self.graph.sort()

    def _turned(self, root: ir.Value, kept: Order | None, target: Order | None, read: Read) -> ir.Value:
        if target is None or target == (kept if kept is not None else identity(len(target))):
            return root
        if (root, target) not in self.made:
            self.made[root, target] = self._transpose(root, kept or identity(len(target)), target, read)
        return self.made[root, target]

    def _transpose(self, root: ir.Value, kept: Order, target: Order, read: Read) -> ir.Value:
        order = compose(inverse(kept), target)
        producer = root.producer()
        first = read.first
        own = first is not None and metadata.is_own(first)
        edge = root.is_graph_input() or read.node is None
        node = (None if own or edge else self._reshape(root, kept, target)) or ir.node(
            "Transpose", [root], {"perm": list(order)}
        )
        output = node.outputs[0]
        if first is not None:
            metadata.copy_place(first, [node])
            if own:
                metadata.set_own(node)
                node.name = first.name
        elif producer is not None:
            metadata.copy_place(producer, [node])
        output.name = fresh_name(self.graph, f"{root.name}_transposed")
        output.type = root.type
        plain = self.plain[root]
        if plain is not None:
            output.shape = ir.Shape([plain[axis] for axis in target])
        if producer is None:
            self.graph.insert_before(self.graph[0], node) if len(self.graph) else self.graph.append(node)
        else:
            self.graph.insert_after(producer, node)
        return output

    def _reshape(self, root: ir.Value, kept: Order, target: Order) -> ir.Node | None:
        """A Reshape that does what the Transpose would, where that only moves axes of size one."""
        plain = self.plain[root]
        if plain is None or not only_ones(kept, target, plain):
            return None
        before, after = [plain[axis] for axis in kept], [plain[axis] for axis in target]
        sizes = [size if isinstance(size, int) else 0 if kept[i] == target[i] else -1 for i, size in enumerate(after)]
        if sizes.count(-1) > 1 or before == after:
            return None
        stem = f"{root.name}_shape"
        shape = add_initializer(self.graph, stem, np.asarray(sizes, np.int64), Constant(stem))
        return ir.node("Reshape", [root, shape])

    def _output(self, old: ir.Value, root: ir.Value, kept: Order | None, target: Order | None, read: Read) -> None:
        if target is None:
            permutation = compose(inverse(read.through), kept or identity(len(read.through)))
            value = root
        else:
            permutation = identity(len(read.through))
            value = self._turned(root, kept, target, read)
        if value is not old:
            value = self._named(value, old)
            self.graph.outputs[read.index] = value
        _record(value, permutation)

    def _named(self, value: ir.Value, old: ir.Value) -> ir.Value:
        """A value that can be the graph output in place of `old`, under its name."""
        name = old.name
        taken = value.is_graph_input() or value.is_initializer() or any(value is each for each in self.graph.outputs)
        if taken:
            node = ir.node("Identity", [value])
            node.outputs[0].type, node.outputs[0].shape = value.type, value.shape
            self.graph.append(node)
            value = node.outputs[0]
        old.name = fresh_name(self.graph, f"{name}_inside")
        value.name = name
        for key, text in old.metadata_props.items():
            value.metadata_props.setdefault(key, text)
        return value


def _record(value: ir.Value, order: Order) -> None:
    """Adds a turn to what an input or output says of its source's axis order."""
    before = metadata.permutation(value)
    metadata.set_permutation(value, order if before is None else compose(before, order))
