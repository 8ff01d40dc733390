"""Values of many layers as one list: a decoder is given a list of caches, and gives one."""

from __future__ import annotations

import ast
import copy
import dataclasses
import re
from collections.abc import Mapping, Sequence

from interlingua.codegen.expressions import literal
from interlingua.codegen.steps import MARK, Step, loaded, stored, values_read
from interlingua.codegen.structure import Module, attribute_of

_NUMBERED = re.compile(r"(.*?\D)_?\d+(_.*)?")
_LIST = f"{MARK}list"
"""Behind the last of its values, the value of a list."""


def list_of(members: Sequence[str]) -> str:
    """The value of the list of these."""
    return f"{members[-1]}{_LIST}"


def enlist(module: Module, value: str, members: Sequence[str]) -> None:
    """Gives the module one list in the place of those of its inputs or outputs that are in it."""
    module.inputs = _with(module.inputs, value, members)
    module.outputs = _with(module.outputs, value, members, last=bool(module.path))
    if value in module.inputs:
        items = {name: _item(value, index) for index, name in enumerate(members)}
        module.steps = [_replaced(step, items, value, members) for step in module.steps]


def _with(names: list[str], value: str, members: Sequence[str], *, last: bool = False) -> list[str]:
    """The names, the list in the place of the first of its members or behind all others."""
    if not {*members} <= {*names}:
        return names
    first = len(names) if last else min(names.index(name) for name in members)
    others = [[name for name in part if name not in members] for part in (names[:first], names[first:])]
    return [*others[0], value, *others[1]]


def _item(value: str, index: int) -> ast.expr:
    return ast.Subscript(ast.Name(value, ast.Load()), ast.Constant(index), ast.Load())


def _replaced(step: Step, items: Mapping[str, ast.expr], value: str, members: Sequence[str]) -> Step:
    """The step, reading the list where it read what is in it."""
    if not {*items} & {*step.reads}:
        return step
    reading = _Reading(items, value, members)
    tree = [reading.visit(copy.deepcopy(each)) for each in step.tree]
    return dataclasses.replace(step, tree=tree, reads=values_read(tree))


class _Reading(ast.NodeTransformer):
    def __init__(self, items: Mapping[str, ast.expr], value: str, members: Sequence[str]) -> None:
        self._items, self._value, self._members = items, value, list(members)

    def visit_List(self, node: ast.List) -> ast.AST:
        names = [each.id if isinstance(each, ast.Name) else "" for each in node.elts]
        return ast.Name(self._value, ast.Load()) if names == self._members else self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        found = self._items.get(node.id) if isinstance(node.ctx, ast.Load) else None
        return node if found is None else copy.deepcopy(found)


@dataclasses.dataclass(frozen=True)
class Part:
    """An even part of a list: the value that the list is, what is in it, and how the part is said."""

    value: str
    members: list[str]
    said: ast.expr


@dataclasses.dataclass(frozen=True)
class Ends:
    """The inputs of the whole model with what they are called, and its outputs, both in their order.

    `lists` are what the model itself may be given as a list: what each is called, and its inputs; `variadic` is the
    one of all further arguments.
    """

    inputs: Mapping[str, str]
    outputs: Sequence[str]
    lists: Mapping[str, Sequence[str]]
    variadic: str = ""

    def is_list(self, module: Module, members: Sequence[str]) -> bool:
        """Whether the module can be given these as one list; a model can where the source's signature says so."""
        if not {*members} <= {*module.inputs} or any(each.endswith(_LIST) for each in members):
            return False
        return bool(module.path) or list(members) in [list(each) for each in self.lists.values()]

    def is_row(self, module: Module, members: Sequence[str]) -> bool:
        """Whether the module can give these as one list; a model gives them in a row."""
        if not {*members} <= {*module.outputs} or any(each.endswith(_LIST) for each in members):
            return False
        first = module.outputs.index(members[0])
        row = module.outputs[first : first + len(members)] == list(members)
        return bool(module.path) or (row and all(module.outputs.count(each) == 1 for each in members))

    def taken(self, columns: Sequence[Sequence[str]], module: Module) -> dict[str, Part] | None:
        """The parts of lists that the columns are, by their first values; None where they are none.

        Inputs that the model calls alike but for a number are one list, others one of all that a turn is given.
        """
        everything = [value for column in columns for value in column]
        if not {*everything} <= {*module.inputs} or len({*everything}) != len(everything):
            return None
        groups: dict[str, list[Sequence[str]]] = {}
        for column in columns:
            stems = {self._stem(value) for value in column}
            groups.setdefault(stems.pop() if len(stems) == 1 else "", []).append(column)
        order = list(self.inputs)
        found: dict[str, Part] = {}
        for stem, group in groups.items():
            members = [value for row in zip(*group, strict=True) for value in row]
            if stem:
                members = sorted((each for each in module.inputs if self._stem(each) == stem), key=order.index)
            if not self.is_list(module, members):
                return None
            for column in group:
                part = _part(list_of(members), members, column)
                if part is None:
                    return None
                found[column[0]] = part
        return found

    def _stem(self, value: str) -> str:
        """What an input of the model is called before its number; empty for another value."""
        match = _NUMBERED.fullmatch(self.inputs.get(value, ""))
        return match[1].rstrip("_") if match else ""

    def called(self, value: str) -> str:
        """What an input of the model is called, or a list of inputs: `caches` of `cache_0`, `cache_1`; else empty."""
        if not value.endswith(_LIST):
            return self.inputs.get(value, "")
        member = value.removesuffix(_LIST)
        told = next((name for name, members in self.lists.items() if member in members), "")
        stem = self._stem(member)
        return told or (stem if not stem or stem.endswith("s") else f"{stem}s")

    def begun(self, given: Sequence[str], width: int, module: Module, before: Sequence[Step]) -> list[str]:
        """The outputs of the model just before those given, `width` a layer, that the module's steps before give."""
        if not {*given} <= {*self.outputs}:
            return []
        start = self.outputs.index(given[0])
        if list(self.outputs[start : start + len(given)]) != list(given):
            return []
        own = {name for step in before for name in step.writes} & {*module.outputs}
        first = start
        while first >= width and {*self.outputs[first - width : first]} <= own:
            first -= width
        return list(self.outputs[first:start])


def _part(value: str, members: list[str], column: Sequence[str]) -> Part | None:
    """The column as an even part of the list: `caches[1::2]`; None where it is none."""
    places = [members.index(each) for each in column]
    step = places[1] - places[0]
    last = places[0] + step * len(places)
    if step < 1 or places != list(range(places[0], last, step)):
        return None
    whole = ast.Name(value, ast.Load())
    if len(places) == len(members):
        return Part(value, members, whole)
    end = -1 if step == 1 and last == len(members) - 1 else last
    start, stop, by = (
        literal(number) if said else None
        for number, said in ((places[0], places[0] > 0), (end, last < len(members)), (step, step > 1))
    )
    return Part(value, members, ast.Subscript(whole, ast.Slice(start, stop, by), ast.Load()))


class Calls:
    """Calls of modules, that give and take lists where these do."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self._changed: dict[int, tuple[list[list[int]], list[list[int]]]] = {}
        self._lists: dict[str, list[str]] = {}

    def rows(self, module: Module) -> list[list[str]]:
        """What is in the lists that the module gives."""
        return [self._lists[value] for value in module.outputs if value in self._lists]

    def changed(
        self, module: Module, inputs: Sequence[str], outputs: Sequence[str], lists: Mapping[str, Sequence[str]]
    ) -> None:
        """Takes down that a module is given and gives lists in the places of its former inputs and outputs."""
        self._lists |= {value: list(members) for value, members in lists.items()}
        taken = [[inputs.index(name) for name in lists[value]] for value in module.inputs if value in lists]
        given = [[outputs.index(name) for name in lists[value]] for value in module.outputs if value in lists]
        if taken or given:
            self._changed[id(module)] = (taken, given)

    def adapted(self, module: Module) -> dict[str, list[str]]:
        """Lets the module's steps call what is in it as that is now; the lists that it is given and gives itself."""
        changed = {
            ast.unparse(attribute_of(path)): self._changed[id(child)]
            for path, child in module.children.items()
            if id(child) in self._changed
        }
        lists: dict[str, list[str]] = {}
        if not changed:
            return lists
        reads = [name for step in module.steps for tree in step.tree for name in loaded(tree)]
        for position, step in enumerate(module.steps):
            made = step.tree[0] if len(step.tree) == 1 else None
            function = made.value.func if isinstance(made, ast.Assign) and isinstance(made.value, ast.Call) else None
            if function is None or ast.unparse(function) not in changed:
                continue
            taken, given = changed[ast.unparse(function)]
            module.steps[position] = _called(step, taken, given, lists, module, reads, self._ends)
        for value, members in lists.items():
            enlist(module, value, members)
        return lists


def _called(
    step: Step,
    taken: Sequence[Sequence[int]],
    given: Sequence[Sequence[int]],
    lists: dict[str, list[str]],
    module: Module,
    reads: Sequence[str],
    ends: Ends,
) -> Step:
    """The call, with lists of arguments and results; `lists` takes down those that are the module's own."""
    made = copy.deepcopy(step.tree[0])
    assert isinstance(made, ast.Assign) and isinstance(made.value, ast.Call)
    arguments = list(made.value.args)
    for places in taken:
        names = [each.id for each in (arguments[place] for place in places) if isinstance(each, ast.Name)]
        once = len(names) == len(places) and all(reads.count(name) == 1 for name in names)
        if once and ends.is_list(module, names):
            lists[list_of(names)] = names
    put: list[ast.expr] = [ast.List([arguments[place] for place in places], ast.Load()) for places in taken]
    made.value.args = _grouped(arguments, taken, put)
    targets = list(made.targets[0].elts) if isinstance(made.targets[0], ast.Tuple) else [made.targets[0]]
    wholes: list[ast.expr] = []
    for places in given:
        names = [each.id for each in (targets[place] for place in places) if isinstance(each, ast.Name)]
        if ends.is_row(module, names) and not {*names} & {*reads}:
            lists[list_of(names)] = names
            wholes.append(ast.Name(list_of(names), ast.Store()))
        else:
            wholes.append(ast.Tuple([ast.Name(name, ast.Store()) for name in names], ast.Store()))
    left = _grouped(targets, given, wholes, last=True)
    made.targets = [left[0] if len(left) == 1 else ast.Tuple(left, ast.Store())]
    return dataclasses.replace(step, tree=[made], reads=values_read([made]), writes=tuple(stored(made)))


def _grouped(
    items: Sequence[ast.expr], groups: Sequence[Sequence[int]], wholes: Sequence[ast.expr], *, last: bool = False
) -> list[ast.expr]:
    """The items, each group's whole in the place of its first or behind all others."""
    inside = {place for places in groups for place in places}
    if last:
        return [*(item for place, item in enumerate(items) if place not in inside), *wholes]
    first = {min(places): whole for places, whole in zip(groups, wholes, strict=True)}
    return [first.get(place, item) for place, item in enumerate(items) if place in first or place not in inside]
