"""Loops over numbered layers: `for block in self.blocks: x = block(x)` instead of a statement for each."""

from __future__ import annotations

import ast
import copy
import dataclasses
import re
from collections.abc import Mapping, Sequence

from interlingua.codegen.steps import MARK, Step, is_value, loaded, rename, values_read

_LEAST = 2
_LONGEST = 6


def rolled(steps: Sequence[Step], outputs: Sequence[str], sizes: Mapping[str, int]) -> list[Step]:
    """The steps with repetitions as loops, where each turn takes what the one before gave and the next layers.

    `sizes` are the lengths of the module's lists of layers: a loop goes through all of them.
    """
    found: list[Step] = []
    position = 0
    steps = list(steps)
    while position < len(steps):
        loop, count = _loop(steps, position, outputs, sizes)
        found.append(steps[position] if loop is None else loop)
        position += count
    return found


def _loop(steps: list[Step], start: int, outputs: Sequence[str], sizes: Mapping[str, int]) -> tuple[Step | None, int]:
    for length in range(1, _LONGEST + 1):
        turns = 1
        while _alike(steps, start, length, turns):
            turns += 1
        if turns < _LEAST:
            continue
        used = _lists(steps[start : start + length])
        lists = [each for each in used if _index(steps[start], steps[start : start + length], each) == 0]
        if any(each not in lists for each in used) or any(sizes.get(each) != turns for each in lists):
            continue
        if not lists and turns * length < 2 * _LEAST:
            continue
        loop = _made(steps, start, length, turns, lists, outputs)
        if loop is not None:
            return loop, turns * length
    return None, 1


_NUMBERED = re.compile(r"self\.([A-Za-z_][\w.]*)\[(\d+)\]")


def _text(step: Step) -> str:
    return "\n".join(ast.unparse(ast.fix_missing_locations(copy.deepcopy(tree))) for tree in step.tree)


def _lists(steps: Sequence[Step]) -> list[str]:
    return list(dict.fromkeys(name for step in steps for name, _ in _NUMBERED.findall(_text(step))))


def _index(first: Step, steps: Sequence[Step], name: str) -> int:
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
    steps: list[Step], start: int, length: int, turns: int, lists: list[str], outputs: Sequence[str]
) -> Step | None:
    """The loop, where values only go from a turn to the next, and the last turn's are read afterwards."""
    bodies = [steps[start + turn * length : start + (turn + 1) * length] for turn in range(turns)]
    reads = [[n for step in body for tree in step.tree for n in loaded(tree) if is_value(n)] for body in bodies]
    writes = [[n for step in body for n in step.writes] for body in bodies]
    if len({len(each) for each in reads}) != 1 or len({len(each) for each in writes}) != 1:
        return None
    carried: dict[int, str] = {}
    for place in range(len(reads[0])):
        column = [row[place] for row in reads]
        inner = [writes[turn].index(n) if n in writes[turn] else -1 for turn, n in enumerate(column)]
        if len(set(column)) == 1:
            continue
        if len(set(inner)) == 1 and inner[0] >= 0:
            continue
        before = {writes[turn].index(n) if n in writes[turn] else -1 for turn, n in enumerate(column[1:])}
        if len(before) != 1 or before == {-1}:
            return None
        slot = before.pop()
        if carried.setdefault(slot, column[0]) != column[0]:
            return None
    allowed = {writes[-1][slot] for slot in carried}
    later = {n for step in [*steps[:start], *steps[start + turns * length :]] for n in step.reads} | {*outputs}
    if ({n for row in writes for n in row} & later) - allowed or not carried:
        return None
    constant = {row[0] for row in zip(*reads, strict=True) if len(set(row)) == 1}
    if constant & {*carried.values()}:
        return None
    final = {writes[-1][slot]: initial for slot, initial in carried.items()}
    names = {initial: f"{last}" for last, initial in final.items()}
    if len(names) != len(carried):
        return None
    own = {n: f"{n}{MARK}turn" for slot, n in enumerate(writes[0]) if slot not in carried}
    own |= {writes[0][slot]: writes[-1][slot] for slot in carried}
    singles = aliases(lists)
    body: list[ast.stmt] = []
    written: set[str] = set()
    for step in bodies[0]:
        for tree in step.tree:
            made = rename(tree, own | {n: v for n, v in names.items() if n not in written})
            body.append(_Layers(singles).visit(made))
        written |= {*step.writes}
    if any(_is_read_later(bodies[0], writes[0], slot, initial) for slot, initial in carried.items()):
        return None
    start_values: list[ast.stmt] = [
        ast.Assign([ast.Name(last, ast.Store())], ast.Name(initial, ast.Load()), lineno=0)
        for last, initial in final.items()
    ]
    whole = [*start_values, _header(lists, singles, turns, body)]
    return dataclasses.replace(
        steps[start],
        tree=whole,
        reads=values_read(whole),
        writes=(*final, *(own[n] for n in own if own[n] not in final)),
    )


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


def _header(lists: Sequence[str], aliases: Mapping[str, str], turns: int, body: list[ast.stmt]) -> ast.stmt:
    if not lists:
        over = ast.parse(f"range({turns})", mode="eval").body
        return ast.For(ast.Name("_", ast.Store()), over, body, [], lineno=0)
    variables: list[ast.expr] = [ast.Name(aliases[name], ast.Store()) for name in lists]
    target = variables[0] if len(lists) == 1 else ast.Tuple(variables, ast.Store())
    each = [f"self.{name}" for name in lists]
    text = each[0] if len(lists) == 1 else f"zip({', '.join(each)}, strict=True)"
    return ast.For(target, ast.parse(text, mode="eval").body, body, [], lineno=0)
