"""Shows what an ONNX model holds."""

from __future__ import annotations

import math

import onnx
import onnx_ir as ir

from interlingua.artifact import Artifact, Inspection, Layer
from interlingua.ir.edit import is_initializer
from interlingua.ir.opset import NEWEST, OPSET, version_of
from interlingua.onnx.reader import load


def inspect(artifact: Artifact) -> Inspection:
    """The model's inputs, outputs, nodes and weights, as its file states them.

    Raises:
        InvalidSource: the file is truncated or its parts contradict each other.
    """
    model = load(artifact.files["graph"])
    graph = model.graph
    version = version_of(model.opset_imports)
    return Inspection(
        format=artifact.format,
        title=f"ONNX model, opset {version}" if version else "ONNX model",
        inputs=tuple(_described(value) for value in graph.inputs if not value.is_initializer()),
        outputs=tuple(_described(value) for value in graph.outputs),
        layers=tuple(_layer(node) for node in graph),
        parameters=sum(_size(value) for value in graph.initializers.values()),
        missing=tuple(_missing(model, version)),
    )


def _described(value: ir.Value) -> str:
    sizes = "?" if value.shape is None else ", ".join(str(size) for size in value.shape)
    return f"{value.name}: {value.dtype.name.lower() if value.dtype else '?'}[{sizes}]"


def _size(value: ir.Value | None) -> int:
    return 0 if value is None or value.const_value is None else math.prod(value.const_value.shape.numpy())


def _layer(node: ir.Node) -> Layer:
    kind = f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type
    output = node.outputs[0]
    shape = "" if output.shape is None else f"[{', '.join(str(size) for size in output.shape)}]"
    return Layer(node.name or output.name or "", kind, shape, sum(_size(v) for v in node.inputs if is_initializer(v)))


def _missing(model: ir.Model, version: int | None) -> list[str]:
    found = []
    if version is not None and version > NEWEST:
        found.append(f"opset {version} is newer than any this reader knows ({NEWEST}; it works in {OPSET})")
    unknown = dict[str, None]()
    for node in model.graph.all_nodes():
        standard = node.domain in ("", "ai.onnx") and onnx.defs.has(node.op_type)
        if not standard and node.op_identifier() not in model.functions:
            unknown[f"{node.domain or 'ai.onnx'}.{node.op_type}"] = None
    found.extend(f"the operator {name} is none of the standard's" for name in unknown)
    return found
