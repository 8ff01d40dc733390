"""Values that are computed alike and put together: `torch.stack([x[:, i : i + 8] for i in range(4)])`."""

from __future__ import annotations

import ast
import collections
import copy
import dataclasses
import functools
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from typing import TypeGuard

from interlingua.codegen.dataflow import Dataflow
from interlingua.codegen.expressions import call, operator
from interlingua.codegen.nesting import nested
from interlingua.codegen.progressions import LETTERS, Common, Unlike
from interlingua.codegen.source import lines
from interlingua.codegen.steps import MARK, Step, is_value, loaded, values_read
from interlingua.codegen.turns import Matching, Turn

_LEAST = 3
"""Two terms are read faster than what goes through them."""
_SHORTER = 0.75
"""So few letters are worth a line."""
_LONGEST = 100
"""What is longer is no comprehension."""
_WHOLE = f"{MARK}collected"


def collected(flow: Dataflow, sizes: Mapping[str, int], taken: Collection[str] = ()) -> list[Step]:
    """Replaces lists and sums of values that are computed alike by comprehensions and loops.

    They differ by whole numbers that go on evenly, by one counter or two, by the layers of a list (`sizes` are the
    lengths of lists) or by the parts of one value, and nothing else reads what they are made of. `taken` are names
    that counters must not have.
    """
    work = _Collecting(flow, sizes, taken)
    for position in range(len(flow.rows)):
        work.collect(position)
    return [step for row in flow.rows for step in row]


@dataclasses.dataclass(frozen=True)
class _Gathering:
    """A step that puts values together: its positions (a sum has one a sign), the values, and the step with others."""

    positions: frozenset[int]
    items: list[ast.expr]
    is_sum: bool


class _Collecting:
    def __init__(self, flow: Dataflow, sizes: Mapping[str, int], taken: Collection[str]) -> None:
        self._flow = flow
        self._sizes = sizes
        self._letters = [letter for letter in LETTERS if letter not in taken]

    def collect(self, position: int) -> None:
        """Looks for what is alike in the lists and the sum of a step."""
        for gathering in self._gatherings(position):
            cones = self._cones(gathering)
            pairs = zip(gathering.items, cones, strict=True)
            made = [self._flow.bounded(self._made(item, cone)) for item, cone in pairs]
            start = 0
            while start + _LEAST <= len(gathering.items):
                turn, count = self._turn(gathering, cones, made, start)
                if turn is not None and self._replace(position, gathering, start, count, turn):
                    return self.collect(position)
                start += max(count, 1)
        return None

    def _gatherings(self, position: int) -> Iterator[_Gathering]:
        tree = self._flow.plain(position)
        if tree is None:
            return
        for node in ast.walk(tree.value):
            if isinstance(node, ast.List) and len(node.elts) >= _LEAST:
                yield _Gathering(frozenset({position}), node.elts, is_sum=False)
        terms, positions = self._terms(position) if _is_sum(tree.value) and not self._goes_on(position) else ([], [])
        if len(terms) >= _LEAST:
            yield _Gathering(frozenset(positions), terms, is_sum=True)

    def _goes_on(self, position: int) -> bool:
        """Whether the step's value is but the beginning of a longer sum."""
        group = self._flow.step(position)
        readers = self._flow.readers(group.writes[0])
        tree = self._flow.plain(min(readers)) if len(readers) == 1 and not self._flow.is_output(group.writes) else None
        return tree is not None and _is_sum(tree.value) and _name_of(tree.value.left) == group.writes[0]

    def _terms(self, position: int) -> tuple[list[ast.expr], list[int]]:
        """The terms of a sum in their order, and the steps that add them."""
        tree = self._flow.plain(position)
        if tree is None:
            return [], []
        terms: list[ast.expr] = []
        beside: set[str] = set()  # what the step at hand reads beside the sum so far
        positions = [position]
        value = tree.value
        while _is_sum(value):
            terms.append(value.right)
            beside.update(loaded(value.right))
            value = value.left
            name = _name_of(value)
            maker = self._flow.maker(name)
            inner = self._flow.plain(maker) if maker >= 0 else None
            alone = self._flow.readers(name) == {positions[-1]} and not self._flow.is_output([name])
            if inner is not None and alone and name not in beside and _is_sum(inner.value):
                positions.append(maker)
                beside.clear()
                value = inner.value
        found = [value, *reversed(terms)]
        return [term for term in found if not _is_nothing(term) or term is found[0]], positions

    def _turn(
        self, gathering: _Gathering, cones: Sequence[set[int]], made: Sequence[ast.expr], start: int
    ) -> tuple[Turn | None, int]:
        """What the longest run of values from one on has in common, and how many they are.

        `cones` are the steps that each of the values alone is made by, `made` what it is given last.
        """
        count = 1
        while start + count < len(made) and _begin_alike(made[start + count - 1 : start + count + 1]):
            count += 1
        if count < _LEAST:
            return None, count
        turns = slice(start, start + count)
        items = gathering.items[turns]
        used: set[int] = set()
        if not all(map(_name_of, items)):  # some are made in a statement, others where they are read
            used = {self._flow.maker(_name_of(item)) for item in items} & set().union(*cones[turns])
            items = list(made[turns])
        matching = Matching(self._flow, items, cones[turns], gathering.positions, self._sizes, used)
        return matching.turn(self._letters), count

    def _made(self, item: ast.expr, cone: Set[int]) -> ast.expr:
        """What the step gives the value that an item is, where nothing else reads it; else the item itself."""
        maker = self._flow.maker(_name_of(item))
        tree = self._flow.plain(maker) if maker in cone else None
        return item if tree is None or isinstance(tree.targets[0], ast.Tuple) else tree.value

    def _cones(self, gathering: _Gathering) -> list[set[int]]:
        """The steps that each of the values alone is made by."""
        reads = [[name for name in loaded(item) if is_value(name)] for item in gathering.items]
        said = collections.Counter(name for names in reads for name in names)
        roots = {name: index for index, names in enumerate(reads) for name in names if said[name] == 1}
        return self._flow.cones(roots, gathering.positions, len(gathering.items))

    def _replace(self, position: int, gathering: _Gathering, start: int, count: int, turn: Turn) -> bool:
        """Puts the turn in the place of so many values from one on, where that is shorter."""
        step = self._flow.step(position)
        inline = turn.inlined()
        features = f"{step.writes[0]}{_WHOLE}{start}"
        rest = gathering.items[:start], gathering.items[start + count :]
        made: list[Step] = []
        if inline is not None and _length(inline) <= _LONGEST:
            over = turn.comprehensions
            items: ast.expr = ast.ListComp(inline, over) if not any(rest) else ast.GeneratorExp(inline, over)
        elif gathering.is_sum:
            return False
        else:
            items = ast.Name(features, ast.Load())
            made.append(turn.loop(step, features))
        if gathering.is_sum:
            value = _summed(rest[0], ast.ListComp(inline, over), rest[1]) if inline is not None else items
            tree = self._flow.plain(position)
            assert tree is not None
            trees: list[ast.stmt] = [ast.Assign(tree.targets, value, lineno=0)]
        else:
            whole = (
                items if not any(rest) else ast.List([*rest[0], ast.Starred(items, ast.Load()), *rest[1]], ast.Load())
            )
            trees = [_Listing(gathering.items, whole).visit(copy.deepcopy(each)) for each in step.tree]
        made.append(dataclasses.replace(step, tree=trees, reads=values_read(trees)))
        gone = {*turn.used, *gathering.positions} - {position}
        before = [self._flow.step(place) for place in sorted({*gone, position})]
        if not _is_shorter(made, before, step.writes):
            return False
        self._flow.replace(position, made, gone)
        return True


def _begin_alike(pair: Sequence[ast.expr]) -> bool:
    """Whether two expressions differ but by numbers and values."""
    try:
        Common(lambda names: ast.Name("", ast.Load())).tree(pair)
    except Unlike:
        return False
    return True


def _is_sum(value: ast.expr | None) -> TypeGuard[ast.BinOp]:
    return isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add)


def _name_of(value: ast.expr) -> str:
    """The value that the expression is; empty for any other."""
    return value.id if isinstance(value, ast.Name) and is_value(value.id) else ""


def _is_nothing(value: ast.expr) -> bool:
    """Whether it is a zero, which a sum begins with anyway."""
    return isinstance(value, ast.Constant) and type(value.value) in (int, float) and not value.value


def _summed(before: Sequence[ast.expr], terms: ast.expr, after: Sequence[ast.expr]) -> ast.expr:
    """`sum(terms)`, with the terms before as its start and those after added."""
    start = [functools.reduce(_added, before)] if before else []
    whole: ast.expr = call("sum", [terms, *start])
    return functools.reduce(_added, after, whole)


def _added(left: ast.expr, right: ast.expr) -> ast.expr:
    return operator("+", left, right)


class _Listing(ast.NodeTransformer):
    """Puts another expression in the place of a list."""

    def __init__(self, items: Sequence[ast.expr], made: ast.expr) -> None:
        self._text, self._made = ast.dump(ast.List(list(items), ast.Load())), made

    def visit_List(self, node: ast.List) -> ast.AST:
        return self._made if ast.dump(node) == self._text else self.generic_visit(node)


def _length(value: ast.expr) -> int:
    return len(ast.unparse(ast.fix_missing_locations(copy.deepcopy(value))))


def _is_shorter(made: Sequence[Step], before: Sequence[Step], outputs: Sequence[str]) -> bool:
    """Whether the steps are fewer lines as they are written, or so few letters that it does not matter."""
    (lines_made, letters_made), (lines_before, letters_before) = _size(made, outputs), _size(before, outputs)
    return (lines_made, letters_made) < (lines_before, letters_before) or letters_made <= _SHORTER * letters_before


def _size(steps: Sequence[Step], outputs: Sequence[str]) -> tuple[int, int]:
    """About how many lines and letters the steps are as they are written."""
    trees = [tree for step in nested(steps, outputs, lambda _: False) for tree in step.tree]
    made = [ast.fix_missing_locations(copy.deepcopy(tree)) for tree in trees]
    return sum(map(lines, made)), sum(len(ast.unparse(each)) for each in made)
