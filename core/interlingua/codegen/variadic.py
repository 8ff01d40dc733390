"""Modules that differ in how many tensors they put together: `def forward(self, *features)`."""

from __future__ import annotations

import ast
import copy
import dataclasses
from collections.abc import Sequence

from interlingua.codegen.optional import Alike
from interlingua.codegen.steps import MARK, Step, loaded, values_read
from interlingua.codegen.structure import Module

_ALL = f"{MARK}all"
_WHOLE = f"{MARK}whole"
_OF_ONE = "Concat"
"""The operator that gives back what it is given, if that is one tensor: exporters leave it out there."""


def gathered(clusters: Sequence[list[Module]], alike: Alike) -> list[list[Module]]:
    """The clusters, with those joined that differ in how many tensors one list is made of.

    The modules of a joined cluster are changed in place: the list is all that they are given, or all behind the first.
    """
    left: list[list[Module] | None] = list(clusters)
    for pattern in clusters:
        form = _gathering(pattern[0]) if any(each is pattern for each in left) else None
        if form is None:
            continue
        fitting = [place for place, each in enumerate(left) if each is not None and _fits(each[0], form, alike)]
        if len(fitting) < 2:
            continue
        joined = [module for place in fitting for module in left[place] or ()]
        for module in joined:
            made = _gathered(module, form)
            assert made is not None
            module.become(made)
        for place in fitting:
            left[place] = joined if place == fitting[0] else None
    return [each for each in left if each is not None]


def _fits(module: Module, form: Module, alike: Alike) -> bool:
    made = _gathered(module, form)
    return made is not None and alike(form, made)


def _gathered(module: Module, form: Module) -> Module | None:
    return _gathering(module) or _of_one(module, form)


def _gathering(module: Module) -> Module | None:
    """The module with one argument for all that it puts in one list; None where it reads them otherwise too."""
    if module.variadic:
        return None
    reads = [name for step in module.steps for tree in step.tree for name in loaded(tree)] + module.outputs
    for position, step in enumerate(module.steps):
        for made in _lists(step):
            names = [each.id for each in made.elts if isinstance(each, ast.Name)]
            count = len(module.inputs) - len(names)
            if len(names) < 2 or len(names) != len(made.elts) or names != module.inputs[count:]:
                continue
            if any(reads.count(name) != 1 for name in names):
                continue
            tree = [_Replacing(made).visit(copy.deepcopy(each)) for each in step.tree]
            steps = list(module.steps)
            steps[position] = dataclasses.replace(step, tree=tree, reads=values_read(tree))
            return dataclasses.replace(module, inputs=[*module.inputs[:count], _ALL], steps=steps, variadic=True)
    return None


def _lists(step: Step) -> list[ast.List]:
    """The lists that the step's calls are given."""
    calls = [node for tree in step.tree for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [given for call in calls for given in call.args if isinstance(given, ast.List)]


class _Replacing(ast.NodeTransformer):
    """Puts the one name for the list."""

    def __init__(self, made: ast.List) -> None:
        self._text = ast.dump(made)

    def visit_List(self, node: ast.List) -> ast.AST:
        return ast.Name(_ALL, ast.Load()) if ast.dump(node) == self._text else self.generic_visit(node)


def _of_one(module: Module, form: Module) -> Module | None:
    """The module that is given one tensor where those of `form` are given several, putting that together too."""
    position, step = next((place, step) for place, step in enumerate(form.steps) if _ALL in step.reads)
    if step.node is None or step.node.op_type != _OF_ONE or step.reads != (_ALL,) or len(step.writes) != 1:
        return None
    if len(module.inputs) != len(form.inputs) or len(module.steps) != len(form.steps) - 1 or module.variadic:
        return None
    (result,) = step.writes
    steps = [each.renamed({module.inputs[-1]: _WHOLE}) for each in module.steps]
    steps.insert(position, dataclasses.replace(step.renamed({result: _WHOLE}), scopes=module.steps[0].scopes))
    outputs = [_WHOLE if name == module.inputs[-1] else name for name in module.outputs]
    return dataclasses.replace(module, inputs=[*module.inputs[:-1], _ALL], steps=steps, outputs=outputs, variadic=True)
