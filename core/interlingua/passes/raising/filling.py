"""Tensors that hold one number everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import constant
from interlingua.ir.facts import shape_of
from interlingua.passes.raising.reading import Reading, Rule, new


def filled(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Expand(number, shape)`, of a number that the code states, by `ConstantOfShape(shape)`.

    PyTorch's exporter writes `torch.zeros`, `x.new_full` and the states that recurrent layers start from so.
    """
    source, shape = node.inputs
    number = constant(source)
    sizes = shape_of(shape)
    if source is None or number is None or number.size != 1 or not metadata.is_constant(source):
        return None
    if sizes is None or len(sizes) != 1 or not isinstance(sizes[0], int) or number.ndim > sizes[0]:
        return None
    value = ir.tensor(number.reshape(1), dtype=source.dtype)
    return [new("ConstantOfShape", [shape], {"value": value})]


RULES: Mapping[str, Sequence[Rule]] = {"Expand": (filled,)}
