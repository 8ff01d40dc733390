"""Loops over layers each of which is given all that those before it gave: `features.append(layer(*features))`."""

from __future__ import annotations

import ast
import copy
import dataclasses
from collections.abc import Callable, Sequence

from interlingua.codegen.loops import aliases
from interlingua.codegen.program import Tensor
from interlingua.codegen.steps import MARK, Step, is_value, values_read
from interlingua.codegen.structure import Child, Module, attribute_of

_LEAST = 2
_LAYER = "layer"
_GROWN = f"{MARK}grown"


@dataclasses.dataclass(frozen=True)
class _Run:
    """Layers that are called one after the other: their paths, the arguments of the last call, and all results."""

    paths: list[str]
    fixed: list[str]
    first: list[str]
    results: list[str]


def grown(module: Module, class_of: Callable[[Child], str], children: ast.expr) -> Module:
    """The module with loops for its layers of one class (`class_of`) that are given ever more.

    They are a whole list of the module's, or all that it has: `children` is how it goes through them.
    """
    position = 0
    while position < len(module.steps):
        run = _run(module, position, class_of)
        made = None if run is None else _looped(module, position, run, children)
        module = made or module
        position += 1
    return module


def goes_through_children(steps: Sequence[Step], children: ast.expr) -> bool:
    """Whether a loop of the steps goes through all children of the module."""
    loops = (node for step in steps for tree in step.tree for node in ast.walk(tree) if isinstance(node, ast.For))
    return any(ast.dump(loop.iter) == ast.dump(children) for loop in loops)


def _run(module: Module, start: int, class_of: Callable[[Child], str]) -> _Run | None:
    """The longest run of calls from a step on, each of which takes what the one before took and gave."""
    by_text = {ast.unparse(attribute_of(path)): path for path in module.children}
    run: _Run | None = None
    kind = ""
    given: list[str] = []
    for step in module.steps[start:]:
        found = _call(step)
        path = by_text.get(ast.unparse(found.func)) if found is not None else None
        child = module.children[path] if path is not None else None
        if found is None or path is None or not isinstance(child, Module) or not child.variadic:
            break
        arguments = [each.id for each in found.args if isinstance(each, ast.Name)]
        if run is None:
            count = len(child.inputs) - 1
            run = _Run([path], arguments[:count], arguments[count:], [step.writes[0]])
            kind = class_of(child)
        elif arguments == given and class_of(child) == kind and path not in run.paths:
            run.paths.append(path)
            run.results.append(step.writes[0])
        else:
            break
        given = [*arguments, step.writes[0]]
    return run if run is not None and len(run.paths) >= _LEAST else None


def _call(step: Step) -> ast.Call | None:
    """The call of values for one value that the step is."""
    tree = step.tree[0] if len(step.tree) == len(step.writes) == 1 else None
    made = tree.value if isinstance(tree, ast.Assign) else None
    if not isinstance(made, ast.Call) or made.keywords:
        return None
    return made if all(isinstance(each, ast.Name) and is_value(each.id) for each in made.args) else None


def _looped(module: Module, start: int, run: _Run, children: ast.expr) -> Module | None:
    """The module with the run as a loop, where what it gives is only read as a whole."""
    over = _iterated(module, run, children)
    if over is None or {*run.results} & {*module.outputs}:
        return None
    features = f"{run.results[-1]}{_GROWN}"
    reading = _Whole([*run.first, *run.results], features)
    after = []
    for step in module.steps[start + len(run.paths) :]:
        tree = [reading.visit(copy.deepcopy(each)) for each in step.tree]
        after.append(dataclasses.replace(step, tree=tree, reads=values_read(tree)))
    if any({*run.results} & {*step.reads} for step in after):
        return None
    iterated, single = over
    grows = ast.Attribute(_name(features), "append", ast.Load())
    given: list[ast.expr] = [*map(_name, run.fixed), ast.Starred(_name(features), ast.Load())]
    append = ast.Expr(ast.Call(grows, [ast.Call(ast.Name(single, ast.Load()), given, [])], []))
    begun = ast.List([_name(each) for each in run.first], ast.Load())
    tree = [
        ast.Assign([ast.Name(features, ast.Store())], begun, lineno=0),
        ast.For(ast.Name(single, ast.Store()), iterated, [append], [], lineno=0),
    ]
    loop = dataclasses.replace(module.steps[start], tree=tree, reads=values_read(tree), writes=(features,))
    others = {path: child for path, child in module.children.items() if path not in run.paths}
    order = {path: module.children[path] for path in run.paths} | others
    return dataclasses.replace(module, steps=[*module.steps[:start], loop, *after], children=order)


def _iterated(module: Module, run: _Run, children: ast.expr) -> tuple[ast.expr, str] | None:
    """What the loop goes through, and the variable for a layer: a whole list, or all children that the module has."""
    stems = {path.rpartition(".")[0] for path in run.paths}
    numbers = [path.rpartition(".")[2] for path in run.paths]
    (stem,) = stems if len(stems) == 1 else ("",)
    inside = {path[len(stem) + 1 :].partition(".")[0] for path in module.children if path.startswith(f"{stem}.")}
    if stem and numbers == [str(number) for number in range(len(inside))]:
        return attribute_of(stem), aliases([stem])[stem]
    layers = {path for path, child in module.children.items() if not isinstance(child, Tensor) or "." in path}
    if layers == {*run.paths} and all(path.isidentifier() for path in run.paths):
        return copy.deepcopy(children), _LAYER
    return None


class _Whole(ast.NodeTransformer):
    """Puts the grown list where all that is in it is listed, in its order."""

    def __init__(self, values: Sequence[str], features: str) -> None:
        self._values, self._features = list(values), features

    def _is_whole(self, given: Sequence[ast.expr]) -> bool:
        return [each.id if isinstance(each, ast.Name) else "" for each in given] == self._values

    def visit_List(self, node: ast.List) -> ast.AST:
        return _name(self._features) if self._is_whole(node.elts) else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if self._is_whole(node.args):
            node.args = [ast.Starred(_name(self._features), ast.Load())]
        return node


def _name(value: str) -> ast.expr:
    return ast.Name(value, ast.Load())
