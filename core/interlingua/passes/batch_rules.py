"""What each operator does with a stack of samples, by which a batch is shown to be free."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from interlingua.ir.edit import add_initializer, constant, fresh_name
from interlingua.ir.origin import Constant
from interlingua.passes import batch_moves as moves
from interlingua.passes.batch_stacks import Found, Induction, Rule, Stack, alone, integer


def _elementwise(proof: Induction, node: ir.Node) -> Stack | None:
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


def _images(proof: Induction, node: ir.Node) -> Stack | None:
    """Convolutions, poolings, normalizations of N C *: the batch is the first axis, whole.

    Indices of maxima count through all samples.
    """
    stack = alone(proof, node)
    counts = node.op_type == "MaxPool" and any(each.uses() or each.is_graph_output() for each in node.outputs[1:])
    return stack if stack == Stack(0) and not counts and not integer(node, "training_mode", 0) else None


def _matmul(proof: Induction, node: ir.Node) -> Stack | None:
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


def _gemm(proof: Induction, node: ir.Node) -> Stack | None:
    stack = alone(proof, node)
    if stack is None or stack.axis != 0 or integer(node, "transA", 0):
        return None
    addend = node.inputs[2] if len(node.inputs) > 2 else None
    shape = [] if addend is None else proof.shape(addend)
    return stack if len(shape) < 2 or shape[0] == 1 else None


def _along(default: int, *, whole: bool = False) -> Rule:
    """An operator that works along `axis` (and, where `whole`, all after it), which must not be the stack's."""

    def rule(proof: Induction, node: ir.Node) -> Stack | None:
        stack = alone(proof, node)
        count = len(proof.shape(node.inputs[0]))
        axis = integer(node, "axis", default) % count
        return None if stack is None or stack.axis == axis or (whole and stack.axis > axis) else stack

    return rule


def _reduce(proof: Induction, node: ir.Node) -> Stack | None:
    stack, shape = alone(proof, node), proof.shape(node.inputs[0])
    if node.op_type in ("ArgMax", "ArgMin"):
        axes = [integer(node, "axis", 0) % len(shape)]
    else:
        held = constant(node.inputs[1]) if len(node.inputs) > 1 else None
        axes = [] if held is None else [int(axis) % len(shape) for axis in held.reshape(-1)]
    if stack is None or not axes or stack.axis in axes:
        return None
    if integer(node, "keepdims", 1):
        return stack
    return Stack(stack.axis - sum(axis < stack.axis for axis in axes), stack.outer)


def _attention(proof: Induction, node: ir.Node) -> Stack | None:
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


def _together(proof: Induction, node: ir.Node) -> Stack | None:
    """Several inputs, all stacked along their first axis."""
    return Stack(0) if all(proof.of(value) == Stack(0) for value in node.inputs if value is not None) else None


def _resize(proof: Induction, node: ir.Node) -> Stack | None:
    """Sizes or factors of other axes than the first, which stays as it is."""
    stack, shape = alone(proof, node), proof.shape(node.inputs[0])
    given = [value for value in node.inputs[2:] if value is not None]
    numbers = constant(given[0]) if len(given) == 1 else None
    if stack != Stack(0) or shape[0] != 1 or numbers is None or numbers.size == 0:
        return None
    held = node.attributes.get("axes")
    axes = [axis % len(shape) for axis in held.as_ints()] if held is not None else list(range(len(shape)))
    if 0 in axes and (numbers[axes.index(0)] != 1 or len(set(axes)) != numbers.size):
        return None
    if 0 in axes and numbers.dtype.kind == "i":  # the size of the batch is no longer said

        def edit() -> None:
            name = fresh_name(proof.model.graph, f"{node.outputs[0].name}sizes_of")
            rest = np.asarray([n for axis, n in zip(axes, numbers, strict=True) if axis], np.int64)
            node.replace_input_with(3, add_initializer(proof.model.graph, name, rest, Constant(name)))
            node.attributes["axes"] = ir.AttrInt64s("axes", [axis for axis in axes if axis])

        proof.edits.append(edit)
    return stack


def _spectrum(proof: Induction, node: ir.Node) -> Stack | None:
    """A transform along another axis than the stack's, which is not that of real and imaginary parts."""
    stack, count = alone(proof, node), len(proof.shape(node.inputs[0]))
    axis = constant(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] is not None else np.asarray(-2)
    if stack is None or axis is None or stack.axis in (int(axis.reshape(-1)[0]) % count, count - 1):
        return None
    return stack


def _running(proof: Induction, node: ir.Node) -> Stack | None:
    stack, axis = alone(proof, node), constant(node.inputs[1])
    if stack is None or axis is None:
        return None
    return None if int(axis.reshape(-1)[0]) % len(proof.shape(node.inputs[0])) == stack.axis else stack


def _recurrent(proof: Induction, node: ir.Node) -> Found:
    """Samples along the second axis of the sequence; a first state that is the same for all is expanded.

    Lengths are those of one sample.
    """
    if proof.of(node.inputs[0]) != Stack(1) or integer(node, "layout", 0):
        return None
    if len(node.inputs) > 4 and node.inputs[4] is not None:
        return None
    if any(proof.of(value) is not None for value in (*node.inputs[1:5], *node.inputs[7:])):
        return None
    for index, value in enumerate(node.inputs[5:7], 5):
        if value is not None and proof.of(value) is None:
            proof.edits.append(moves.expanded(proof, node, index, 0, 1))
        elif value is not None and proof.of(value) != Stack(1):
            return None
    return (Stack(2), Stack(1), Stack(1))[: len(node.outputs)]


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
    **dict.fromkeys(_UNARY, alone),
    **dict.fromkeys(_BINARY, _elementwise),
    **dict.fromkeys(_IMAGES, _images),
    **dict.fromkeys(_REDUCE, _reduce),
    **dict.fromkeys(("Softmax", "LogSoftmax", "LpNormalization"), _along(-1)),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization"), _along(-1, whole=True)),
    **dict.fromkeys(("GRU", "LSTM", "RNN"), _recurrent),
    "Split": _along(0),
    "TopK": _along(-1),
    "Attention": _attention,
    "Concat": moves.concat,
    "CumSum": _running,
    "DFT": _spectrum,
    "Expand": moves.expand,
    "Flatten": moves.reshape,
    "Gather": moves.gather,
    "GatherElements": moves.elements,
    "Gemm": _gemm,
    "GridSample": _together,
    "MatMul": _matmul,
    "Pad": moves.pad,
    "Reshape": moves.reshape,
    "Resize": _resize,
    "Shape": moves.sizes_of,
    "Slice": moves.part,
    "Squeeze": moves.squeeze,
    "Transpose": moves.transpose,
    "Unsqueeze": moves.unsqueeze,
}
"""What each operator does with a stack of samples; operators that are not here keep the batch as it is."""
