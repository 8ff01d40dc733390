"""Normalization in two layers, as Caffe has it."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from interlingua import cards
from interlingua.cards import Facts
from interlingua.codegen.weights import Weight
from interlingua.ir import metadata
from interlingua.ir.facts import inputs_of
from interlingua_caffe.lowering.network import FRAMEWORK, Learned, Network, lowers


def _is_all(value: ir.Value, number: float) -> bool:
    """Whether a constant that nobody trains is this number throughout."""
    return (
        value.const_value is not None
        and metadata.is_constant(value)
        and bool(np.all(value.const_value.numpy() == number))
    )


@lowers("BatchNormalization")
def batch_normalization(network: Network, node: ir.Node, facts: Facts) -> None:
    """Says `BatchNormalization` as a BatchNorm, which normalizes, and a Scale, where scale or shift do something."""
    card, said = cards.choose(FRAMEWORK, facts)
    given = {name: values[0] for name, values in inputs_of(node).items()}
    statistics = [Learned(Weight(given[name])) for name in card.weights]
    running_weight = Learned(np.ones(1, np.float32))
    scale, shift = given["scale"], given["B"]
    plain = _is_all(scale, 1.0) and _is_all(shift, 0.0)
    normalized = node.outputs[0] if plain else ir.Value(name=f"{node.name}.normalized")
    network.for_node(node, card.api, said, [*statistics, running_weight], inputs=[given["X"]], output=normalized)
    if not plain:
        learned = [Learned(Weight(scale)), Learned(Weight(shift))]
        network.for_node(node, "Scale", {"scale_param.bias_term": True}, learned, inputs=[normalized])


@lowers("LRN")
def local_response(network: Network, node: ir.Node, facts: Facts) -> None:
    """Says alpha even where it is Caffe's default, since OpenCV has another one."""
    card, said = cards.choose(FRAMEWORK, facts)
    network.for_node(node, card.api, {card.parameters["alpha"].name: facts["alpha"], **said})
