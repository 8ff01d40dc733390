"""How a parameter is said that the source rearranges before it reads it: `self.scale[:, None]`."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence

from interlingua.codegen import expressions
from interlingua.codegen.moves import Move, Numbers

Shapes = Sequence[tuple[int, ...]]


def _reshaped(given: Sequence[ast.expr], shapes: Shapes, numbers: Numbers) -> ast.expr:
    """`w[:, None]` where axes of size 1 come, `w.flatten(1)` where the last are joined, else `w.reshape(…)`."""
    wanted = [int(number) for number in numbers]
    index = _with_new_axes(list(shapes[0]), wanted)
    if index is not None:
        return _indexed(given[0], index)
    leading = next((axis for axis, size in enumerate(wanted) if size != 1), len(wanted))
    kept = len(wanted) - leading - 1
    if kept < 0 or tuple(wanted[leading:-1]) != shapes[0][:kept] or wanted[-1] != math.prod(shapes[0][kept:]):
        return expressions.method(given[0], "reshape", wanted)
    flat = expressions.method(given[0], "flatten", [kept] if kept else [])
    return _indexed(flat, ["None"] * leading) if leading else flat


def _with_new_axes(sizes: list[int], wanted: Sequence[int]) -> list[str] | None:
    """The index that adds axes of size 1 to those of `sizes`; None where more happens to them."""
    index: list[str] = []
    for size in wanted:
        if sizes and sizes[0] == size:
            sizes.pop(0)
            index.append(":")
        elif size == 1:
            index.append("None")
        else:
            return None
    if sizes or "None" not in index:
        return None
    while index[-1] == ":":
        index.pop()
    return index


def _indexed(base: ast.expr, index: Sequence[str]) -> ast.expr:
    """`base[index]`, where each entry is what stands at an axis."""
    code = expressions.parse(f"w[{', '.join(index)}]")
    assert isinstance(code, ast.Subscript)
    code.value = base
    return code


def _transposed(given: Sequence[ast.expr], shapes: Shapes, numbers: Numbers) -> ast.expr:
    """`w.T` of a matrix, else `w.permute(…)`."""
    if tuple(numbers) == (1, 0):
        return ast.Attribute(given[0], "T", ast.Load())
    return expressions.method(given[0], "permute", [int(number) for number in numbers])


def _sliced(given: Sequence[ast.expr], shapes: Shapes, numbers: Numbers) -> ast.expr:
    """`w[:, 2:5]`."""
    axis, start, stop, step = (int(number) for number in (*numbers, 1)[:4])
    size = shapes[0][axis]
    if step < 0:  # PyTorch's slices go forwards alone
        return _taken(given, shapes, (axis, *range(size)[start : stop if stop >= 0 else None : step]))
    text = f"{start or ''}:{'' if stop >= size else stop}{f':{step}' if step > 1 else ''}"
    return _indexed(given[0], [*[":"] * axis, text])


def _taken(given: Sequence[ast.expr], shapes: Shapes, numbers: Numbers) -> ast.expr:
    """`w[[3, 1, 2]]`; a slice where the entries follow each other, `w` itself where they are all."""
    axis, *entries = (int(number) for number in numbers)
    if entries == list(range(entries[0], entries[0] + len(entries))):
        if len(entries) == shapes[0][axis]:
            return given[0]
        return _sliced(given, shapes, (axis, entries[0], entries[0] + len(entries)))
    return _indexed(given[0], [*[":"] * axis, repr(entries)])


def _joined(given: Sequence[ast.expr], shapes: Shapes, numbers: Numbers) -> ast.expr:
    """`torch.cat([q, k, v])`."""
    axis = int(numbers[0])
    whole: list[ast.expr] = [ast.List(list(given), ast.Load())]
    return expressions.call("torch.cat", whole, {"dim": axis} if axis else {})


def _flipped(given: Sequence[ast.expr], shapes: Shapes, numbers: Numbers) -> ast.expr:
    """`w.flip(0)`."""
    return expressions.method(given[0], "flip", [int(number) for number in numbers])


def _by_number(sign: str) -> Move:
    """`w * 0.125`."""

    def said(given: Sequence[ast.expr], shapes: Shapes, numbers: Numbers) -> ast.expr:
        return expressions.operator(sign, given[0], expressions.literal(numbers[0]))

    return said


def _negative(given: Sequence[ast.expr], shapes: Shapes, numbers: Numbers) -> ast.expr:
    """`-w`."""
    return ast.UnaryOp(ast.USub(), given[0])


MOVES: Mapping[str, Move] = {
    "transpose": _transposed,
    "reshape": _reshaped,
    "slice": _sliced,
    "take": _taken,
    "concat": _joined,
    "flip": _flipped,
    "negative": _negative,
    "add": _by_number("+"),
    "subtract": _by_number("-"),
    "multiply": _by_number("*"),
    "divide": _by_number("/"),
}
