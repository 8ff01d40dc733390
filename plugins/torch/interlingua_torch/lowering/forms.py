"""What one call says and no operator of ONNX: modules of attention, rolled axes, gated halves, equations."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.codegen.parts import unpack
from interlingua.codegen.program import UNREAD
from interlingua.codegen.weights import Weight
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.attention import FUSED
from interlingua_torch.lowering.blocks import UNSHUFFLE
from interlingua_torch.lowering.common import by_api, by_helper, said
from interlingua_torch.lowering.indexing import EMBEDDING
from interlingua_torch.lowering.terms import source


@lowers("interlingua.forms::Roll")
def roll(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.roll(x, shifts=(-3, -3), dims=(1, 2))`."""
    given = {"shifts": tuple(facts["shifts"]), "dims": tuple(facts["axes"])}
    plain = {name: value[0] if len(value) == 1 else value for name, value in given.items()}
    return by_api(context, node, "torch.roll", [source(context, node)], plain)


@lowers("interlingua.forms::Rotary")
def rotation(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """A helper: torch has no call for it."""
    name = "rotate_neighbours" if facts["interleaved"] else "rotate_halves"
    return by_helper(context, node, name, [source(context, node, position) for position in range(3)])


@lowers("interlingua.forms::Glu")
def gated(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`F.glu(x, dim=1)`; the last axis is the default."""
    axis, shape = facts["axis"], node.outputs[0].shape
    last = shape is not None and axis == len(shape) - 1
    named = {} if last else {"dim": axis}
    return by_api(context, node, "torch.nn.functional.glu", [source(context, node)], named)


@lowers("interlingua.forms::PixelUnshuffle")
def unshuffled(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`F.pixel_unshuffle(x, 2)`."""
    return by_api(context, node, UNSHUFFLE, [source(context, node), facts["blocksize"]])


@lowers("interlingua.forms::Stack")
def stacked(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.stack([x, y], dim=1)`."""
    parts = ast.List([source(context, node, position) for position in range(len(node.inputs))], ast.Load())
    return by_api(context, node, "torch.stack", [parts], {"dim": facts["axis"]} if facts["axis"] else {})


@lowers("interlingua.forms::IndexPut")
def put(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`x.index_put((places,), y)`, with `accumulate=True` for sums."""
    data, places, updates = (source(context, node, position) for position in range(3))
    context.note_mapping(node, "torch.index_put")
    named = {"accumulate": True} if facts["accumulate"] else {}
    return expressions.method(data, "index_put", [ast.Tuple([places], ast.Load()), updates], named)


@lowers("interlingua.forms::OneHead")
def one_head(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`F.scaled_dot_product_attention(q, k, v)` without an axis of heads."""
    values = [source(context, node, position) for position in range(len(node.inputs))]
    keywords = said(
        attn_mask=(values[3] if len(values) > 3 else None, None),
        is_causal=(bool(facts["is_causal"]), False),
        scale=(facts.get("scale"), None),
    )
    return by_api(context, node, FUSED, values[:3], keywords)


@lowers("interlingua.forms::Einsum")
def equation(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.einsum("bij,bkj->bik", x, y)`."""
    return by_api(context, node, "torch.einsum", [facts["equation"], source(context, node), source(context, node, 1)])


@lowers("interlingua.forms::Embedding")
def padded(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`nn.Embedding(100, 16, padding_idx=0)`, which does not train the row of the padding."""
    table = node.inputs[1]
    assert table is not None
    weight = Weight(table)
    said = {"padding_idx": facts["padding_idx"]}
    layer = context.layer(node, EMBEDDING, list(weight.shape), said, {"weight": weight})
    return expressions.call(layer, [source(context, node)])


@lowers("interlingua.forms::MultiheadAttention")
def multihead(context: Context, node: ir.Node, facts: Facts) -> ast.expr | None:
    """`self.attention(x, x, x, need_weights=False)[0]`: the module, under the names of its weights.

    With masks it is `x, _ = self.attention(x, x, x, key_padding_mask=mask, need_weights=False)`.
    """
    names = facts["weights"]
    held = dict(zip(names, (value for value in node.inputs[-len(names) :] if value is not None), strict=True))
    weights = {name: Weight(value) for name, value in held.items()}
    size = weights["out_proj.weight"].shape[0]
    said: dict[str, object] = {} if "in_proj_bias" in weights else {"bias": False}
    if "in_proj_weight" not in weights:
        said |= {"kdim": weights["k_proj_weight"].shape[1], "vdim": weights["v_proj_weight"].shape[1]}
    said |= {"batch_first": True} if facts["batch_first"] else {}
    layer = context.layer(node, "torch.nn.MultiheadAttention", [size, facts["num_heads"]], said, weights)
    sources = [source(context, node, position) for position in range(3)]
    masks: dict[str, object] = {
        name: source(context, node, position) for position, name in enumerate(facts.values.get("masks", ()), 3)
    }
    if facts.values.get("is_causal"):
        mask = context.statement("mask", _causal(context, node, facts))
        masks |= {"attn_mask": mask, "is_causal": True}
    call = expressions.call(layer, sources, {**masks, "need_weights": False})
    if masks:
        unpack(context, node, call, "x", UNREAD)
        return None
    return ast.Subscript(call, ast.Constant(0), ast.Load())


def _causal(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """The mask of later positions: numbers, or conditions beside a mask of conditions, as the module wants."""
    query, beside = node.inputs[0], node.inputs[3] if facts.values.get("masks") else None
    assert query is not None and query.dtype is not None
    length = context.size(query, 1 if facts["batch_first"] else 0)
    keywords: dict[str, object] = {"device": ast.Attribute(context.as_tensor(query), "device", ast.Load())}
    if beside is not None and beside.dtype == ir.DataType.BOOL:
        every = expressions.call(
            context.api("torch.ones"), [length, length], {"dtype": context.dtype(ir.DataType.BOOL)} | keywords
        )
        return expressions.method(every, "triu", [1])
    if query.dtype != ir.DataType.FLOAT:
        keywords["dtype"] = context.dtype(query.dtype)
    return by_api(context, node, "torch.nn.Transformer.generate_square_subsequent_mask", [length], keywords)
