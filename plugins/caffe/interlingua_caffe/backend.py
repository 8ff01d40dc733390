"""Writes Caffe: `deploy.prototxt` and its `.caffemodel`, from the cards."""

from __future__ import annotations

import onnx_ir as ir

from interlingua.codegen.decompose import decompose
from interlingua.codegen.package import Package, WriteRequest
from interlingua.codegen.program import Port
from interlingua.codegen.weights import Weight
from interlingua.errors import ComputedShape, Refusal, Unsupported, UnsupportedModel
from interlingua.ir import metadata
from interlingua.ir.facts import facts_of, qualified, shape_of
from interlingua.notes import Approximated, Changed, Notes, Skipped
from interlingua_caffe import oracle
from interlingua_caffe.caffemodel import check_size, write_caffemodel
from interlingua_caffe.lowering import LOWERINGS
from interlingua_caffe.lowering.network import FRAMEWORK, Network
from interlingua_caffe.lowering.opaque import DOMAIN, as_it_was
from interlingua_caffe.proto.scan import flat, outline
from interlingua_caffe.proto.text import render

GRAPH, WEIGHTS = "deploy.prototxt", "deploy.caffemodel"


def _lower(network: Network, node: ir.Node) -> None:
    if node.domain == DOMAIN:
        as_it_was(network, node)
        return
    source = node.inputs[0] if node.inputs else None
    if node.op_type == "Identity" and source is not None:
        if source.is_graph_input():
            network.for_node(node, "Power", {})
        else:
            network.alias(node.outputs[0], source)
        return
    function = LOWERINGS.get(node.op_type)
    if function is None:
        network.by_card(node, facts_of(node))
    else:
        function(network, node, facts_of(node))


def _input(network: Network, value: ir.Value, notes: Notes) -> str:
    """Adds the Input layer of a graph input; its refusal, or nothing.

    Caffe has no unknown sizes: a free batch is written as 1, which a runtime may reshape.
    """
    shape = shape_of(value)
    if value.dtype not in (None, ir.DataType.FLOAT):
        return f"input {value.name}: Caffe's blobs are float32, not {value.dtype.name.lower()}"
    if shape is None or any(not isinstance(size, int) for size in shape[1:]) or not shape:
        return f"input {value.name}: the sizes {shape} are not known; give them with --input-shape"
    if not isinstance(shape[0], int):
        notes.add(
            Changed(value.name or "", "the free batch is written as 1, for Caffe wants a number; it may be reshaped")
        )
    sizes = [size if isinstance(size, int) else 1 for size in shape]
    network.layer(value.name or "data", "Input", [], [value])
    network.message.layer[-1].input_param.shape.add().dim.extend(sizes)
    return ""


def lower(model: ir.Model, notes: Notes, name: str) -> Network:
    """The network that computes the model.

    Raises:
        UnsupportedModel: what Caffe cannot say, all at once.
    """
    network = Network(name, notes)
    told = [_input(network, value, notes) for value in model.graph.inputs]
    parts = [reason.partition(": ") for reason in told if reason]
    refusals = [Refusal(place, "", reason, ComputedShape.kind) for place, _, reason in parts]
    work = list(model.graph)
    while work:
        node = work.pop(0)
        try:
            _lower(network, node)
        except Unsupported as refusal:
            replacement = decompose(node, FRAMEWORK)
            if replacement is not None:
                work[:0] = replacement
                continue
            refusals.append(Refusal(qualified(node), str(metadata.place(node)), str(refusal), refusal.kind))
            network.refuse(node)
    if refusals:
        raise UnsupportedModel(
            f"Expected a model that Caffe can say. Received {len(refusals)} parts that it cannot:",
            refusals,
            hint="`interlingua api OP --to caffe` shows what a card can say.",
        )
    return network


def _ports(network: Network, values: list[ir.Value]) -> tuple[Port, ...]:
    """Ports under the names of their blobs.

    Raises:
        UnsupportedModel: an output is a constant.
    """
    try:
        return tuple(Port(network.top(v), v.name or "", shape_of(v), v.dtype or ir.DataType.FLOAT) for v in values)
    except Unsupported as refusal:
        raise UnsupportedModel("Expected outputs that the model computes.", [str(refusal)]) from refusal


def _tell(network: Network, text: str, notes: Notes) -> tuple[str, ...]:
    """Tells what the runtime cannot prove, which is returned, and weights that lose digits."""
    fields = [flat(entry.children) for entry in outline(text) if entry.name == "layer"]
    for said in fields:
        blobs = network.learned[said["name"]]
        if blobs and len(blobs[0].shape) > 2:
            said[oracle.KERNEL_AXES] = str(len(blobs[0].shape) - 2)
    unproved = oracle.unproved((said["name"], said["type"], said) for said in fields)
    for sentence in unproved:
        place, _, fact = sentence.partition(": ")
        notes.add(Skipped(place, f"The written layer cannot be proved. {fact}"))
    for name, blobs in network.learned.items():
        for blob in blobs:
            if isinstance(blob.weight, Weight) and blob.weight.tensor.dtype == ir.DataType.DOUBLE:
                notes.add(Approximated(name, "float64 weights are written as float32"))
    return tuple(unproved)


def _weights(network: Network) -> dict[str, str]:
    """Each blob, named as Caffe's HDF5 snapshots name them, and what it is in the source's terms."""
    return {
        f"{name}/{index}": str(blob.weight.origin)
        for name, blobs in network.learned.items()
        for index, blob in enumerate(blobs)
        if isinstance(blob.weight, Weight) and not blob.zeros
    }


def write(model: ir.Model, request: WriteRequest) -> Package:
    """Writes deploy.prototxt and deploy.caffemodel into the request's folder.

    Raises:
        UnsupportedModel: what Caffe cannot say, all at once; nothing is written then.
    """
    network = lower(model, request.options.notes, request.options.class_name or model.graph.name or "network")
    inputs, outputs = _ports(network, list(model.graph.inputs)), _ports(network, list(model.graph.outputs))
    check_size(network.learned)
    text = render(network.message)
    unproved = _tell(network, text, request.options.notes)
    (request.folder / GRAPH).write_text(text, encoding="utf-8")
    if not request.dry:
        write_caffemodel(request.folder / WEIGHTS, network.message, network.learned)
    return Package(
        inputs=inputs,
        outputs=outputs,
        mapped=tuple(network.mapped),
        weights=_weights(network),
        layers=dict(network.layers),
        native_path=GRAPH,
        unproved=unproved,
    )
