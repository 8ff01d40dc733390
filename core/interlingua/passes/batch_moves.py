"""What operators that move, join or cut do with a stack of samples."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from interlingua.ir.edit import add_initializer, constant, fresh_name, insert_before, replace
from interlingua.ir.origin import Constant
from interlingua.passes.batch_stacks import Edit, Found, Induction, NotFree, Stack, alone, integer
from interlingua.passes.orders import order_of


def transpose(proof: Induction, node: ir.Node) -> Stack | None:
    """The stack's axis goes where the order says."""
    stack, order = alone(proof, node), order_of(node)
    return None if stack is None or order is None else Stack(order.index(stack.axis), stack.outer)


def reshape(proof: Induction, node: ir.Node) -> Stack | None:
    """The stack keeps its place among the elements; the axis that it comes to lie on is worked out."""
    stack = alone(proof, node)
    if stack is None or (node.op_type == "Reshape" and constant(node.inputs[1]) is None):
        return None
    before, after = proof.shape(node.inputs[0]), proof.shape(node.outputs[0])
    if 0 in before:
        return None
    place = math.prod(before[: stack.axis]) * stack.outer
    found = _placed(after, place, stack.axis)
    if proof.moving and 1 in after and stack.outer == 1 and (found is None or after[found.axis] != 1):
        return _moved(proof, node, stack, after)
    if found is None or (node.op_type == "Flatten" and found == stack == Stack(0)):
        return found
    same = found.axis == stack.axis and before[stack.axis] == after[found.axis]
    target = [(0 if same else -1) if axis == found.axis else size for axis, size in enumerate(after)]

    def edit() -> None:
        name = fresh_name(proof.model.graph, f"{node.outputs[0].name}_shape")
        numbers = np.asarray(target, np.int64)
        node.op_type = "Reshape"
        node.attributes.clear()
        node.resize_inputs(2)
        node.replace_input_with(1, add_initializer(proof.model.graph, name, numbers, Constant(name)))

    proof.edits.append(edit)
    return found


def _moved(proof: Induction, node: ir.Node, stack: Stack, after: list[int]) -> Stack | None:
    """Brings the samples to the front, reshapes each, and brings them to the axis of 1."""
    before, place = proof.shape(node.inputs[0]), after.index(1)
    if stack.axis and before[stack.axis] != 1:
        return None
    rest = [axis for axis in range(len(before)) if axis != stack.axis]
    back = [*range(1, place + 1), 0, *range(place + 1, len(after))]

    def edit() -> None:
        name = fresh_name(proof.model.graph, f"{node.outputs[0].name}_shape")
        numbers = np.asarray([-1, *after[:place], *after[place + 1 :]], np.int64)
        sizes = add_initializer(proof.model.graph, name, numbers, Constant(name))
        turned = [ir.node("Transpose", [node.inputs[0]], {"perm": [stack.axis, *rest]})] if stack.axis else []
        steps = [*turned, ir.node("Reshape", [turned[0].outputs[0] if turned else node.inputs[0], sizes])]
        if place:
            steps.append(ir.node("Transpose", [steps[-1].outputs[0]], {"perm": back}))
        replace(node, steps)

    proof.edits.append(edit)
    return Stack(place)


def _placed(shape: list[int], place: int, wanted: int) -> Stack | None:
    """The axis with `place` elements before it: the one at `wanted`, else one of size 1, else not the last.

    Each is right, they name the same elements; features are last, so the batch rather ends the axis before them.
    """
    fitting = [axis for axis in range(len(shape)) if math.prod(shape[:axis]) == place]
    if wanted in fitting and wanted < len(shape) - 1:
        return Stack(wanted)
    ones = [axis for axis in fitting if shape[axis] == 1]
    if ones:
        return Stack(ones[0])
    if fitting and (fitting[-1] < len(shape) - 1 or fitting[-1] == 0):
        return Stack(fitting[-1])
    for axis, size in enumerate(shape):
        before = math.prod(shape[:axis])
        if place % before == 0 and size % (place // before) == 0 and place <= before * size:
            return Stack(axis, place // before)
    return None


def concat(proof: Induction, node: ir.Node) -> Stack | None:
    """Parts with one stack; a part without one, of one entry along it, is expanded to the batch."""
    stacks = [proof.of(value) for value in node.inputs]
    found = next(stack for stack in stacks if stack is not None)
    axis = integer(node, "axis", 0) % len(proof.shape(node.outputs[0]))
    if axis == found.axis or any(stack not in (None, found) for stack in stacks):
        return None
    model = stacks.index(found)
    for index, (value, stack) in enumerate(zip(node.inputs, stacks, strict=True)):
        if stack is None:
            if value is None or found.outer != 1 or proof.shape(value)[found.axis] != 1:
                return None
            proof.edits.append(expanded(proof, node, index, model, found.axis))
    return found


def expanded(proof: Induction, node: ir.Node, index: int, model: int, axis: int) -> Edit:
    """Expands the input at `index` along the axis to the batch that the input at `model` has there."""
    if proof.shape(node.inputs[model])[axis] != 1:
        raise NotFree(f"{node.op_type} {node.name!r} joins a constant with several entries a sample")
    shape = proof.shape(node.inputs[index])

    def edit() -> None:
        graph, value, like = proof.model.graph, node.inputs[index], node.inputs[model]
        assert value is not None and like is not None

        def sizes(numbers: list[int]) -> list[ir.Value]:
            name = fresh_name(graph, f"{value.name}sizes_of")
            return [add_initializer(graph, name, np.asarray(numbers, np.int64), Constant(name))] if numbers else []

        length = ir.node("Shape", [like], {"start": axis, "end": axis + 1})
        length.outputs[0].type, length.outputs[0].shape = ir.TensorType(ir.DataType.INT64), ir.Shape([1])
        parts = [*sizes(shape[:axis]), length.outputs[0], *sizes(shape[axis + 1 :])]
        made = [length]
        if len(parts) > 1:
            joined = ir.node("Concat", parts, {"axis": 0})
            joined.outputs[0].type, joined.outputs[0].shape = ir.TensorType(ir.DataType.INT64), ir.Shape([len(shape)])
            made.append(joined)
        wide = ir.node("Expand", [value, made[-1].outputs[0]])
        wide.outputs[0].type = value.type
        insert_before(node, [*made, wide])
        node.replace_input_with(index, wide.outputs[0])

    return edit


def part(proof: Induction, node: ir.Node) -> Stack | None:
    """Parts along other axes than the stack's."""
    stack, before, after = alone(proof, node), proof.shape(node.inputs[0]), proof.shape(node.outputs[0])
    if stack is None or before[stack.axis] != after[stack.axis]:
        return None
    axes = constant(node.inputs[3]) if len(node.inputs) > 3 and node.inputs[3] is not None else None
    named = list(range(len(before))) if axes is None else [int(axis) % len(before) for axis in axes.reshape(-1)]
    starts = constant(node.inputs[1])
    if axes is None and starts is not None:
        named = named[: starts.size]
    return None if stack.axis in named else stack


def pad(proof: Induction, node: ir.Node) -> Stack | None:
    """Entries are added along other axes than the stack's."""
    stack, shape = alone(proof, node), proof.shape(node.inputs[0])
    pads = constant(node.inputs[1])
    if stack is None or pads is None or len(node.inputs) > 3 or pads.size != 2 * len(shape):
        return None
    return stack if not pads[stack.axis] and not pads[stack.axis + len(shape)] else None


def gather(proof: Induction, node: ir.Node) -> Stack | None:
    """Entries along another axis than the stack's, or rows of a table for a stack of indices."""
    data, indices = proof.of(node.inputs[0]), proof.of(node.inputs[1])
    count = len(proof.shape(node.inputs[0]))
    axis = integer(node, "axis", 0) % count
    if data is not None and indices is not None:
        return None
    if indices is not None:
        return Stack(axis + indices.axis, indices.outer)
    if data is None or data.axis == axis:
        return None
    shift = len(proof.shape(node.inputs[1])) - 1 if data.axis > axis else 0
    return Stack(data.axis + shift, data.outer)


def squeeze(proof: Induction, node: ir.Node) -> Stack | None:
    """Axes of 1 are left out, the stack's not among them."""
    stack, shape = alone(proof, node), proof.shape(node.inputs[0])
    held = constant(node.inputs[1]) if len(node.inputs) > 1 else None
    axes = [] if held is None else [int(axis) % len(shape) for axis in held.reshape(-1)]
    if stack is None or not axes or stack.axis in axes:
        return None
    return Stack(stack.axis - sum(axis < stack.axis for axis in axes), stack.outer)


def unsqueeze(proof: Induction, node: ir.Node) -> Stack | None:
    """Axes of 1 are put in."""
    stack, count = alone(proof, node), len(proof.shape(node.outputs[0]))
    held = constant(node.inputs[1])
    if stack is None or held is None:
        return None
    added = {int(axis) % count for axis in held.reshape(-1)}
    kept = [axis for axis in range(count) if axis not in added]
    return Stack(kept[stack.axis], stack.outer)


def expand(proof: Induction, node: ir.Node) -> Stack | None:
    """A stack of one entry a sample, where the wanted shape says 1 along it, or nothing."""
    stack, wanted = alone(proof, node), constant(node.inputs[1])
    before, after = proof.shape(node.inputs[0]), proof.shape(node.outputs[0])
    if stack is None or wanted is None:
        return None
    aligned = stack.axis + len(after) - len(before)
    place = aligned - (len(after) - wanted.size)
    fits = before[stack.axis] == after[aligned] and (place < 0 or int(wanted[place]) == 1)
    return Stack(aligned, stack.outer) if fits else None


def elements(proof: Induction, node: ir.Node) -> Stack | None:
    """Elements of each sample by indices of its own, along another axis."""
    stack, indices = proof.of(node.inputs[0]), proof.of(node.inputs[1])
    data, chosen = proof.shape(node.inputs[0]), proof.shape(node.inputs[1])
    if stack is None or stack != indices or stack.outer != 1 or data[stack.axis] != chosen[stack.axis]:
        return None
    return None if integer(node, "axis", 0) % len(data) == stack.axis else stack


def sizes_of(proof: Induction, node: ir.Node) -> Found:
    """Sizes of other axes than the stack's, which are the same for all."""
    stack, count = alone(proof, node), len(proof.shape(node.inputs[0]))
    start = min(max(_wrapped(integer(node, "start", 0), count), 0), count)
    end = min(max(_wrapped(integer(node, "end", count), count), 0), count)
    return (None,) if stack is not None and stack.axis not in range(start, end) else None


def _wrapped(axis: int, count: int) -> int:
    return axis + count if axis < 0 else axis
