"""What `interlingua inspect` shows of a network."""

from __future__ import annotations

from interlingua.artifact import Artifact, Inspection, Layer, ReadOptions
from interlingua.errors import InvalidSource
from interlingua_caffe.frontend.net import is_sink, is_source, load, parsed
from interlingua_caffe.frontend.phase import tested
from interlingua_caffe.frontend.recognise import FORMAT
from interlingua_caffe.proto.wire import stored_layers


def inspect(artifact: Artifact) -> Inspection:
    """The layers at test with their parameters, and what the files lack to be converted.

    Raises:
        InvalidSource: the network or its weights cannot be parsed.
    """
    message, _ = parsed(artifact.files["graph"])
    weights = artifact.files.get("weights")
    counts = (
        {layer.name: sum(b.numbers.size for b in layer.blobs) for layer in stored_layers(weights)} if weights else {}
    )
    layers = [layer for layer in tested(message) if not is_sink(layer)]
    missing = [] if weights else ["the weights: put the .caffemodel beside it, or give `--weights FILE`"]
    outputs: tuple[str, ...] = ()
    try:
        outputs = load(artifact, ReadOptions()).outputs
    except InvalidSource as error:
        missing.append(str(error))
    return Inspection(
        FORMAT,
        "a Caffe network",
        tuple(top for layer in layers if is_source(layer) for top in layer.top),
        outputs,
        tuple(Layer(layer.name, layer.type, ", ".join(layer.top), int(counts.get(layer.name, 0))) for layer in layers),
        int(sum(counts.get(layer.name, 0) for layer in layers)),
        tuple(missing),
    )
