"""Variables for values: what a person would call them, one variable going on where a value dies."""

from __future__ import annotations

import ast
import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence

from interlingua.codegen.steps import Step, is_value, loaded, rename, stored
from interlingua.names import Identifiers

_LONGEST = 72


@dataclasses.dataclass(frozen=True)
class Method:
    """A method with its variables: arguments, statements, and what it returns."""

    arguments: list[str]
    body: list[tuple[ast.stmt, str]]
    returned: list[str]


def method(
    inputs: Sequence[str],
    steps: Sequence[Step],
    outputs: Sequence[str],
    *,
    given: Mapping[str, str],
    nests: Callable[[Step], bool],
    taken: Identifiers,
) -> Method:
    """The method of the steps. `given` are names of inputs, `nests` tells the steps whose operand a person nests."""
    steps = _nested(steps, outputs, nests)
    last: dict[str, int] = {name: len(steps) for name in outputs}
    for position, step in enumerate(steps):
        for name in step.reads:
            last[name] = max(last.get(name, 0), position)
    names: dict[str, str] = {}
    for name in inputs:
        hint = given.get(name) or ("x" if "x" not in taken and name == inputs[0] else _input_hint(name, steps))
        names[name] = taken.take(hint, hint)
    fixed = {name for name in inputs if names[name] != "x"}
    for position, step in enumerate(steps):
        heirs = [n for n in step.reads if n in names and last[n] == position and n not in fixed]
        simple = len(step.tree) == 1 and isinstance(step.tree[0], ast.Assign)
        names |= {} if simple else _going_on(step, names, {name for name in heirs if last[name] == position})
        for name in step.writes:
            if name in names:
                continue
            if simple and heirs:
                names[name] = names[heirs.pop(0)]
            elif simple and "x" not in taken and name in last:
                names[name] = taken.take("x", "x")
            else:
                hint = _hint(step)
                names[name] = taken.take(hint, hint)
    body = [(rename(tree, names), step.comment if tree is step.tree[0] else "") for step in steps for tree in step.tree]
    kept = [(tree, comment) for tree, comment in body if not _is_idle(tree)]
    return Method([names[name] for name in inputs], kept, [names[name] for name in outputs])


def _going_on(step: Step, names: Mapping[str, str], dying: set[str]) -> dict[str, str]:
    """The variables of a loop's results: those that they begin with, where nothing else reads these."""
    found: dict[str, str] = {}
    for tree in step.tree:
        if not isinstance(tree, ast.Assign) or not isinstance(tree.value, ast.Name):
            break
        (target,) = tree.targets
        if isinstance(target, ast.Name) and tree.value.id in dying and names[tree.value.id] not in found.values():
            found[target.id] = names[tree.value.id]
    return found


def _is_idle(tree: ast.stmt) -> bool:
    """Whether the statement is `x = x`."""
    return isinstance(tree, ast.Assign) and ast.unparse(tree.targets[0]) == ast.unparse(tree.value)


def _input_hint(name: str, steps: Sequence[Step]) -> str:
    """A name for an input: the keyword it is given for, else `y`."""
    for step in steps:
        for tree in step.tree:
            for node in ast.walk(tree):
                if isinstance(node, ast.keyword) and isinstance(node.value, ast.Name) and node.value.id == name:
                    return node.arg or "y"
    return name.rpartition("@")[2].rpartition("_")[2] if "@" in name else "y"


def _hint(step: Step) -> str:
    """What a step's result is called: after the layer or function it calls."""
    made = step.tree[0].value if isinstance(step.tree[0], ast.Assign) else None
    if isinstance(made, ast.IfExp):
        return "identity"
    called = made.func if isinstance(made, ast.Call) else None
    while isinstance(called, ast.Subscript):
        called = called.value
    if isinstance(called, ast.Attribute):
        return "out" if called.attr[-1].isdigit() else called.attr
    if isinstance(called, ast.Name):
        return called.id
    if isinstance(made, ast.Subscript) and isinstance(made.value, ast.Attribute) and made.value.attr == "shape":
        return "size"
    return "y"


def _nested(steps: Sequence[Step], outputs: Sequence[str], nests: Callable[[Step], bool]) -> list[Step]:
    """The steps with an activation's operand in it, where nothing else reads that."""
    readers: dict[str, int] = dict.fromkeys(outputs, 1)
    for step in steps:
        for tree in step.tree:
            for name in loaded(tree):
                readers[name] = readers.get(name, 0) + 1
    found: list[Step] = []
    for step in steps:
        before = found[-1] if found else None
        if before is not None and nests(step) and _fits(before, step, readers):
            made = before.tree[0]
            assert isinstance(made, ast.Assign)
            whole = [_replaced(each, before.writes[0], made.value) for each in step.tree]
            reads = tuple(dict.fromkeys(n for each in whole for n in loaded(each) if is_value(n)))
            found[-1] = dataclasses.replace(step, tree=whole, reads=reads, comment=before.comment or step.comment)
        else:
            found.append(step)
    return found


def _fits(before: Step, step: Step, readers: Mapping[str, int]) -> bool:
    if len(before.tree) != 1 or not isinstance(before.tree[0], ast.Assign) or len(before.writes) != 1:
        return False
    simple = len(step.tree) == 1 and isinstance(step.tree[0], ast.Assign) and step.reads == before.writes
    short = len(ast.unparse(ast.fix_missing_locations(copy.deepcopy(before.tree[0].value)))) <= _LONGEST
    return simple and readers.get(before.writes[0], 0) == 1 and short


class _Replacing(ast.NodeTransformer):
    def __init__(self, name: str, value: ast.expr) -> None:
        self._name, self._value = name, value

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self._value if node.id == self._name and isinstance(node.ctx, ast.Load) else node


def _replaced(tree: ast.stmt, name: str, value: ast.expr) -> ast.stmt:
    return _Replacing(name, value).visit(copy.deepcopy(tree))  # type: ignore[no-any-return]


def locals_of(steps: Sequence[Step]) -> set[str]:
    """The names that the steps bind and that are no values: variables of comprehensions and loops."""
    return {name for step in steps for tree in step.tree for name in stored(tree) if not is_value(name)}
