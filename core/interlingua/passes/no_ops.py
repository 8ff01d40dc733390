"""Removes what does nothing."""

from __future__ import annotations

import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import bypass, constant
from interlingua.ir.facts import shape_of
from interlingua.passes.base import Pass
from interlingua.passes.orders import order_of

_STATES = slice(5, 7)
"""The inputs `initial_h` and `initial_c` of ONNX's recurrent operators."""

_NEUTRAL = {"And": 1, "Div": 1, "Mul": 1, "Or": 0, "Sub": 0}
"""The number beside which an operand is the result; `X + 0` is not among them: it makes 0 of -0."""
_EITHER_WAY = ("And", "Mul", "Or")


class RemoveNoOps(Pass):
    """Replaces `Identity(X)`, `Cast(X)` to its own type, `X * 1`, a Transpose or Reshape that changes nothing, by `X`.

    States that a recurrent layer starts from are left out where they are zeros, as they are where nothing is said: a
    constant would hold them at one size of batch. Dropout stays: the target is to be trained further. What stands
    between an input and an output stays too.
    """

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        changed = False
        for node in list(model.graph.all_nodes()):
            changed = _start_from_zero(node) or changed
            for source, other in _sides(node):
                if source is not None and source.graph is node.graph and _idle(node, source, other):
                    changed = bypass(node, source) or changed
                    break
        return changed


def _start_from_zero(node: ir.Node) -> bool:
    if node.domain != "" or node.op_type not in ("LSTM", "GRU", "RNN"):
        return False
    states = {index: constant(value) for index, value in enumerate(node.inputs[_STATES], _STATES.start)}
    zeros = [index for index, state in states.items() if state is not None and not state.any()]
    for index in zeros:
        node.replace_input_with(index, None)
    return bool(zeros)


def _sides(node: ir.Node) -> list[tuple[ir.Value | None, ir.Value | None]]:
    """The input that may be all there is, with the next; the other way round too where operands may change places."""
    if node.domain != "" or not node.inputs:
        return []
    first, second = node.inputs[0], node.inputs[1] if len(node.inputs) > 1 else None
    return [(first, second), (second, first)] if node.op_type in _EITHER_WAY else [(first, second)]


def _idle(node: ir.Node, source: ir.Value, other: ir.Value | None) -> bool:
    if node.op_type == "Identity":
        return True
    if node.op_type == "Cast":
        return source.dtype is not None and int(source.dtype) == node.attributes["to"].as_int()
    if node.op_type == "Transpose":
        order = order_of(node)
        return order is not None and order == tuple(range(len(order)))
    if node.op_type in ("Concat", "Sum", "Max", "Min", "Mean"):
        return len(node.inputs) == 1
    if node.op_type in ("Reshape", "Flatten", "Expand"):
        before, after = shape_of(source), shape_of(node.outputs[0])
        return before is not None and before == after and None not in before
    if node.op_type in ("Squeeze", "Unsqueeze"):
        axes = constant(node.inputs[1]) if len(node.inputs) > 1 else None
        return axes is not None and axes.size == 0
    if node.op_type in _NEUTRAL:
        return _leaves(other, _NEUTRAL[node.op_type], source)
    if node.op_type == "Pad":
        pads = constant(node.inputs[1])
        return pads is not None and not pads.any()
    return False


def _leaves(factor: ir.Value | None, neutral: int, source: ir.Value) -> bool:
    """Whether the factor is the neutral number, no parameter, and adds no axes."""
    if factor is None or not metadata.is_constant(factor) or source.shape is None:
        return False
    number = constant(factor)
    return number is not None and number.size == 1 and number.ndim <= len(source.shape) and number.item() == neutral
