"""Expressions that a person writes in one: `F.relu(self.conv(x))`, `self.query(x).reshape(…).transpose(1, 2)`."""

from __future__ import annotations

import ast
import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence

from interlingua.codegen.steps import Step, is_value, loaded

_LONGEST = 72
_OPERAND = 40


def nested(steps: Sequence[Step], outputs: Sequence[str], nests: Callable[[Step], bool]) -> list[Step]:
    """The steps with what is read once, just behind, in the place where it is read.

    That is the operand of an activation (`nests` tells it), what a method is called on or an index taken of, and a
    short call, or a sum or product with a number, in a sum or product.
    """
    readers: dict[str, int] = dict.fromkeys(outputs, 1)
    for step in steps:
        for tree in step.tree:
            for name in loaded(tree):
                readers[name] = readers.get(name, 0) + 1
    found: list[Step] = []
    for step in steps:
        before = found[-1] if found else None
        made = None if before is None else _joined(before, step, readers, nests)
        if made is None:
            found.append(step)
        else:
            found[-1] = made
    return found


def _joined(before: Step, step: Step, readers: Mapping[str, int], nests: Callable[[Step], bool]) -> Step | None:
    """Both as one step, where the first is only read in the other and a person would nest it."""
    inner, outer = _value(before), _value(step)
    if inner is None or outer is None or _is_taken_apart(before):
        return None
    if len(before.writes) != 1 or readers.get(before.writes[0], 0) != 1:
        return None
    (name,) = before.writes
    if name not in step.reads:
        return None
    size = _length(inner)
    if nests(step):
        fits = step.reads == before.writes and size <= _LONGEST
    elif is_named(base_of(outer), name) and outer is not base_of(outer):
        fits = _is_primary(inner) and size + _length(outer) - len(name) <= _LONGEST
    else:
        summed = isinstance(outer, ast.BinOp) and (is_named(outer.left, name) or is_named(outer.right, name))
        fits = summed and (isinstance(inner, ast.Call | ast.Subscript) or _is_scaled(inner)) and size <= _OPERAND
        fits = fits and size + _length(outer) <= _LONGEST
    if not fits:
        return None
    tree = [_Replacing(name, inner).visit(copy.deepcopy(each)) for each in step.tree]
    reads = tuple(dict.fromkeys(n for each in tree for n in loaded(each) if is_value(n)))
    return dataclasses.replace(step, tree=tree, reads=reads, comment=before.comment or step.comment)


def base_of(value: ast.expr) -> ast.expr:
    """What methods are called on and indices taken of: `x` of `x.mean(1)[:, 0]`, `self.conv(x)` of `self.conv(x).T`."""
    while True:
        if isinstance(value, ast.Subscript) or (isinstance(value, ast.Attribute) and not is_owned(value)):
            value = value.value
        elif isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and not is_owned(value.func):
            root = value.func
            while isinstance(root, ast.Attribute):
                root = root.value  # type: ignore[assignment]
            if isinstance(root, ast.Name) and not is_value(root.id):
                return value
            value = value.func.value
        else:
            return value


def is_owned(value: ast.expr) -> bool:
    """Whether it is what a module owns: `self.conv`, `self.layers[0].conv`."""
    while isinstance(value, ast.Attribute | ast.Subscript):
        value = value.value
    return isinstance(value, ast.Name) and value.id == "self"


def is_named(value: ast.expr, name: str) -> bool:
    """Whether the expression is that variable."""
    return isinstance(value, ast.Name) and value.id == name


def _value(step: Step) -> ast.expr | None:
    """What the step gives its names, where it is one assignment."""
    tree = step.tree[0] if len(step.tree) == 1 else None
    return tree.value if isinstance(tree, ast.Assign) else None


def _is_taken_apart(step: Step) -> bool:
    """Whether what the step computes is a tuple, though but one of its values be read."""
    return any(isinstance(tree, ast.Assign) and isinstance(tree.targets[0], ast.Tuple) for tree in step.tree)


def _is_scaled(value: ast.expr) -> bool:
    """Whether it is a sum or product with a number: `1.0 - x`, `x * 2.0 / 15.0`."""
    return isinstance(value, ast.BinOp) and (_is_number(value.left) or _is_number(value.right))


def _is_number(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, int | float)


def _is_primary(value: ast.expr) -> bool:
    """Whether a method of it needs no brackets."""
    return isinstance(value, ast.Call | ast.Subscript | ast.Attribute)


def _length(value: ast.expr) -> int:
    return len(ast.unparse(ast.fix_missing_locations(copy.deepcopy(value))))


class _Replacing(ast.NodeTransformer):
    def __init__(self, name: str, value: ast.expr) -> None:
        self._name, self._value = name, value

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self._value if node.id == self._name and isinstance(node.ctx, ast.Load) else node
