"""Finds the additions that are biases: `fluid.layers.conv2d` and `fc` write theirs as an operator of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from interlingua.formats.program_desc import Operator, Program
from interlingua_fluid.frontend.graph import output_of

_CONVOLUTIONS = ("conv2d", "depthwise_conv2d", "conv3d")
_TRANSPOSED = ("conv2d_transpose", "depthwise_conv2d_transpose", "conv3d_transpose")


def fold_biases(
    program: Program, operators: Sequence[Operator], outputs: Iterable[str]
) -> tuple[dict[int, str], set[int]]:
    """The bias of each operator that has one, and the additions that are then done, both by operator index.

    An addition is a bias where it alone reads the product, and adds a stored vector along the channels.
    """
    reads = Counter(name for op in operators for name in op.reads()) + Counter(outputs)
    writes = Counter(name for op in operators for name in op.writes())
    makers = {output_of(op): op for op in operators if _channels(program, op) is not None}
    biases: dict[int, str] = {}
    done: set[int] = set()
    for op in operators:
        if op.type != "elementwise_add" or not op.inputs.get("X") or not op.inputs.get("Y"):
            continue
        product, bias = op.inputs["X"][0], op.inputs["Y"][0]
        maker, variable = makers.get(product), program.variables.get(bias)
        if maker is None or variable is None or not variable.persistable or bias in writes:
            continue
        if reads[product] != 1 or writes[product] != 1 or maker.index in biases or maker.inputs.get("Bias"):
            continue
        axis, channels = _channels(program, maker) or (0, 0)
        rank = len(program.variables[product].shape)
        said = op.attributes.get("axis", -1)
        if variable.shape == (channels,) and (rank - 1 if said == -1 else said) == axis:
            biases[maker.index] = bias
            done.add(op.index)
    return biases, done


def _channels(program: Program, op: Operator) -> tuple[int, int] | None:
    """The axis of the channels in the operator's output and their number, None where it takes no bias."""
    slot = "Y" if op.type == "mul" else "Filter"
    if not op.inputs.get(slot) or not output_of(op):
        return None
    weight = program.variables.get(op.inputs[slot][0])
    if weight is None or not weight.persistable:
        return None
    if op.type == "mul":
        columns = op.attributes.get("y_num_col_dims", 1)
        return (
            (op.attributes.get("x_num_col_dims", 1), weight.shape[1])
            if (columns, len(weight.shape)) == (1, 2)
            else None
        )
    last = str(op.attributes.get("data_format", "")).endswith("C")
    axis = len(program.variables[output_of(op)].shape) - 1 if last else 1
    if op.type in _CONVOLUTIONS:
        return axis, weight.shape[0]
    if op.type in _TRANSPOSED:
        return axis, weight.shape[1] * int(op.attributes.get("groups", 1))
    return None
