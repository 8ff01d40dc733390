"""Statements without layers that stand several times in a module: a function of the file, called as often."""

from __future__ import annotations

import ast
import copy
import dataclasses
import itertools
from collections.abc import Collection, Iterator, Sequence

from interlingua.codegen.naming import PART
from interlingua.codegen.nesting import is_owned
from interlingua.codegen.program import Tensor
from interlingua.codegen.steps import MARK, Step, is_value, loaded, rename, values_read
from interlingua.codegen.structure import Module
from interlingua.names import snake_case

_LEAST = 8
"""So many statements are worth a function."""
_RESULTS = 2
_ARGUMENTS = 6
_DOZEN = 12
"""So many statements are worth an argument more."""
_MOST = 600
"""A module of more statements is not searched."""
_LENGTHS = 4
_SEARCHED = 400
_TRIED = 100
_SHORTER = 3
"""So many of the last statements alike may be none of the function's."""


@dataclasses.dataclass(frozen=True)
class Function:
    """A function: its name, what it is given and gives, and its steps in values of its own.

    `names` are those of the inputs that are tensors of the module.
    """

    name: str
    inputs: list[str]
    names: dict[str, str]
    outputs: list[str]
    steps: list[Step]


class Functions:
    """The functions of a file; `stem` is what those are called that modules of no known class call."""

    def __init__(self, stem: str) -> None:
        self._stem = stem
        self._known: dict[str, Function] = {}

    @property
    def all(self) -> list[Function]:
        """The functions in the order they were found."""
        return list(self._known.values())

    def share(self, module: Module) -> None:
        """Replaces statements of the module that stand several times by calls of a function."""
        if len(module.steps) > _MOST:
            return
        while True:
            found = (self._made(module, starts, count) for starts, count in _runs(module))
            made = next((each for each in found if each is not None), None)
            if made is None:
                return
            module.steps = made

    def _made(self, module: Module, starts: Sequence[int], count: int) -> list[Step] | None:
        """The steps with calls in the place of the runs of `count` steps; None where these are not the same."""
        runs = [_Run(module.steps[start : start + count]) for start in starts]
        first = runs[0]
        if any(run.shape != first.shape for run in runs):
            return None
        outside = _read_outside(module, starts, count)
        results = sorted({run.made.index(name) for run in runs for name in run.made if name in outside})
        columns = list(dict.fromkeys(zip(*(run.given for run in runs), strict=True)))
        owned = first.owned
        if not results or len(results) > _RESULTS or len(columns) + len(owned) > _ARGUMENTS + count // _DOZEN:
            return None
        function = self._function(module, first, columns, results)
        steps = list(module.steps)
        for number, (start, run) in reversed([*enumerate(zip(starts, runs, strict=True))]):
            arguments: list[ast.expr] = [ast.Name(column[number], ast.Load()) for column in columns]
            called = ast.Call(ast.Name(function.name, ast.Load()), [*arguments, *map(copy.deepcopy, owned)], [])
            names = [run.made[index] for index in results]
            targets: list[ast.expr] = [ast.Name(name, ast.Store()) for name in names]
            whole = targets[0] if len(targets) == 1 else ast.Tuple(targets, ast.Store())
            tree: list[ast.stmt] = [ast.Assign([whole], called, lineno=0)]
            call = Step(tree, values_read(tree), tuple(names), module.steps[start].scopes, None)
            steps[start : start + count] = [call]
        return steps

    def _function(
        self, module: Module, run: _Run, columns: Sequence[tuple[str, ...]], results: Sequence[int]
    ) -> Function:
        names = {name: f"{MARK}{index}" for index, name in enumerate([column[0] for column in columns] + run.made)}
        owned = {ast.unparse(each): f"{MARK}own{index}" for index, each in enumerate(run.owned)}
        steps = []
        for step in run.steps:
            tree = [_Given(owned).visit(rename(each, names)) for each in step.tree]
            steps.append(dataclasses.replace(step.renamed(names), tree=tree, reads=values_read(tree)))
        inputs = [*(names[column[0]] for column in columns), *owned.values()]
        outputs = [names[run.made[index]] for index in results]
        key = "\n".join([str(inputs), str(outputs), *(ast.dump(each) for step in steps for each in step.tree)])
        if key not in self._known:
            stem = self._stem if not module.kind.isidentifier() else module.kind
            taken = {function.name for function in self._known.values()}
            name = next(name for name in _names(stem) if name not in taken)
            attributes = {owned[ast.unparse(each)]: each.attr for each in run.owned}
            self._known[key] = Function(name, inputs, attributes, outputs, steps)
        return self._known[key]


def _names(stem: str) -> Iterator[str]:
    yield f"{snake_case(stem)}_{PART}"
    yield from (f"{snake_case(stem)}_{number}_{PART}" for number in itertools.count(2))


class _Given(ast.NodeTransformer):
    """Puts arguments where tensors of the module stand."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        name = self._names.get(ast.unparse(node)) if is_owned(node) else None
        return ast.Name(name, ast.Load()) if name else self.generic_visit(node)


class _Run:
    """Steps that stand together: the values they make and are given from before, and how they hang together."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = list(steps)
        self.made = [name for step in steps for name in step.writes]
        places = {name: index for index, name in enumerate(self.made)}
        reads = [name for step in steps for tree in step.tree for name in loaded(tree) if is_value(name)]
        self.shape = [places.get(name, -1) for name in reads]
        self.given = [name for name in reads if name not in places]
        texts = {ast.unparse(node): node for step in steps for tree in step.tree for node in _tensors(tree)}
        self.owned = list(texts.values())


def _tensors(tree: ast.AST) -> Iterator[ast.Attribute]:
    """What of the module is read: `self.view`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            yield node


def _token(step: Step, position: int, tensors: Collection[str]) -> str:
    """What the step says, whatever its values are; its own number where it is no assignment or reads layers."""
    plain = len(step.tree) == 1 and isinstance(step.tree[0], ast.Assign)
    if not plain or any(each.attr not in tensors for tree in step.tree for each in _tensors(tree)):
        return str(position)
    blank = dict.fromkeys((*step.reads, *step.writes), MARK)
    return "\n".join(ast.dump(rename(tree, blank)) for tree in step.tree)


def _runs(module: Module) -> list[tuple[list[int], int]]:
    """Where the same steps stand several times, and how many they are; what saves most lines first."""
    tensors = {path for path, child in module.children.items() if isinstance(child, Tensor)}
    tokens = [_token(step, position, tensors) for position, step in enumerate(module.steps)]
    places: dict[str, list[int]] = {}
    for position, token in enumerate(tokens):
        places.setdefault(token, []).append(position)
    size = len(tokens)
    alike: dict[tuple[int, int], int] = {}
    found: set[tuple[int, int]] = set()
    for first in reversed(range(size)):
        counts: set[int] = set()
        for second in places[tokens[first]]:
            if second <= first:
                continue
            alike[first, second] = alike.get((first + 1, second + 1), 0) + 1
            counts.add(min(alike[first, second], second - first))
        longest = [count for count in sorted(counts, reverse=True) if count >= _LEAST][:_LENGTHS]
        found |= {(first, each) for count in longest for each in range(max(count - _SHORTER, _LEAST), count + 1)}
    candidates = []
    for first, count in sorted(found, key=lambda each: (-each[1], each[0]))[:_SEARCHED]:
        starts, position = [first], first + count
        while position + count <= size:
            if tokens[position : position + count] == tokens[first : first + count]:
                starts.append(position)
                position += count
            else:
                position += 1
        candidates.append((starts, count))
    candidates.sort(key=lambda each: -(len(each[0]) - 1) * each[1])
    return [each for each in candidates if len(each[0]) > 1][:_TRIED]


def _read_outside(module: Module, starts: Sequence[int], count: int) -> set[str]:
    """The values that are read outside of the run that makes them, or given by the module."""
    runs = {position: start for start in starts for position in range(start, start + count)}
    makers = {name: position for position, step in enumerate(module.steps) for name in step.writes}
    found = {*module.outputs}
    for position, step in enumerate(module.steps):
        for name in step.reads:
            if name in makers and runs.get(makers[name], -1) != runs.get(position, -2):
                found.add(name)
    return found
