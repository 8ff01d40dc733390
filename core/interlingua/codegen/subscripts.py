"""Bounds of slices: those that code leaves out said, and left out again; slices of slices as one."""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping

from interlingua.codegen.progressions import whole
from interlingua.codegen.steps import Tree

_OPEN = "open"
"""Marks a bound that the code leaves out."""

Sizes = tuple[int | str | None, ...]


def bounded(tree: Tree, axes: Mapping[str, Sizes]) -> Tree:
    """A copy of the code with the bounds of its slices said: `x[0:3]` for `x[:3]`, `x[3:8]` for `x[3:]`.

    `axes` are the sizes of values; the end of an axis whose size is not known stays left out.
    """
    return _Bounding(axes).visit(copy.deepcopy(tree))  # type: ignore[no-any-return]


def unbounded(tree: Tree) -> Tree:
    """The code, changed in place, without those bounds that `bounded` said and that are still what they were."""
    return _Unbounding().visit(tree)  # type: ignore[no-any-return]


def joined(tree: Tree) -> Tree:
    """The code, changed in place, with `x[..., :8, :4]` for `x[..., :8, :][..., :4]`."""
    return _Joining().visit(tree)  # type: ignore[no-any-return]


class _Bounding(ast.NodeTransformer):
    def __init__(self, axes: Mapping[str, Sizes]) -> None:
        self._axes = axes

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        sizes = self._sizes(node.value)
        self.generic_visit(node)
        items = _items(node)
        for item, size in zip(items, _along(items, sizes), strict=True):
            if not isinstance(item, ast.Slice) or item.step is not None or (item.lower is None and item.upper is None):
                continue
            item.lower = item.lower or ast.Constant(0, _OPEN)
            item.upper = item.upper or (ast.Constant(size, _OPEN) if isinstance(size, int) else None)
        return node

    def _sizes(self, value: ast.expr) -> Sizes | None:
        """The sizes of a value, or of slices of one."""
        if isinstance(value, ast.Name):
            return self._axes.get(value.id)
        sizes = self._sizes(value.value) if isinstance(value, ast.Subscript) else None
        if not isinstance(value, ast.Subscript) or sizes is None:
            return None
        items = _items(value)
        if not all(isinstance(item, ast.Slice) or _is_rest(item) for item in items):
            return None
        spread = [item for item in items if not _is_rest(item)]
        first = len(sizes) - len(spread) if any(map(_is_rest, items)) else 0
        cut = dict(enumerate(spread, first))
        return tuple(size if _is_whole(cut.get(axis)) else None for axis, size in enumerate(sizes))


def _is_whole(item: ast.expr | None) -> bool:
    return item is None or (isinstance(item, ast.Slice) and item.lower is item.upper is item.step is None)


def _is_rest(item: ast.expr) -> bool:
    return isinstance(item, ast.Constant) and item.value is ...


def _items(node: ast.Subscript) -> list[ast.expr]:
    return list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]


def _along(items: list[ast.expr], sizes: Sizes | None) -> list[int | str | None]:
    """The size of the axis that each item is of; None where that is not known."""
    plain = all(isinstance(item, ast.Slice) or _is_rest(item) or whole(item) is not None for item in items)
    if sizes is None or not plain:
        return [None] * len(items)
    rests = [place for place, item in enumerate(items) if _is_rest(item)]
    skipped = len(sizes) - len(items) + 1 if rests else 0
    found: list[int | str | None] = []
    for place in range(len(items)):
        axis = place + skipped - 1 if rests and place > rests[0] else place
        found.append(sizes[axis] if 0 <= axis < len(sizes) else None)
    return found


class _Unbounding(ast.NodeTransformer):
    def visit_Slice(self, node: ast.Slice) -> ast.AST:
        self.generic_visit(node)
        node.lower, node.upper = (None if _is_open(each) else each for each in (node.lower, node.upper))
        return node


def _is_open(bound: ast.expr | None) -> bool:
    return isinstance(bound, ast.Constant) and bound.kind == _OPEN


class _Joining(ast.NodeTransformer):
    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        inner = node.value
        if not isinstance(inner, ast.Subscript):
            return node
        first, second = _items(inner), _items(node)
        if not all(_is_rest(item) or isinstance(item, ast.Slice) for item in (*first, *second)):
            return node
        if any(map(_is_rest, first[1:] + second[1:])) or _is_rest(first[0]) != _is_rest(second[0]):
            return node
        counted_back = _is_rest(first[0])
        width = max(len(first), len(second))
        missing: list[list[ast.expr]] = [[ast.Slice()] * (width - len(each)) for each in (first, second)]
        rows = [[*blank, *each[1:]] if counted_back else [*each, *blank]
                for blank, each in zip(missing, (first, second), strict=True)]  # fmt: skip
        if not all(_is_whole(one) or _is_whole(other) for one, other in zip(*rows, strict=True)):
            return node
        items = [other if _is_whole(one) else one for one, other in zip(*rows, strict=True)]
        items = [ast.Constant(...), *items] if counted_back else items
        return ast.Subscript(inner.value, items[0] if len(items) == 1 else ast.Tuple(items, ast.Load()), node.ctx)
