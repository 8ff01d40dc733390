"""Reductions."""

from __future__ import annotations

import dataclasses

import onnx_ir as ir

from interlingua import cards
from interlingua.cards import Facts
from interlingua_caffe.lowering.network import FRAMEWORK, Network, lowers, selecting


@lowers("ReduceMean")
def mean(network: Network, node: ir.Node, facts: Facts) -> None:
    """Says `ReduceMean` over both spatial axes as a global average Pooling, flattened where the axes are dropped."""
    rank, axes = facts.get("input_rank"), facts.get("axes")
    if rank != 4 or axes is None or sorted(axis % rank for axis in axes) != [2, 3]:
        network.by_card(node, facts)
        return
    card, said = cards.choose(FRAMEWORK, dataclasses.replace(facts, record="GlobalAveragePool", values={}, rank=2))
    kept = bool(facts["keepdims"])
    pooled = node.outputs[0] if kept else ir.Value(name=f"{node.name}.pooled")
    network.for_node(node, card.api, selecting(card) | said, inputs=[node.inputs[0]], output=pooled)
    if not kept:
        network.for_node(node, "Flatten", {}, inputs=[pooled])
