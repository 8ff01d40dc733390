"""Layers that only Caffe knows: read from a Caffe network as they were, written to one again."""

from __future__ import annotations

import onnx_ir as ir

from interlingua.codegen.weights import Weight
from interlingua.errors import Unsupported
from interlingua.ir import metadata
from interlingua.ir.facts import is_constant
from interlingua_caffe.lowering.network import Learned, Network
from interlingua_caffe.proto.text import parse

DOMAIN = "caffe"
TEXT = "prototxt"


def as_it_was(network: Network, node: ir.Node) -> None:
    """Writes a node of the domain `caffe` as the layer it was, with the blobs that follow its bottoms.

    Raises:
        Unsupported: the node does not hold its layer's text, or has fields that no schema of ours knows.
    """
    text = node.attributes.get(TEXT)
    if text is None:
        raise Unsupported(f"the layer {node.op_type} without its text")
    net, _ = parse(f"layer {{ {text.as_string()} }}", str(metadata.place(node)))
    (layer,) = net.layer
    count = len(layer.bottom)
    bottoms = [network.top(value) for value in node.inputs[:count]]
    learned = [Learned(Weight(v)) for v in node.inputs[count:] if v is not None and is_constant(v)]
    written = network.layer(layer.name, layer.type, bottoms, list(node.outputs), {}, learned)
    name, tops = written.name, list(written.top)
    written.CopyFrom(layer)
    written.name = name
    del written.bottom[:], written.top[:]
    written.bottom.extend(bottoms)
    written.top.extend(tops)
