"""What a class calls its sizes, by how its forward method uses them: heads of attention, height and width, length."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence

from interlingua.codegen.nesting import is_owned
from interlingua.codegen.steps import Step, is_value
from interlingua.codegen.unify import hole_index
from interlingua.codegen.words import Words

HEADS = "num_heads"
_IMAGE = 4


def meanings(
    rows: Sequence[ast.stmt], steps: Sequence[Step], is_width: Callable[[int], bool], words: Words
) -> dict[int, str]:
    """The names of arguments that tell of sizes, by their numbers; `is_width` tells those that count channels."""
    found: dict[int, str] = {}
    for index, said in [*_turned(rows), *_Heads(steps, words).found(), *_spatial(steps, is_width, words)]:
        if not is_width(index):
            found.setdefault(index, said)
    return found


class _Heads:
    """Finds how features are split into heads, on the way back from where attention is computed."""

    def __init__(self, steps: Sequence[Step], words: Words) -> None:
        self._steps = steps
        self._words = words
        self._makers = {name: step for step in steps for name in step.writes}
        self._seen: set[tuple[int, bool]] = set()

    def found(self) -> Iterator[tuple[int, str]]:
        """Pairs of an argument and what it is."""
        for step in self._steps:
            for call in _calls(step.tree):
                called = _called(call)
                if called in (self._words.attends, self._words.weighs):
                    for given in (*call.args, *(each.value for each in call.keywords)):
                        yield from self._back(given, multiplied=called == self._words.attends)

    def _back(self, node: ast.AST, *, multiplied: bool) -> Iterator[tuple[int, str]]:
        """Goes through an expression and what it was made of; splits count before a product of queries and keys."""
        if isinstance(node, ast.Name):
            maker = self._makers.get(node.id) if is_value(node.id) else None
            if maker is not None and (id(maker), multiplied) not in self._seen:
                self._seen.add((id(maker), multiplied))
                for tree in maker.tree:
                    yield from self._back(tree, multiplied=multiplied)
            return
        multiplied = multiplied or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult))
        if isinstance(node, ast.Call):
            if is_owned(node.func):
                return
            if multiplied:
                yield from _split(node, self._words)
        for child in ast.iter_child_nodes(node):
            yield from self._back(child, multiplied=multiplied)


def _split(call: ast.Call, words: Words) -> Iterator[tuple[int, str]]:
    """The heads of `unflatten(-1, (heads, size))` and `reshape(batch, length, heads, size)`."""
    parts: Sequence[ast.expr] = _sizes(call, words)
    if _called(call) == words.splits and len(call.args) == 2 and isinstance(call.args[1], ast.Tuple):
        parts = [ast.Constant(None), ast.Constant(None), *call.args[1].elts]
    if len(parts) >= _IMAGE:
        names = {len(parts) - 2: HEADS, len(parts) - 1: "head_size", 1: "length"}
        yield from _named(parts, names)


def _spatial(steps: Sequence[Step], is_width: Callable[[int], bool], words: Words) -> Iterator[tuple[int, str]]:
    """Height and width of `reshape(batch, channels, height, width)`, one `size` of squares; the length of sequences."""
    for call in (call for step in steps for call in _calls(step.tree)):
        parts = _sizes(call, words)
        last = hole_index(parts[-1]) if parts else None
        ends = last is not None and is_width(last)
        second = hole_index(parts[1]) if len(parts) == _IMAGE - 1 else None
        if second is not None and (ends or is_width(second)):
            yield from _named(parts, {(1 if ends else 2): "length"})
        elif len(parts) == _IMAGE:
            first = 1 if ends else 2
            square = ast.dump(parts[first]) == ast.dump(parts[first + 1])
            names = ("size", "size") if square else ("height", "width")
            yield from _named(parts, {first: names[0], first + 1: names[1]})


def _turned(rows: Sequence[ast.stmt]) -> Iterator[tuple[int, str]]:
    """What a layer that a module says with its own weights takes and gives: a bias has as many as it gives."""
    made = {
        row.targets[0].attr: [index for node in ast.walk(row.value) if (index := hole_index(node)) is not None]
        for row in rows
        if isinstance(row, ast.Assign) and isinstance(row.targets[0], ast.Attribute)
    }
    bias, weight = made.get("bias", []), made.get("weight", [])
    if len(bias) == 1 and len(weight) == 2 and bias[0] in weight:
        yield bias[0], "out_features"
        yield from ((index, "in_features") for index in weight if index != bias[0])


def _named(parts: Sequence[ast.expr], names: Mapping[int, str]) -> Iterator[tuple[int, str]]:
    for place, said in names.items():
        index = hole_index(parts[place])
        if index is not None:
            yield index, said


def _calls(trees: Sequence[ast.AST]) -> Iterator[ast.Call]:
    return (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call))


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _sizes(call: ast.Call, words: Words) -> list[ast.expr]:
    """What a value is reshaped to; nothing for other calls."""
    return list(call.args) if _called(call) in words.reshapes else []
