"""The network whose minimum cut tells which nodes take a candidate order of axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import networkx as nx
import onnx_ir as ir

from interlingua.passes.orders import Order, identity

if TYPE_CHECKING:
    from interlingua.passes.order_choice import Choice, Labels, Read


class Edges:
    """Adds to a network what it costs when the readers and the producer of one value are on different sides."""

    def __init__(
        self,
        solver: Choice,
        network: nx.DiGraph,
        root: ir.Value,
        count: int,
        labels: Labels,
        taken: Labels,
        frame: Labels,
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
