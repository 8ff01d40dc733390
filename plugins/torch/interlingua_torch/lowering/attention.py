"""Attention: `F.scaled_dot_product_attention` where it says the same, else a helper."""

from __future__ import annotations

import ast
from typing import Any

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.codegen.parts import is_read, unpack
from interlingua.errors import Unsupported
from interlingua.ir.facts import inputs_of, shape_of
from interlingua.passes.raising import masks
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.common import by_api, by_helper, said, tensors

FUSED = "torch.nn.functional.scaled_dot_product_attention"
_PRODUCTS = ("raw", "capped", "biased", "softmax")


def _heads(facts: Facts) -> tuple[int | None, int | None]:
    """How many heads queries have, and how many keys; None where that is not known."""
    axes = facts.shapes.get("Q"), facts.shapes.get("K")
    found: list[int | None] = []
    for shape, said_heads in zip(axes, (facts["q_num_heads"], facts["kv_num_heads"]), strict=True):
        size = shape[1] if shape is not None and len(shape) == 4 else said_heads
        found.append(size if isinstance(size, int) else None)
    return found[0], found[1]


def _is_plain(node: ir.Node, facts: Facts) -> bool:
    """Whether nothing is asked for but what the fused call computes, and a bound of the scores."""
    given = inputs_of(node)
    special = facts["left_window_size"] != -1 or facts["right_window_size"] != -1
    extra = any(name in given for name in ("past_key", "past_value", "nonpad_kv_seqlen"))
    if special or extra or any(is_read(output) for output in node.outputs[1:]):
        return False
    mask = given.get("attn_mask")
    if mask is None:
        return True
    shape, keys = shape_of(mask[0]), facts.shapes.get("K")
    axis = None if keys is None else keys[2 if len(keys) == 4 else 1]
    whole = shape is not None and len(shape) >= 2 and shape[-1] == axis
    return whole and not facts["is_causal"]


def _sees(node: ir.Node, facts: Facts) -> bool:
    """Whether each query sees a key, and the mask is of numbers that say so: a softmax of the scores is no NaN."""
    if facts["softmax_precision"] is not None or facts["is_causal"]:
        return False
    mask = inputs_of(node).get("attn_mask")
    if mask is None:
        return True
    return mask[0].dtype != ir.DataType.BOOL and (masks.is_finite(mask[0]) or masks.masks_no_row(mask[0]))


def _split(value: ast.expr, heads: int) -> ast.expr:
    parted = expressions.method(value, "unflatten", [-1, (heads, -1)])
    return expressions.method(parted, "transpose", [1, 2])


@lowers("Attention")
def attention(context: Context, node: ir.Node, facts: Facts) -> ast.expr | None:
    """The fused call, with the heads split off and joined again where they are no axis; a helper for all else."""
    shape = facts.shapes.get("Q")
    if shape is None:
        raise Unsupported("attention over inputs with an unknown number of axes")
    merged = len(shape) == 3
    queries, keys = _heads(facts)
    if merged and (queries is None or keys is None):
        raise Unsupported("an unknown number of heads")
    q, k, v, mask, past_key, past_value, lengths = tensors(
        context, node, "Q", "K", "V", "attn_mask", "past_key", "past_value", "nonpad_kv_seqlen"
    )
    assert q is not None and k is not None and v is not None
    if not _is_plain(node, facts) or (facts["softcap"] and not _sees(node, facts)):
        keywords = said(
            mask=(mask, None),
            past_key=(past_key, None),
            past_value=(past_value, None),
            lengths=(lengths, None),
            heads=((queries, keys) if merged else None, None),
            scale=(facts["scale"], None),
            is_causal=(bool(facts["is_causal"]), False),
            softcap=(facts["softcap"], 0.0),
            window=((facts["left_window_size"], facts["right_window_size"]), (-1, -1)),
            softmax_dtype=(_precision(context, facts), None),
            products=(_PRODUCTS[facts["qk_matmul_output_mode"]], "raw"),
        )
        call = by_helper(context, node, "attention", [q, k, v], keywords)
        unpack(context, node, call, "x", "key", "value", "products")
        return None
    if merged:
        assert queries is not None and keys is not None
        q, k, v = _split(q, queries), _split(k, keys), _split(v, keys)
    if facts["softcap"]:
        bounded = said(mask=(mask, None), scale=(facts["scale"], None))
        call = by_helper(context, node, "capped_attention", [q, k, v, facts["softcap"]], bounded)
        return _joined(call) if merged else call
    grouped = queries != keys if None not in (queries, keys) else False
    keywords = said(
        attn_mask=(mask, None),
        is_causal=(bool(facts["is_causal"]), False),
        scale=(facts["scale"], None),
        enable_gqa=(grouped, False),
    )
    call = by_api(context, node, FUSED, [q, k, v], keywords)
    return _joined(call) if merged else call


def _joined(call: ast.expr) -> ast.expr:
    return expressions.method(expressions.method(call, "transpose", [1, 2]), "flatten", [2])


def _precision(context: Context, facts: Facts) -> Any:
    number = facts["softmax_precision"]
    return None if number is None else context.dtype(ir.DataType(number))


@lowers("RotaryEmbedding")
def rotary(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """A helper: torch has no call for it."""
    shape = facts.shapes.get("X")
    heads = facts["num_heads"]
    if shape is None or (len(shape) == 3 and not heads):
        raise Unsupported("an unknown number of heads")
    x, cos, sin, positions = tensors(context, node, "X", "cos_cache", "sin_cache", "position_ids")
    keywords = said(
        position_ids=(positions, None),
        num_heads=(heads if len(shape) == 3 else None, None),
        rotary_dim=(facts["rotary_embedding_dim"], 0),
        interleaved=(bool(facts["interleaved"]), False),
    )
    return by_helper(context, node, "rotary_embedding", [x, cos, sin], keywords)
