"""Resolves automatic padding."""

from __future__ import annotations

import onnx_ir as ir

from interlingua.ir.facts import shape_of
from interlingua.passes.base import Pass

PADDED = frozenset({"AveragePool", "Conv", "ConvInteger", "ConvTranspose", "LpPool", "MaxPool", "QLinearConv"})


class ExplicitPads(Pass):
    """Replaces `auto_pad` and `output_shape` by the `pads` they stand for, where the sizes they depend on are known."""

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        changed = False
        for node in model.graph.all_nodes():
            stated = "auto_pad" in node.attributes or "output_shape" in node.attributes
            if node.op_type in PADDED and node.domain == "" and stated:
                changed = _resolve(node) or changed
        return changed


def _ints(node: ir.Node, name: str, default: list[int]) -> list[int]:
    return list(node.attributes[name].as_ints()) if name in node.attributes else default


def _set(node: ir.Node, name: str, values: list[int]) -> None:
    node.attributes[name] = ir.AttrInt64s(name, values)


def _resolve(node: ir.Node) -> bool:
    mode = node.attributes["auto_pad"].as_string() if "auto_pad" in node.attributes else "NOTSET"
    weight = shape_of(node.inputs[1]) if "Conv" in node.op_type and len(node.inputs) > 1 else None
    kernel = _ints(node, "kernel_shape", [size for size in (weight or ())[2:] if isinstance(size, int)])
    rank = len(kernel)
    if mode == "NOTSET" and "output_shape" not in node.attributes:
        del node.attributes["auto_pad"]
        return True
    if not rank:
        return False
    strides, dilations = _ints(node, "strides", [1] * rank), _ints(node, "dilations", [1] * rank)
    reach = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    if mode == "VALID":
        totals: list[int] | None = [0] * rank
    elif node.op_type == "ConvTranspose":
        totals = _of_transposed(node, reach, strides)
    else:
        totals = _of_window(node, reach, strides)
    if totals is None:
        return False
    begin = [total // 2 if mode == "SAME_UPPER" else total - total // 2 for total in totals]
    _set(node, "pads", [*begin, *(total - first for total, first in zip(totals, begin, strict=True))])
    node.attributes.pop("auto_pad", None)
    if mode != "NOTSET":
        node.attributes.pop("ceil_mode", None)
    return True


def _sizes(node: ir.Node, rank: int) -> list[int | None]:
    shape = shape_of(node.inputs[0])
    if shape is None or len(shape) != rank + 2:
        return [None] * rank
    return [size if isinstance(size, int) else None for size in shape[2:]]


def _of_window(node: ir.Node, reach: list[int], strides: list[int]) -> list[int] | None:
    """What is added so that the output is the input divided by the stride, rounded up."""
    totals = []
    for size, window, stride in zip(_sizes(node, len(reach)), reach, strides, strict=True):
        if size is None and stride != 1:
            return None
        steps = 0 if size is None else (-(-size // stride) - 1) * stride
        totals.append(max(window - 1 if size is None else steps + window - size, 0))
    return totals


def _of_transposed(node: ir.Node, reach: list[int], strides: list[int]) -> list[int] | None:
    """What is cut so that the output is the input times the stride, or as large as `output_shape` says."""
    extra = _ints(node, "output_padding", [0] * len(reach))
    stated = _ints(node, "output_shape", [])[-len(reach) :]
    totals = []
    for axis, (size, window, stride) in enumerate(zip(_sizes(node, len(reach)), reach, strides, strict=True)):
        if stated and size is None:
            return None
        wanted = stated[axis] - (size or 0) * stride if stated else 0
        total = window - stride + extra[axis] - wanted
        if total < 0:
            extra[axis] -= total
            total = 0
        totals.append(total)
    node.attributes.pop("output_shape", None)
    if any(extra):
        _set(node, "output_padding", extra)
    return totals
