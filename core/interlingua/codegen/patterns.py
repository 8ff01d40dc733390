"""Repeated structure of a model that tells nothing of its modules: equal pieces of code that follow one another."""

from __future__ import annotations

import ast
import dataclasses
import itertools
import re
from collections.abc import Sequence

import onnx_ir as ir

from interlingua.codegen.owners import owned
from interlingua.codegen.program import Program
from interlingua.codegen.steps import MARK, Step, flow_of, rename
from interlingua.ir import metadata

_LONGEST = 120
_TIMES = 3
_LAYERS = 2
_MOST = 4000
"""Longer models stay as they are: nobody reads them, and time goes with the square of what is found."""


@dataclasses.dataclass(frozen=True)
class Repeats:
    """The modules that were found: paths by the statement's place in the program, `blocks.0`, and their class."""

    paths: dict[int, str]
    classes: dict[str, str]


def may_repeat(model: ir.Model) -> bool:
    """Whether the model tells nothing of its layers, and its operators repeat: `repeats` may find something."""
    nodes = list(model.graph)
    told = sum(metadata.LAYER in node.metadata_props or "/" in (node.name or "") for node in nodes)
    kinds = [node.op_type for node in nodes]
    return 2 * told < len(nodes) <= _MOST and any(
        _times(kinds, start, length) >= _TIMES for start in range(len(kinds)) for length in range(2, _LONGEST)
    )


def repeats(program: Program) -> Repeats:
    """Pieces of at least two layers, three times one after the other, that differ by nothing but numbers.

    A piece begins where the fewest values go from what is before to what follows, in a chain of blocks one.
    """
    steps = flow_of(program).steps
    calls = {layer.attribute: ast.unparse(_api(layer.call)) for layer in program.layers}
    weighted = {layer.attribute for layer in program.layers if layer.weights} | {t.attribute for t in program.tensors}
    tokens = [_token(step, calls) for step in steps]
    heavy = [sum(name in weighted for tree in step.tree for name in owned(tree)) for step in steps]
    crossing = _crossing(steps)
    found: dict[int, str] = {}
    classes: dict[str, str] = {}
    position, run = 0, 0
    while position < len(steps):
        counts = ((_times(tokens, position, length), length) for length in range(2, _LONGEST))
        pieces = [(times * length, -length) for times, length in counts if times >= _TIMES]
        covered, length = max(pieces, default=(0, 0))
        length = -length
        if not covered or sum(heavy[position : position + length]) < _LAYERS:
            position += 1
            continue
        start = min(range(position, position + length), key=lambda each: (crossing[each], each))
        times = (position + covered - start) // length
        if times >= _TIMES:
            run += 1
            name = "blocks" if run == 1 else f"blocks_{run}"
            for turn in range(times):
                classes[f"{name}.{turn}"] = "Block"
                for index in range(start + turn * length, start + (turn + 1) * length):
                    found[index] = f"{name}.{turn}"
        position += covered
    return Repeats(found, classes)


def _api(call: ast.expr) -> ast.expr:
    return call.func if isinstance(call, ast.Call) else call


def _times(tokens: Sequence[str], start: int, length: int) -> int:
    """How often the piece of that length stands there, one after the other."""
    times = 1
    while tokens[start + times * length : start + (times + 1) * length] == tokens[start : start + length]:
        times += 1
    return times


def _token(step: Step, calls: dict[str, str]) -> str:
    """What a step says, whatever its values, numbers and weights are."""
    names = dict.fromkeys((*step.reads, *step.writes), MARK)
    text = "\n".join(ast.unparse(ast.fix_missing_locations(rename(each, names))) for each in step.tree)
    text = re.sub(r"self\.(\w+)", lambda match: f"self.{calls.get(match[1], '')}", text)
    return re.sub(r"-?\b\d[\w.]*\b", "0", text)


def _crossing(steps: Sequence[Step]) -> list[int]:
    """For each step, how many values made before it are read from it on."""
    made = {name: position for position, step in enumerate(steps) for name in step.writes}
    last: dict[str, int] = {}
    for position, step in enumerate(steps):
        last.update(dict.fromkeys((name for name in step.reads if name in made), position))
    changes = [0] * (len(steps) + 2)
    for name, end in last.items():
        changes[made[name] + 1] += 1
        changes[end + 1] -= 1
    return list(itertools.accumulate(changes[: len(steps)]))
