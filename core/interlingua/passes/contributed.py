"""Spells onnxruntime's own operators in the standard's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import add_initializer, graph_of, replace
from interlingua.ir.facts import known, shape_of
from interlingua.ir.origin import Constant
from interlingua.notes import Approximated
from interlingua.passes.base import Pass
from interlingua.passes.contributed_made import Made, Outputs
from interlingua.passes.contributed_quantized import QUANTIZED, ROUNDED

DOMAIN = "com.microsoft"


class RewriteContributed(Pass):
    """Replaces `com.microsoft.BiasGelu(X, b)` by `Gelu(Add(X, b))`, and so each such operator with an exact equivalent.

    What has none, or is used in a form that has none, stays as it is.
    """

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        changed = False
        for node in list(model.graph.all_nodes()):
            rule = RULES.get(node.op_type)
            if rule is None or not (node.domain == DOMAIN or node.op_type in STANDING_AS_STANDARD):
                continue
            made = Made(node)
            outputs = rule(made)
            if outputs is None or any(_is_read(old) for old in node.outputs[len(outputs) :]):
                continue
            if any(new is None and _is_read(old) for old, new in zip(node.outputs, outputs, strict=False)):
                continue
            for name, number, value in made.numbers:
                value.replace_all_uses_with(add_initializer(graph_of(node), name, number, Constant(name)))
            if node.op_type in ROUNDED:
                text = f"{node.op_type} in floats: where a number lies between two whole ones, it may be the other"
                self.notes.add(Approximated(str(metadata.place(node)), text))
            replace(node, made.nodes, outputs)
            changed = True
        return changed


STANDING_AS_STANDARD = frozenset({"SimplifiedLayerNormalization"})
"""Operators of onnxruntime that its exporter writes without a domain."""


def _is_read(value: ir.Value) -> bool:
    return bool(value.uses()) or value.is_graph_output()


def _gelu(made: Made) -> Outputs | None:
    """`FastGelu(X, b)` → `Gelu(X + b, approximate="tanh")`; `BiasGelu` and `Gelu` are exact."""
    approximate = "tanh" if made.node.op_type == "FastGelu" else None
    return [made.op("Gelu", made.plus(made.input(0), made.input(1)), approximate=approximate)]


def _quick_gelu(made: Made) -> Outputs | None:
    """`QuickGelu(X, alpha)` → `X * Sigmoid(alpha * X)`."""
    scaled = made.op("Mul", made.input(0), made.number(made.attribute("alpha", 1.702)))
    return [made.op("Mul", made.input(0), made.op("Sigmoid", scaled))]


def _turned(made: Made, value: ir.Value | None, turn: bool) -> ir.Value | None:
    shape = shape_of(value)
    if not turn or value is None:
        return value
    if shape is None or len(shape) < 2:
        return None
    axes = list(range(len(shape)))
    return made.op("Transpose", value, perm=[*axes[:-2], axes[-1], axes[-2]])


def _product(made: Made) -> Outputs | None:
    """`FusedMatMul(A, B, alpha, transA, transB)` → `alpha * (A' @ B')`."""
    if made.attribute("transBatchA", 0) or made.attribute("transBatchB", 0):
        return None
    left = _turned(made, made.input(0), bool(made.attribute("transA", 0)))
    right = _turned(made, made.input(1), bool(made.attribute("transB", 0)))
    if left is None or right is None:
        return None
    result = made.op("MatMul", left, right)
    alpha = made.attribute("alpha", 1.0)
    return [result if alpha == 1 else made.op("Mul", result, made.number(alpha))]


def _activated(made: Made, value: ir.Value, name: str, parameters: Sequence[float]) -> ir.Value | None:
    if name in ("Relu", "Sigmoid", "Tanh"):
        return made.op(name, value)
    if name == "LeakyRelu" and len(parameters) == 1:
        return made.op(name, value, alpha=float(parameters[0]))
    if name == "HardSigmoid" and len(parameters) == 2:
        return made.op(name, value, alpha=float(parameters[0]), beta=float(parameters[1]))
    if name == "Clip" and len(parameters) == 2:
        return made.op(name, value, made.number(parameters[0]), made.number(parameters[1]))
    return value if not name else None


def _convolution(made: Made) -> Outputs | None:
    """`FusedConv(X, W, B, Z, activation)` → `activation(Conv(X, W, B) + Z)`."""
    names = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
    kept = {name: made.attribute(name, None) for name in names}
    result = made.op("Conv", *(made.input(index) for index in range(3)), **kept)
    result = made.plus(result, made.input(3))
    activated = _activated(made, result, made.attribute("activation", ""), made.attribute("activation_params", ()))
    return None if activated is None else [activated]


def _skip_normalization(made: Made) -> Outputs | None:
    """`SkipLayerNormalization(X, skip, gamma, beta, b)` → `LayerNormalization(X + skip + b, gamma, beta)`."""
    simplified = made.node.op_type == "SkipSimplifiedLayerNormalization"
    scale = made.input(2)
    total = made.plus(made.input(0), made.input(1), made.input(3 if simplified else 4))
    epsilon = float(made.attribute("epsilon", 1e-12))
    if simplified:
        result = made.op("RMSNormalization", total, scale, axis=-1, epsilon=epsilon)
    else:
        shift = [] if made.input(3) is None else [made.input(3)]
        result = made.op("LayerNormalization", total, scale, *shift, axis=-1, epsilon=epsilon)
    return [result, None, None, total]


def _simplified(made: Made) -> Outputs | None:
    """`SimplifiedLayerNormalization(X, scale)` → `RMSNormalization(X, scale)`."""
    axis, epsilon = int(made.attribute("axis", -1)), float(made.attribute("epsilon", 1e-5))
    return [made.op("RMSNormalization", made.input(0), made.input(1), axis=axis, epsilon=epsilon)]


def _embedding(made: Made) -> Outputs | None:
    """`EmbedLayerNormalization(ids, …)` → the `LayerNormalization` of the sum of each table's `Gather`."""
    ids, segments, words, positions, segment_table, scale, shift = (made.input(index) for index in range(7))
    if made.input(8) is not None:
        places: ir.Value = made.op("Gather", positions, made.input(8))
    else:
        length = made.op("Shape", ids, start=1, end=2)
        zero, axis = (made.number([number], ir.DataType.INT64) for number in (0, 0))
        places = made.op("Slice", positions, zero, length, axis)
    parts: list[ir.Value | None] = [made.op("Gather", words, ids), places]
    if segments is not None and segment_table is not None:
        parts.append(made.op("Gather", segment_table, segments))
    total = made.plus(*parts)
    epsilon = float(made.attribute("epsilon", 1e-12))
    return [made.op("LayerNormalization", total, scale, shift, axis=-1, epsilon=epsilon), None, total]


def _attention(made: Made) -> Outputs | None:
    """`MultiHeadAttention(Q, K, V, b, attention_bias)` of three axes each → `Attention` of the shifted inputs."""
    heads, scale = int(made.attribute("num_heads", 0)), made.attribute("scale", None)
    given = [made.input(index) for index in range(3)]
    shapes = [shape_of(value) for value in given]
    refused = [made.input(index) for index in (4, *range(6, len(made.node.inputs)))]
    if any(value is not None for value in refused) or any(shape is None or len(shape) != 3 for shape in shapes):
        return None
    lengths = {shape[1] for shape in shapes if shape is not None}
    if made.attribute("unidirectional", 0) and (len(lengths) > 1 or None in lengths):
        return None  # onnxruntime hides keys from the end on, the standard from the beginning
    bias = made.input(3)
    if bias is not None:
        widths = [shape[2] for shape in shapes if shape is not None]
        if not all(isinstance(width, int) for width in widths):
            return None
        ends = np.cumsum([0, *widths])
        for index, value in enumerate(given):
            bounds = [made.number([int(end)], ir.DataType.INT64) for end in ends[index : index + 2]]
            given[index] = made.op("Add", value, made.op("Slice", bias, *bounds))
    said = {"scale": None if not scale else float(scale)}
    causal = 1 if made.attribute("unidirectional", 0) else None
    mask = [] if made.input(5) is None else [made.input(5)]
    return [made.op("Attention", *given, *mask, q_num_heads=heads, kv_num_heads=heads, is_causal=causal, **said)]


def _rotary(made: Made) -> Outputs | None:
    """`RotaryEmbedding(X, positions, cos, sin)` → the standard's, which has the positions last."""
    x, positions, cos, sin = (made.input(index) for index in range(4))
    shape, places, table = shape_of(x), shape_of(positions), known(shape_of(cos))
    if shape is None or places is None or len(places) != 2 or made.attribute("scale", 1.0) != 1:
        return None
    heads, size = int(made.attribute("num_heads", 0)), int(made.attribute("rotary_embedding_dim", 0))
    if len(shape) == 3 and not heads:
        if table is None or not isinstance(shape[2], int) or size:
            return None
        heads = shape[2] // (2 * table[1])
    interleaved = int(made.attribute("interleaved", 0))
    said = {"num_heads": heads or None, "rotary_embedding_dim": size or None, "interleaved": interleaved or None}
    return [made.op("RotaryEmbedding", x, cos, sin, positions, **said)]


RULES: dict[str, Callable[[Made], Outputs | None]] = {
    "BiasGelu": _gelu,
    "EmbedLayerNormalization": _embedding,
    "FastGelu": _gelu,
    "FusedConv": _convolution,
    "FusedMatMul": _product,
    "Gelu": _gelu,
    "MultiHeadAttention": _attention,
    "QuickGelu": _quick_gelu,
    "RotaryEmbedding": _rotary,
    "SimplifiedLayerNormalization": _simplified,
    "SkipLayerNormalization": _skip_normalization,
    "SkipSimplifiedLayerNormalization": _skip_normalization,
    **QUANTIZED,
}
