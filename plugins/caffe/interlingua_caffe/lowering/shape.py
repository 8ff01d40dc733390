"""Reshaping: the idioms that people write without a Reshape."""

from __future__ import annotations

import math

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.ir import metadata
from interlingua.ir.facts import shape_of
from interlingua_caffe.lowering.network import Network, lowers


def _flattens(node: ir.Node) -> bool:
    """Whether the node joins all axes but the first into one."""
    before, after = shape_of(node.inputs[0]), shape_of(node.outputs[0])
    if before is None or after is None or len(after) != 2 or len(before) < 2:
        return False
    rest = [size for size in before[1:] if isinstance(size, int)]
    return len(rest) == len(before) - 1 and after[1] == math.prod(rest)


@lowers("Flatten")
def flatten(network: Network, node: ir.Node, facts: Facts) -> None:
    """Leaves a Flatten out that stands before an InnerProduct of the same source layer, which flattens by itself."""
    source = node.inputs[0]
    uses = [use.node for use in node.outputs[0].uses()]
    inside = len(uses) == 1 and uses[0].op_type == "Gemm" and metadata.place(uses[0]) == metadata.place(node)
    if source is not None and inside and _flattens(node):
        network.alias(node.outputs[0], source)
    else:
        network.by_card(node, facts)


@lowers("Reshape", "Squeeze")
def flattening(network: Network, node: ir.Node, facts: Facts) -> None:
    """Says a Reshape or Squeeze to [N, C·H·W] as a Flatten."""
    if _flattens(node):
        network.for_node(node, "Flatten", {}, inputs=[node.inputs[0]])
    else:
        network.by_card(node, facts)
