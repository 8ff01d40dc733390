"""What `interlingua inspect` shows of a TensorFlow artifact, read from its bytes alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from interlingua import plugin
from interlingua.artifact import Artifact, Inspection, Layer
from interlingua_tensorflow.frontend import graph as reader

TITLES = {
    "tensorflow-checkpoint": "a TensorFlow 1 checkpoint",
    "tensorflow-frozen": "a frozen TensorFlow graph",
    "tensorflow-savedmodel": "a TensorFlow SavedModel",
}
_PLAIN = frozenset({"Const", "Identity", "NoOp", "ReadVariableOp", "Placeholder", "PlaceholderWithDefault"})


def _work(name: str) -> Any:
    """A function of the graph work that the worker does too; it needs no framework."""
    return plugin.resolve(f"interlingua_tensorflow.runtime_graph:{name}")


def _count(node: Any) -> int:
    shape = node.attr["value"].tensor.tensor_shape if node.op == "Const" else node.attr["shape"].shape
    return math.prod(max(dim.size, 0) for dim in shape.dim)


def _weights(nodes: Mapping[str, Any]) -> dict[str, int]:
    """The number of values of each variable and of each constant that is a weight."""
    variables, floats = _work("VARIABLES"), _work("FLOATS")
    return {
        name: _count(node)
        for name, node in nodes.items()
        if node.op in variables or (node.op == "Const" and node.attr["dtype"].type in floats and _count(node) > 1)
    }


def _text(shape: list[int | None] | None) -> str:
    return "" if shape is None else "(" + ", ".join("?" if size is None else str(size) for size in shape) + ")"


def _ends(graph: reader.Graph) -> tuple[tuple[str, ...], tuple[str, ...], list[str], list[str]]:
    """(inputs, outputs) as shown, the names of the output nodes, and what is missing."""
    for key in ("serving_default", "serve", *graph.signatures):
        if key in graph.signatures:
            taken, given = graph.signatures[key]
            return tuple(taken), tuple(given), [name.split(":")[0] for name in given.values()], []
    refusal = _work("Refusal")
    try:
        roots = list(_work("find_outputs")(graph.nodes))
    except refusal as reason:
        return (), (), [], [f"the outputs: {reason.message} {reason.hint}"]
    needed = _work("ancestors")(graph.nodes, roots)
    try:
        inputs = _work("find_inputs")({name: node for name, node in graph.nodes.items() if name in needed})
    except refusal as reason:
        return (), tuple(roots), roots, [f"the inputs: {reason.message} {reason.hint}"]
    shown = tuple(f"{name} {_text(_work('shape_of')(graph.nodes[name]))}".strip() for name in inputs)
    return shown, tuple(roots), roots, []


def inspect(artifact: Artifact) -> Inspection:
    """Inputs, outputs, the nodes the outputs are computed from, the number of weights, and what is missing.

    Raises:
        InvalidSource: the file is truncated or no graph.
    """
    graph = reader.read(artifact.files["graph"], artifact.format)
    inputs, outputs, roots, missing = _ends(graph)
    needed = _work("ancestors")(graph.nodes, roots) if roots else set(graph.nodes)
    nodes = {name: node for name, node in graph.nodes.items() if name in needed}
    weights = _weights(nodes)
    if any(nodes[name].op != "Const" for name in weights) and "weights" not in artifact.files:
        missing.append("the values of the variables: no checkpoint stands beside the graph")
    split, shape_of = _work("split"), _work("shape_of")
    layers = []
    for name, node in nodes.items():
        if node.op in _PLAIN or name in weights:
            continue
        own = 0
        for tensor in node.input:
            source = split(tensor)[0]
            while source in nodes and nodes[source].op in ("Identity", "ReadVariableOp") and nodes[source].input:
                source = split(nodes[source].input[0])[0]
            own += weights.get(source, 0)
        layers.append(Layer(name, node.op, _text(shape_of(node)), own))
    return Inspection(
        artifact.format, TITLES[artifact.format], inputs, outputs, tuple(layers), sum(weights.values()), tuple(missing)
    )
