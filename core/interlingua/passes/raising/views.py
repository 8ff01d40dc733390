"""Values as views of others: what reshapes, transposes and selections do to axes, told in factors of their sizes.

A size is a product of factors: a projection of 2304 features that is read as (3, 12, 64) has three. Whatever a chain
of `Reshape`, `Transpose`, `Squeeze`, `Split`, … looks like, it places factors in axes and chooses one of some. So one
rule reads all spellings of it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import constant
from interlingua.passes.orders import order_of
from interlingua.passes.raising.reading import Sizes, attribute_int, integers, maker, new, sizes_of, tensor

MOVES = ("Flatten", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze")
"""Operators that only place factors in axes, or choose one of a factor."""

_LONGEST = 16
"""Nodes up to which a chain is followed."""


class Factor:
    """A factor of the size of an axis; itself, whatever other factor has the same size."""

    def __init__(self, size: int | str | None) -> None:
        self.size = size

    def __repr__(self) -> str:
        return f"<{self.size}>"


Axis = list[Factor]
"""The factors of an axis, the outermost first; none where its size is 1."""


@dataclasses.dataclass
class View:
    """`value` as a view of `base`: the factors of both, and which entry of a factor was chosen."""

    base: ir.Value
    value: ir.Value
    source: list[Axis]
    axes: list[Axis]
    chosen: dict[Factor, int] = dataclasses.field(default_factory=dict)

    def split(self, factor: Factor, outer: int) -> tuple[Factor, Factor]:
        """Replaces a factor by two, everywhere."""
        assert isinstance(factor.size, int)
        parts = Factor(outer), Factor(factor.size // outer)
        for axes in (self.source, self.axes):
            for axis in axes:
                if factor in axis:
                    at = axis.index(factor)
                    axis[at : at + 1] = parts
        return parts

    def flat(self) -> Axis:
        """All factors in the order of the value's elements."""
        return [factor for axis in self.axes for factor in axis]


def whole(value: ir.Value) -> View | None:
    """A value as a view of itself; None where its number of axes is unknown."""
    shape = sizes_of(value)
    if shape is None:
        return None
    axes = [[] if size == 1 else [Factor(size)] for size in shape]
    return View(value, value, axes, [list(axis) for axis in axes])


def views(value: ir.Value | None) -> Iterator[View]:
    """The value as a view of what it is made from, the farthest first; at last of itself."""
    chain: list[tuple[ir.Node, ir.Value]] = []
    current = value
    while current is not None and len(chain) < _LONGEST:
        node = maker(current, *MOVES)
        if node is None or node.inputs[0] is None or node.inputs[0].is_initializer():
            break
        chain.append((node, current))
        current = node.inputs[0]
    while current is not None:
        view = whole(current)
        if view is not None and all(moved(view, node, output) for node, output in reversed(chain)):
            yield view
        current = chain.pop()[1] if chain else None


def moved(view: View, node: ir.Node, output: ir.Value) -> bool:
    """Goes on to the node's output; whether what the node does is a move of factors."""
    before, after = sizes_of(view.value), sizes_of(output)
    if before is None or after is None or len(before) != len(view.axes):
        return False
    if not _moves(view, node, output, before, after):
        return False
    view.value = output
    return len(view.axes) == len(after)


def _moves(view: View, node: ir.Node, output: ir.Value, before: Sizes, after: Sizes) -> bool:
    if node.op_type == "Identity":
        return True
    if node.op_type in ("Flatten", "Reshape", "Squeeze", "Unsqueeze"):
        return _regrouped(view, after)
    if node.op_type == "Transpose":
        order = order_of(node)
        if order is None or len(order) != len(view.axes):
            return False
        view.axes = [view.axes[axis] for axis in order]
        return True
    if node.op_type == "Gather":
        axis, index = attribute_int(node, "axis", 0) % len(before), constant(node.inputs[1], 1)
        size = before[axis]
        if index is None or not isinstance(size, int):
            return False
        if not _choose(view, axis, size, int(index.reshape(-1)[0]) % size):
            return False
        if index.ndim == 0:
            del view.axes[axis]
        return index.ndim <= 1
    if node.op_type == "Split":
        return _part_of_split(view, node, output, before, after)
    return _part_of_slice(view, node, before)


def _part_of_split(view: View, node: ir.Node, output: ir.Value, before: Sizes, after: Sizes) -> bool:
    axis = attribute_int(node, "axis", 0) % len(before)
    size, part = before[axis], after[axis]
    if not isinstance(size, int) or not isinstance(part, int) or size != part * len(node.outputs):
        return False
    given = integers(node.inputs[1]) if len(node.inputs) > 1 and node.inputs[1] is not None else None
    if given is not None and any(each != part for each in given):
        return False
    return _choose(view, axis, len(node.outputs), list(node.outputs).index(output))


def _part_of_slice(view: View, node: ir.Node, before: Sizes) -> bool:
    held = [integers(each) if each is not None else None for each in node.inputs[1:]]
    if len(held) < 2 or held[0] is None or held[1] is None or len(held[0]) != 1:
        return False
    axes = held[2] if len(held) > 2 else [0]
    steps = held[3] if len(held) > 3 else [1]
    if axes is None or steps != [1]:
        return False
    size = before[axes[0] % len(before)]
    if not isinstance(size, int):
        return False
    start, end, _ = slice(held[0][0], held[1][0]).indices(size)
    length = end - start
    if length <= 0 or size % length or start % length:
        return False
    return _choose(view, axes[0] % len(before), size // length, start // length)


def _choose(view: View, axis: int, parts: int, index: int) -> bool:
    """Chooses one of `parts` equal parts of an axis."""
    factors = view.axes[axis]
    if parts == 1:
        return True
    if not factors:
        return False
    first = factors[0]
    if first.size != parts:
        if not isinstance(first.size, int) or first.size % parts:
            return False
        first = view.split(first, parts)[0]
    view.axes[axis] = [factor for factor in view.axes[axis] if factor is not first]
    view.chosen[first] = index
    return True


def _regrouped(view: View, sizes: Sizes) -> bool:
    """Places the factors in axes of other sizes, of which one may be unknown."""
    left: list[Axis] = []
    for size in sizes:
        taken = _taken(view, sum(map(len, left)), size)
        if taken is None:
            break
        left.append(taken)
    right: list[Axis] = []
    while len(left) + len(right) < len(sizes) - 1:
        taken = _taken(view, -1 - sum(map(len, right)), sizes[-1 - len(right)])
        if taken is None:
            return False
        right.insert(0, taken)
    flat = view.flat()
    start, end = sum(map(len, left)), len(flat) - sum(map(len, right))
    unknown = [flat[start:end]] if len(left) < len(sizes) else []
    view.axes = [*left, *unknown, *right]
    return start <= end if unknown else start == end


def _taken(view: View, at: int, size: int | str | None) -> Axis | None:
    """The factors of one axis of that size from a place on, a negative one to the left; splits one if need be."""
    forward, taken = at >= 0, list[Factor]()
    while size != 1:
        flat = view.flat()
        if not -len(flat) <= at < len(flat):
            return None
        factor = flat[at]
        if isinstance(size, int) and isinstance(factor.size, int) and factor.size % size == 0 and factor.size != size:
            parts = view.split(factor, size if forward else factor.size // size)
            factor, size = parts[0 if forward else 1], 1
        elif isinstance(size, int) and isinstance(factor.size, int) and size % factor.size == 0:
            size //= factor.size
        elif isinstance(size, str) and size == factor.size:
            size = 1
        else:
            return None
        taken.insert(len(taken) if forward else 0, factor)
        at += 1 if forward else -1
    return taken


def arranged(view: View, source: ir.Value, target: Sequence[Axis], made: Builder) -> ir.Value | None:
    """The base with its factors in the order and axes of `target`; None where a few nodes do not do that.

    `source` is the base with what is chosen already taken, so that the factors of choice are gone.
    """
    axes = [[factor for factor in axis if factor not in view.chosen] for axis in view.source]
    wanted = [factor for axis in target for factor in axis]
    value = source
    if [factor for axis in axes for factor in axis] != wanted:
        order = _order(axes, wanted)
        if order is None:
            split = [[factor] for axis in axes for factor in axis]
            order = _order(split, wanted)
            reshaped = made.reshape(value, axes, split)
            if order is None or reshaped is None:
                return None
            value, axes = reshaped, split
        value, axes = made.transpose(value, order, axes), [axes[axis] for axis in order]
    if axes == list(target):
        return value
    return made.reshape(value, axes, target)


def _order(axes: Sequence[Axis], wanted: Axis) -> tuple[int, ...] | None:
    """The order of whole axes that gives the factors in the wanted order; axes of size 1 stay in front."""
    empty = [index for index, axis in enumerate(axes) if not axis]
    held = [index for index, axis in enumerate(axes) if axis]
    held.sort(key=lambda index: wanted.index(axes[index][0]) if axes[index][0] in wanted else -1)
    order = (*empty, *held)
    return order if [factor for index in order for factor in axes[index]] == wanted else None


def size_of(axis: Axis) -> int | str | None:
    """The size of an axis: a number, a name, or None where it is a product with an unknown factor."""
    sizes = [factor.size for factor in axis]
    if len(sizes) == 1:
        return sizes[0]
    numbers = [size for size in sizes if isinstance(size, int)]
    return math.prod(numbers) if len(numbers) == len(sizes) else None


class Builder:
    """Makes the nodes of an arrangement, each once; what is new belongs to the place of `node`."""

    def __init__(self, node: ir.Node) -> None:
        self.node = node
        self.nodes: list[ir.Node] = []
        self._made: dict[tuple[object, ...], ir.Node] = {}

    def add(self, op_type: str, inputs: Sequence[ir.Value], attributes: dict[str, object], sizes: Sizes) -> ir.Value:
        """The output of a node of one output."""
        made = new(op_type, inputs, attributes, like=inputs[0], shape=sizes)
        self.nodes.append(made)
        return made.outputs[0]

    def forget(self, count: int = 0) -> None:
        """Takes back all nodes but the first, so that they read nothing any more."""
        for node in self.nodes[count:]:
            for index in range(len(node.inputs)):
                node.replace_input_with(index, None)
        del self.nodes[count:]

    def numbers(self, stem: str, entries: Sequence[int]) -> ir.Value:
        """A constant of whole numbers."""
        return tensor(self.node, f"{self.node.outputs[0].name}_{stem}", np.asarray(entries, np.int64))

    def transpose(self, value: ir.Value, order: Sequence[int], axes: Sequence[Axis]) -> ir.Value:
        """The value with its axes in that order."""
        made = self.add("Transpose", [value], {"perm": list(order)}, tuple(size_of(axes[axis]) for axis in order))
        metadata.set_own(self.nodes[-1])
        return made

    def reshape(self, value: ir.Value, axes: Sequence[Axis], target: Sequence[Axis]) -> ir.Value | None:
        """The value, which has the one axes, with the others; None where more than one size is unknown."""
        sizes = tuple(size_of(axis) if axis else 1 for axis in target)
        entries: list[int] = []
        for index, size in enumerate(sizes):
            same = index < len(axes) and axes[index] == target[index]
            entries.append(size if isinstance(size, int) else 0 if same else -1)
        if entries.count(-1) > 1:
            return None
        if entries.count(-1) == 0 and entries.count(0) == 1:
            entries[entries.index(0)] = -1
        return self.add("Reshape", [value, self.numbers("shape", entries)], {}, sizes)

    def part(self, view: View) -> ir.Value | None:
        """The base with what the view chooses of it; None where that is not the outermost factor of one axis."""
        if not view.chosen:
            return view.base
        if len(view.chosen) > 1:
            return None
        ((factor, index),) = view.chosen.items()
        axis = next((at for at, each in enumerate(view.source) if each and each[0] is factor), None)
        sizes = sizes_of(view.base)
        if axis is None or sizes is None or not isinstance(factor.size, int):
            return None
        key = (view.base, axis, factor.size)
        if key not in self._made:
            whole_size = sizes[axis]
            assert isinstance(whole_size, int)
            length = whole_size // factor.size
            shape = ir.Shape([length if at == axis else size for at, size in enumerate(sizes)])
            parts = [ir.Value(type=view.base.type, shape=shape) for _ in range(factor.size)]
            lengths = self.numbers("parts", [length] * factor.size)
            split = ir.Node("", "Split", [view.base, lengths], [ir.AttrInt64("axis", axis)], outputs=parts)
            self.nodes.append(split)
            self._made[key] = split
        return self._made[key].outputs[index]
