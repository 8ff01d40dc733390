"""Rows of a table: each rule's first sentence is the transformation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx_ir as ir

from interlingua.passes.raising.reading import (
    Reading,
    Rule,
    attribute_int,
    new,
    number,
    sides,
    sizes_of,
)


def from_the_end(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Gather(X, Where(I < 0, I + size, I))` by `Gather(X, I)`, which counts negative entries from the end.

    So Keras' embeddings come. TensorFlow's exporter compares a cast of the indices to floats.
    """
    data, axis = node.inputs[0], attribute_int(node, "axis", 0)
    chosen, shape = reading.made(node.inputs[1], "Where"), sizes_of(data)
    if chosen is None or data is None or shape is None or not isinstance(shape[axis], int):
        return None
    test, wrapped = reading.made(chosen.inputs[0], "Less"), reading.made(chosen.inputs[1], "Add")
    indices = chosen.inputs[2]
    if test is None or wrapped is None or indices is None or number(test.inputs[1]) != 0:
        return None
    compared = test.inputs[0]
    if compared is not indices:
        cast = reading.made(compared, "Cast")
        compared = None if cast is None or cast.outputs[0].dtype == ir.DataType.BOOL else cast.inputs[0]
    if compared is not indices or not _is_sum(wrapped, indices, shape[axis]):
        return None
    return [new("Gather", [data, indices], {"axis": axis}, like=node.outputs[0])]


def _is_sum(node: ir.Node, value: ir.Value, addend: int | str | None) -> bool:
    """Whether the node adds that number to the value."""
    return any(inner is value and addend is not None and number(other) == addend for inner, other in sides(node))


RULES: Mapping[str, Sequence[Rule]] = {"Gather": (from_the_end,)}
