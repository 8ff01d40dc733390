"""What is done alike for several values that are put together: a turn of a comprehension or a loop."""

from __future__ import annotations

import ast
import copy
import dataclasses
from collections.abc import Mapping, Sequence, Set

from interlingua.codegen.dataflow import Dataflow
from interlingua.codegen.expressions import call, parse
from interlingua.codegen.loops import aliases
from interlingua.codegen.nesting import nested
from interlingua.codegen.progressions import Column, Common, Unlike, counted, filled, turns_of
from interlingua.codegen.steps import MARK, Step, is_value, loaded, rename, stored, values_read
from interlingua.codegen.subscripts import joined, unbounded

_LEAST_BY_TWO = 6
"""Four corners are read faster than two counters."""
_PART = "part"


@dataclasses.dataclass(frozen=True)
class Turn:
    """Statements and the value that they lead to, by variables; what these go through; the steps that are gone then."""

    statements: list[ast.Assign]
    value: ast.expr
    over: list[tuple[ast.expr, ast.expr]]
    used: set[int]

    @property
    def comprehensions(self) -> list[ast.comprehension]:
        """The variables as those of a comprehension."""
        return [ast.comprehension(variable, over, [], 0) for variable, over in self.over]

    def inlined(self) -> ast.expr | None:
        """The turn as one expression, where each of its values is read once."""
        known: dict[str, ast.expr] = {}
        reads = [name for tree in (*self.statements, self.value) for name in loaded(tree)]
        for statement in self.statements:
            (target,) = statement.targets
            if not isinstance(target, ast.Name) or reads.count(target.id) != 1:
                return None
            known[target.id] = _Known(known).visit(copy.deepcopy(statement.value))
        found = _Known(known).visit(copy.deepcopy(self.value))
        assert isinstance(found, ast.expr)
        return joined(found)

    def loop(self, step: Step, features: str) -> Step:
        """The turn as a loop that makes the list `features`, in the place of a step."""
        result = f"{features}{MARK}result"
        final = ast.Assign([ast.Name(result, ast.Store())], self.value, lineno=0)
        inner = [
            Step([each], values_read([each]), tuple(stored(each)), step.scopes, step.node)
            for each in (*self.statements, final)
        ]
        *before, last = _going_on(nested(inner, [result], lambda _: True))
        (kept,) = last.tree
        assert isinstance(kept, ast.Assign)
        append = call(ast.Attribute(ast.Name(features, ast.Load()), "append", ast.Load()), [kept.value])
        body: list[ast.stmt] = [*(tree for each in before for tree in each.tree), ast.Expr(append)]
        for variable, over in reversed(self.over):
            body = [ast.For(variable, over, body, [], lineno=0)]
        begun = ast.Assign([ast.Name(features, ast.Store())], ast.List([], ast.Load()), lineno=0)
        writes = (features, *dict.fromkeys(name for each in before for name in each.writes))
        reads = tuple(name for name in values_read([begun, *body]) if name not in writes)
        return dataclasses.replace(step, tree=[begun, *body], reads=reads, writes=writes)


class _Known(ast.NodeTransformer):
    def __init__(self, values: Mapping[str, ast.expr]) -> None:
        self._values = values

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self._values.get(node.id, node)


def _going_on(steps: Sequence[Step]) -> list[Step]:
    """The steps with one variable going on where a value is read for the last time."""
    made = {name for step in steps for name in step.writes}
    last = {name: position for position, step in enumerate(steps) for name in step.reads}
    names: dict[str, str] = {}
    found: list[Step] = []
    for position, step in enumerate(steps):
        dying = [names.get(name, name) for name in step.reads if name in made and last[name] == position]
        for name, heir in zip(step.writes, dying, strict=False):
            names[name] = heir
        found.append(step.renamed(names))
    return found


class Matching:
    """Finds what is done alike for several values, each of which is made by steps of its own (`cones`).

    They are read at `positions`, and `used` are steps that the values say already; `sizes` are the lengths of lists of
    layers.
    """

    def __init__(
        self,
        flow: Dataflow,
        items: Sequence[ast.expr],
        cones: Sequence[Set[int]],
        positions: Set[int],
        sizes: Mapping[str, int],
        used: Set[int] = frozenset(),
    ) -> None:
        self._flow = flow
        self._items = items
        self._cones = cones
        self._at = positions
        self._sizes = sizes
        self._common = Common(self._named)
        self._known: dict[tuple[str, ...], str] = {}
        self._given: list[tuple[str, ...]] = []
        self._statements: list[ast.Assign] = []
        self._used = {*used}

    def turn(self, letters: Sequence[str]) -> Turn | None:
        """What is done in each turn; None where the values differ by more than a turn can say.

        Counters take their names from `letters`.
        """
        try:
            value = self._common.tree([self._flow.bounded(item) for item in self._items])
        except Unlike:
            return None
        assert isinstance(value, ast.expr)
        if not self._is_closed() or (isinstance(value, ast.Name) and not self._statements) or len(self._given) > 1:
            return None
        layers = self._layers([value, *(each.value for each in self._statements)])
        gone = {id(node.slice) for nodes in layers.values() for node in nodes}
        columns = [column for column in self._common.columns if id(column.mark) not in gone]
        parts = self._parts() if self._given else None
        singles = aliases(list(layers))
        through = [(singles[name], parse(f"self.{name}")) for name in layers]
        through += [] if parts is None else [(_PART, parts[0])]
        headers = self._headers(columns, through, letters)
        if headers is None or (parts is not None and columns and not parts[1]):
            return None
        over, values = headers
        values |= {id(node): ast.Name(singles[name], ast.Load()) for name, nodes in layers.items() for node in nodes}

        def finished(tree: ast.expr) -> ast.expr:
            made = joined(unbounded(rename(filled(tree, values), {_part(0): _PART})))
            assert isinstance(made, ast.expr)
            return made

        statements: list[ast.Assign] = [
            ast.Assign(each.targets, finished(each.value), lineno=0) for each in self._statements
        ]
        return Turn(statements, finished(value), over, self._used | (parts[1] if parts is not None else set()))

    def _headers(
        self, columns: Sequence[Column], through: Sequence[tuple[str, ast.expr]], letters: Sequence[str]
    ) -> tuple[list[tuple[ast.expr, ast.expr]], dict[int, ast.expr]] | None:
        """The variables of a turn with what they go through, and what stands for the marks of the columns."""
        count = len(self._items)
        turns = turns_of([column.values for column in columns], count, _LEAST_BY_TWO)
        if turns is None or not (columns or through) or (through and len(turns) > 1):
            return None
        counters, values = counted(columns, turns, letters, stepping=not through) if columns else ([], {})
        if not through:
            return [(ast.Name(each.name, ast.Store()), each.range) for each in counters], values
        names: list[ast.expr] = [ast.Name(name, ast.Store()) for name, _ in through]
        target = names[0] if len(names) == 1 else ast.Tuple(names, ast.Store())
        over = [each for _, each in through]
        whole = over[0] if len(over) == 1 else call("zip", over, {"strict": True})
        if counters:
            target = ast.Tuple([ast.Name(counters[0].name, ast.Store()), target], ast.Store())
            whole = call("enumerate", [whole])
        return [(target, whole)], values

    def _layers(self, trees: Sequence[ast.expr]) -> dict[str, list[ast.Subscript]]:
        """The places where each turn takes the next layer of a whole list, by the list's name."""
        marks = {id(column.mark): column.values for column in self._common.columns}
        count = len(self._items)
        found: dict[str, list[ast.Subscript]] = {}
        for node in (node for tree in trees for node in ast.walk(tree)):
            if isinstance(node, ast.Subscript) and marks.get(id(node.slice)) == [*range(count)]:
                stem, _, name = ast.unparse(node.value).partition(".")
                if stem == "self" and self._sizes.get(name) == count:
                    found.setdefault(name, []).append(node)
        return found

    def _named(self, names: Sequence[str]) -> ast.expr | None:
        """The value of a turn for the values of all; None where they are names of the code."""
        key = tuple(names)
        if not all(map(is_value, key)):
            return None
        if len({*key}) == 1:
            return ast.Name(key[0], ast.Load())
        if key not in self._known:
            self._expand(key)
        if key not in self._known:
            self._known[key] = _part(len(self._given))
            self._given.append(key)
        return ast.Name(self._known[key], ast.Load())

    def _expand(self, names: tuple[str, ...]) -> None:
        """Takes in the steps that make the values, where they are alike and nothing else needs them."""
        makers = [self._flow.maker(name) for name in names]
        if not all(maker in cone for maker, cone in zip(makers, self._cones, strict=True)):
            return
        steps = [self._flow.step(maker) for maker in makers]
        if len({(len(step.writes), step.writes.index(name)) for step, name in zip(steps, names, strict=True)}) != 1:
            return
        before = len(self._common.columns), len(self._given), len(self._statements), {*self._used}, dict(self._known)
        assigned = [self._flow.plain(maker) for maker in makers]
        if len({_place(tree, name) for tree, name in zip(assigned, names, strict=True)}) != 1:
            return
        try:
            value = self._common.tree([self._flow.bounded(each.value) for each in assigned if each is not None])
        except Unlike:
            del self._common.columns[before[0] :], self._given[before[1] :], self._statements[before[2] :]
            self._used, self._known = before[3:]
            return
        assert assigned[0] is not None and isinstance(value, ast.expr)
        self._statements.append(ast.Assign(copy.deepcopy(assigned[0].targets), value, lineno=0))
        self._used |= {*makers}
        for written in zip(*(step.writes for step in steps), strict=True):
            self._known[written] = written[0]

    def _parts(self) -> tuple[ast.expr, set[int]] | None:
        """What the values that are made elsewhere are: all the parts of one value, or values one by one."""
        if len(self._given) != 1:
            return None
        (names,) = self._given
        makers = {self._flow.maker(name) for name in names}
        position = min(makers)
        tree = self._flow.plain(position) if len(makers) == 1 and position >= 0 else None
        targets = tree.targets[0] if tree is not None else None
        given = targets.elts if isinstance(targets, ast.Tuple) else ()
        if tree is not None and tuple(each.id if isinstance(each, ast.Name) else "" for each in given) == names:
            readers = [self._flow.readers(name) for name in names]
            whole = all(each <= cone | self._at for each, cone in zip(readers, self._cones, strict=True))
            if whole and not self._flow.is_output(names):
                return copy.deepcopy(tree.value), {position}
        return ast.Tuple([ast.Name(name, ast.Load()) for name in names], ast.Load()), set()

    def _is_closed(self) -> bool:
        """Whether nothing outside of the turns reads what they make."""
        inside = self._used | self._at
        return all(self._flow.readers(name) <= inside for place in self._used for name in self._flow.step(place).writes)


def _place(tree: ast.Assign | None, name: str) -> tuple[bool, ...]:
    """Which of the targets of a statement is the value: those that nothing reads have no name of their own."""
    target = None if tree is None else tree.targets[0]
    targets = target.elts if isinstance(target, ast.Tuple) else [target]
    return tuple(isinstance(each, ast.Name) and each.id == name for each in targets)


def _part(number: int) -> str:
    """What stands for a value that a turn is given."""
    return f"{MARK}part{number}"
