"""Frees a batch of 1 that an exporter wrote into a graph, where every operator is shown to work sample by sample."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping

import numpy as np
import onnx_ir as ir

from interlingua.ir.edit import add_initializer, constant, fresh_name, insert_before
from interlingua.ir.facts import known, shape_of
from interlingua.ir.origin import Constant
from interlingua.ir.shapes import dimension, to_shape
from interlingua.notes import Changed, Skipped
from interlingua.passes.base import Pass
from interlingua.passes.duplicates import MergeInitializers
from interlingua.passes.infer import InferShapes
from interlingua.passes.names import NameNodes
from interlingua.passes.orders import order_of
from interlingua.passes.unused import RemoveUnused

NAME = "N"
FREED = "interlingua.freed"
"""Key of `model.meta` for a model whose source only runs with the batch of 1 that it was written for."""


@dataclasses.dataclass(frozen=True)
class Stack:
    """Where the samples of a value are stacked: along `axis`, outside of which `outer` of its entries stand.

    `[4, N * 3]` made of `[4, N, 3]` is stacked along axis 1 with nothing outside; of `[2, N]` joined, with 2 outside.
    """

    axis: int
    outer: int = 1


class NotFree(Exception):
    """The batch cannot be shown to be free; says where."""


class FreeBatch(Pass):
    """Replaces a batch of 1 by a named one, and the sizes in Reshape constants that multiply with it by 0 or −1.

    The proof is by induction over the nodes: each value is known to be the stack of the values of single samples. One
    operator that is not known to work sample by sample, and everything stays as it is, with a note that says which.
    """

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        entries = [value for value in model.graph.inputs if _fixed(value)]
        if not entries or not all(_free_already(value) or value in entries for value in model.graph.inputs):
            return False
        try:
            stacks, edits = _proved(model, entries)
        except NotFree as reason:
            self.notes.add(Skipped("batch", f"stays 1: {reason}"))
            return False
        name = _name(model)
        for edit in edits:
            edit()
        for value, stack in stacks.items():
            sizes = list(value.shape or ())
            size = sizes[stack.axis]
            assert isinstance(size, int)
            sizes[stack.axis] = to_shape(dimension(size) * dimension(name))
            value.shape = ir.Shape(sizes)
        model.meta[FREED] = True
        self.notes.add(Changed("batch", f"1 became {name}: every operator works sample by sample"))
        return True


def _fixed(value: ir.Value) -> bool:
    shape = known(shape_of(value))
    return shape is not None and len(shape) > 1 and shape[0] == 1


def _free_already(value: ir.Value) -> bool:
    """Whether an input has no batch: a number, or something without a first axis of 1."""
    return not (shape_of(value) or ())


def _name(model: ir.Model) -> str:
    taken = {str(size) for value in model.graph.inputs for size in value.shape or () if not isinstance(size, int)}
    name, count = NAME, 0
    while name in taken:
        count += 1
        name = f"{NAME}{count}"
    return name


Edit = Callable[[], None]


@dataclasses.dataclass
class _Proof:
    """What is known so far: where values are stacked, and how the graph must change for it."""

    model: ir.Model
    stacks: dict[ir.Value, Stack]
    edits: list[Edit]

    def of(self, value: ir.Value | None) -> Stack | None:
        return None if value is None else self.stacks.get(value)

    def shape(self, value: ir.Value | None) -> list[int]:
        shape = known(shape_of(value))
        if shape is None:
            raise NotFree(f"the shape of {value.name if value else 'a value'} is not known")
        return shape


def _proved(model: ir.Model, entries: list[ir.Value]) -> tuple[dict[ir.Value, Stack], list[Edit]]:
    proof = _Proof(model, dict.fromkeys(entries, Stack(0)), [])
    for node in model.graph:
        if any(
            attribute.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS)
            for attribute in node.attributes.values()
        ):
            raise NotFree(f"{node.op_type} {node.name!r} has a graph of its own")
        if not any(proof.of(value) for value in node.inputs):
            continue
        rule = RULES.get(node.op_type) if node.domain == "" else None
        if rule is None:
            raise NotFree(f"{node.op_type} {node.name!r} is not known to work sample by sample")
        found = rule(proof, node)
        if found is None:
            raise NotFree(f"{node.op_type} {node.name!r} mixes samples, or may")
        for output in node.outputs:
            if output.uses() or output.is_graph_output():
                shape = proof.shape(output)
                if found.axis >= len(shape) or shape[found.axis] % found.outer:
                    raise NotFree(f"{node.op_type} {node.name!r} loses the batch")
                proof.stacks[output] = found
    for value in model.graph.outputs:
        stack = proof.of(value)
        if stack is not None and stack.outer != 1:
            raise NotFree(f"the output {value.name!r} does not have the batch outermost on an axis")
    return proof.stacks, proof.edits


Rule = Callable[[_Proof, ir.Node], Stack | None]


def _alone(proof: _Proof, node: ir.Node) -> Stack | None:
    """The stack of the first input, where no other input has one."""
    if any(proof.of(value) for value in node.inputs[1:]):
        return None
    return proof.of(node.inputs[0])


def _elementwise(proof: _Proof, node: ir.Node) -> Stack | None:
    """One stack from the right for all that have one; what has none broadcasts along it."""
    output = proof.shape(node.outputs[0])
    found: Stack | None = None
    for value in node.inputs:
        stack = proof.of(value)
        if stack is None:
            continue
        shape = proof.shape(value)
        aligned = Stack(stack.axis + len(output) - len(shape), stack.outer)
        if shape[stack.axis] != output[aligned.axis] or (found is not None and found != aligned):
            return None
        found = aligned
    assert found is not None
    for value in node.inputs:
        if value is None or proof.of(value) is not None:
            continue
        shape = proof.shape(value)
        place = found.axis - (len(output) - len(shape))
        if place >= 0 and shape[place] != 1:
            return None
    return found


def _images(proof: _Proof, node: ir.Node) -> Stack | None:
    """Convolutions, poolings, normalizations of N C *: the batch is the first axis, whole."""
    stack = _alone(proof, node)
    return stack if stack == Stack(0) and not _integer(node, "training_mode", 0) else None


def _transpose(proof: _Proof, node: ir.Node) -> Stack | None:
    stack, order = _alone(proof, node), order_of(node)
    return None if stack is None or order is None else Stack(order.index(stack.axis), stack.outer)


def _reshape(proof: _Proof, node: ir.Node) -> Stack | None:
    """The stack keeps its place among the elements; the axis that it comes to lie on is worked out."""
    stack = _alone(proof, node)
    if stack is None or (node.op_type == "Reshape" and constant(node.inputs[1]) is None):
        return None
    before, after = proof.shape(node.inputs[0]), proof.shape(node.outputs[0])
    if 0 in before:
        return None
    place = math.prod(before[: stack.axis]) * stack.outer
    found = _placed(after, place, stack.axis)
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


def _matmul(proof: _Proof, node: ir.Node) -> Stack | None:
    """Stacks before the last two axes as in arithmetic; or of the rows of the first factor alone."""
    left, right = proof.of(node.inputs[0]), proof.of(node.inputs[1])
    first, second, output = (proof.shape(value) for value in (node.inputs[0], node.inputs[1], node.outputs[0]))
    if len(first) < 2 or len(second) < 2:
        return None
    if left is not None and left.axis == len(first) - 2 and right is None:
        return Stack(len(output) - 2, left.outer) if math.prod(second[:-2]) == 1 else None
    found: Stack | None = None
    for stack, shape in ((left, first), (right, second)):
        if stack is None:
            continue
        aligned = Stack(stack.axis + len(output) - len(shape), stack.outer)
        if aligned.axis >= len(output) - 2 or shape[stack.axis] != output[aligned.axis] or found not in (None, aligned):
            return None
        found = aligned
    assert found is not None
    for stack, shape in ((left, first), (right, second)):
        place = found.axis - (len(output) - len(shape))
        if stack is None and place >= 0 and shape[place] != 1:
            return None
    return found


def _gemm(proof: _Proof, node: ir.Node) -> Stack | None:
    stack = _alone(proof, node)
    if stack is None or stack.axis != 0 or _integer(node, "transA", 0):
        return None
    addend = node.inputs[2] if len(node.inputs) > 2 else None
    shape = [] if addend is None else proof.shape(addend)
    return stack if len(shape) < 2 or shape[0] == 1 else None


def _along(default: int, *, whole: bool = False) -> Rule:
    """An operator that works along `axis` (and, where `whole`, all after it), which must not be the stack's."""

    def rule(proof: _Proof, node: ir.Node) -> Stack | None:
        stack = _alone(proof, node)
        count = len(proof.shape(node.inputs[0]))
        axis = _integer(node, "axis", default) % count
        return None if stack is None or stack.axis == axis or (whole and stack.axis > axis) else stack

    return rule


def _concat(proof: _Proof, node: ir.Node) -> Stack | None:
    """Parts with one stack; a part without one, of one entry along it, is expanded to the batch."""
    stacks = [proof.of(value) for value in node.inputs]
    found = next(stack for stack in stacks if stack is not None)
    axis = _integer(node, "axis", 0) % len(proof.shape(node.outputs[0]))
    if axis == found.axis or any(stack not in (None, found) for stack in stacks):
        return None
    model = node.inputs[stacks.index(found)]
    for index, (value, stack) in enumerate(zip(node.inputs, stacks, strict=True)):
        if stack is None:
            if value is None or model is None or found.outer != 1 or proof.shape(value)[found.axis] != 1:
                return None
            proof.edits.append(_expanded(proof, node, index, value, model, found.axis))
    return found


def _expanded(proof: _Proof, node: ir.Node, index: int, value: ir.Value, like: ir.Value, axis: int) -> Edit:
    if proof.shape(like)[axis] != 1:
        raise NotFree(f"{node.op_type} {node.name!r} joins a constant with several entries a sample")
    shape = proof.shape(value)

    def edit() -> None:
        graph = proof.model.graph

        def sizes(numbers: list[int]) -> list[ir.Value]:
            name = fresh_name(graph, f"{value.name}_sizes")
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


def _reduce(proof: _Proof, node: ir.Node) -> Stack | None:
    stack, shape = _alone(proof, node), proof.shape(node.inputs[0])
    if node.op_type in ("ArgMax", "ArgMin"):
        axes = [_integer(node, "axis", 0) % len(shape)]
    else:
        held = constant(node.inputs[1]) if len(node.inputs) > 1 else None
        axes = [] if held is None else [int(axis) % len(shape) for axis in held.reshape(-1)]
    if stack is None or not axes or stack.axis in axes:
        return None
    if _integer(node, "keepdims", 1):
        return stack
    return Stack(stack.axis - sum(axis < stack.axis for axis in axes), stack.outer)


def _slice(proof: _Proof, node: ir.Node) -> Stack | None:
    """Parts along other axes than the stack's."""
    stack, before, after = _alone(proof, node), proof.shape(node.inputs[0]), proof.shape(node.outputs[0])
    if stack is None or before[stack.axis] != after[stack.axis]:
        return None
    axes = constant(node.inputs[3]) if len(node.inputs) > 3 and node.inputs[3] is not None else None
    named = list(range(len(before))) if axes is None else [int(axis) % len(before) for axis in axes.reshape(-1)]
    starts = constant(node.inputs[1])
    if axes is None and starts is not None:
        named = named[: starts.size]
    return None if stack.axis in named else stack


def _pad(proof: _Proof, node: ir.Node) -> Stack | None:
    stack, shape = _alone(proof, node), proof.shape(node.inputs[0])
    pads = constant(node.inputs[1])
    if stack is None or pads is None or len(node.inputs) > 3 or pads.size != 2 * len(shape):
        return None
    return stack if not pads[stack.axis] and not pads[stack.axis + len(shape)] else None


def _gather(proof: _Proof, node: ir.Node) -> Stack | None:
    """Entries along another axis than the stack's, or rows of a table for a stack of indices."""
    data, indices = proof.of(node.inputs[0]), proof.of(node.inputs[1])
    count = len(proof.shape(node.inputs[0]))
    axis = _integer(node, "axis", 0) % count
    if data is not None and indices is not None:
        return None
    if indices is not None:
        return Stack(axis + indices.axis, indices.outer)
    if data is None or data.axis == axis:
        return None
    shift = len(proof.shape(node.inputs[1])) - 1 if data.axis > axis else 0
    return Stack(data.axis + shift, data.outer)


def _squeeze(proof: _Proof, node: ir.Node) -> Stack | None:
    stack, shape = _alone(proof, node), proof.shape(node.inputs[0])
    held = constant(node.inputs[1]) if len(node.inputs) > 1 else None
    axes = [] if held is None else [int(axis) % len(shape) for axis in held.reshape(-1)]
    if stack is None or not axes or stack.axis in axes:
        return None
    return Stack(stack.axis - sum(axis < stack.axis for axis in axes), stack.outer)


def _unsqueeze(proof: _Proof, node: ir.Node) -> Stack | None:
    stack, count = _alone(proof, node), len(proof.shape(node.outputs[0]))
    held = constant(node.inputs[1])
    if stack is None or held is None:
        return None
    added = {int(axis) % count for axis in held.reshape(-1)}
    kept = [axis for axis in range(count) if axis not in added]
    return Stack(kept[stack.axis], stack.outer)


def _expand(proof: _Proof, node: ir.Node) -> Stack | None:
    """A stack of one entry a sample, where the wanted shape says 1 along it, or nothing."""
    stack, wanted = _alone(proof, node), constant(node.inputs[1])
    before, after = proof.shape(node.inputs[0]), proof.shape(node.outputs[0])
    if stack is None or wanted is None:
        return None
    aligned = stack.axis + len(after) - len(before)
    place = aligned - (len(after) - wanted.size)
    fits = before[stack.axis] == after[aligned] and (place < 0 or int(wanted[place]) == 1)
    return Stack(aligned, stack.outer) if fits else None


def _attention(proof: _Proof, node: ir.Node) -> Stack | None:
    """Queries, keys and values stacked along their first axis; a mask too, or one for all samples."""
    stacks = [proof.of(value) for value in node.inputs[:3]]
    if stacks != [Stack(0)] * 3 or len(node.inputs) > 4 or len(node.outputs) > 1:
        return None
    mask = node.inputs[3] if len(node.inputs) > 3 else None
    if mask is None:
        return Stack(0)
    shape, stack = proof.shape(mask), proof.of(mask)
    if stack is not None:
        return Stack(0) if stack == Stack(0) and len(shape) == 4 else None
    return Stack(0) if len(shape) < 4 or shape[0] == 1 else None


_UNARY = (
    *("Abs", "BitwiseNot", "Cast", "Ceil", "Celu", "Clip", "Cos", "Dropout", "Elu", "Erf", "Exp", "Floor", "Gelu"),
    *("HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu", "Log", "Mish", "Neg", "Not", "Reciprocal"),
    *("Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Swish", "Tanh"),
)
_BINARY = (
    *("Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod"),
    *("Mul", "Or", "PRelu", "Pow", "Sub", "Sum", "Where", "Xor"),
)
_IMAGES = (
    *("AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "DepthToSpace", "GlobalAveragePool"),
    *("GlobalMaxPool", "GroupNormalization", "InstanceNormalization", "LRN", "LpPool", "MaxPool", "SpaceToDepth"),
)
_REDUCE = (
    *("ArgMax", "ArgMin", "ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin"),
    *("ReduceProd", "ReduceSum", "ReduceSumSquare"),
)

RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_UNARY, _alone),
    **dict.fromkeys(_BINARY, _elementwise),
    **dict.fromkeys(_IMAGES, _images),
    **dict.fromkeys(_REDUCE, _reduce),
    **dict.fromkeys(("Softmax", "LogSoftmax", "LpNormalization"), _along(-1)),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization"), _along(-1, whole=True)),
    "Split": _along(0),
    "Attention": _attention,
    "Concat": _concat,
    "Expand": _expand,
    "Flatten": _reshape,
    "Gather": _gather,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Pad": _pad,
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
"""What each operator does with a stack of samples; operators that are not here keep the batch as it is."""


def _integer(node: ir.Node, name: str, default: int) -> int:
    held = node.attributes.get(name)
    return default if held is None else held.as_int()


FREEING: tuple[type[Pass], ...] = (FreeBatch, MergeInitializers, RemoveUnused, InferShapes, NameNodes)
"""The passes that free the batch of a canonical model, which is canonical afterwards."""
