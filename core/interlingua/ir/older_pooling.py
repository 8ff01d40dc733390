"""Pooling as the opsets below 22 count its windows."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from interlingua.ir.opset_adapters import Refused


def round_down(node: ir.Node, opset: int) -> bool:
    """Drops `ceil_mode` where rounding up gives no window more, since a last one would begin in the padding.

    Before opset 22 the standard's inference counted such a window, which no runtime computes. Returns False: the
    schema takes the rest.

    Raises:
        Refused: that is so for one axis, and another rounds up.
    """
    ceil = node.attributes.get("ceil_mode")
    source, result = node.inputs[0], node.outputs[0]
    if ceil is None or not ceil.as_int() or source is None or source.shape is None or result.shape is None:
        return False
    kernel = _numbers(node, "kernel_shape", ())
    rank = len(kernel)
    strides, dilations = _numbers(node, "strides", [1] * rank), _numbers(node, "dilations", [1] * rank)
    pads = _numbers(node, "pads", [0] * (2 * rank))
    less, more = False, False
    for axis in range(rank):
        size, made = source.shape[axis + 2], result.shape[axis + 2]
        if not isinstance(size, int) or not isinstance(made, int):
            continue
        free = size + pads[axis] + pads[axis + rank] - dilations[axis] * (kernel[axis] - 1) - 1
        down, up = free // strides[axis] + 1, -(-free // strides[axis]) + 1
        less, more = less or made == down < up, more or made == up > down
    if less and more:
        raise Refused("one axis rounds its windows up and another would begin one in the padding, which came with 22")
    if less:
        node.attributes.pop("ceil_mode")
    return False


def _numbers(node: ir.Node, name: str, otherwise: Sequence[int]) -> list[int]:
    found = node.attributes.get(name)
    return list(otherwise) if found is None else list(found.as_ints())
