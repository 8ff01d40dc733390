"""Who makes and who reads the values of a row of steps, while steps of it are replaced."""

from __future__ import annotations

import ast
import heapq
from collections.abc import Collection, Mapping, Sequence, Set

from interlingua.codegen.steps import Step
from interlingua.codegen.subscripts import Sizes, bounded


class Dataflow:
    """The steps by their positions, and the positions where values are made and read; `axes` are sizes of values."""

    def __init__(self, steps: Sequence[Step], outputs: Sequence[str], axes: Mapping[str, Sizes]) -> None:
        self.rows: list[list[Step]] = [[step] for step in steps]
        self._axes = axes
        self._outputs = {*outputs}
        self._makers = {name: position for position, step in enumerate(steps) for name in step.writes}
        self._readers: dict[str, set[int]] = {}
        for position, step in enumerate(steps):
            for name in step.reads:
                self._readers.setdefault(name, set()).add(position)

    def plain(self, position: int) -> ast.Assign | None:
        """The one assignment to names that the step is; None where it is anything else."""
        row = self.rows[position]
        tree = row[0].tree[0] if len(row) == 1 and len(row[0].tree) == 1 else None
        if not isinstance(tree, ast.Assign) or not isinstance(tree.targets[0], ast.Name | ast.Tuple):
            return None
        return tree

    def step(self, position: int) -> Step:
        """The one step at a position."""
        (step,) = self.rows[position]
        return step

    def maker(self, name: str) -> int:
        """The position of the step that gives a value, or -1."""
        return self._makers.get(name, -1)

    def readers(self, name: str) -> set[int]:
        """The positions of the steps that read a value."""
        return self._readers.get(name, set())

    def is_output(self, names: Collection[str]) -> bool:
        """Whether any of the values is a result of the whole."""
        return not self._outputs.isdisjoint(names)

    def bounded(self, tree: ast.expr) -> ast.expr:
        """A copy of the expression with all bounds of its slices said."""
        return bounded(tree, self._axes)

    def cones(self, roots: Mapping[str, int], positions: Set[int], count: int) -> list[set[int]]:
        """The steps that lead to one of `count` places alone, by the place.

        `roots` are the places where values are read at `positions`.
        """
        owner: dict[int, int] = {}
        heap = [-self.maker(name) for name in roots if name in self._makers]
        heapq.heapify(heap)
        while heap:  # from the last step on: all that read what a step makes are known before it
            position = -heapq.heappop(heap)
            if position in owner or self.plain(position) is None:
                continue
            step = self.step(position)
            owners = {
                roots.get(name, -1) if reader in positions else owner.get(reader, -1)
                for name in step.writes
                for reader in self.readers(name)
            }
            if len(owners) != 1 or -1 in owners or self.is_output(step.writes):
                continue
            owner[position] = owners.pop()
            for name in step.reads:
                if name in self._makers:
                    heapq.heappush(heap, -self.maker(name))
        found: list[set[int]] = [set() for _ in range(count)]
        for position, place in owner.items():
            found[place].add(position)
        return found

    def replace(self, position: int, made: list[Step], gone: Collection[int]) -> None:
        """Puts steps in the place of one, and takes away those that they make needless."""
        for place in {*gone, position}:
            for step in self.rows[place]:
                for name in step.reads:
                    self._readers.get(name, set()).discard(place)
        for place in gone:
            self.rows[place] = []
        self.rows[position] = made
        for step in made:
            self._makers.update(dict.fromkeys(step.writes, position))
            for name in step.reads:
                self._readers.setdefault(name, set()).add(position)
