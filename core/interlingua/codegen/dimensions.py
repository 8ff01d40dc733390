"""Sizes that a module reads off a tensor it is given, instead of being given them: `size = x.shape[0]` inside it."""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence

from interlingua.codegen.steps import MARK, Flow, Step, is_value

_INSIDE = f"{MARK}inside"


class Dimensions:
    """The sizes that a program reads, and the tensors that have the same ones."""

    def __init__(self, flow: Flow) -> None:
        self._axes = flow.axes
        self._sizes: dict[str, tuple[str, int]] = {}
        for step in flow.steps:
            found = _size(step)
            if found is not None:
                self._sizes[step.writes[0]] = found

    def inside(self, steps: Sequence[Step], depth: int) -> list[Step]:
        """The steps of a module (`depth` is how many are around it), reading the sizes they need off its inputs."""
        given = {name for step in steps for name in step.writes}
        inputs = list(dict.fromkeys(n for step in steps for n in step.reads if is_value(n) and n not in given))
        names: dict[str, str] = {}
        made: list[Step] = []
        for name in (each for each in inputs if each in self._sizes):
            source = self._source(name, [each for each in inputs if each not in self._sizes])
            if source is None:
                continue
            tensor, axis = source
            names[name] = f"{name}{_INSIDE}"
            self._sizes[names[name]] = source
            shape = ast.Attribute(ast.Name(tensor, ast.Load()), "shape", ast.Load())
            value = ast.Subscript(shape, ast.Constant(axis), ast.Load())
            tree: list[ast.stmt] = [ast.Assign([ast.Name(names[name], ast.Store())], value, lineno=0)]
            made.append(Step(tree, (tensor,), (names[name],), (steps[0].scopes or ())[: depth + 1]))
        return [*made, *(step.renamed(names) for step in steps)] if made else list(steps)

    def _source(self, name: str, tensors: Sequence[str]) -> tuple[str, int] | None:
        """The tensor among these, and the axis, that has the size: the one that it is read off, or one of that axis."""
        value, axis = self._sizes[name]
        if value in tensors:
            return value, axis
        sizes = self._axes.get(value, ())
        symbol = sizes[axis] if axis < len(sizes) else None
        if not isinstance(symbol, str):
            return None
        fitting = ((each, place) for each in tensors for place, size in enumerate(self._axes.get(each, ())))
        return next(((each, place) for each, place in fitting if self._axes[each][place] == symbol), None)

    def needed(self, steps: Sequence[Step], wanted: Collection[str]) -> list[Step]:
        """The steps without those that read a size which nothing needs any more."""
        read = {name for step in steps for name in step.reads} | {*wanted}
        return [step for step in steps if not (step.writes and step.writes[0] in self._sizes) or {*step.writes} & read]


def _size(step: Step) -> tuple[str, int] | None:
    """The tensor and the axis, where the step is `size = x.shape[0]`."""
    tree = step.tree[0] if len(step.tree) == len(step.writes) == 1 else None
    read = tree.value if isinstance(tree, ast.Assign) and isinstance(tree.targets[0], ast.Name) else None
    if not isinstance(read, ast.Subscript) or not isinstance(read.slice, ast.Constant):
        return None
    shape, axis = read.value, read.slice.value
    if not isinstance(shape, ast.Attribute) or shape.attr != "shape" or not isinstance(shape.value, ast.Name):
        return None
    return (shape.value.id, axis) if is_value(shape.value.id) and isinstance(axis, int) and axis >= 0 else None
