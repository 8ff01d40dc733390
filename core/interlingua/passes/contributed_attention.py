"""onnxruntime's operators of attention: packed projections, masks by lengths and by tokens, keys and values kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from interlingua.ir.facts import shape_of
from interlingua.passes.contributed_made import Made, Outputs

_MASKED = -10000.0
"""What a hidden key's score is shifted by where nothing else is said."""


def _attention(made: Made) -> Outputs | None:
    """`Attention(X, W, b, mask, past, bias)` → `Attention` of the three parts of `X @ W + b`."""
    x, weight = made.input(0), made.input(1)
    if made.input(6) is not None or made.attribute("do_rotary", 0) or x is None or weight is None:
        return None
    return _packed(made, made.plus(made.op("MatMul", x, weight), made.input(2)), weight, 3, 4, 5)


def _quantized(made: Made) -> Outputs | None:
    """`QAttention(X, W, b, …)` → `Attention` of the parts of the product of whole numbers, by both scales."""
    x, weight, scale, other = made.input(0), made.input(1), made.input(3), made.input(4)
    if made.attribute("do_rotary", 0) or x is None or weight is None or scale is None or other is None:
        return None
    product = made.op("MatMulInteger", x, weight, made.input(6), made.input(7))
    product.type = ir.TensorType(ir.DataType.INT32)
    meant = made.op("Mul", made.cast(product, scale), made.op("Mul", scale, other))
    return _packed(made, made.plus(meant, made.input(2)), weight, 5, 8, 9)


def _packed(made: Made, projected: ir.Value, weight: ir.Value, mask: int, past: int, bias: int) -> Outputs | None:
    """Attention of the parts of one projection; `mask`, `past` and `bias` are the numbers of these inputs."""
    heads, shape = int(made.attribute("num_heads", 0)), shape_of(weight)
    if shape is None or not isinstance(shape[1], int):
        return None
    sizes = [int(size) for size in made.attribute("qkv_hidden_sizes", ())] or [shape[1] // 3] * 3
    query, key, value = made.parts(projected, sizes, axis=-1)
    memory: list[ir.Value] = []
    kept = made.input(past)
    if kept is not None:
        places = [made.number(place, ir.DataType.INT64) for place in (0, 1)]
        memory = [made.op("Gather", kept, place, axis=0) for place in places]
    made_outputs = _attend(made, (query, key, value), heads, made.input(mask), memory, made.input(bias))
    if made_outputs is None:
        return None
    output, *present = made_outputs
    if not present:
        return [output]
    axis = made.number([0], ir.DataType.INT64)
    return [output, made.op("Concat", *(made.op("Unsqueeze", each, axis) for each in present), axis=0)]


def _multi_head(made: Made) -> Outputs | None:
    """`MultiHeadAttention(Q, K, V, b, mask, bias, …)` of three axes each → `Attention` of the shifted inputs."""
    heads = int(made.attribute("num_heads", 0))
    given = [each for each in (made.input(index) for index in range(3)) if each is not None]
    shapes = [shape for shape in map(shape_of, given) if shape is not None]
    if len(shapes) < 3 or any(len(shape) != 3 for shape in shapes):
        return None
    if any(made.input(index) is not None for index in range(8, len(made.node.inputs))):
        return None
    lengths = {shape[1] for shape in shapes}
    if made.attribute("unidirectional", 0) and (len(lengths) > 1 or None in lengths):
        return None  # onnxruntime hides keys from the end on, the standard from the beginning
    bias = made.input(3)
    if bias is not None:
        widths = [shape[2] for shape in shapes]
        if not all(isinstance(width, int) for width in widths):
            return None
        ends = np.cumsum([0, *widths])
        for index, value in enumerate(given):
            bounds = [made.number([int(end)], ir.DataType.INT64) for end in ends[index : index + 2]]
            given[index] = made.op("Add", value, made.op("Slice", bias, *bounds))
    memory = [each for each in (made.input(6), made.input(7)) if each is not None]
    return _attend(made, given, heads, made.input(4), memory, made.input(5))


def _attend(
    made: Made,
    given: Sequence[ir.Value],
    heads: int,
    mask: ir.Value | None,
    memory: Sequence[ir.Value],
    bias: ir.Value | None,
) -> list[ir.Value] | None:
    """The `Attention` of query, key and value, with what was kept of keys and values before them."""
    query, key, _ = given
    total = made.op("Shape", key, start=1, end=2)
    if memory:
        total = made.op("Add", total, made.op("Shape", memory[0], start=2, end=3))
    causal = bool(made.attribute("unidirectional", 0))
    terms = [] if bias is None else [bias]
    if mask is not None:
        seen = _seen(made, mask, query, total)
        if seen is None:
            return None
        terms.append(_shift(made, seen, query, float(made.attribute("mask_filter_value", _MASKED))))
    if causal and memory:
        terms.append(_shift(made, _before(made, query, total), query, None))
    scale = made.attribute("scale", None)
    said = {"scale": float(scale) if scale else None, "is_causal": 1 if causal and not memory else None}
    inputs = [*given, *([made.plus(*terms)] if terms else [None] if memory else []), *memory]
    count = 3 if made.reads(1) else 1
    return made.several("Attention", count, *inputs, q_num_heads=heads, kv_num_heads=heads, **said)


def _seen(made: Made, mask: ir.Value, query: ir.Value, total: ir.Value) -> ir.Value | None:
    """Which keys are seen, over (batch, 1, query or 1, key): by tokens, or by how many there are of each sample."""
    shape, whole = shape_of(mask), shape_of(made.input(0))
    if shape is None or whole is None or len(shape) not in (1, 2, 3):
        return None
    if len(shape) > 1:
        zero = made.number(0, mask.dtype or ir.DataType.INT32)
        seen = made.told("Greater", mask, zero)
        return made.op("Unsqueeze", seen, made.number([1, 2] if len(shape) == 2 else [1], ir.DataType.INT64))
    if shape[0] is None or shape[0] != whole[0]:
        return None  # it may hold beginnings as well
    axes = made.number([1, 2, 3], ir.DataType.INT64)
    return made.told("Less", _places(made, total), made.op("Unsqueeze", made.cast(mask, total), axes))


def _before(made: Made, query: ir.Value, total: ir.Value) -> ir.Value:
    """Which keys stand before each query, or at its place, where the queries are the last of all."""
    length = made.op("Shape", query, start=1, end=2)
    rows = made.op("Add", _places(made, length), made.op("Sub", total, length))
    rows = made.op("Unsqueeze", rows, made.number([1], ir.DataType.INT64))
    return made.told("LessOrEqual", _places(made, total), rows)


def _places(made: Made, length: ir.Value) -> ir.Value:
    zero, one = (made.number(number, ir.DataType.INT64) for number in (0, 1))
    return made.op("Range", zero, made.op("Squeeze", length), one)


def _shift(made: Made, seen: ir.Value, query: ir.Value, masked: float | None) -> ir.Value:
    kind = query.dtype or ir.DataType.FLOAT
    hidden = float(kind.min) if masked is None else masked
    result = made.op("Where", seen, made.number(0.0, kind), made.number(hidden, kind))
    result.type = ir.TensorType(kind)
    return result


ATTENTION: dict[str, Callable[[Made], Outputs | None]] = {
    "Attention": _attention,
    "MultiHeadAttention": _multi_head,
    "QAttention": _quantized,
}
"""What rules for onnxruntime's operators of attention make."""
