"""Reads loops over time: which values a Loop or Scan carries, which it takes a slice of, which it gathers."""

from __future__ import annotations

import dataclasses

import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import constant
from interlingua.ir.facts import shape_of
from interlingua.passes.raising.reading import attribute_int, integers, maker, number
from interlingua.passes.raising.recurrent_weights import slices_of, split_of

_TIME = 1
"""The least bound of a condition that is checked after a step and counts it."""


@dataclasses.dataclass(frozen=True)
class State:
    """A value that is carried: before a step, after it, at the beginning, at the end."""

    before: ir.Value
    after: ir.Value
    first: ir.Value
    last: ir.Value


@dataclasses.dataclass(frozen=True)
class Gathered:
    """What the steps give, in order along an axis of `whole`."""

    each: ir.Value
    whole: ir.Value
    axis: int = 0
    reverse: bool = False


@dataclasses.dataclass(frozen=True)
class Series:
    """What a step takes of a whole: its slice along an axis."""

    whole: ir.Value
    axis: int
    reverse: bool = False


@dataclasses.dataclass
class Steps:
    """A loop over time. `sequences` are the slices that a step takes, by the value that holds one."""

    node: ir.Node
    states: list[State]
    gathered: list[Gathered]
    sequences: dict[ir.Value, Series]
    names: dict[ir.Value, ir.Value]
    counters: set[ir.Value] = dataclasses.field(default_factory=set)
    bounds: list[ir.Value] = dataclasses.field(default_factory=list)

    def plain(self, value: ir.Value | None) -> ir.Value | None:
        """The value that is meant, through Identity and what the loop carries along unchanged."""
        for _ in range(32):
            if value is None:
                return None
            node = maker(value, "Identity")
            if value in self.names:
                value = self.names[value]
            elif node is not None:
                value = node.inputs[0]
            else:
                return value
        return value

    def sequence(self, value: ir.Value) -> Series | None:
        """The whole that a step's value is a slice of; None where it is none."""
        if value in self.sequences:
            return self.sequences[value]
        node = maker(value, "Gather", "Squeeze")
        if node is None:
            return None
        if node.op_type == "Gather":
            whole, index = self.plain(node.inputs[0]), self.plain(node.inputs[1])
            outer = whole is not None and self._is_outer(whole)
            if outer and whole is not None and index in self.counters and _is_scalar(index):
                return self._long(Series(whole, attribute_int(node, "axis", 0) % (len(whole.shape or ()) or 3)))
        return None

    def _is_outer(self, value: ir.Value) -> bool:
        node = value.producer()
        return (
            value.graph is not None and (node is None or node.graph is self.node.graph) and not value.is_initializer()
        )

    def _long(self, sequence: Series) -> Series | None:
        """The sequence where the loop runs along the whole of it."""
        fits = self.bounds and all(is_length(each, sequence.whole, sequence.axis) for each in self.bounds)
        return sequence if fits else None


def _is_scalar(value: ir.Value | None) -> bool:
    shape = shape_of(value)
    return shape is None or shape == ()


def steps_of(node: ir.Node) -> Steps | None:
    """The loop over time that a Loop or Scan is; None where it is none, or runs for another while."""
    if node.op_type == "Scan":
        return _scan(node)
    return _loop(node)


def _scan(node: ir.Node) -> Steps | None:
    body, count = node.attributes["body"].as_graph(), attribute_int(node, "num_scan_inputs", 0)
    carried = len(node.inputs) - count
    scanned = len(node.outputs) - carried

    def numbers(name: str, length: int) -> list[int]:
        held = node.attributes.get(name)
        return [0] * length if held is None else list(held.as_ints())

    ins = zip(numbers("scan_input_axes", count), numbers("scan_input_directions", count), strict=True)
    outs = zip(numbers("scan_output_axes", scanned), numbers("scan_output_directions", scanned), strict=True)
    steps = Steps(node, [], [], {}, {})
    for position, (axis, direction) in enumerate(ins):
        whole = node.inputs[carried + position]
        assert whole is not None
        rank = len(whole.shape or ()) or 3
        steps.sequences[body.inputs[carried + position]] = Series(whole, axis % rank, bool(direction))
    for index in range(carried):
        _carry(steps, body.inputs[index], body.outputs[index], node.inputs[index], node.outputs[index])
    for index, (axis, direction) in enumerate(outs, carried):
        steps.gathered.append(Gathered(body.outputs[index], node.outputs[index], axis % 3, bool(direction)))
    return steps


def _carry(steps: Steps, before: ir.Value, after: ir.Value, first: ir.Value | None, last: ir.Value) -> None:
    assert first is not None
    if steps.plain(after) is before:
        steps.names[before] = first
        if last.uses() or last.is_graph_output():
            steps.states.append(State(before, after, first, last))
    else:
        steps.states.append(State(before, after, first, last))


def _loop(node: ir.Node) -> Steps | None:
    body = node.attributes["body"].as_graph()
    count = len(node.inputs) - 2
    steps = Steps(node, [], [], {}, {})
    steps.counters.add(body.inputs[0])
    counting: list[ir.Value] = []
    for index in range(count):
        before, after, last = body.inputs[index + 2], body.outputs[index + 1], node.outputs[index]
        first = node.inputs[index + 2]
        if first is not None and _counts(steps, before, after, first):
            steps.counters.add(before)
            counting.append(last)
            continue
        _carry(steps, before, after, first, last)
    if any(last.uses() or last.is_graph_output() for last in counting):
        return None
    for index in range(count, len(node.outputs)):
        steps.gathered.append(Gathered(body.outputs[index + 1], node.outputs[index]))
    steps.states = [state for state in steps.states if not _inserts(steps, state)]
    bounds = _bounds(steps, node, body)
    if bounds is None:
        return None
    steps.bounds = bounds
    return steps


def _counts(steps: Steps, before: ir.Value, after: ir.Value, first: ir.Value) -> bool:
    """Whether a carried value is the number of steps before."""
    node = maker(steps.plain(after), "Add")
    if node is None or number(first) != 0 or steps.plain(node.inputs[0]) is not before:
        return False
    return number(node.inputs[1]) == 1


def _inserts(steps: Steps, state: State) -> bool:
    """Whether the state is a list to which each step adds, and which is stacked at the end: it is then gathered."""
    node, empty = maker(steps.plain(state.after), "SequenceInsert"), maker(state.first, "SequenceEmpty")
    if node is None or empty is None or node.inputs[0] is not state.before or len(node.inputs) > 2:
        return False
    users = list(state.last.uses())
    joins = users[0].node if len(users) == 1 and not state.last.is_graph_output() else None
    if joins is None or joins.op_type != "ConcatFromSequence" or not attribute_int(joins, "new_axis", 0):
        return False
    assert node.inputs[1] is not None
    axis = attribute_int(joins, "axis", 0)
    steps.gathered.append(Gathered(node.inputs[1], joins.outputs[0], axis + 3 if axis < 0 else axis))
    return True


def _bounds(steps: Steps, node: ir.Node, body: ir.Graph) -> list[ir.Value] | None:
    """What the number of steps is: each of the values, which are then equal; None where it is something else."""
    most, going = node.inputs[0], node.inputs[1]
    bounds = [most] if most is not None else []
    after = steps.plain(body.outputs[0])
    checked = _conjuncts(steps, after, body)
    if checked is None:
        return None
    counted = False
    for bound, ahead in checked:
        bounds.append(bound)
        counted = counted or ahead == _TIME
    if not (most is not None or counted):
        return None
    first = constant(going) if going is not None else None
    if going is None or (first is not None and bool(first.all())):
        lengths = [number(bound) for bound in bounds]
        sure = not checked or any(length is not None and length > 0 for length in lengths)
        return bounds if sure else None
    started = _conjuncts(steps, going, None)
    return None if started is None else [*bounds, *(bound for bound, _ in started)]


def _conjuncts(steps: Steps, value: ir.Value | None, body: ir.Graph | None) -> list[tuple[ir.Value, int]] | None:
    """The bounds of `And(Less(step + ahead, bound), …)`, each with its `ahead`; none for what is always true."""
    value = steps.plain(value)
    held = constant(value)
    if value is None or (held is not None and bool(held.all())) or (body is not None and value is body.inputs[1]):
        return []
    node = maker(value, "And", "Less", "Cast")
    if node is None:
        return None
    if node.op_type == "Cast":
        return _conjuncts(steps, node.inputs[0], body)
    if node.op_type == "And":
        parts = [_conjuncts(steps, each, body) for each in node.inputs]
        return None if None in parts else [each for part in parts for each in part or ()]
    ahead, bound = _ahead(steps, node.inputs[0], body), _uncast(steps, node.inputs[1])
    return None if ahead is None or bound is None else [(bound, ahead)]


def _ahead(steps: Steps, value: ir.Value | None, body: ir.Graph | None) -> int | None:
    """How much a value is ahead of the number of steps before: 0 or 1."""
    value = _uncast(steps, value)
    if body is None:
        return 0 if number(value) == 0 else None
    if value in steps.counters:
        return 0
    node = maker(value, "Add")
    counts = node is not None and steps.plain(node.inputs[0]) in steps.counters and number(node.inputs[1]) == 1
    return 1 if counts else None


def _uncast(steps: Steps, value: ir.Value | None) -> ir.Value | None:
    value = steps.plain(value)
    node = maker(value, "Cast")
    while node is not None:
        value = steps.plain(node.inputs[0])
        node = maker(value, "Cast")
    return value


def is_length(value: ir.Value, whole: ir.Value, axis: int) -> bool:
    """Whether a number is the length of an axis of a tensor."""
    sizes = shape_of(whole)
    size = sizes[axis] if sizes is not None and axis < len(sizes) else None
    held = number(value)
    if held is not None:
        return size == held
    said = metadata.dimensions(value)
    if said is not None and len(said) == 1 and size is not None:
        return said[0] == str(size)
    measured = _measured(value)
    if measured is None:
        return False
    other, place = measured
    if other is whole:
        return place == axis
    others = shape_of(other)
    return others is not None and size is not None and place < len(others) and others[place] == size


_THROUGH = ("Cast", "Squeeze", "Unsqueeze", "Reshape", "Identity")


def _measured(value: ir.Value | None) -> tuple[ir.Value, int] | None:
    """The tensor and axis whose length a number is, through casts and parts of its shape."""
    place: int | None = None
    for _ in range(12):
        node = maker(value, *_THROUGH, "Gather", "Slice", "Split", "Shape")
        if node is None or value is None:
            return None
        if node.op_type not in _THROUGH:
            part = _part(node, value)
            if part is None or (place is None and part[1] != 1):
                return None
            place = (place or 0) + part[0]
        value = node.inputs[0]
        if node.op_type == "Shape":
            rank = len(shape_of(value) or ())
            place = (place or 0) % rank if rank else place
            return None if value is None or place is None or place < 0 else (value, place)
    return None


def _part(node: ir.Node, value: ir.Value) -> tuple[int, int] | None:
    """Where the part of a vector begins that a Gather, Slice, Split or Shape takes, and how long it is."""
    shape = shape_of(node.inputs[0])
    size = len(shape) if node.op_type == "Shape" and shape else (shape or (None,))[0]
    if not isinstance(size, int) or not size:
        return None
    if node.op_type == "Gather":
        found = integers(node.inputs[1])
        return (found[0] % size, 1) if found is not None and len(found) == 1 else None
    if node.op_type == "Split":
        bounds = split_of(node, value, size)
    elif node.op_type == "Slice":
        parts = slices_of(node, [size])
        bounds = parts[0][1:] if parts else None
    else:
        bounds = slice(attribute_int(node, "start", 0), attribute_int(node, "end", size)).indices(size)[:2]
    return None if bounds is None else (bounds[0], bounds[1] - bounds[0])
