"""Reads a Caffe network into the IR: layer by layer through the cards, unknown layers as opaque nodes."""

from __future__ import annotations

from collections import Counter

import onnx_ir as ir

from interlingua.artifact import Artifact, ReadOptions, Source
from interlingua.errors import Unsupported
from interlingua.notes import Changed, Skipped
from interlingua_caffe import oracle
from interlingua_caffe.arguments import arguments_of
from interlingua_caffe.frontend.deploy import deploy_text
from interlingua_caffe.frontend.graph import DOMAIN, Graph
from interlingua_caffe.frontend.layers import READERS, batch_norm
from interlingua_caffe.frontend.net import Layer, Net, load
from interlingua_caffe.proto.scan import flat, outline
from interlingua_caffe.proto.text import render

RUNTIME = "caffe"


def _read_layer(graph: Graph, layer: Layer, scale: Layer | None) -> list[ir.Value]:
    if layer.unknown:
        raise Unsupported(f"fields that no schema of ours knows: {', '.join(layer.unknown)}")
    said = arguments_of(layer.message)
    if scale is not None:
        return batch_norm(graph, layer, said, scale)
    reader = READERS.get(layer.type)
    if reader is not None:
        return reader(graph, layer, said)
    return [graph.call(layer, layer.type, said, graph.inputs(layer))]


def _opaque(graph: Graph, layer: Layer) -> list[ir.Value]:
    """The layer as it is, for whoever has a card or lowering of his own: blobs follow the bottoms."""
    blobs = [graph.blob(layer, index) for index in range(len(layer.stored))]
    attributes = {"prototxt": render(layer.message)}
    inputs = [*graph.inputs(layer), *blobs]
    first = graph.builder.node(
        layer.type or "Layer", inputs, attributes, layer=layer.name, outputs=len(layer.outputs), domain=DOMAIN
    )
    node = first.producer()
    assert node is not None
    return list(node.outputs)


def _scales(net: Net) -> dict[str, Layer]:
    """The Scale layer that alone takes what a BatchNorm gives, by the BatchNorm's output."""
    taken = Counter(name for layer in net.layers for name in layer.inputs)
    normalized = {layer.outputs[0] for layer in net.layers if layer.type == "BatchNorm" and layer.outputs}
    found = {}
    for layer in net.layers:
        if layer.type != "Scale" or len(layer.inputs) != 1 or layer.unknown:
            continue
        (x,) = layer.inputs
        plain = layer.message.scale_param.axis == 1 and layer.message.scale_param.num_axes == 1
        if plain and x in normalized and taken[x] == 1 and x not in net.outputs:
            found[x] = layer
    return found


def build(net: Net, options: ReadOptions) -> ir.Model:
    """The IR of a network.

    Raises:
        InvalidSource: weights are missing or do not fit.
    """
    graph = Graph(net)
    scales = _scales(net)
    merged = {layer.name for layer in scales.values()}
    for layer in net.layers:
        if layer.name in merged and layer.inputs[0] in scales:
            graph.values[layer.outputs[0]] = graph.values[layer.inputs[0]]
            continue
        scale = scales.get(layer.outputs[0]) if layer.outputs else None
        try:
            values = _read_layer(graph, layer, scale)
        except Unsupported as refusal:
            options.notes.add(Changed(layer.name, f"{layer.type} is kept as an opaque node: {refusal}."))
            values = _opaque(graph, layer)
            if scale is not None:
                del scales[layer.outputs[0]]
        graph.values |= dict(zip(layer.outputs, values, strict=True))
    return graph.builder.model([(name, graph.values[name]) for name in net.outputs])


def read(artifact: Artifact, options: ReadOptions) -> Source:
    """The network of an artifact; OpenCV runs it where it computes what Caffe does.

    Raises:
        InvalidSource: what is missing (weights, a shape), torn or contradictory.
        UsageError: an input or output was named that the network does not have.
    """
    net = load(artifact, options)
    model = build(net, options)
    text = deploy_text(net)
    layers = [entry.children for entry in outline(text) if entry.name == "layer"]
    fields = [flat(layer) for layer in layers]
    kernels = {layer.name: len(layer.stored[0].blob.shape) - 2 for layer in net.layers if layer.stored}
    for said in fields:
        if kernels.get(said.get("name", ""), 0) > 0:
            said[oracle.KERNEL_AXES] = str(kernels[said["name"]])
    unproved = oracle.unproved((said.get("name", ""), said.get("type", ""), said) for said in fields)
    for sentence in unproved:
        place, _, fact = sentence.partition(": ")
        options.notes.add(Skipped(place, f"The original cannot be run in proof. {fact}"))
    weights = options.weights or artifact.files.get("weights")
    run = {
        "path": str(artifact.files["graph"].resolve()),
        "format": artifact.format,
        "outputs": list(net.outputs),
        "text": text,
        "weights": str(weights.resolve()) if weights else None,
    }
    return Source(model, artifact, "" if unproved else RUNTIME, run, options.notes)
