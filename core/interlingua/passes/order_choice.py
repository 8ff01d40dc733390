"""Chooses an order of axes for every movable node, so that the fewest edges of a graph disagree."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

import networkx as nx
import onnx_ir as ir

from interlingua.ir.edit import is_initializer
from interlingua.passes.axis_table import Movable, movable
from interlingua.passes.flattening import flattening
from interlingua.passes.order_cut import Edges
from interlingua.passes.orders import (
    Order,
    compose,
    extended,
    identity,
    inverse,
    is_transpose,
    only_ones,
    order_of,
    restricted,
)

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


class Choice:
    """A graph with its Transposes dissolved into what reads through them, and what each labelling of it costs."""

    def __init__(self, graph: ir.Graph, free_edges: bool) -> None:
        self.graph = graph
        self.free = free_edges
        self.dissolved = [node for node in graph if is_transpose(node) and self._dissolvable(node)]
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
        if shape is not None and only_ones(kept or identity(len(target)), target, list(shape)):
            return RESHAPE
        return EDGE if at_edge or root.is_graph_input() else INSIDE

    def cost(self, labels: Labels, roots: Iterable[ir.Value]) -> int:
        """The cost of the Transposes that the labelling leaves behind these values."""
        total = 0
        for root in roots:
            kept = self.stored(root, labels)
            for target, readers in self.needed(root, labels).items():
                total += self.weight(root, kept, target, any(read.node is None for read in readers))
        return total

    # search

    def best(self) -> Labels:
        """The orders of the nodes (and of inputs, where edges are free) that cost least; plain ones are left out."""
        labels: Labels = {}
        improved = True
        while improved:
            improved = False
            tried: set[tuple[Key, Order]] = set()
            for key, order in list(self._seeds(labels)):
                if (key, order) in tried or labels.get(key) == order:
                    continue
                frame = self._spread(key, order)
                tried.update(frame.items())
                step = self._step(labels, frame)
                if step:
                    labels.update(step)
                    improved = True
        return {key: order for key, order in labels.items() if order != identity(len(order))}

    def _step(self, labels: Labels, frame: Labels) -> Labels:
        """The part of the frame, or all of it, that is worth taking; nothing where none is."""
        roots = self._touched(frame)
        taken = self._cut(labels, frame, roots)
        candidates = [frame, {key: frame[key] for key in frame if key in taken}]
        costs = [self.cost({**labels, **each}, roots) for each in candidates]
        cheapest = min(costs)
        return candidates[costs.index(cheapest)] if cheapest < self.cost(labels, roots) else {}

    def _touched(self, frame: Labels) -> list[ir.Value]:
        """The values whose Transposes the frame may change."""
        roots: dict[ir.Value, None] = {}
        for key in frame:
            values = [key] if isinstance(key, ir.Value) else list(key.outputs)
            roots.update((value, None) for value in values if value in self.reads)
            if isinstance(key, ir.Node):
                roots.update((read.root, None) for read in self.of_node.get(key, ()))
        return list(roots)

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

    def _cut(self, labels: Labels, frame: Labels, roots: list[ir.Value]) -> set[Key]:
        """The part of the frame that a minimum cut takes."""
        network = nx.DiGraph()
        network.add_nodes_from(("take", "keep"))
        taken = {**labels, **frame}
        for count, root in enumerate(roots):
            Edges(self, network, root, count, labels, taken, frame).add()
        _, (side, _) = nx.minimum_cut(network, "take", "keep")
        return {each for each in frame if ("node", id(each)) in side}
