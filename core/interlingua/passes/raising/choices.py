"""Choices between two values: each rule's first sentence is the transformation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import constant
from interlingua.passes.raising.masks import LARGEST
from interlingua.passes.raising.reading import Reading, Rule, broadcast, new, rank, sizes_of, tensor


def number_for_all(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Where(condition, X, numbers)` by `Where(condition, X, number)` where all numbers are the same.

    So where the others alone have the shape of the result: exporters write a mask's zeros at the size of the example.
    """
    sizes = [sizes_of(value) for value in node.inputs]
    for index in (1, 2):
        value = node.inputs[index]
        held = constant(value, LARGEST) if value is not None and metadata.is_constant(value) else None
        if value is None or held is None or not rank(value) or not held.size or (held != held.reshape(-1)[0]).any():
            continue
        others = broadcast(sizes[0], sizes[3 - index])
        if others is None or others != broadcast(others, sizes[index]):
            continue
        inputs = list(node.inputs)
        inputs[index] = tensor(node, f"{value.name}_number", np.asarray(held.reshape(-1)[0]))
        return [new("Where", inputs, like=node.outputs[0])]
    return None


RULES: Mapping[str, Sequence[Rule]] = {"Where": (number_for_all,)}
