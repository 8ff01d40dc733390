"""What one call says and no operator of ONNX: modules of attention, rolled axes, gated halves, equations."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.codegen.weights import Weight
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.blocks import UNSHUFFLE
from interlingua_torch.lowering.common import by_api, by_helper
from interlingua_torch.lowering.indexing import EMBEDDING
from interlingua_torch.lowering.terms import source


@lowers("interlingua.forms::Roll")
def roll(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.roll(x, shifts=(-3, -3), dims=(1, 2))`."""
    said = {"shifts": tuple(facts["shifts"]), "dims": tuple(facts["axes"])}
    plain = {name: value[0] if len(value) == 1 else value for name, value in said.items()}
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
def multihead(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`self.attention(x, x, x, need_weights=False)[0]`: the module, under the names of its weights."""
    names = facts["weights"]
    held = dict(zip(names, (value for value in node.inputs[-len(names) :] if value is not None), strict=True))
    weights = {name: _as_kept(name, value) for name, value in held.items()}
    size = weights["out_proj.weight"].shape[0]
    said = {**({} if "in_proj_bias" in weights else {"bias": False})}
    said |= {"batch_first": True} if facts["batch_first"] else {}
    layer = context.layer(node, "torch.nn.MultiheadAttention", [size, facts["num_heads"]], said, weights)
    x = source(context, node)
    call = expressions.call(layer, [x, x, x], {"need_weights": False})
    return ast.Subscript(call, ast.Constant(0), ast.Load())


def _as_kept(name: str, value: ir.Value) -> Weight:
    """The weight as the module has it: matrices with the outputs first."""
    weight = Weight(value)
    kept = "bias" in name or weight.is_named(name.rpartition(".")[2])
    return weight if kept else weight.then(("transpose", (1, 0)))
