"""Rows of a table: each rule's first sentence is the transformation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx_ir as ir

from interlingua.passes.raising.reading import Reading, Rule, attribute_int, integers, maker, new, rank


def gathered_rows(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `GatherND(X, Unsqueeze(I, -1))` by `Gather(X, I)`, as `table[indices]` is meant."""
    data, count = node.inputs[0], rank(node.inputs[1])
    last = maker(node.inputs[1], "Unsqueeze")
    axes = None if last is None else integers(last.inputs[1])
    if last is None or axes is None or count is None or attribute_int(node, "batch_dims", 0):
        return None
    if len(axes) != 1 or axes[0] % count != count - 1:
        return None
    if reading.alone(last.outputs[0]):
        reading.nodes[last] = None
    return [new("Gather", [data, last.inputs[0]], {"axis": 0}, like=node.outputs[0])]


RULES: Mapping[str, Sequence[Rule]] = {"GatherND": (gathered_rows,)}
