"""Softmax, logarithms of sums and norms that exporters spell: each rule's first sentence is the transformation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx_ir as ir

from interlingua.passes.raising.reading import (
    Reading,
    Rule,
    attribute_int,
    broadcast,
    integers,
    maker,
    new,
    number,
    rank,
    sizes_of,
)


def _axis(node: ir.Node | None, count: int | None) -> int | None:
    """The one axis that a reduction that keeps its axes goes over."""
    if node is None or count is None or attribute_int(node, "keepdims", 1) != 1:
        return None
    axes = integers(node.inputs[1]) if len(node.inputs) > 1 else None
    return axes[0] % count if axes is not None and len(axes) == 1 else None


def softmax(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Exp(x − max(x)) / sum(Exp(x − max(x)))` by `Softmax(x)`; without the maximum, which overflows, too."""
    above = reading.made(node.inputs[0], "Exp")
    below = reading.made(node.inputs[1], "ReduceSum")
    if above is None or below is None or below.inputs[0] is not above.outputs[0]:
        return None
    axis = _axis(below, rank(node.outputs[0]))
    source = above.inputs[0]
    if axis is None or source is None:
        return None
    mark = reading.mark()
    shifted = reading.made(source, "Sub")
    largest = None if shifted is None else reading.made(shifted.inputs[1], "ReduceMax")
    if shifted is not None and largest is not None and largest.inputs[0] is shifted.inputs[0]:
        if _axis(largest, rank(source)) == axis:
            source = shifted.inputs[0]
        else:
            reading.back(mark)
    else:
        reading.back(mark)
    return [new("Softmax", [source], {"axis": axis - (rank(node.outputs[0]) or 0)}, like=node.outputs[0])]


def log_softmax(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Log(Softmax(x))` by `LogSoftmax(x)`, which is finite where the Softmax rounds to zero."""
    inner = reading.made(node.inputs[0], "Softmax")
    if inner is None or not reading.alone(inner.outputs[0]):
        return None
    return [new("LogSoftmax", [inner.inputs[0]], {"axis": attribute_int(inner, "axis", -1)}, like=node.outputs[0])]


def log_sum_exp(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Log(ReduceSum(Exp(x)))` by `ReduceLogSumExp(x)`, which does not overflow."""
    inner = reading.made(node.inputs[0], "ReduceSum")
    exponential = None if inner is None else reading.made(inner.inputs[0], "Exp")
    if inner is None or exponential is None or len(inner.inputs) < 2 or not integers(inner.inputs[1]):
        return None
    said: dict[str, object] = {"keepdims": attribute_int(inner, "keepdims", 1)}
    return [new("ReduceLogSumExp", [exponential.inputs[0], inner.inputs[1]], said, like=node.outputs[0])]


def euclidean(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Sqrt(ReduceSum(x²))` by `ReduceL2(x)`."""
    inner = reading.made(node.inputs[0], "ReduceSum", "ReduceSumSquare")
    if inner is None or len(inner.inputs) < 2 or not integers(inner.inputs[1]):
        return None
    source = inner.inputs[0]
    if inner.op_type == "ReduceSum":
        square = reading.made(source, "Mul", "Pow")
        if square is None:
            return None
        twice = square.inputs[0] is square.inputs[1] if square.op_type == "Mul" else number(square.inputs[1]) == 2
        if not twice:
            return None
        source = square.inputs[0]
    said: dict[str, object] = {"keepdims": attribute_int(inner, "keepdims", 1)}
    return [new("ReduceL2", [source, inner.inputs[1]], said, like=node.outputs[0])]


def needless_expand(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Div(x, Expand(y, shape of x))` by `Div(x, y)`, which broadcasts by itself; other operators likewise."""
    for index in (1, 0):
        outer = maker(node.inputs[index], "Expand")
        other = node.inputs[1 - index]
        source = None if outer is None else outer.inputs[0]
        if outer is None or source is None or other is None or other is outer.outputs[0]:
            continue
        wide, narrow = sizes_of(other), sizes_of(source)
        if wide is None or None in wide or sizes_of(outer.outputs[0]) != wide or broadcast(wide, narrow) != wide:
            continue
        if reading.alone(outer.outputs[0]):
            reading.nodes[outer] = None
        operands = [source if position == index else each for position, each in enumerate(node.inputs)]
        return [new(node.op_type, operands, like=node.outputs[0])]
    return None


RULES: Mapping[str, Sequence[Rule]] = {
    "Add": (needless_expand,),
    "Div": (softmax, needless_expand),
    "Log": (log_softmax, log_sum_exp),
    "Mul": (needless_expand,),
    "Sqrt": (euclidean,),
    "Sub": (needless_expand,),
}
