"""A program's statements in single-assignment form: each result its own identifier, whatever variable it had."""

from __future__ import annotations

import ast
import copy
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import onnx_ir as ir

from interlingua.codegen.program import UNREAD, Compound, Program, Statement, as_ast
from interlingua.ir.facts import shape_of

Tree = TypeVar("Tree", bound=ast.AST)

MARK = "\N{MIDDLE DOT}"
"""Stands in the identifiers of values, so that none is a name of the code."""


@dataclasses.dataclass
class Step:
    """Statements that stand together: what they read from before, what they give, and whence they come.

    `scopes` are the paths of the modules around them, outermost first; None where nobody said.
    """

    tree: list[ast.stmt]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    scopes: tuple[str, ...] | None = None
    node: ir.Node | None = None
    comment: str = ""

    def renamed(self, names: Mapping[str, str]) -> Step:
        """A copy with other identifiers for values."""
        tree = [rename(each, names) for each in self.tree]
        reads, writes = (tuple(names.get(each, each) for each in group) for group in (self.reads, self.writes))
        return dataclasses.replace(self, tree=tree, reads=tuple(dict.fromkeys(reads)), writes=writes)


@dataclasses.dataclass
class Flow:
    """The steps of a program, its inputs and outputs as values, the variable that each value had, and its sizes."""

    steps: list[Step]
    inputs: list[str]
    outputs: list[str]
    hints: dict[str, str]
    axes: dict[str, tuple[int | str | None, ...]]


def rename(tree: Tree, names: Mapping[str, str]) -> Tree:
    """A copy of the tree with other names."""
    return _renamed(tree, names)  # type: ignore[no-any-return]


def _renamed(node: Any, names: Mapping[str, str]) -> Any:
    """Like `ast.NodeTransformer` on a deep copy, several times as fast."""
    if isinstance(node, list):
        return [_renamed(each, names) for each in node]
    if not isinstance(node, ast.AST):
        return node
    if isinstance(node, ast.Name):
        return ast.Name(names.get(node.id, node.id), node.ctx)
    made = copy.copy(node)
    for field in node._fields:
        setattr(made, field, _renamed(getattr(node, field, None), names))
    return made


def is_value(identifier: str) -> bool:
    """Whether the identifier is that of a value, no name of the code."""
    return MARK in identifier


def values_read(trees: Iterable[ast.AST]) -> tuple[str, ...]:
    """The values that are read before they are given, in the order they stand."""
    given: set[str] = set()
    found: dict[str, None] = {}
    for tree in trees:
        read = [name for name in loaded(tree) if is_value(name) and name not in given]
        found.update(dict.fromkeys(read))
        given.update(stored(tree))
    return tuple(found)


def loaded(tree: ast.AST) -> Iterator[str]:
    """The names that are read, in the order they stand."""
    if isinstance(tree, ast.Assign):
        yield from loaded(tree.value)
        return
    if isinstance(tree, ast.Name):
        if isinstance(tree.ctx, ast.Load):
            yield tree.id
        return
    for child in ast.iter_child_nodes(tree):
        yield from loaded(child)


def stored(tree: ast.AST) -> Iterator[str]:
    """The names that a statement gives, not those of its comprehensions."""
    if isinstance(tree, ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp | ast.Lambda):
        return
    if isinstance(tree, ast.Name) and isinstance(tree.ctx, ast.Store):
        yield tree.id
    for child in ast.iter_child_nodes(tree):
        yield from stored(child)


class _Flow:
    def __init__(self) -> None:
        self.env: dict[str, str] = {}
        self.hints: dict[str, str] = {}
        self.axes: dict[str, tuple[int | str | None, ...]] = {}
        self.steps: list[Step] = []
        self.count = 0

    def fresh(self, hint: str) -> str:
        self.count += 1
        identifier = f"{MARK}{self.count}"
        self.hints[identifier] = hint
        return identifier

    def add(self, statement: Statement) -> None:
        tree = as_ast(statement)
        changed = dict.fromkeys(stored(tree)) if isinstance(statement, Compound) else {}
        carried = {name: self.env[name] for name in changed if name in self.env}
        given = {name: self.fresh(name) for name in carried}
        names = {name: self.env[name] for name in loaded(tree) if name in self.env}
        for name in dict.fromkeys(stored(tree)):
            if name not in given and name != UNREAD:
                given[name] = self.fresh(name)
        step = self._step(tree, statement, names, given)
        for target, value in zip(statement.targets, statement.outputs, strict=False):
            self.axes[given[target]] = shape_of(value) or ()
        self.env.update(given)
        if carried:  # what a loop or branch goes on with begins as what there was
            begun = [
                ast.Assign([ast.Name(given[n], ast.Store())], ast.Name(carried[n], ast.Load()), lineno=0)
                for n in carried
            ]
            step.tree = [*begun, *step.tree]
            step.reads = values_read(step.tree)
        self.steps.append(step)

    def _step(self, tree: ast.stmt, statement: Statement, names: Mapping[str, str], given: Mapping[str, str]) -> Step:
        if isinstance(tree, ast.Assign):
            targets = [rename(each, given) for each in tree.targets]
            renamed: ast.stmt = ast.Assign(targets, rename(tree.value, names), lineno=0)
        else:
            renamed = rename(tree, {**names, **given})
        writes = tuple(given.values())
        return Step([renamed], values_read([renamed]), writes, node=statement.node, comment=statement.comment)


def flow_of(program: Program) -> Flow:
    """The program's statements in single-assignment form."""
    flow = _Flow()
    inputs = []
    for port in program.inputs:
        flow.env[port.identifier] = flow.fresh(port.identifier)
        inputs.append(flow.env[port.identifier])
        flow.axes[inputs[-1]] = port.shape or ()
    for statement in program.statements:
        flow.add(statement)
    outputs = [flow.env[port.identifier] for port in program.outputs]
    return Flow(flow.steps, inputs, outputs, flow.hints, flow.axes)
