"""Modules that differ by a layer which only some have: `x if self.downsample is None else self.downsample(x)`."""

from __future__ import annotations

import ast
import copy
import dataclasses
from collections.abc import Callable, Iterator, Sequence

from interlingua.codegen.steps import MARK, Step, is_value, loaded, values_read
from interlingua.codegen.structure import Module, canonical

Alike = Callable[[Module, Module], bool]
_NEW = f"{MARK}optional"


def merged(clusters: Sequence[list[Module]], alike: Alike) -> list[list[Module]]:
    """The clusters, with those joined that differ by one layer of one argument and one result.

    The modules of a joined cluster are changed in place: all call the layer where they have it.
    """
    left = [list(cluster) for cluster in clusters]
    changed = True
    while changed:
        changed = False
        for small in left:
            for large in left:
                if small is large or not _join(small, large, alike):
                    continue
                order = [*small, *large] if left.index(small) < left.index(large) else [*large, *small]
                left[left.index(small)] = order
                left.remove(large)
                changed = True
                break
            if changed:
                break
    return left


def _join(small: Sequence[Module], large: Sequence[Module], alike: Alike) -> bool:
    """Gives the modules of `small` the one layer of `large` that they lack, as an absent one."""
    for child, position in _candidates(large[0]):
        if child in small[0].children:
            continue
        without = [_without(module, child, position) for module in large]
        if not alike(small[0], without[0]):
            continue
        pattern = canonical(large[0])
        for module in small:
            module.become(_with(canonical(module), pattern, child, position))
        for module in large:
            form = canonical(module)
            form.steps[position] = _conditional(form.steps[position], child)
            module.become(form)
        return True
    return False


def _candidates(module: Module) -> Iterator[tuple[str, int]]:
    """The children called once with one value for one result, and the positions of their calls."""
    for position, step in enumerate(module.steps):
        made = step.tree[0].value if len(step.tree) == 1 and isinstance(step.tree[0], ast.Assign) else None
        if not isinstance(made, ast.Call) or len(made.args) != 1 or made.keywords or len(step.writes) != 1:
            continue
        called = made.func
        if not isinstance(called, ast.Attribute) or ast.unparse(called.value) != "self":
            continue
        if isinstance(made.args[0], ast.Name) and is_value(made.args[0].id) and called.attr in module.children:
            yield called.attr, position


def _without(module: Module, child: str, position: int) -> Module:
    """The module as if the layer gave what it takes."""
    step = module.steps[position]
    names = {step.writes[0]: step.reads[0]}
    steps = [each.renamed(names) for index, each in enumerate(module.steps) if index != position]
    children = {path: each for path, each in module.children.items() if path != child}
    outputs = [names.get(name, name) for name in module.outputs]
    return dataclasses.replace(module, steps=steps, children=children, outputs=outputs)


def _with(module: Module, pattern: Module, child: str, position: int) -> Module:
    """The module, calling a layer it lacks where `pattern` calls it."""
    step = pattern.steps[position]
    result, given = step.writes[0], step.reads[0]
    others = [each for index, each in enumerate(pattern.steps) if index != position]
    steps = [_redirected(mine, theirs, result) for mine, theirs in zip(module.steps, others, strict=True)]
    numbers = {name: index for index, name in enumerate(_numbered(_without(pattern, child, position)))}
    source = _numbered(module)[numbers[given]]
    made = Step(copy.deepcopy(step.tree), (source,), (_NEW,), step.scopes, None, "")
    made.tree[0] = ast.Assign([ast.Name(_NEW, ast.Store())], _call(child, source), lineno=0)
    steps.insert(position, _conditional(made, child))
    outputs = [_NEW if name == result else mine for name, mine in zip(pattern.outputs, module.outputs, strict=True)]
    return dataclasses.replace(module, steps=steps, outputs=outputs, children={**module.children, child: None})


def _numbered(module: Module) -> list[str]:
    """The values of a module in the order of their numbers."""
    return list(dict.fromkeys([*module.inputs, *(name for step in module.steps for name in step.writes)]))


def _redirected(mine: Step, theirs: Step, result: str) -> Step:
    """The step, reading the new value wherever the other reads `result`."""
    places = [name == result for tree in theirs.tree for name in loaded(tree) if is_value(name)]
    given = iter(places)

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.Assign):
            visit(node.value)
            return
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and is_value(node.id):
            if next(given, False):
                node.id = _NEW
            return
        for child in ast.iter_child_nodes(node):
            visit(child)

    tree = copy.deepcopy(mine.tree)
    for each in tree:
        visit(each)
    return dataclasses.replace(mine, tree=tree, reads=values_read(tree))


def _call(child: str, value: str) -> ast.expr:
    called = ast.Attribute(ast.Name("self", ast.Load()), child, ast.Load())
    return ast.Call(called, [ast.Name(value, ast.Load())], [])


def _conditional(step: Step, child: str) -> Step:
    """`x if self.child is None else self.child(x)`."""
    made = step.tree[0]
    assert isinstance(made, ast.Assign)
    if isinstance(made.value, ast.IfExp):
        return step
    layer = ast.Attribute(ast.Name("self", ast.Load()), child, ast.Load())
    test = ast.Compare(layer, [ast.Is()], [ast.Constant(None)])
    value = ast.IfExp(test, ast.Name(step.reads[0], ast.Load()), made.value)
    return dataclasses.replace(step, tree=[ast.Assign(made.targets, value, lineno=0)])
