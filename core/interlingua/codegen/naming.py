"""Variables for values: what a person would call them, one variable going on where a value dies."""

from __future__ import annotations

import ast
import collections
import dataclasses
from collections.abc import Callable, Mapping, Sequence

from interlingua.codegen.nesting import base_of, is_owned, nested
from interlingua.codegen.steps import Step, is_value, loaded, rename, stored
from interlingua.codegen.words import Words
from interlingua.names import Identifiers, snake_case

FEATURES = "features"
"""What a list of tensors is called."""

PART = "part"
"""What a function of the file is called behind the module that calls it, and what it gives."""

_TOTAL = "total"
_GENERAL = frozenset({"", "x", "y", "input", "other", "dim", "size"})


@dataclasses.dataclass(frozen=True)
class Method:
    """A method with its variables: arguments, statements, and what it returns.

    `told` are those of the results whose names tell what they are for, or that go on with `x`; empty for others.
    """

    arguments: list[str]
    body: list[tuple[ast.stmt, str]]
    returned: list[str]
    told: list[str]


@dataclasses.dataclass(frozen=True)
class Told:
    """What names come from: what a call's module calls its arguments and its results, the model's inputs among the
    values, and words."""

    arguments: Callable[[ast.Call], Sequence[str]]
    results: Callable[[ast.Call], Sequence[str]]
    inputs: Mapping[str, str]
    words: Words


def method(
    inputs: Sequence[str],
    steps: Sequence[Step],
    outputs: Sequence[str],
    *,
    given: Mapping[str, str],
    nests: Callable[[Step], bool],
    taken: Identifiers,
    told: Told,
) -> Method:
    """The method of the steps. `given` are names of inputs, `nests` tells the steps whose operand a person nests."""
    steps = nested(steps, outputs, nests)
    roles = _roles(steps, told)
    last: dict[str, int] = {name: len(steps) for name in outputs}
    for position, step in enumerate(steps):
        for name in step.reads:
            last[name] = max(last.get(name, 0), position)
    names: dict[str, str] = {}
    meant: set[str] = set()
    for name in inputs:
        hint = given.get(name) or (
            "x" if "x" not in taken and name == inputs[0] else _input_hint(name, roles, told.inputs)
        )
        names[name] = taken.keep(hint) if name in given else taken.take(hint, hint)
    fixed = {name for name in inputs if names[name] != "x"}
    fixed |= {name for step in steps if _reads_size(step) for name in step.writes}
    for position, step in enumerate(steps):
        heirs = [n for n in step.reads if n in names and last[n] == position and n not in fixed and n not in roles]
        heirs.sort(key=lambda name: names[name] != "x")
        free = "x" not in taken or all(last[n] <= position for n in names if names[n] == "x" and n in last)
        simple = len(step.tree) == 1 and isinstance(step.tree[0], ast.Assign)
        names |= {} if simple else _going_on(step, names, {name for name in heirs if last[name] == position})
        results = {name: _result_of(step, name, told) for name in step.writes}
        for name in step.writes:
            if name in names:
                continue
            role = roles.get(name, "")
            said = role or ("" if results[name] == "x" else results[name])
            beside = "x" in results.values() and results[name] != "x"
            before = [n for n in step.reads if role and last.get(n) == position and roles.get(n) == role]
            if simple and before and before[0] in names:
                names[name] = names[before[0]]
            elif simple and heirs and not said and not beside:
                names[name] = names[heirs.pop(0)]
            elif simple and free and name in last and not said and not beside:
                names[name] = "x"
                taken.reserve("x")
            else:
                said = said or _filled_list(step, name, names)
                hint = said or _hint(step, name, names)
                names[name] = taken.take(hint, hint)
            meant |= {name} if said else set()
            free = free and names[name] != "x"
    body = [(rename(tree, names), step.comment if tree is step.tree[0] else "") for step in steps for tree in step.tree]
    kept = [(tree, comment) for tree, comment in body if not _is_idle(tree)]
    returned = [names[name] for name in outputs]
    told_names = [names[name] if name in meant or names[name] == "x" else "" for name in outputs]
    return Method([names[name] for name in inputs], kept, returned, told_names)


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


def _roles(steps: Sequence[Step], told: Told) -> dict[str, str]:
    """What values are for: the query of an attention, the keyword or argument of a module that they are given as."""
    found: dict[str, str] = {}
    for step in steps:
        for node in (node for tree in step.tree for node in ast.walk(tree)):
            if not isinstance(node, ast.Call):
                continue
            attends = ast.unparse(node.func).rpartition(".")[2] == told.words.attends
            names = told.words.operands if attends else told.arguments(node)
            pairs = [*zip(node.args, names, strict=False), *((each.value, each.arg or "") for each in node.keywords)]
            for given, name in pairs:
                value = base_of(given) if attends and name in told.words.operands else given
                if isinstance(value, ast.Name) and is_value(value.id) and not _is_general(name):
                    found.setdefault(value.id, name.rstrip("_0123456789"))
    return _carried_back(steps, found, told.words.operands)


def _carried_back(steps: Sequence[Step], roles: dict[str, str], operands: Sequence[str]) -> dict[str, str]:
    """The roles, with those of operands for what these are made of alone; what is put before a key is a past key."""
    reads = collections.Counter(name for step in steps for tree in step.tree for name in loaded(tree))
    made = {name for step in steps for name in step.writes}
    for step in reversed(steps):
        tree = step.tree[0] if len(step.tree) == len(step.writes) == 1 else None
        role = roles.get(step.writes[0], "") if isinstance(tree, ast.Assign) else ""
        if not isinstance(tree, ast.Assign) or role not in operands:
            continue
        value = base_of(tree.value)
        while isinstance(value, ast.Call) and value.args and not isinstance(value.args[0], ast.List):
            value = base_of(value.args[0])
        given = value.args[0] if isinstance(value, ast.Call) and value.args else None
        if isinstance(given, ast.List) and all(isinstance(each, ast.Name) for each in given.elts):
            first, *others = (each.id for each in given.elts if isinstance(each, ast.Name))
            if others and first not in made:
                roles.setdefault(first, f"past_{role}")
            value = given.elts[-1]
        if isinstance(value, ast.Name) and value.id in made and reads[value.id] == 1:
            roles.setdefault(value.id, role)
    return roles


def _is_general(name: str) -> bool:
    """Whether a name tells nothing: `y_2`."""
    return not name or name.rstrip("_0123456789") in _GENERAL


def _input_hint(name: str, roles: Mapping[str, str], told: Mapping[str, str]) -> str:
    """A name for an input: what it is for, else the input of the model that it is, else `y`."""
    if name in roles:
        return roles[name]
    source = told.get(name, "").rstrip("_0123456789")
    return "y" if _is_general(source) else source


def _result_of(step: Step, name: str, told: Told) -> str:
    """What the module that gives a value among others calls it; empty where that tells nothing."""
    for node in (node for tree in step.tree for node in ast.walk(tree)):
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Tuple):
            continue
        if not isinstance(node.value, ast.Call):
            continue
        results = told.results(node.value)
        targets = [each.id if isinstance(each, ast.Name) else "" for each in node.targets[0].elts]
        if name in targets and len(targets) == len(results):
            said = results[targets.index(name)]
            return said if said == "x" else said.rstrip("_0123456789")
    return ""


def _filled_list(step: Step, name: str, names: Mapping[str, str]) -> str:
    """What a list is called: `features`, or `new_caches` where a loop fills it as it goes through `caches`."""
    if not isinstance(_given(step, name), ast.List):
        return ""
    for loop in (tree for tree in step.tree if isinstance(tree, ast.For)):
        width = sum(
            len(node.value.elts) if isinstance(node, ast.AugAssign) and isinstance(node.value, ast.List) else 1
            for node in loop.body
            if name in {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
        )
        through = loop.iter.args if isinstance(loop.iter, ast.Call) else [loop.iter]
        lists = [each.id for each in map(base_of, through) if isinstance(each, ast.Name) and each.id in names]
        for each in lists:
            if lists.count(each) == width:
                return f"new_{names[each]}"
    return FEATURES


def _hint(step: Step, name: str, names: Mapping[str, str]) -> str:
    """What a step's result is called: after the layer or function it calls, or what a method is called on."""
    made = _given(step, name)
    if made is None:
        return "y"
    if isinstance(made, ast.IfExp):
        return "identity"
    if _reads_size(step):
        return "size"
    base = base_of(made)
    if isinstance(base, ast.BinOp):
        sides = (base_of(side) for side in (base.right, base.left))
        base = next((side for side in sides if isinstance(side, ast.Call) and is_owned(side.func)), base)
    if isinstance(base, ast.Name) and base.id in names:
        stem = names[base.id].rstrip("_0123456789")
        return "y" if _is_general(stem) else stem
    called = base.func if isinstance(base, ast.Call) else base
    while isinstance(called, ast.Subscript):
        called = called.value
    if isinstance(called, ast.Attribute):
        return "out" if called.attr[-1].isdigit() else snake_case(called.attr)
    found = called.id if isinstance(called, ast.Name) and isinstance(base, ast.Call) else "y"
    return _TOTAL if found == "sum" else PART if found.endswith(f"_{PART}") else found


def _given(step: Step, name: str) -> ast.expr | None:
    """What the step gives the value first, in a loop too."""
    nodes = (node for tree in step.tree for node in ast.walk(tree))
    return next((n.value for n in nodes if isinstance(n, ast.Assign) and name in stored(n.targets[0])), None)


def _reads_size(step: Step) -> bool:
    """Whether the step is `size = x.shape[0]`: the variable is no tensor's."""
    made = step.tree[0].value if isinstance(step.tree[0], ast.Assign) else None
    return isinstance(made, ast.Subscript) and isinstance(made.value, ast.Attribute) and made.value.attr == "shape"


def locals_of(steps: Sequence[Step]) -> set[str]:
    """The names that the steps bind and that are no values: variables of comprehensions and loops."""
    return {name for step in steps for tree in step.tree for name in stored(tree) if not is_value(name)}
