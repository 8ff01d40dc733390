"""Reads a TensorFlow graph into the IR: the worker brings it to ONNX, the weights are joined on from their file."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx_ir as ir

from interlingua import errors, notes, worker
from interlingua.artifact import Artifact, ReadOptions, Source
from interlingua.ir import metadata
from interlingua.ir.origin import parameters
from interlingua.ir.weights import moved
from interlingua_tensorflow.frontend.recognise import CHECKPOINT

RUNTIME = "tensorflow"
_NOTES = {kind.__name__: kind for kind in (notes.Assumed, notes.Changed, notes.Dropped, notes.Approximated)}
_SCRATCH = "interlingua_tensorflow.scratch"


def read(artifact: Artifact, options: ReadOptions) -> Source:
    """The inference part of a checkpoint's graph, a frozen graph or a SavedModel; weights stay on disk.

    Inputs and outputs keep the axis order of the source.

    Raises:
        InvalidSource: the graph or the values of its variables are missing, truncated or contradict each other.
        UsageError: a chosen input or output is not in the graph, or several outputs could be meant.
        UnsupportedModel: ops that ONNX cannot say, all at once.
    """
    files = {role: str(path) for role, path in artifact.files.items()}
    if artifact.format == CHECKPOINT:
        files["prefix"] = str(_prefix(artifact, options))
    kept = tempfile.TemporaryDirectory(prefix="interlingua-tensorflow-", dir=options.scratch)
    folder = Path(kept.name)
    exported = (
        worker.shared(RUNTIME)
        .call(
            "export",
            phase="reading the TensorFlow graph",
            files=files,
            format=artifact.format,
            folder=str(folder),
            inputs=list(options.inputs),
            outputs=list(options.outputs),
            shapes={name: list(shape) for name, shape in options.shapes.items()},
        )
        .value
    )
    if "refused" in exported:
        raise _refusal(exported["refused"], artifact)
    for kind, place, text in exported["notes"]:
        options.notes.add(_NOTES[kind](place, text))
    model = ir.load(folder / exported["graph"])
    _join(model, exported, folder, kept)
    _turn_weights(model)
    _place(model, exported["places"])
    run = {
        "path": files.get("prefix", str(artifact.path)) if artifact.format == CHECKPOINT else str(artifact.path),
        "format": artifact.format,
        "inputs": [name for name, _ in exported["inputs"]],
        "outputs": [name for name, _ in exported["outputs"]],
        "feeds": exported["feeds"],
    }
    return Source(model, artifact, RUNTIME, run, options.notes)


def _prefix(artifact: Artifact, options: ReadOptions) -> Path:
    """The checkpoint that holds the values: the one beside the graph, or what the user named.

    Raises:
        InvalidSource: there is none.
    """
    if options.weights is not None:
        name = options.weights.name.removesuffix(".index")
        return options.weights.with_name(name)
    if "weights" not in artifact.files:
        prefix = Path(str(artifact.facts["prefix"]))
        raise errors.InvalidSource(
            f"Expected the values of the variables beside the graph ({prefix.name}.index and .data). "
            "Received the graph alone.",
            place=str(artifact.files["graph"]),
            hint="Put them there, or name another checkpoint with --weights.",
        )
    return Path(str(artifact.facts["prefix"]))


def _refusal(refused: Mapping[str, Any], artifact: Artifact) -> errors.InterlinguaError:
    message, hint, listed = refused["message"], refused["hint"], refused["refusals"]
    place = str(artifact.files["graph"])
    if refused["kind"] == "UnsupportedModel":
        return errors.UnsupportedModel(message, listed, place="" if listed else place, hint=hint)
    if listed:
        message = f"{message} They are: {', '.join(listed[:20])}{' …' if len(listed) > 20 else ''}."
    kinds = {"UsageError": errors.UsageError, "InvalidSource": errors.InvalidSource}
    return kinds[refused["kind"]](message, place=place, hint=hint)


def _join(model: ir.Model, exported: Mapping[str, Any], folder: Path, kept: tempfile.TemporaryDirectory[str]) -> None:
    """Makes initializers of the placeholders that stand for weights, and gives inputs and outputs their names."""
    graph = model.graph
    rows = {f"{row['name']}:0": row for row in exported["weights"]}
    inputs = {tensor: name for name, tensor in exported["inputs"]}
    for value in list(graph.inputs):
        row = rows.get(value.name or "")
        if row is None:
            _rename_input(value, inputs[value.name or ""])
            continue
        graph.inputs.remove(value)
        if not value.uses():
            continue
        dtype = ir.DataType.from_numpy(_dtype(row["dtype"]))
        tensor = ir.ExternalTensor(
            exported["data"],
            row["offset"],
            row["length"],
            dtype,
            shape=ir.Shape(row["shape"]),
            name=row["name"],
            base_dir=folder,
        )
        tensor.meta[_SCRATCH] = kept  # the folder lives as long as any of its tensors
        value.name, value.shape, value.const_value = row["name"], ir.Shape(row["shape"]), tensor
        graph.register_initializer(value)
        metadata.set_origin(value, row["name"])
    for value, (name, _) in zip(graph.outputs, exported["outputs"], strict=True):
        value.name = name


def _turn_weights(model: ir.Model) -> None:
    """Replaces `Transpose(weight)` by a weight that is turned when its values are asked for."""
    for node in list(model.graph):
        source = node.inputs[0] if node.op_type == "Transpose" else None
        if (
            source is None
            or source.const_value is None
            or "perm" not in node.attributes
            or node.outputs[0].is_graph_output()
        ):
            continue
        order = tuple(node.attributes["perm"].as_ints())
        turned = moved(model.graph, source, [("transpose", order)])
        node.outputs[0].replace_all_uses_with(turned)
        model.graph.remove(node, safe=True)
    for value in list(model.graph.initializers.values()):
        if not value.uses() and not value.is_graph_output():
            del model.graph.initializers[value.name or ""]


def _dtype(name: str) -> Any:
    import ml_dtypes
    import numpy as np

    return np.dtype(getattr(ml_dtypes, name) if name == "bfloat16" else name)


def _rename_input(value: ir.Value, name: str) -> None:
    value.name = name
    if value.shape is not None:
        sizes = [
            dim if isinstance(dim, int) else ("batch" if axis == 0 else f"{name}_{axis}")
            for axis, dim in enumerate(value.shape)
        ]
        value.shape = ir.Shape(sizes)


def _place(model: ir.Model, places: Mapping[str, list[str]]) -> None:
    """Tells each node the layer it comes from; a Transpose of the source's own is marked as such.

    The layer is the scope of the TensorFlow node; where that tells nothing, the scope of the weight it uses.
    """
    for node in model.graph:
        name, op = places.get(node.name or "", ("", ""))
        layer = _layer(_FUNCTION.sub("", name))
        if not layer or "/" not in name or _FUNCTION.match(name):
            layer = _scope_of_weight(node) or layer
        metadata.set_place(node, layer)
        if op == "Transpose" and node.op_type == "Transpose":
            metadata.set_own(node)


def _layer(name: str) -> str:
    scope, _, leaf = name.rpartition("/")
    return scope if scope and leaf.split("_")[0] in _LEAVES else name


def _scope_of_weight(node: ir.Node) -> str:
    for value in node.inputs:
        if value is not None and value.is_initializer() and metadata.ORIGIN in value.metadata_props:
            return (parameters(metadata.origin(value)) or ("",))[0].rpartition("/")[0]
    return ""


_FUNCTION = re.compile(r"^(?:(?:Stateful)?PartitionedCall(?:_\d+)?/)+")
_LEAVES = frozenset(
    (
        *("Conv2D", "BiasAdd", "Relu", "Relu6", "MatMul", "MaxPool", "AvgPool", "Identity", "Merge", "Softmax"),
        *("FusedBatchNorm", "FusedBatchNormV3", "convolution", "depthwise", "add"),
    )
)
"""Last parts of names that TensorFlow gives an op inside a layer's scope."""
