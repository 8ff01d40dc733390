"""Raises what exporters spell in small operators to the operator a person would name; one family of rules a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import onnx_ir as ir

from interlingua.ir.edit import graph_of, replace
from interlingua.passes.base import Pass
from interlingua.passes.raising import (
    activation,
    affine,
    assigned,
    attention,
    batch,
    choices,
    contractions,
    counting,
    filling,
    heads,
    normalization,
    pixels,
    plain,
    products,
    reduction,
    rows,
)
from interlingua.passes.raising.reading import Reading, Rule, remember_home


def _gathered(*families: Any) -> dict[str, list[Rule]]:
    """The rules of the families by the type of node they are tried at, in the families' order."""
    found: dict[str, list[Rule]] = {}
    for family in families:
        for op, rules in family.RULES.items():
            found.setdefault(op, []).extend(rules)
    return found


class _Rules(Pass):
    """A pass of rules, each tried at the node types it is listed under."""

    rules: ClassVar[Mapping[str, Sequence[Rule]]]

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        remember_home(model)
        changed = False
        for node in list(model.graph.all_nodes()):
            if node.graph is not None and node.domain == "":
                changed = any(_applied(rule, node) for rule in self.rules.get(node.op_type, ())) or changed
        return changed


class RaiseStatistics(_Rules):
    """Replaces `(x − mean) / Sqrt(variance + epsilon)`, of weights, by `BatchNormalization`; before these fold."""

    rules = batch.EARLY


class SpellPlainly(_Rules):
    """Replaces `CastLike`, slices of everything, selections by products and sequences of splits by what they are."""

    rules = _gathered(plain, contractions)


class JoinParts(_Rules):
    """Replaces scatters that write a part of a tensor, and parts read of joined ones, by joined parts."""

    rules = assigned.RULES


class JoinSlices(_Rules):
    """Replaces slices of slices by one, and entries that are sliced and squeezed by entries; after all is raised."""

    rules = assigned.SLICES


class Raise(_Rules):
    """Replaces exporters' spellings by the operators they stand for; never changes numbers beyond float rounding."""

    rules = _gathered(
        *(activation, batch, normalization, affine, reduction, pixels, counting, filling, rows),
        *(products, choices, attention),
    )


class RaiseHeads(_Rules):
    """Takes repetition of heads and scales that are the default's out of `Attention`; after it was raised."""

    rules = heads.RULES


class MergeHeads(Pass):
    """Replaces attention whose heads are split off and merged by reshapes by `Attention` that does that itself."""

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        remember_home(model)
        found = [node for node in model.graph.all_nodes() if node.op_type == "Attention" and node.domain == ""]
        return sum([heads.merge_heads(node) for node in found]) > 0


def _applied(rule: Rule, node: ir.Node) -> bool:
    if node.graph is None:
        return False
    reading = Reading(node)
    made = rule(node, reading)
    if not made or not reading.closed:
        return False
    outputs = list(made[-1].outputs)
    replace(node, made, outputs)
    remove_unused(reading)
    return True


def remove_unused(reading: Reading) -> None:
    """Removes what was read and is used no more."""
    left = [node for node in reading.nodes if node.graph is not None]
    again = True
    while again:
        again = False
        for node in left:
            if node.graph is not None and not any(o.uses() or o.is_graph_output() for o in node.outputs):
                graph_of(node).remove(node, safe=True)
                again = True


__all__ = [
    "JoinParts",
    "JoinSlices",
    "MergeHeads",
    "Raise",
    "RaiseHeads",
    "RaiseStatistics",
    "SpellPlainly",
    "remove_unused",
]
