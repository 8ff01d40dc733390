"""The body of attention: products, a softmax, and the heads split off and merged where they are no axis."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from interlingua.codegen.body import Body
from interlingua.ir.facts import Shape, shape_of

_PARTS = ("softcap", "softmax_precision", "qk_matmul_output_mode")


def attention(body: Body) -> ir.Value | None:
    """`Attention(Q, K, V, mask)` is `MatMul(Softmax(scale · MatMul(Q, Transpose(K)) + mask), V)`, by heads.

    So where the mask is added. Heads that are no axis are split off, those of fewer keys than queries repeated.
    """
    node, mask = body.node, body.optional(3)
    windows = any(body.whole(name, -1) != -1 for name in ("left_window_size", "right_window_size"))
    if any(node.attributes.get(name) for name in _PARTS) or windows or len(node.outputs) > 1 or len(node.inputs) > 4:
        return None
    if mask is not None and mask.dtype == ir.DataType.BOOL:
        return None
    operands = _by_heads(body)
    if operands is None:
        return None
    query, key, value = operands
    asked, kept, given = (shape_of(each) or () for each in operands)
    scores = (asked[0], asked[1], asked[2], kept[2])
    turned = body("Transpose", key, perm=[0, 1, 3, 2], shape=(kept[0], kept[1], kept[3], kept[2]))
    size = asked[3]
    assert isinstance(size, int)
    scale = body.decimal("scale", 1 / float(np.sqrt(size)))
    result = body("MatMul", query, turned, shape=scores)
    result = body("Mul", result, scale, shape=scores) if scale != 1 else result
    if body.whole("is_causal", 0):
        causal = _causal(body, asked[2], kept[2])
        if causal is None:
            return None
        result = body("Add", result, causal, shape=scores)
    if mask is not None:
        result = body("Add", result, mask, shape=scores)
    weights = body("Softmax", result, axis=-1, shape=scores)
    if len(shape_of(body.source) or ()) == 4:
        return body("MatMul", weights, value)
    result = body("MatMul", weights, value, shape=(*asked[:3], given[3]))
    apart = body("Transpose", result, perm=[0, 2, 1, 3], shape=(asked[0], asked[2], asked[1], given[3]))
    return body("Reshape", apart, body.constant(np.asarray([0, 0, -1], np.int64)))


def _by_heads(body: Body) -> list[ir.Value] | None:
    """Queries, keys and values as (batch, heads, length, size), all of as many heads; None where sizes are unknown."""
    shapes = [shape_of(body.input(index)) for index in range(3)]
    found: list[ir.Value] = []
    for index, shape in enumerate(shapes):
        value = body.input(index)
        if shape is None or len(shape) not in (3, 4):
            return None
        if len(shape) == 3:
            heads = body.whole("q_num_heads" if index == 0 else "kv_num_heads", 0)
            if not heads or not isinstance(shape[2], int):
                return None
            sizes: Shape = (shape[0], shape[1], heads, shape[2] // heads)
            wanted = body.constant(np.asarray([0, 0, heads, shape[2] // heads], np.int64))
            apart = body("Reshape", value, wanted, shape=sizes)
            value = body("Transpose", apart, perm=[0, 2, 1, 3], shape=[sizes[axis] for axis in (0, 2, 1, 3)])
        found.append(value)
    asked, kept, given = (shape_of(each) or () for each in found)
    if not isinstance(asked[1], int) or not isinstance(asked[3], int) or kept[1] != given[1]:
        return None
    if asked[1] == kept[1]:
        return found
    if not isinstance(kept[1], int) or asked[1] % kept[1] or not isinstance(given[3], int):
        return None
    return [found[0], *(_repeated(body, each, asked[1] // kept[1]) for each in found[1:])]


def _repeated(body: Body, value: ir.Value, times: int) -> ir.Value:
    """Each head as often as queries share it, one beside the other."""
    batch, heads, length, size = shape_of(value) or ()
    assert isinstance(heads, int) and isinstance(size, int)
    apart = body("Unsqueeze", value, body.constant(np.asarray([2], np.int64)), shape=(batch, heads, 1, length, size))
    more = body("Concat", *[apart] * times, axis=2, shape=(batch, heads, times, length, size))
    wanted = body.constant(np.asarray([0, heads * times, -1, size], np.int64))
    return body("Reshape", more, wanted, shape=(batch, heads * times, length, size))


def _causal(body: Body, asked: int | str | None, kept: int | str | None) -> ir.Value | None:
    if not isinstance(asked, int) or not isinstance(kept, int):
        return None
    dtype = (body.node.outputs[0].dtype or ir.DataType.FLOAT).numpy()
    allowed = np.tril(np.ones((asked, kept), bool))
    return body.constant(np.where(allowed, np.asarray(0, dtype), np.asarray(-np.inf, dtype)))
