"""Convolutions whose padding differs at the two ends of an axis."""

from __future__ import annotations

import dataclasses

import onnx_ir as ir

from interlingua import cards
from interlingua.adapters import split_pads
from interlingua.cards import Facts
from interlingua.codegen.lowering import weight_for
from interlingua.errors import Unsupported
from interlingua.ir import metadata
from interlingua.ir.facts import inputs_of, is_constant
from interlingua.notes import Changed
from interlingua_caffe.lowering.network import FRAMEWORK, Learned, Network, lowers


@lowers("Conv")
def convolution(network: Network, node: ir.Node, facts: Facts) -> None:
    """Says padding that differs at the two ends as the larger one at both, and adds zeros to the kernel."""
    begin, end = split_pads(facts["pads"])
    if begin == end or not is_constant(node.inputs[1]):
        network.by_card(node, facts)
        return
    zeros, kernel = [], []
    for axis, size in enumerate(facts["kernel_shape"]):
        more, dilation = end[axis] - begin[axis], facts["dilations"][axis]
        if more % dilation:
            raise Unsupported(f"pads {facts['pads']} differ at the two ends by no multiple of the dilation")
        taps = more // dilation
        zeros.append((max(taps, 0), max(-taps, 0)))
        kernel.append(size + abs(taps))
    wide = [max(pair) for pair in zip(begin, end, strict=True)]
    said_facts = dataclasses.replace(facts, values={**facts.values, "pads": wide * 2, "kernel_shape": kernel})
    card, said = cards.choose(FRAMEWORK, said_facts)
    given = inputs_of(node)
    learned = [
        Learned(weight_for(card, facts, name, slot, given[name][0]), ((0, 0), (0, 0), *zeros) if name == "W" else ())
        for name, slot in card.weights.items()
        if name in given
    ]
    told = f"padding of {begin} and {end} is said as {wide} at both ends, with zeros added to the kernel"
    network.notes.add(Changed(str(metadata.place(node)), told))
    network.for_node(node, card.api, said, learned, inputs=[node.inputs[0]])
