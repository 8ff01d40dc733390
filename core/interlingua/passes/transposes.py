"""Moves Transposes until fewest are left, exactly.

Every Transpose is first dissolved into the edges that read through it. Then an order of axes is chosen for every
movable node (see `axis_table`) such that few edges disagree: candidate orders spread from each disagreement over the
nodes around it, and a minimum cut decides which of these take theirs. At last the graph is written with a Transpose
on each edge that still disagrees. Nothing is accepted that leaves more Transposes than there were.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

import networkx as nx
import numpy as np
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import add_initializer, fresh_name, is_initializer
from interlingua.ir.origin import Constant
from interlingua.passes.axis_table import (
    Movable,
    Order,
    compose,
    extended,
    identity,
    inverse,
    movable,
    moves_nothing,
    restricted,
)
from interlingua.passes.base import Pass
from interlingua.passes.flattening import flattening

INSIDE, EDGE, RESHAPE = 100, 99, 10


@dataclasses.dataclass(frozen=True)
class Read:
    """One place that reads a value: input `index` of `node`, or graph output `index` where `node` is None.

    It reads the root value turned by `through`; `first` is the Transpose it read from.
    """

    node: ir.Node | None
    index: int
    root: ir.Value
    through: Order
    first: ir.Node | None = None


Key = ir.Node | ir.Value
Labels = dict[Key, Order]


class CancelTransposes(Pass):
    """Replaces the Transposes of a graph by fewest others, e.g. `Transpose(Relu(Transpose(X, p)), p⁻¹)` by `Relu(X)`.

    With `free_edges` the graph's inputs and outputs take whatever order is met; it is recorded in their metadata.
    """

    free_edges = False

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        if not any(_is_transpose(node) for node in model.graph):
            return False
        before = [(node.op_type, node.name, tuple(node.inputs)) for node in model.graph]
        _Solver(model.graph, self.free_edges).solve()
        return before != [(node.op_type, node.name, tuple(node.inputs)) for node in model.graph]


class CancelTransposesFreely(CancelTransposes):
    """Cancels Transposes, those at the graph's inputs and outputs too: these change their axis order."""

    free_edges = True


def _is_transpose(node: ir.Node) -> bool:
    return node.op_type == "Transpose" and node.domain == ""


def order_of(node: ir.Node) -> Order | None:
    """The permutation of a Transpose; None where the rank is unknown and none is stated."""
    held = node.attributes.get("perm")
    if held is not None:
        return tuple(held.as_ints())
    source = node.inputs[0]
    return None if source is None or source.shape is None else identity(len(source.shape))[::-1]


class _Solver:
    def __init__(self, graph: ir.Graph, free_edges: bool) -> None:
        self.graph = graph
        self.free = free_edges
        self.dissolved = [node for node in graph if _is_transpose(node) and self._dissolvable(node)]
        self._gone = set(self.dissolved)
        self.movable: dict[ir.Node, Movable] = {}
        for node in graph:
            found = None if node in self._gone else movable(node) or flattening(node)
            if found is not None:
                self.movable[node] = found
        self.reads: dict[ir.Value, list[Read]] = {}
        self.of_node: dict[ir.Node, list[Read]] = {}
        self._collect()

    def _dissolvable(self, node: ir.Node) -> bool:
        source = node.inputs[0]
        return source is not None and order_of(node) is not None and not is_initializer(source)

    def _resolve(self, value: ir.Value) -> tuple[ir.Value, Order | None, ir.Node | None]:
        through: Order | None = None
        first = value.producer()
        producer = first
        while producer is not None and producer in self._gone:
            order = order_of(producer)
            assert order is not None and producer.inputs[0] is not None
            through = order if through is None else compose(order, through)
            value = producer.inputs[0]
            producer = value.producer()
        return value, through, first if first in self._gone else None

    def _collect(self) -> None:
        for node in self.graph.all_nodes():
            if node in self._gone:
                continue
            for index, value in enumerate(node.inputs):
                if value is not None and not is_initializer(value) and value.graph is self.graph:
                    self._add(node, index, value)
        for index, value in enumerate(self.graph.outputs):
            self._add(None, index, value)

    def _add(self, node: ir.Node | None, index: int, value: ir.Value) -> None:
        root, through, first = self._resolve(value)
        read = Read(node, index, root, through if through is not None else identity(self._rank(root)), first)
        self.reads.setdefault(root, []).append(read)
        if node is not None:
            self.of_node.setdefault(node, []).append(read)

    def _rank(self, root: ir.Value) -> int:
        """The number of axes of a root; 0 where nothing tells it, and then no order but the plain one arises."""
        if root.shape is not None:
            return len(root.shape)
        producer = root.producer()
        found = self.movable.get(producer) if producer is not None else None
        axes = found.outputs.get(root.index() or 0) if found is not None else None
        return len(axes) if axes is not None else 0

    # orders of values and reads under a labelling

    def stored(self, value: ir.Value, labels: Labels) -> Order | None:
        """The order in which the value is kept; None for the plain one."""
        producer = value.producer()
        if producer is None:
            return labels.get(value)
        if producer not in labels:
            return None
        axes = self.movable[producer].outputs.get(value.index() or 0)
        return None if axes is None else restricted(labels[producer], axes)

    def wanted(self, read: Read, labels: Labels) -> Order | None:
        """The order in which the reader wants the root; None where it takes any."""
        if read.node is None:
            return None if self.free and self._first_use(read) else read.through
        if read.node not in labels:
            return read.through
        axes = self.movable[read.node].inputs.get(read.index)
        return read.through if axes is None else compose(read.through, restricted(labels[read.node], axes))

    def _first_use(self, read: Read) -> bool:
        """Whether a graph output may take the root's order: another output does not hold the same value."""
        same = [each for each in self.reads[read.root] if each.node is None]
        return same[0] is read and not read.root.is_graph_input()

    def needed(self, root: ir.Value, labels: Labels) -> dict[Order, list[Read]]:
        """The orders of the root that are wanted and not kept, with their readers."""
        kept = self.stored(root, labels)
        found: dict[Order, list[Read]] = {}
        for read in self.reads.get(root, ()):
            target = self.wanted(read, labels)
            if target is not None and target != (kept if kept is not None else identity(len(target))):
                found.setdefault(target, []).append(read)
        return found

    def weight(self, root: ir.Value, kept: Order | None, target: Order, at_edge: bool) -> int:
        """What a Transpose there costs: less at the edge of the graph, little where it is a mere reshape."""
        shape = root.shape
        if shape is not None and _only_ones(kept or identity(len(target)), target, list(shape)):
            return RESHAPE
        return EDGE if at_edge or root.is_graph_input() else INSIDE

    def cost(self, labels: Labels) -> int:
        """The cost of all Transposes that the labelling leaves."""
        total = 0
        for root in self.reads:
            kept = self.stored(root, labels)
            for target, readers in self.needed(root, labels).items():
                total += self.weight(root, kept, target, any(read.node is None for read in readers))
        return total

    # search

    def solve(self) -> None:
        """Chooses the labels and writes the graph."""
        labels: Labels = {}
        best = self.cost(labels)
        for _ in range(2 * len(self.dissolved) + 2):
            step = min(self._steps(labels), key=self.cost, default=None)
            if step is None or self.cost(step) >= best:
                break
            labels, best = step, self.cost(step)
        _Writer(self, {key: order for key, order in labels.items() if order != identity(len(order))}).write()

    def _steps(self, labels: Labels) -> Iterator[Labels]:
        seen: list[Labels] = []
        for key, order in self._seeds(labels):
            if any(frame.get(key) == order for frame in seen):
                continue
            frame = self._spread(key, order)
            seen.append(frame)
            yield {**labels, **frame}
            taken = self._cut(labels, frame)
            if taken:
                yield {**labels, **{each: frame[each] for each in taken}}

    def _seeds(self, labels: Labels) -> Iterator[tuple[Key, Order]]:
        for root in self.reads:
            for target, readers in self.needed(root, labels).items():
                yield from self._label_of_root(root, target)
                kept = self.stored(root, labels) or identity(len(target))
                for read in readers:
                    yield from self._label_of_reader(read, kept)

    def _label_of_root(self, root: ir.Value, target: Order) -> Iterator[tuple[Key, Order]]:
        producer = root.producer()
        if producer is None:
            if self.free and root.is_graph_input():
                yield root, target
        elif producer in self.movable and (axes := self.movable[producer].outputs.get(root.index() or 0)) is not None:
            yield from self._label(producer, target, axes)

    def _label_of_reader(self, read: Read, kept: Order) -> Iterator[tuple[Key, Order]]:
        if len(kept) != len(read.through):
            return
        order = compose(inverse(read.through), kept)
        if read.node is None:
            return
        if read.node in self.movable and (axes := self.movable[read.node].inputs.get(read.index)) is not None:
            yield from self._label(read.node, order, axes)

    def _label(self, node: ir.Node, order: Order, axes: Order) -> Iterator[tuple[Key, Order]]:
        found = self.movable[node]
        if len(order) != len(axes):
            return
        wide = order if len(axes) == found.rank and axes == identity(found.rank) else extended(order, axes, found.rank)
        if found.allowed(wide):
            yield node, wide

    def _spread(self, seed: Key, order: Order) -> Labels:
        """The orders that follow for the nodes around, when none of the edges between them is to disagree."""
        frame: Labels = {seed: order}
        queue = [seed]
        while queue:
            key = queue.pop()
            for near, wanted in self._around(key, frame):
                if near not in frame:
                    frame[near] = wanted
                    queue.append(near)
        return frame

    def _around(self, key: Key, frame: Labels) -> Iterable[tuple[Key, Order]]:
        roots = [key] if isinstance(key, ir.Value) else []
        if isinstance(key, ir.Node):
            roots = [output for index, output in enumerate(key.outputs) if index in self.movable[key].outputs]
            for read in self.of_node.get(key, ()):
                if read.index in self.movable[key].inputs:
                    target = self.wanted(read, frame)
                    if target is not None:
                        yield from self._label_of_root(read.root, target)
        for root in roots:
            kept = self.stored(root, frame)
            for read in self.reads.get(root, ()):
                if kept is not None:
                    yield from self._label_of_reader(read, kept)

    def _cut(self, labels: Labels, frame: Labels) -> set[Key]:
        """The part of the frame that a minimum cut takes."""
        network = nx.DiGraph()
        network.add_nodes_from(("take", "keep"))
        taken = {**labels, **frame}
        for count, root in enumerate(self.reads):
            owner = root.producer() or root
            involved = owner in frame or any(read.node in frame for read in self.reads[root] if read.node)
            if involved:
                _Edges(self, network, root, count, labels, taken, frame).add()
        _, (side, _) = nx.minimum_cut(network, "take", "keep")
        return {each for each in frame if ("node", id(each)) in side}


class _Edges:
    """Adds to a network what it costs when the readers and the producer of one value are on different sides."""

    def __init__(
        self, solver: _Solver, network: nx.DiGraph, root: ir.Value, count: int, labels: Labels, taken: Labels, frame: Labels
    ) -> None:
        self.solver, self.network, self.root, self.count, self.frame = solver, network, root, count, frame
        self.before, self.after = labels, taken

    def add(self) -> None:
        """Adds the edges of each order that some reader wants."""
        solver, root = self.solver, self.root
        plain = identity(len(root.shape)) if root.shape is not None else None
        kept = solver.stored(root, self.before) or plain
        later = solver.stored(root, self.after) or plain
        always: dict[Order, list[Read]] = {}
        early: dict[Order, list[Read]] = {}
        late: dict[Order, list[Read]] = {}
        for read in solver.reads[root]:
            first, second = solver.wanted(read, self.before), solver.wanted(read, self.after)
            if first is None or second is None:
                continue
            if first == second:
                always.setdefault(first, []).append(read)
            else:
                early.setdefault(first, []).append(read)
                late.setdefault(second, []).append(read)
        for target in {*always, *early, *late}:
            at_edge = any(read.node is None for read in always.get(target, ()))
            weight = solver.weight(root, kept, target, at_edge)
            matches = (kept == target, later == target)
            self._target(target, weight, matches, always.get(target, []), early.get(target, []), late.get(target, []))

    def _owner(self) -> tuple[str, int] | str:
        owner = self.root.producer() or self.root
        return ("node", id(owner)) if owner in self.frame else "keep"

    def _target(
        self,
        target: Order,
        weight: int,
        matches: tuple[bool, bool],
        always: list[Read],
        early: list[Read],
        late: list[Read],
    ) -> None:
        owner = self._owner()
        if all(matches):
            return
        if matches == (True, False):
            if always:
                self._edge(owner, "keep", weight)
            elif early:
                self._any_kept(owner, early, weight, target)
        elif matches == (False, True):
            if always:
                self._edge("take", owner, weight)
            elif late:
                self._any_taken(late, owner, weight, target)
        elif not always:
            if early:
                self._any_kept("take", early, weight, target)
            if late:
                self._any_taken(late, "keep", weight, target)

    def _edge(self, start: object, end: object, weight: int) -> None:
        if start == end:
            return
        old = self.network.get_edge_data(start, end, {"capacity": 0})["capacity"]
        self.network.add_edge(start, end, capacity=old + weight)

    def _any_kept(self, start: object, readers: list[Read], weight: int, target: Order) -> None:
        middle = ("kept", self.count, target)
        self._edge(start, middle, weight)
        for read in readers:
            self.network.add_edge(middle, ("node", id(read.node)))

    def _any_taken(self, readers: list[Read], end: object, weight: int, target: Order) -> None:
        middle = ("taken", self.count, target)
        self._edge(middle, end, weight)
        for read in readers:
            self.network.add_edge(("node", id(read.node)), middle)


def _only_ones(kept: Order, target: Order, shape: list[object]) -> bool:
    """Whether turning a value from one order into another only moves axes of size one; `shape` is the plain one."""
    if len(kept) != len(target) or len(shape) != len(kept):
        return False
    return moves_nothing(compose(inverse(kept), target), [shape[axis] for axis in kept])


class _Writer:
    """Writes the graph for a labelling: rewires reads, puts Transposes where orders disagree, applies the labels."""

    def __init__(self, solver: _Solver, labels: Labels) -> None:
        self.solver, self.labels, self.graph = solver, labels, solver.graph
        self.made: dict[tuple[ir.Value, Order], ir.Value] = {}
        self.plain = {root: list(root.shape) if root.shape is not None else None for root in solver.reads}

    def write(self) -> None:
        """Writes the graph."""
        solver = self.solver
        kept = {root: solver.stored(root, self.labels) for root in solver.reads}
        plans = [(root, read, solver.wanted(read, self.labels)) for root, reads in solver.reads.items() for read in reads]
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
        node = (None if own or edge else self._reshape(root, kept, target)) or ir.node("Transpose", [root], {"perm": list(order)})
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
        if plain is None or not _only_ones(kept, target, plain):
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
            if kept is not None:
                permutation = compose(inverse(read.through), kept)
            else:
                permutation = inverse(read.through)
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


def transposes(graph: ir.Graph) -> list[ir.Node]:
    """All Transposes of the graph."""
    return [node for node in graph if _is_transpose(node)]


