"""Loops over numbered layers: `for block in self.blocks: x = block(x)` instead of a statement for each."""

from __future__ import annotations

import ast
import copy
import dataclasses
import re
from collections.abc import Mapping, Sequence

from interlingua.codegen.expressions import call, parse
from interlingua.codegen.series import Ends, enlist, list_of
from interlingua.codegen.steps import MARK, Step, is_value, loaded, rename, values_read
from interlingua.codegen.structure import Module

_LEAST = 2
_PART = 3
"""So many turns are worth a loop over a part of a list."""
_LONGEST = 6


def rolled(module: Module, sizes: Mapping[str, int], ends: Ends) -> dict[str, list[str]]:
    """Gives the module loops for repetitions, where each turn takes what the one before gave and the next layers.

    `sizes` are the lengths of the module's lists of layers. What each turn takes of the module's inputs, or gives as
    one of its outputs, is a list: the module is given and gives the list instead of what is in it. The lists by value.
    """
    found: list[Step] = []
    lists: dict[str, list[str]] = {}
    position = 0
    steps = list(module.steps)
    while position < len(steps):
        loop, count = _loop(steps, position, module, sizes, ends)
        if loop is None:
            found.append(steps[position])
        else:
            found.append(loop.step)
            lists |= loop.lists
        position += count
    module.steps = found
    for value, members in lists.items():
        enlist(module, value, members)
    return lists


@dataclasses.dataclass(frozen=True)
class _Loop:
    """A loop, and the lists that it goes through or fills."""

    step: Step
    lists: dict[str, list[str]]


def _loop(
    steps: list[Step], start: int, module: Module, sizes: Mapping[str, int], ends: Ends
) -> tuple[_Loop | None, int]:
    for length in range(1, _LONGEST + 1):
        turns = 1
        while _alike(steps, start, length, turns):
            turns += 1
        if turns < _LEAST:
            continue
        used = _lists(steps[start : start + length])
        first = {each: _index(steps[start : start + length], each) for each in used}
        if any(number < 0 or sizes.get(each, 0) < number + turns for each, number in first.items()):
            continue
        if any(sizes[each] != turns for each in used) and turns < _PART:
            continue
        if not used and turns * length < 2 * _LEAST:
            continue
        layers = {each: _sliced(each, number, turns, sizes[each]) for each, number in first.items()}
        loop = _made(steps, start, length, turns, layers, module, ends)
        if loop is not None:
            return loop, turns * length
    return None, 1


_NUMBERED = re.compile(r"self\.([A-Za-z_][\w.]*)\[(\d+)\]")


def _sliced(name: str, start: int, turns: int, size: int) -> str:
    """The list of layers, or the part of it: `self.blocks[1:]`."""
    stop = {size: "", size - 1: -1}.get(start + turns, start + turns)
    bounds = f"{start or ''}:{stop}"
    return f"self.{name}" if bounds == ":" else f"self.{name}[{bounds}]"


def _text(step: Step) -> str:
    return "\n".join(ast.unparse(ast.fix_missing_locations(copy.deepcopy(tree))) for tree in step.tree)


def _lists(steps: Sequence[Step]) -> list[str]:
    return list(dict.fromkeys(name for step in steps for name, _ in _NUMBERED.findall(_text(step))))


def _index(steps: Sequence[Step], name: str) -> int:
    numbers = {int(number) for step in steps for found, number in _NUMBERED.findall(_text(step)) if found == name}
    return numbers.pop() if len(numbers) == 1 else -1


def _alike(steps: list[Step], start: int, length: int, turn: int) -> bool:
    """Whether the turn says the same as the first, with the layers that come next."""
    begin = start + turn * length
    if begin + length > len(steps):
        return False

    def shape(step: Step, offset: int) -> str:
        blank = dict.fromkeys((*step.reads, *step.writes), MARK)
        said = _text(step.renamed(blank))
        return _NUMBERED.sub(lambda match: f"self.{match[1]}[{int(match[2]) - offset}]", said)

    return all(shape(steps[start + i], 0) == shape(steps[begin + i], turn) for i in range(length))


def _made(
    steps: list[Step], start: int, length: int, turns: int, layers: Mapping[str, str], module: Module, ends: Ends
) -> _Loop | None:
    """The loop, where values only go from a turn to the next, and the last turn's are read afterwards.

    What else a turn is given or gives must be inputs and outputs of the module, which become lists.
    """
    bodies = [steps[start + turn * length : start + (turn + 1) * length] for turn in range(turns)]
    reads = [[n for step in body for tree in step.tree for n in loaded(tree) if is_value(n)] for body in bodies]
    writes = [[n for step in body for n in step.writes] for body in bodies]
    if len({len(each) for each in reads}) != 1 or len({len(each) for each in writes}) != 1:
        return None
    carried: dict[int, str] = {}
    taken: list[list[str]] = []
    for place in range(len(reads[0])):
        column = [row[place] for row in reads]
        inner = [writes[turn].index(n) if n in writes[turn] else -1 for turn, n in enumerate(column)]
        if len(set(column)) == 1:
            continue
        if len(set(inner)) == 1 and inner[0] >= 0:
            continue
        before = {writes[turn].index(n) if n in writes[turn] else -1 for turn, n in enumerate(column[1:])}
        if len(before) != 1:
            return None
        slot = before.pop()
        if slot < 0:
            taken += [column] if column not in taken else []
        elif carried.setdefault(slot, column[0]) != column[0]:
            return None
    allowed = {writes[-1][slot] for slot in carried}
    later = {n for step in [*steps[:start], *steps[start + turns * length :]] for n in step.reads}
    told = later | {*module.outputs}
    slots = [slot for slot in range(len(writes[0])) if {row[slot] for row in writes} & told - allowed]
    given = [row[slot] for row in writes for slot in slots]
    if not carried or not {*given} <= {*module.outputs} or ({*given} & later) - allowed:
        return None
    constant = {row[0] for row in zip(*reads, strict=True) if len(set(row)) == 1}
    if constant & {*carried.values()}:
        return None
    begun = ends.begun(given, len(slots), module, steps[:start]) if given else []
    if given and not ends.is_row(module, [*begun, *given]):
        return None
    through = ends.taken(taken, module) if taken else {}
    if through is None or (taken and not layers):
        return None
    final = {writes[-1][slot]: initial for slot, initial in carried.items()}
    names = {initial: f"{last}" for last, initial in final.items()}
    if len(names) != len(carried):
        return None
    own = {n: f"{n}{MARK}turn" for slot, n in enumerate(writes[0]) if slot not in carried}
    own |= {writes[0][slot]: writes[-1][slot] for slot in carried}
    each = {column[0]: f"{column[0]}{MARK}each" for column in taken}
    singles = aliases(list(layers))
    body: list[ast.stmt] = []
    written: set[str] = set()
    for step in bodies[0]:
        for tree in step.tree:
            made = rename(tree, own | each | {n: v for n, v in names.items() if n not in written})
            body.append(_Layers(singles).visit(made))
        written |= {*step.writes}
    if any(_is_read_later(bodies[0], writes[0], slot, initial) for slot, initial in carried.items()):
        return None
    start_values: list[ast.stmt] = [
        ast.Assign([ast.Name(last, ast.Store())], ast.Name(initial, ast.Load()), lineno=0)
        for last, initial in final.items()
    ]
    lists = {part.value: part.members for part in through.values()}
    filled = []
    if slots:
        value = list_of(given)
        lists[value] = [*begun, *given]
        filled = [value]
        start_values.append(ast.Assign([ast.Name(value, ast.Store())], _listed(begun), lineno=0))
        body.append(_put(value, [own[writes[0][slot]] for slot in slots]))
    over = [(singles[name], parse(text)) for name, text in layers.items()]
    over += [(each[column[0]], through[column[0]].said) for column in taken]
    whole = [*start_values, _header(over, turns, body)]
    step = dataclasses.replace(
        steps[start],
        tree=whole,
        reads=values_read(whole),
        writes=(*final, *filled, *(own[n] for n in own if own[n] not in final), *each.values()),
    )
    return _Loop(step, lists)


def _listed(values: Sequence[str]) -> ast.expr:
    return ast.List([ast.Name(value, ast.Load()) for value in values], ast.Load())


def _put(value: str, given: Sequence[str]) -> ast.stmt:
    """`values.append(x)`; `values += [x, y]`."""
    if len(given) > 1:
        return ast.AugAssign(ast.Name(value, ast.Store()), ast.Add(), _listed(given))
    append = ast.Attribute(ast.Name(value, ast.Load()), "append", ast.Load())
    return ast.Expr(ast.Call(append, [ast.Name(given[0], ast.Load())], []))


def _is_read_later(body: Sequence[Step], writes: Sequence[str], slot: int, initial: str) -> bool:
    """Whether what a turn began with is read after the turn gave its result: one variable cannot hold both."""
    given = False
    for step in body:
        if given and initial in step.reads:
            return True
        given = given or writes[slot] in step.writes
    return False


def aliases(lists: Sequence[str]) -> dict[str, str]:
    """A variable for the layer of each list: `block` for `self.blocks`, `layer` for `self.encoder.layer`."""
    found: dict[str, str] = {}
    for name in lists:
        last = name.rpartition(".")[2]
        single = last[:-1] if last.endswith("s") and len(last) > 2 else last
        while single in found.values():
            single += "_2"
        found[name] = single
    return found


class _Layers(ast.NodeTransformer):
    def __init__(self, aliases: Mapping[str, str]) -> None:
        self._aliases = aliases

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        match = _NUMBERED.fullmatch(ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))))
        if match and match[1] in self._aliases:
            return ast.Name(self._aliases[match[1]], ast.Load())
        return self.generic_visit(node)


def _header(over: Sequence[tuple[str, ast.expr]], turns: int, body: list[ast.stmt]) -> ast.stmt:
    """The loop over lists, each with its variable, or over numbers that nobody reads."""
    if not over:
        return ast.For(ast.Name("_", ast.Store()), call("range", [turns]), body, [], lineno=0)
    variables: list[ast.expr] = [ast.Name(variable, ast.Store()) for variable, _ in over]
    target = variables[0] if len(over) == 1 else ast.Tuple(variables, ast.Store())
    lists = [each for _, each in over]
    through = lists[0] if len(over) == 1 else call("zip", lists, {"strict": True})
    return ast.For(target, through, body, [], lineno=0)
