"""Weights of recurrent cells: parts of constants as a cell names them, put together as ONNX's LSTM, GRU and RNN."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from interlingua.ir import metadata
from interlingua.ir.edit import add_initializer, is_initializer
from interlingua.ir.facts import known, shape_of
from interlingua.ir.origin import FUNCTIONS, Call, Constant, Origin, shape_after, simplified
from interlingua.ir.parameters import add_constant
from interlingua.passes.orders import order_of
from interlingua.passes.raising.reading import attribute_int, integers

Step = tuple[str, tuple[int | float, ...]]


@dataclasses.dataclass(frozen=True)
class View:
    """A constant after steps, which are functions of `interlingua.ir.origin` with their numbers."""

    value: ir.Value
    shape: tuple[int, ...]
    steps: tuple[Step, ...] = ()

    def sliced(self, axis: int, start: int, stop: int) -> View:
        """A part along one axis."""
        if (start, stop) == (0, self.shape[axis]):
            return self
        function, numbers = self.steps[-1] if self.steps else ("", ())
        if function == "transpose":
            order = tuple(int(number) for number in numbers)
            return self._before().sliced(order[axis], start, stop).transposed(order)
        if function == "slice" and numbers[0] == axis:
            first = int(numbers[1])
            return self._before().sliced(axis, first + start, first + stop)
        shape = (*self.shape[:axis], stop - start, *self.shape[axis + 1 :])
        return View(self.value, shape, (*self.steps, ("slice", (axis, start, stop))))

    def transposed(self, order: Sequence[int] = (1, 0)) -> View:
        """The axes in another order."""
        if self.steps and self.steps[-1][0] == "transpose":
            return self._before().transposed([int(self.steps[-1][1][axis]) for axis in order])
        if tuple(order) == tuple(range(len(self.shape))):
            return self
        shape = tuple(self.shape[axis] for axis in order)
        return View(self.value, shape, (*self.steps, ("transpose", tuple(order))))

    def _before(self) -> View:
        """The constant before the last step."""
        shape = tuple(known(shape_of(self.value)) or ())
        for function, numbers in self.steps[:-1]:
            shape = shape_after(function, [shape], numbers)
        return View(self.value, shape, self.steps[:-1])

    def followed_by(self, other: View) -> View | None:
        """Both on each other as one part of what they are parts of; None where they do not follow each other."""
        if not self.steps or not other.steps or self._before() != other._before():
            return None
        (function, numbers), (again, others) = self.steps[-1], other.steps[-1]
        follow = function == again == "slice" and numbers[0] == others[0] == 0 and numbers[2] == others[1]
        return self._before().sliced(0, int(numbers[1]), int(others[2])) if follow else None

    def reshaped(self, *shape: int) -> View:
        """The same elements in another shape."""
        return self if shape == self.shape else View(self.value, shape, (*self.steps, ("reshape", shape)))

    def plus(self, number: float) -> View:
        """The elements with a number added."""
        return View(self.value, self.shape, (*self.steps, ("add", (number,)))) if number else self

    @property
    def origin(self) -> Origin:
        """What it is, as an expression over the source's parameters."""
        expression = metadata.origin(self.value)
        for function, numbers in self.steps:
            expression = simplified(Call(function, (expression,), numbers))
        return expression

    def array(self) -> NDArray[np.generic]:
        """The elements."""
        assert self.value.const_value is not None
        array = self.value.const_value.numpy()
        for function, numbers in self.steps:
            array = FUNCTIONS[function](array, *numbers)
        return array


def view_of(value: ir.Value | None, plain: Callable[[ir.Value | None], ir.Value | None]) -> View | None:
    """The constant that a value is, through slices, splits and moves; `plain` looks through what only renames."""
    value = plain(value)
    if value is None:
        return None
    if is_initializer(value):
        shape = known(shape_of(value))
        return None if shape is None else View(value, tuple(shape))
    node = value.producer()
    if node is None or node.domain != "" or not node.inputs:
        return None
    if node.op_type not in ("Slice", "Split", "Squeeze", "Unsqueeze", "Transpose", "Reshape"):
        return None
    source = view_of(node.inputs[0], plain)
    return None if source is None else _moved(node, value, source)


def _moved(node: ir.Node, value: ir.Value, source: View) -> View | None:
    if node.op_type == "Transpose":
        order = order_of(node)
        return None if order is None else source.transposed(order)
    if node.op_type == "Slice":
        for axis, start, stop in slices_of(node, source.shape) or ((-1, 0, 0),):
            if axis < 0:
                return None
            source = source.sliced(axis, start, stop)
        return source
    if node.op_type == "Split":
        axis = attribute_int(node, "axis", 0) % len(source.shape)
        bounds = split_of(node, value, source.shape[axis])
        return None if bounds is None else source.sliced(axis, *bounds)
    shape = known(shape_of(value))
    size = int(np.prod(source.shape, dtype=np.int64))
    fits = shape is not None and int(np.prod(shape, dtype=np.int64)) == size
    return source.reshaped(*shape) if shape is not None and fits else None


def slices_of(node: ir.Node, shape: Sequence[int]) -> list[tuple[int, int, int]] | None:
    """The parts that a Slice takes, (axis, start, stop), one a said axis; None where they are not known or stepped."""
    starts, stops, axes, steps = (
        integers(node.inputs[index]) if len(node.inputs) > index and node.inputs[index] is not None else None
        for index in (1, 2, 3, 4)
    )
    if starts is None or stops is None or (steps is not None and any(step != 1 for step in steps)):
        return None
    said = list(range(len(starts))) if axes is None else [axis % len(shape) for axis in axes]
    bounds = zip(said, starts, stops, strict=True)
    return [(axis, *slice(start, stop).indices(shape[axis])[:2]) for axis, start, stop in bounds]


def split_of(node: ir.Node, value: ir.Value, size: int) -> tuple[int, int] | None:
    """Where the part that a Split's output is begins and ends; None where the parts are not known."""
    index = list(node.outputs).index(value)
    sizes = integers(node.inputs[1]) if len(node.inputs) > 1 and node.inputs[1] is not None else None
    if sizes is None:
        count = attribute_int(node, "num_outputs", len(node.outputs))
        if len(node.inputs) > 1 and node.inputs[1] is not None:
            return None
        each = -(-size // count)
        sizes = [min(each, size - each * position) for position in range(count)]
    return sum(sizes[:index]), sum(sizes[: index + 1])


def _merged(views: Sequence[View]) -> list[View]:
    """The views with those as one that follow each other in one constant."""
    found: list[View] = []
    for view in views:
        both = found[-1].followed_by(view) if found else None
        if both is not None:
            found.pop()
        found.append(both or view)
    return found


def joined(graph: ir.Graph, stem: str, views: Sequence[View], shape: Sequence[int]) -> ir.Value:
    """An initializer of views on each other along the first axis, in another shape, made when somebody asks for it."""
    views = _merged(views)
    kind = views[0].value.dtype or ir.DataType.FLOAT
    whole = views[0].origin if len(views) == 1 else Call("concat", tuple(view.origin for view in views), (0,))
    expression = Call("reshape", (whole,), tuple(shape))

    def load() -> ir.TensorProtocol:
        array = np.concatenate([view.array() for view in views], axis=0).reshape(shape)
        return ir.tensor(np.ascontiguousarray(array), dtype=kind)

    return add_initializer(graph, stem, ir.LazyTensor(load, kind, ir.Shape(shape)), simplified(expression))


def zeros(graph: ir.Graph, stem: str, size: int, kind: ir.DataType) -> View:
    """A bias that the source does not have."""
    value = add_initializer(graph, stem, np.zeros(size, kind.numpy()), Constant(stem))
    name = value.name or stem
    metadata.set_origin(value, Constant(name))
    add_constant(graph, name, (size,))
    return View(value, (size,))
