"""Statements of a method as steps, and back."""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence

from interlingua.codegen.steps import MARK, Step, rename, stored, values_read

_CODE = {"torch", "F", "self"}


def steps_of(text: str) -> list[Step]:
    """A step for each statement; all names but those of modules are values."""
    found = []
    for statement in ast.parse(text).body:
        names = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)} - _CODE
        tree = rename(statement, {name: f"{MARK}{name}" for name in names})
        found.append(Step([tree], values_read([tree]), tuple(stored(tree))))
    return found


def text_of(steps: Sequence[Step]) -> str:
    """The statements of steps."""
    trees = (copy.deepcopy(tree) for step in steps for tree in step.tree)
    return "\n".join(ast.unparse(ast.fix_missing_locations(tree)) for tree in trees).replace(MARK, "")
