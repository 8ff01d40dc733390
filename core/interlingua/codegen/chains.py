"""Modules that are lists of layers: called one after the other, by numbers or by names."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from interlingua.codegen.program import Tensor
from interlingua.codegen.steps import Step

if TYPE_CHECKING:
    from interlingua.codegen.structure import Module

_CHAIN = "Sequential"
_GAPS = 64
"""So many numbers may be left out of a chain."""


def is_numbered(module: Module) -> bool:
    """Whether the module's own children have numbers for names."""
    trees = (node for step in module.steps for tree in step.tree for node in ast.walk(tree))
    return any(isinstance(key, int) for key in map(_key, trees))


def is_named(module: Module) -> bool:
    """Whether the source has a class of its own for the module, no plain chain of layers."""
    return module.kind.isidentifier() and module.kind != _CHAIN


def is_keyed(module: Module) -> bool:
    """Whether names of the module's own children are no identifiers: only a chain of layers can have them."""
    return any(isinstance(_key(node), str) for step in module.steps for tree in step.tree for node in ast.walk(tree))


def _key(node: ast.AST) -> object:
    """The key of `self[key]`; None for anything else."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and ast.unparse(node.value) == "self":
        return node.slice.value
    return None


def is_stuck(module: Module) -> bool:
    """Whether the module could be no class: it calls numbered children, but not as a chain."""
    return (is_numbered(module) and not is_chain(module)) or (is_keyed(module) and _chained(module) is None)


def is_sequential(module: Module) -> bool:
    """Whether the module is a list of layers called in their order, with numbers, or with names in the source too."""
    if is_numbered(module):
        return True
    called = _chained(module)
    layers = not any(isinstance(child, Tensor) or child is None for child in module.children.values())
    return (module.kind == _CHAIN or is_keyed(module)) and layers and sorted(called or ()) == sorted(module.children)


def is_chain(module: Module) -> bool:
    """Whether numbered children are called one after the other, each with what the one before gave."""
    called = _chained(module)
    numbers = [int(name) for name in called or () if name.isdigit()]
    if not called or len(numbers) != len(called):
        return False
    return numbers == sorted(set(numbers)) and numbers[-1] - len(numbers) <= _GAPS


def _chained(module: Module) -> list[str] | None:
    """The children that the module calls, each with what the one before gave; None where it does something else."""
    if len(module.inputs) != 1 or len(module.outputs) != 1 or not module.steps:
        return None
    value, found = module.inputs[0], []
    for step in module.steps:
        child = _called(step, value)
        if child is None:
            return None
        found.append(child)
        value = step.writes[0]
    return found if value == module.outputs[0] else None


def _called(step: Step, value: str) -> str | None:
    """The name of the child that the step calls with the value alone."""
    tree = step.tree[0] if len(step.tree) == len(step.writes) == 1 else None
    made = tree.value if isinstance(tree, ast.Assign) else None
    if not isinstance(made, ast.Call) or made.keywords or len(made.args) != 1:
        return None
    fits = isinstance(made.args[0], ast.Name) and made.args[0].id == value
    match = re.fullmatch(r"self(?:\.(\w+)|\['?([^'\[\]]+)'?\])", ast.unparse(made.func)) if fits else None
    return match[1] or match[2] if match else None
