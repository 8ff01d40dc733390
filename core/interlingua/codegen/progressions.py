"""What pieces of code have in common that differ by whole numbers, and how these go on."""

from __future__ import annotations

import ast
import copy
import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence

from interlingua.codegen.expressions import literal, operator

LETTERS = "ijkmn"
"""What numbers of repetitions are called."""
_NUMBERED = re.compile(r"(.*?)(0|[1-9]\d*)")

Naming = Callable[[Sequence[str]], "ast.expr | None"]
"""What stands for different names; None where nothing does."""


class Unlike(Exception):
    """Pieces of code differ by more than whole numbers."""


@dataclasses.dataclass
class Column:
    """Whole numbers of pieces of code at one place, and the mark that stands there."""

    values: list[int]
    mark: ast.expr


class Common:
    """Finds what pieces of code have in common; `columns` are the numbers by which they differ.

    Names that differ are what `naming` says. The bounds of slices may have a number added in some pieces alone:
    `x[:size]`, `x[1 : size + 1]`.
    """

    def __init__(self, naming: Naming | None = None) -> None:
        self._naming = naming
        self.columns: list[Column] = []

    def tree(self, nodes: Sequence[ast.AST]) -> ast.AST:
        """The common form, with marks in the places of `columns`.

        Raises:
            Unlike: they have none.
        """
        first = nodes[0]
        numbers = [whole(each) for each in nodes]
        known = [each for each in numbers if each is not None]
        if len(known) == len(nodes) and len({*known}) > 1:
            return self._column(known)
        if len({ast.dump(each) for each in nodes}) == 1:
            return copy.deepcopy(first)
        if len({type(each) for each in nodes}) != 1:
            raise Unlike
        if isinstance(first, ast.Constant):
            return self._texts([each.value for each in nodes if isinstance(each, ast.Constant)])
        if isinstance(first, ast.Name):
            named = self._naming([each.id for each in nodes if isinstance(each, ast.Name)]) if self._naming else None
            if named is None:
                raise Unlike
            return named
        found = copy.copy(first)
        for field in first._fields:
            values = [getattr(each, field, None) for each in nodes]
            bound = isinstance(first, ast.Slice) and field in ("lower", "upper")
            setattr(found, field, self._bounds(values) if bound else self._field(values))
        return found

    def _field(self, values: Sequence[object]) -> object:
        lists = [each for each in values if isinstance(each, list)]
        if len(lists) == len(values):
            if len({len(each) for each in lists}) != 1:
                raise Unlike
            return [self._field(each) for each in zip(*lists, strict=True)]
        trees = [each for each in values if isinstance(each, ast.AST)]
        if len(trees) == len(values):
            return self.tree(trees)
        if len({repr(each) for each in values}) != 1:
            raise Unlike
        return values[0]

    def _column(self, values: Sequence[int]) -> ast.expr:
        mark = ast.Name("", ast.Load())
        self.columns.append(Column(list(values), mark))
        return mark

    def _texts(self, values: Sequence[object]) -> ast.expr:
        """`f"layer{…}"` for "layer1", "layer2", "layer3"; numbers that are equal but for how they are marked."""
        matches = [match for match in map(_NUMBERED.fullmatch, map(str, values)) if match]
        if not all(isinstance(each, str) for each in values) or len(matches) != len(values):
            if len({repr(each) for each in values}) == 1:
                return ast.Constant(values[0])  # type: ignore[arg-type]
            raise Unlike
        if len({match[1] for match in matches}) != 1:
            raise Unlike
        number = self._column([int(match[2]) for match in matches])
        stem = [ast.Constant(matches[0][1])] if matches[0][1] else []
        return ast.JoinedStr([*stem, ast.FormattedValue(number, -1)])

    def _bounds(self, values: Sequence[object]) -> object:
        """The common form of bounds of slices, some of which have a number added: `size`, `size + 1`."""
        parts = [_split(each) for each in values if isinstance(each, ast.expr)]
        whole_too = any(isinstance(each, ast.expr) and whole(each) is not None for each in values)
        if len(parts) != len(values) or whole_too or len({number for _, number in parts}) == 1:
            return self._field(values)
        rest = self.tree([each for each, _ in parts])
        assert isinstance(rest, ast.expr)
        return operator("+", rest, self._column([number for _, number in parts]))


def whole(node: object) -> int | None:
    """The whole number that an expression spells."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number = whole(node.operand)
        return None if number is None else -number
    value = node.value if isinstance(node, ast.Constant) else None
    return value if type(value) is int else None


def _split(node: ast.expr) -> tuple[ast.expr, int]:
    """`size + 1` as `size` and 1."""
    number = whole(node.right) if isinstance(node, ast.BinOp) else None
    if isinstance(node, ast.BinOp) and number is not None and isinstance(node.op, ast.Add | ast.Sub):
        return node.left, number if isinstance(node.op, ast.Add) else -number
    return node, 0


@dataclasses.dataclass(frozen=True)
class Counter:
    """A number that goes on: its name, its first value, its step, and how many there are."""

    name: str
    start: int
    step: int
    count: int

    @property
    def range(self) -> ast.expr:
        """`range(4)`, `range(2, 9)`, `range(0, 41, 2)`: what it goes through."""
        last = self.start + self.step * (self.count - 1)
        bounds = [self.start, last + (1 if self.step > 0 else -1), self.step]
        said = bounds[1:2] if (self.start, self.step) == (0, 1) else bounds[:2] if self.step == 1 else bounds
        return ast.Call(ast.Name("range", ast.Load()), [literal(each) for each in said], [])


def evenly(values: Sequence[int], turns: Sequence[int]) -> tuple[int, list[int]] | None:
    """The first value and the steps of numbers that go on evenly by so many `turns`, the innermost last."""
    base, inner = values[0], turns[-1]
    steps = [values[inner] - base if len(turns) > 1 else 0, values[1] - base]
    if any(value != base + steps[0] * (k // inner) + steps[1] * (k % inner) for k, value in enumerate(values)):
        return None
    return base, steps[2 - len(turns) :]


def turns_of(columns: Sequence[Sequence[int]], count: int, least: int) -> tuple[int, ...] | None:
    """How often each of one or two counters turns, so that all columns go on evenly; None where they do not.

    Two counters make at least `least` values.
    """
    if all(evenly(each, (count,)) for each in columns):
        return (count,)
    breaks = (next(k for k in range(2, count) if each[k] - each[k - 1] != each[1] - each[0])
              for each in columns if not evenly(each, (count,)))  # fmt: skip
    inner = min(breaks)
    turns = (count // inner, inner)
    whole_rows = count % inner == 0 and turns[0] > 1 and count >= least
    return turns if whole_rows and all(evenly(each, turns) for each in columns) else None


def counted(
    columns: Sequence[Column], turns: Sequence[int], letters: Sequence[str], *, stepping: bool = True
) -> tuple[list[Counter], dict[int, ast.expr]]:
    """The counters of columns that go on evenly by `turns`, and what stands for each column's mark.

    A counter goes by the step of the numbers where these all have the same one: `x[i : i + 8]` for i in 0, 2, 4. One
    that is not `stepping` counts the turns.
    """
    known = [(column, even) for column in columns if (even := evenly(column.values, turns)) is not None]
    counters: list[Counter] = []
    for place, (letter, count) in enumerate(zip(letters, turns, strict=False)):
        said = {steps[place] for _, (_, steps) in known} - {0}
        alone = [base for _, (base, steps) in known if steps[place] and sum(map(bool, steps)) == 1]
        single = stepping and len(said) == 1
        start = min(alone, key=abs) if single and alone else 0
        counters.append(Counter(letter, start, said.pop() if single else 1, count))
    found: dict[int, ast.expr] = {}
    for column, (base, steps) in known:
        factors = [step // counter.step for step, counter in zip(steps, counters, strict=True)]
        rest = base - sum(factor * counter.start for factor, counter in zip(factors, counters, strict=True))
        terms = [(factor, counter.name) for factor, counter in zip(factors, counters, strict=True)]
        found[id(column.mark)] = spelled(rest, terms)
    return counters, found


class _Filling(ast.NodeTransformer):
    def __init__(self, values: Mapping[int, ast.expr]) -> None:
        self._values = values

    def visit(self, node: ast.AST) -> ast.AST:
        found = self._values.get(id(node))
        return self.generic_visit(node) if found is None else copy.deepcopy(found)


def filled(tree: ast.AST, values: Mapping[int, ast.expr]) -> ast.AST:
    """The tree, changed in place, with expressions in the places of marks and other nodes, by their ids."""
    return _Filling(values).visit(tree)


def spelled(base: int, terms: Sequence[tuple[int, str]]) -> ast.expr:
    """`i`, `i + 8`, `64 + 32 * i`, `4 - i`."""
    said = [(factor, ast.Name(letter, ast.Load())) for factor, letter in terms if factor]
    if not said:
        return literal(base)
    plain = all(factor == 1 for factor, _ in said)
    found = None if plain or base == 0 else literal(base)
    for factor, letter in said:
        grown = letter if abs(factor) == 1 else operator("*", ast.Constant(abs(factor)), letter)
        if found is None:
            found = grown if factor > 0 else ast.UnaryOp(ast.USub(), grown)
        else:
            found = operator("+" if factor > 0 else "-", found, grown)
    assert found is not None
    if not plain or base == 0:
        return found
    return operator("+" if base > 0 else "-", found, ast.Constant(abs(base)))
