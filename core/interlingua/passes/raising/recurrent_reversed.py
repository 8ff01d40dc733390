"""Turns recurrent layers around instead of what they read and give."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import bypass, constant, graph_of, insert_before, replace
from interlingua.ir.facts import shape_of
from interlingua.passes.orders import order_of
from interlingua.passes.raising.reading import attribute_int, integers, maker, new, rank
from interlingua.passes.raising.recurrent_loops import is_length
from interlingua.passes.raising.recurrent_writing import is_used

_WAYS = {"forward": "reverse", "reverse": "forward"}
_JOINED = 3
"""The rank of results whose axis of directions is gone: one step of them is as the last state is."""
_END = 2**31 - 1
_REPEATS = ("Cast", "Expand", "Identity", "Reshape", "Squeeze", "Tile", "Unsqueeze")


def raise_reversed(node: ir.Node) -> bool:
    """Replaces `flip(LSTM(flip(X)))` along the time by `LSTM<direction = "reverse">(X)`; the same for GRU and RNN.

    The last states are the same; where nothing reads the states between, nothing is turned back.
    """
    held = node.attributes.get("direction")
    direction = "forward" if held is None else held.as_string()
    lengths = node.inputs[4] if len(node.inputs) > 4 else None
    if direction not in _WAYS or lengths is not None or attribute_int(node, "layout", 0):
        return False
    source = node.inputs[0]
    turn = maker(source, "Transpose")
    order = order_of(turn) if turn is not None else None
    flip = _flip(turn.inputs[0], order[0]) if turn is not None and order is not None else _flip(source, 0)
    back = _Back()
    if flip is None or not back.follow(node.outputs[0], 0):
        return False
    before = flip.inputs[0]
    if turn is not None and before is not None:
        turned = new("Transpose", [before], {"perm": list(order or ())}, like=turn.outputs[0])
        insert_before(node, [metadata.set_own(turned)])
        before = turned.outputs[0]
    node.replace_input_with(0, before)
    for each in back.flips:
        _take_out(each)
    for each in back.last:
        each.outputs[0].replace_all_uses_with(node.outputs[1])
        graph_of(each).remove(each, safe=True)
    node.attributes["direction"] = ir.AttrString("direction", _WAYS[direction])
    return True


def _take_out(flip: ir.Node) -> None:
    """Lets what is read be what was turned; of two results of the graph that are the same one is a copy."""
    value = flip.inputs[0]
    assert value is not None
    if not bypass(flip, value):
        replace(flip, [new("Identity", [value], like=flip.outputs[0])])


@dataclasses.dataclass
class _Back:
    """The flips that all that reads a layer's results begins with; `last` are parts that are the last state alone."""

    flips: list[ir.Node] = dataclasses.field(default_factory=list)
    last: list[ir.Node] = dataclasses.field(default_factory=list)

    def follow(self, value: ir.Value, axis: int) -> bool:
        """Whether all that reads the value, whose time is an axis, turns it; through moves of other axes."""
        return not value.is_graph_output() and all(self._reads(user, value, axis) for user in value.consumers())

    def _reads(self, user: ir.Node, value: ir.Value, axis: int) -> bool:
        if not is_used(user.outputs[0]):
            return True
        if user.domain != "" or user.inputs[0] is not value:
            return False
        if _flip(user.outputs[0], axis) is user:
            self.flips.append(user)
            return True
        count = rank(value)
        if axis == 0 and count == _JOINED and _is_last(user) and not user.outputs[0].is_graph_output():
            self.last.append(user)
            return True
        if user.op_type == "Transpose":
            order = order_of(user)
            return order is not None and self.follow(user.outputs[0], order.index(axis))
        if user.op_type == "Squeeze" and count is not None:
            gone = [each % count for each in integers(user.inputs[1]) or () if len(user.inputs) > 1]
            return bool(gone) and axis not in gone and self.follow(user.outputs[0], axis - sum(g < axis for g in gone))
        if user.op_type == "Reshape" and axis == 0:
            numbers = integers(user.inputs[1])
            return numbers is not None and self._keeps_time(user, numbers) and self.follow(user.outputs[0], 0)
        return False

    def _keeps_time(self, node: ir.Node, numbers: Sequence[int]) -> bool:
        """Whether the first axis of a Reshape is the same before and after."""
        sizes = shape_of(node.inputs[0])
        if not numbers or attribute_int(node, "allowzero", 0):
            return False
        return numbers[0] == 0 or (sizes is not None and sizes[0] == numbers[0])


def _is_last(node: ir.Node) -> bool:
    """Whether a Slice takes the last step alone."""
    starts, stops, axes, steps = (integers(node.inputs[i]) if len(node.inputs) > i else None for i in range(1, 5))
    alone = starts == [-1] and stops is not None and stops[0] >= _END
    return node.op_type == "Slice" and alone and axes in ([0], [-_JOINED]) and steps in (None, [1])


def _flip(value: ir.Value | None, axis: int) -> ir.Node | None:
    """The node that turns its first input along the axis, and along no other."""
    node = maker(value, "ReverseSequence", "Slice")
    if node is None or node.inputs[0] is None:
        return None
    if node.op_type == "ReverseSequence":
        along = attribute_int(node, "time_axis", 0) == axis
        return node if along and _is_full(node.inputs[1], node.inputs[0], axis) else None
    count = rank(node.inputs[0])
    starts, stops, axes, steps = (integers(node.inputs[i]) if len(node.inputs) > i else None for i in range(1, 5))
    if steps != [-1] or not starts or not stops or not axes or count is None or axes[0] % count != axis:
        return None
    size = (shape_of(node.inputs[0]) or ())[axis]
    last = starts[0] == -1 or (isinstance(size, int) and starts[0] >= size - 1)
    whole = stops[0] < -(2**31) + 2 or (isinstance(size, int) and stops[0] <= -size - 1)
    return node if last and whole else None


def _is_full(lengths: ir.Value | None, whole: ir.Value, axis: int) -> bool:
    """Whether each of the lengths is that of an axis of the tensor."""
    array = constant(lengths, 1 << 16)
    if array is not None:
        size = (shape_of(whole) or ())[axis]
        return isinstance(size, int) and bool((array == size).all())
    value = lengths
    while value is not None and not is_length(value, whole, axis):
        node = maker(value, *_REPEATS)
        value = None if node is None else node.inputs[0]
    return value is not None
