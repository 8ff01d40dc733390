"""Spells onnxruntime's own operators in the standard's."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import add_initializer, graph_of, replace
from interlingua.ir.facts import known, shape_of
from interlingua.ir.origin import Constant
from interlingua.notes import Approximated
from interlingua.passes.base import Pass
from interlingua.passes.contributed_attention import ATTENTION
from interlingua.passes.contributed_channels_last import CHANNELS_LAST
from interlingua.passes.contributed_made import Made, Outputs
from interlingua.passes.contributed_products import PRODUCTS, activated_by
from interlingua.passes.contributed_quantized import QUANTIZED, ROUNDED
from interlingua.passes.infer import InferShapes

DOMAIN = "com.microsoft"


class RewriteContributed(Pass):
    """Replaces `com.microsoft.BiasGelu(X, b)` by `Gelu(Add(X, b))`, and so each such operator with an exact equivalent.

    What has none, or is used in a form that has none, stays as it is.
    """

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        changed = again = self._rewrite(model)
        while again and any(node.domain == DOMAIN for node in model.graph.all_nodes()):
            InferShapes(self.notes).call(model)  # what stood behind an operator that nobody knew has shapes now
            again = self._rewrite(model)
        return changed

    def _rewrite(self, model: ir.Model) -> bool:
        changed = False
        for node in list(model.graph.all_nodes()):
            rule = RULES.get(node.op_type)
            if rule is None or not (node.domain == DOMAIN or node.op_type in STANDING_AS_STANDARD):
                continue
            made = Made(node)
            outputs = rule(made)
            if outputs is None or not _all_there(node, outputs):
                made.forget()
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


def _all_there(node: ir.Node, outputs: Outputs) -> bool:
    """Whether a rule made every output that something reads."""
    read = [output for output in node.outputs if output.uses() or output.is_graph_output()]
    made = {old for old, new in zip(node.outputs, outputs, strict=False) if new is not None}
    return made.issuperset(read)


def _gelu(made: Made) -> Outputs | None:
    """`FastGelu(X, b)` → `Gelu(X + b, approximate="tanh")`; `BiasGelu` and `Gelu` are exact."""
    approximate = "tanh" if made.node.op_type == "FastGelu" else None
    return [made.op("Gelu", made.plus(made.input(0), made.input(1)), approximate=approximate)]


def _quick_gelu(made: Made) -> Outputs | None:
    """`QuickGelu(X, alpha)` → `X * Sigmoid(alpha * X)`."""
    scaled = made.op("Mul", made.input(0), made.number(made.attribute("alpha", 1.702)))
    return [made.op("Mul", made.input(0), made.op("Sigmoid", scaled))]


def _convolution(made: Made) -> Outputs | None:
    """`FusedConv(X, W, B, Z, activation)` → `activation(Conv(X, W, B) + Z)`."""
    names = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
    kept = {name: made.attribute(name, None) for name in names}
    result = made.op("Conv", *(made.input(index) for index in range(3)), **kept)
    result = made.plus(result, made.input(3))
    activated = activated_by(made, result, made.attribute("activation", ""), made.attribute("activation_params", ()))
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
    return [made.op("LayerNormalization", total, scale, shift, axis=-1, epsilon=epsilon), _count(made, ids), total]


def _count(made: Made, ids: ir.Value | None) -> ir.Value | None:
    """How many tokens of each sample the mask lets be seen."""
    mask, shape = made.input(7), shape_of(ids)
    if mask is None:
        return None
    axis = made.number([1], ir.DataType.INT64)
    count = made.op("ReduceSum", mask, axis, keepdims=0)
    count.shape = None if shape is None else ir.Shape(shape[:1])
    return count


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
    "Gelu": _gelu,
    "QuickGelu": _quick_gelu,
    "RotaryEmbedding": _rotary,
    "SimplifiedLayerNormalization": _simplified,
    "SkipLayerNormalization": _skip_normalization,
    "SkipSimplifiedLayerNormalization": _skip_normalization,
    **ATTENTION,
    **CHANNELS_LAST,
    **PRODUCTS,
    **QUANTIZED,
}
