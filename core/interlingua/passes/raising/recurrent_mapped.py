"""Reads the same computation over every slice of a sequence as one over the whole of it.

What stands between layers that are unrolled together, and on the last of them, is written once for each step.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import constant, graph_of, insert_before, take_over
from interlingua.ir.facts import shape_of
from interlingua.passes.raising.reading import attribute_float, attribute_int, home, integers, maker, new, rank
from interlingua.passes.raising.recurrent_loops import Series, Steps
from interlingua.passes.raising.recurrent_weights import joined, view_of

Slice = Callable[[ir.Value], tuple[ir.Value, int, int] | None]
"""Tells of a value the whole, axis and place that it is a slice of."""

_UNARY = {"Abs", "Cast", "Clip", "Dropout", "Elu", "Erf", "Exp", "HardSigmoid", "Identity", "LeakyRelu", "Log", "Neg"}
_UNARY |= {"Relu", "Sigmoid", "Softplus", "Sqrt", "Tanh"}
_ELEMENTWISE = _UNARY | {"Add", "Div", "Max", "Min", "Mul", "Pow", "Sub", "Where"}
_ALONG_AXIS = frozenset({"Concat", "LayerNormalization", "LogSoftmax", "Softmax"})
_DEEPEST = 24


@dataclasses.dataclass(frozen=True)
class Plan:
    """Values of all steps, of the same form: slices of `source` along an axis, or an operator of plans and of values.

    A value among the parts is the same in every step. The steps go through the sequences in their order, or against it.
    """

    steps: tuple[ir.Value, ...]
    shape: tuple[int | str | None, ...]
    reverse: bool
    source: tuple[ir.Value, int] | None = None
    parts: tuple[Plan | ir.Value | None, ...] = ()

    def sources(self) -> Iterator[ir.Value]:
        """The sequences that it is made of."""
        if self.source is not None:
            yield self.source[0]
        for part in self.parts:
            if isinstance(part, Plan):
                yield from part.sources()

    @property
    def series(self) -> Series:
        """The sequence; a value that has its shape alone where it has to be computed."""
        whole, axis = self.source or (ir.Value(shape=ir.Shape(self.shape), type=self.steps[0].type), 0)
        return Series(whole, axis, self.reverse)


_Known = dict[tuple[ir.Value, ...], Plan | None]


class Mapped:
    """Plans and writes what is computed over sequences; what several read is written once."""

    def __init__(self, slice_of: Slice) -> None:
        self._slice = slice_of
        self._written: dict[tuple[ir.Value, ...], ir.Value] = {}
        self._standing: dict[ir.Value, ir.Value] = {}

    def stands_for(self, value: ir.Value, written: ir.Value) -> None:
        """Lets plans that were made with a value that is in no graph take one that has been written."""
        self._standing[value] = written

    def plan(self, steps: Sequence[ir.Value]) -> Plan | None:
        """How the values are made of all slices of sequences; None where they are not."""
        return self._plan(tuple(steps), {}, _DEEPEST)

    def _plan(self, steps: tuple[ir.Value, ...], known: _Known, depth: int) -> Plan | None:
        if steps not in known:
            known[steps] = None if depth == 0 else self._sliced(steps) or self._made(steps, known, depth)
        return known[steps]

    def _sliced(self, steps: tuple[ir.Value, ...]) -> Plan | None:
        found = [each for each in map(self._slice, steps) if each is not None]
        if len(found) != len(steps) or len({each[:2] for each in found}) != 1:
            return None
        whole, axis, _ = found[0]
        sizes = shape_of(whole)
        order, places = list(range(len(steps))), [place for _, _, place in found]
        if sizes is None or sizes[axis] != len(steps) or places not in (order, order[::-1]):
            return None
        return Plan(steps, (len(steps), *sizes[:axis], *sizes[axis + 1 :]), places != order, (whole, axis))

    def _shared(self, values: tuple[ir.Value, ...]) -> ir.Value | None:
        """The value that all of them are; None where steps differ."""
        return values[0] if _is_same(values) else None

    def _plain(self, value: ir.Value | None) -> ir.Value | None:
        return value

    def _made(self, steps: tuple[ir.Value, ...], known: _Known, depth: int) -> Plan | None:
        nodes = [each for each in (step.producer() for step in steps) if each is not None]
        shape = shape_of(steps[0])
        if len(nodes) != len(steps) or len(set(map(_form, nodes))) != 1 or shape is None:
            return None
        if any(step is not node.outputs[0] for step, node in zip(steps, nodes, strict=True)):
            return None
        parts: list[Plan | ir.Value | None] = []
        for column in zip(*(node.inputs for node in nodes), strict=True):
            values = tuple(value for value in map(self._plain, column) if value is not None)
            if not values:
                parts.append(None)
                continue
            part = self._shared(values) or self._plan(values, known, depth - 1)
            if part is None or len(values) != len(column):
                return None
            parts.append(part)
        plans = [part for part in parts if isinstance(part, Plan)]
        if len({(plan.reverse, plan.shape[0]) for plan in plans}) != 1 or not _keeps_steps_apart(nodes[0], parts):
            return None
        return Plan(steps, (plans[0].shape[0], *shape), plans[0].reverse, None, tuple(parts))

    def series(self, plan: Plan, root: ir.Node) -> Series:
        """The sequence, computed before `root` where no value is it."""
        if plan.source is None:
            return Series(self.write(plan, root), 0, plan.reverse)
        whole, axis = plan.source
        return Series(self._standing.get(whole, whole), axis, plan.reverse)

    def write(self, plan: Plan, root: ir.Node) -> ir.Value:
        """The whole with its steps along the first axis, written before `root`."""
        held = self._written.get(plan.steps)
        if held is not None and (held.producer() is None or held.graph is not None):
            return held
        made = self._turned(plan, root) if plan.source is not None else self._computed(plan, root)
        self._written[plan.steps] = made
        return made

    def _turned(self, plan: Plan, root: ir.Node) -> ir.Value:
        assert plan.source is not None
        series = self.series(plan, root)
        whole, axis = series.whole, series.axis
        if axis == 0:
            return whole
        order = [axis, *(each for each in range(len(plan.shape)) if each != axis)]
        return _added(root, root, new("Transpose", [whole], {"perm": order}, like=whole, shape=plan.shape))

    def _computed(self, plan: Plan, root: ir.Node) -> ir.Value:
        node = plan.steps[0].producer()
        assert node is not None
        inputs = [self.write(part, root) if isinstance(part, Plan) else part for part in plan.parts]
        like, shape = plan.steps[0], plan.shape
        if node.op_type == "Gemm":
            weight = view_of(inputs[1], lambda value: value)
            assert weight is not None and weight.value.name is not None
            if attribute_int(node, "transB", 0):
                weight = weight.transposed()
                inputs[1] = joined(home(root), f"{weight.value.name}.turned", [weight], weight.shape)
            product = _added(node, root, new("MatMul", inputs[:2], like=like, shape=shape))
            if len(inputs) < 3 or inputs[2] is None:
                return product
            return _added(node, root, new("Add", [product, inputs[2]], like=like, shape=shape))
        said: dict[str, object] = {name: held.value for name, held in node.attributes.items()}
        if node.op_type in _ALONG_AXIS:
            axis = attribute_int(node, "axis", -1)
            said["axis"] = axis if axis < 0 else axis - len(shape) + 1
        return _added(node, root, new(node.op_type, inputs, said, like=like, shape=shape))


class MappedLoop(Mapped):
    """The same for the body of a loop, which is one step: of each tuple of steps there is one value."""

    def __init__(self, steps: Steps) -> None:
        super().__init__(lambda value: None)
        self._steps = steps

    def _sliced(self, steps: tuple[ir.Value, ...]) -> Plan | None:
        series = self._steps.sequence(steps[0])
        sizes = None if series is None else shape_of(series.whole)
        if series is None or sizes is None:
            return None
        axis = series.axis
        shape = (sizes[axis], *sizes[:axis], *sizes[axis + 1 :])
        return Plan(steps, shape, series.reverse, (series.whole, axis))

    def _shared(self, values: tuple[ir.Value, ...]) -> ir.Value | None:
        node = self._steps.node
        inner = values[0].graph is node.attributes["body"].as_graph() and not values[0].is_initializer()
        return None if inner else values[0]

    def _plain(self, value: ir.Value | None) -> ir.Value | None:
        return self._steps.plain(value)


def _added(place: ir.Node, root: ir.Node, node: ir.Node) -> ir.Value:
    insert_before(root, [node])
    metadata.copy_place(place, [node])
    if node.op_type == "Transpose":
        metadata.set_own(node)
    return node.outputs[0]


def _form(node: ir.Node) -> tuple[object, ...]:
    said = tuple(sorted((name, str(held.value)) for name, held in node.attributes.items()))
    return node.domain, node.op_type, node.graph, len(node.inputs), said


def _is_same(values: Sequence[ir.Value]) -> bool:
    """Whether all are one value, or small constants of the same numbers that nobody trains."""
    first = values[0]
    if all(value is first for value in values):
        return True
    arrays = [constant(value) if metadata.is_constant(value) else None for value in values]
    return all(
        array is not None
        and arrays[0] is not None
        and array.dtype == arrays[0].dtype
        and np.array_equal(array, arrays[0])
        for array in arrays
    )


def _keeps_steps_apart(node: ir.Node, parts: Sequence[Plan | ir.Value | None]) -> bool:
    """Whether the operator, given wholes for its slices, computes each step by itself."""
    if node.domain != "" or not any(isinstance(part, Plan) for part in parts):
        return False
    count = rank(node.outputs[0])
    plans = [len(part.shape) - 1 for part in parts if isinstance(part, Plan)]
    others = [rank(part) for part in parts if isinstance(part, ir.Value)]
    if count is None or any(each != count for each in plans) or any(each is None or each > count for each in others):
        return False
    if node.op_type in _ELEMENTWISE:
        return True
    if node.op_type == "MatMul":
        return count >= 2 and all(each is not None and each >= 2 for each in others)
    if node.op_type == "Gemm":
        plain = not attribute_int(node, "transA", 0) and attribute_float(node, "alpha", 1.0) == 1.0
        weight = parts[1]
        constants = isinstance(parts[0], Plan) and isinstance(weight, ir.Value) and weight.is_initializer()
        return plain and constants and attribute_float(node, "beta", 1.0) == 1.0
    if node.op_type == "Concat":
        return all(isinstance(part, Plan) for part in parts)
    return node.op_type in _ALONG_AXIS and isinstance(parts[0], Plan) and len(plans) == 1


def raise_stacks(graph: ir.Graph | ir.Function, mapped: Mapped) -> None:
    """Replaces a stack of the same computation over each result of a layer by that over all of them."""
    for node in list(graph):
        if node.op_type != "Concat" or node.domain != "":
            continue
        parts = [maker(value, "Unsqueeze") for value in node.inputs]
        steps = [part.inputs[0] for part in parts if part is not None and part.inputs[0] is not None]
        axes = {tuple(integers(part.inputs[1]) or ()) for part in parts if part is not None}
        count = rank(node.outputs[0])
        if len(steps) != len(node.inputs) or len(steps) < 2 or len(axes) != 1 or count is None:
            continue
        (said,) = axes
        axis = attribute_int(node, "axis", 0) % count
        plan = mapped.plan(steps) if len(said) == 1 and said[0] % count == axis else None
        if plan is None or plan.reverse or not any(map(_is_of_layer, plan.sources())):
            continue
        along(mapped.write(plan, node), axis, node.outputs[0], node)
        graph_of(node).remove(node, safe=True)


def along(whole: ir.Value, axis: int, value: ir.Value, root: ir.Node) -> None:
    """Lets a whole with its steps first be what a value is, which has them along an axis; written before `root`."""
    if axis:
        order = [*range(1, axis + 1), 0, *range(axis + 1, rank(whole) or 0)]
        whole = _added(root, root, new("Transpose", [whole], {"perm": order}, like=value))
    elif value.is_graph_output():
        whole = _added(root, root, new("Identity", [whole], like=value))
    else:
        value.replace_all_uses_with(whole)
        return
    take_over(value, whole)


def _is_of_layer(value: ir.Value) -> bool:
    """Whether the value is the results of a recurrent layer."""
    node = maker(value, "Squeeze")
    made = None if node is None else maker(node.inputs[0], "LSTM", "GRU", "RNN")
    return node is not None and made is not None and node.inputs[0] is made.outputs[0]
