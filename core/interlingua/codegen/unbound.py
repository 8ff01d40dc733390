"""The slices of a value, taken at once: `query, key, value = x.unbind()` instead of `x[0]`, `x[1]`, `x[2]`."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Sequence

from interlingua.codegen.steps import Step, is_value, loaded

_LEAST = 2


def unbound(steps: Sequence[Step], outputs: Sequence[str], method: str) -> list[Step]:
    """Replaces `a = x[0]`, `b = x[1]`, … by `a, b, … = x.method()` where that is all of x, and all that reads it."""
    reads = [name for step in steps for tree in step.tree for name in loaded(tree)] + [*outputs]
    taken: dict[str, dict[int, Step]] = {}
    for step in steps:
        found = _slice(step)
        if found is not None:
            taken.setdefault(found[0], {})[found[1]] = step
    for name, parts in taken.items():
        if len(parts) < _LEAST or reads.count(name) != len(parts) or {*parts} != {*range(_length(parts[min(parts)]))}:
            continue
        order = [parts[number] for number in range(len(parts))]
        targets: list[ast.expr] = [ast.Name(step.writes[0], ast.Store()) for step in order]
        value = ast.Call(ast.Attribute(ast.Name(name, ast.Load()), method, ast.Load()), [], [])
        whole: ast.stmt = ast.Assign([ast.Tuple(targets, ast.Store())], value, lineno=0)
        first = next(step for step in steps if any(step is each for each in order))
        made = dataclasses.replace(first, tree=[whole], writes=tuple(step.writes[0] for step in order))
        kept = (step for step in steps if step is first or all(step is not each for each in order))
        steps = [made if step is first else step for step in kept]
    return list(steps)


def _slice(step: Step) -> tuple[str, int] | None:
    """The value and the number of the slice that the step takes of it."""
    tree = step.tree[0] if len(step.tree) == len(step.writes) == 1 else None
    taken = tree.value if isinstance(tree, ast.Assign) else None
    if not isinstance(taken, ast.Subscript) or not isinstance(taken.slice, ast.Constant):
        return None
    number = taken.slice.value
    if not isinstance(taken.value, ast.Name) or not is_value(taken.value.id) or type(number) is not int or number < 0:
        return None
    return taken.value.id, number


def _length(step: Step) -> int:
    """How many slices the value has that the step takes one of; 0 where that is not known."""
    node = step.node
    if node is None or node.op_type != "Gather" or not node.inputs or node.inputs[0] is None:
        return 0
    shape = node.inputs[0].shape
    return shape[0] if shape is not None and len(shape) and isinstance(shape[0], int) else 0
