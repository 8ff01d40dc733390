"""Finds the first layer at which two runs of one model part."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping

import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.proof.compare import Array, Difference, compare


@dataclasses.dataclass(frozen=True)
class Divergence:
    """The first layer whose value differs beyond tolerance, and by how much."""

    layer: str
    op: str
    difference: Difference

    def __str__(self) -> str:
        return f"{self.layer} ({self.op}), relative difference {self.difference.relative:.2g}"


def first(
    model: ir.Model,
    reference: Mapping[str, Array],
    other: Mapping[str, Array],
    tolerance: float,
    names: Mapping[str, str],
) -> Divergence | None:
    """The first node, in the model's order, whose value differs; None where no compared one does.

    `reference` holds the model's values by name, `other` the framework's by layer name, `names` the source layer
    of each of the framework's names.
    """
    by_layer: dict[str, list[Array]] = {}
    for name, array in other.items():
        by_layer.setdefault(names.get(name, name), []).append(array)
    for node in model.graph:
        layer = metadata.place(node).layer
        value = reference.get(node.outputs[0].name or "")
        if value is None:
            continue
        for array in by_layer.get(layer, by_layer.get(node.outputs[0].name or "", [])):
            difference = _nearest(layer, value, array, tolerance)
            if (
                difference is not None
                and not difference.within
                and not _covered(model, node, array, reference, tolerance)
            ):
                return Divergence(layer, node.op_type, difference)
    return None


def _covered(model: ir.Model, node: ir.Node, array: Array, reference: Mapping[str, Array], tolerance: float) -> bool:
    """Whether the array is another value of the same layer: an activation after the convolution, say."""
    layer = metadata.place(node).layer
    followers = [use.node for use in node.outputs[0].uses()]
    for other in itertools.chain(followers, (n for n in model.graph if metadata.place(n).layer == layer)):
        value = reference.get(other.outputs[0].name or "")
        if value is not None:
            difference = _nearest(layer, value, array, tolerance)
            if difference is not None and difference.within:
                return True
    return False


def _nearest(layer: str, reference: Array, array: Array, tolerance: float) -> Difference | None:
    """The difference under the axis order that fits: as it is, channels last or channels first."""
    found: list[Difference] = []
    for candidate in _orders(array):
        if candidate.shape == reference.shape:
            found.append(compare(layer, reference, candidate, tolerance))
    return min(found, key=lambda difference: difference.relative, default=None)


def _orders(array: Array) -> list[Array]:
    if array.ndim < 3:
        return [array]
    last = range(1, array.ndim - 1)
    return [array, array.transpose(0, array.ndim - 1, *last), array.transpose(0, *range(2, array.ndim), 1)]
