"""Merges initializers that are the same source parameter."""

from __future__ import annotations

import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import constant
from interlingua.passes.base import Pass, ensure


class MergeInitializers(Pass):
    """Replaces initializers of one origin by the first of them, and constants of one value likewise.

    Parameters that merely hold equal numbers (two biases of zeros) stay apart: training would move them apart. So
    do constants that the source's state dict holds under names of their own.
    """

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        changed = False
        for first, other in duplicates(model.graph):
            other.replace_all_uses_with(first)
            if not other.uses() and other.name is not None:
                model.graph.initializers.pop(other.name)
            changed = True
        return changed

    def ensures(self, model: ir.Model) -> None:
        """No two initializers are the same."""
        ensure(not duplicates(model.graph), "No two initializers are the same.")


def duplicates(graph: ir.Graph) -> list[tuple[ir.Value, ir.Value]]:
    """Pairs of initializers that are the same: the first, and the other one."""
    seen: dict[tuple[object, ...], ir.Value] = {}
    found = []
    for value in graph.initializers.values():
        if value.const_value is None or value.is_graph_input() or value.is_graph_output():
            continue
        first = seen.setdefault(_identity(value), value)
        if first is not value:
            found.append((first, value))
    return found


def _identity(value: ir.Value) -> tuple[object, ...]:
    tensor = value.const_value
    assert tensor is not None
    shape = tuple(int(size) for size in tensor.shape.numpy())
    shared = metadata.is_constant(value) or tensor.dtype.is_integer()
    array = constant(value) if shared and not metadata.is_state(value) else None
    if array is not None:
        return ("constant", tensor.dtype, shape, array.tobytes())
    return (value.metadata_props.get(metadata.ORIGIN, value.name), tensor.dtype, shape)
