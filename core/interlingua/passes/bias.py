"""Gives a convolution the bias that its source adds afterwards."""

from __future__ import annotations

import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import bypass, graph_of, is_initializer, replace
from interlingua.ir.facts import known, shape_of
from interlingua.ir.weights import moved
from interlingua.passes.base import Pass

CONVOLUTIONS = ("Conv", "ConvTranspose")


class FuseBias(Pass):
    """Replaces `Add(Conv(X, W), b)` by `Conv(X, W, b)` where b is one for each channel, also behind a Transpose."""

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        changed = False
        for node in list(model.graph.all_nodes()):
            if node.op_type in CONVOLUTIONS and node.domain == "" and len(node.inputs) == 2:
                changed = _fuse(node) or changed
        return changed


def _only_user(value: ir.Value) -> ir.Node | None:
    uses = list(value.uses())
    return uses[0].node if len(uses) == 1 and not value.is_graph_output() else None


def _fuse(node: ir.Node) -> bool:
    product, channel_axis, turn = node.outputs[0], 1, None
    rank = len(shape_of(node.inputs[1]) or ())
    follower = _only_user(product)
    if follower is not None and follower.op_type == "Transpose" and follower.domain == "":
        order = list(follower.attributes["perm"].as_ints()) if "perm" in follower.attributes else []
        if 1 not in order or follower.graph is not node.graph:
            return False
        turn, channel_axis = follower, order.index(1)
        follower = _only_user(follower.outputs[0])
    if follower is None or follower.op_type != "Add" or follower.domain != "" or follower.graph is not node.graph:
        return False
    summed = turn.outputs[0] if turn is not None else product
    bias = follower.inputs[1] if follower.inputs[0] is summed else follower.inputs[0]
    if bias is None or not is_initializer(bias) or not _one_for_each_channel(node, bias, rank, channel_axis):
        return False
    vector = moved(graph_of(node), bias, [("reshape", (max(known(shape_of(bias)) or [0]),))])
    whole = ir.Node("", node.op_type, [*node.inputs, vector], list(node.attributes.values()), name=node.name)
    whole.outputs[0].type, whole.outputs[0].shape = product.type, product.shape
    metadata.copy_place(node, [whole])
    if turn is None:
        replace(follower, [whole])
        graph_of(node).remove(node, safe=True)
        return True
    replace(node, [whole])
    return bypass(follower, summed)


def _one_for_each_channel(node: ir.Node, bias: ir.Value, rank: int, axis: int) -> bool:
    """Whether the bias, broadcast from the right, has a number for each channel along `axis` and none elsewhere."""
    shape, weight = known(shape_of(bias)), known(shape_of(node.inputs[1]))
    if shape is None or weight is None or not rank or len(shape) > rank:
        return False
    if node.op_type == "ConvTranspose":
        group = node.attributes["group"].as_int() if "group" in node.attributes else 1
        channels = weight[1] * group
    else:
        channels = weight[0]
    aligned = [1] * (rank - len(shape)) + shape
    return all(size == (channels if position == axis else 1) for position, size in enumerate(aligned))
