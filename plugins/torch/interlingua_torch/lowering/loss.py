"""Losses, which count no class where none is said to be ignored."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.templates import fill, given


def _loss(context: Context, node: ir.Node, facts: Facts, api: str) -> ast.expr:
    labels = given(node, 1)
    target = context.as_tensor(labels)
    if labels.dtype != ir.DataType.INT64:
        target = fill(context, "X.long()", X=target)
    keywords: dict[str, object] = {}
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        keywords["weight"] = context.as_tensor(node.inputs[2])
    if facts.get("ignore_index") is not None:
        keywords["ignore_index"] = facts["ignore_index"]
    if facts["reduction"] != "mean":
        keywords["reduction"] = facts["reduction"]
    call = expressions.call(context.api(api), [context.ref(given(node, 0)), target], keywords)
    context.note_mapping(node, api, call)
    return call


@lowers("NegativeLogLikelihoodLoss")
def likelihood(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`F.nll_loss(x, target)`."""
    return _loss(context, node, facts, "torch.nn.functional.nll_loss")


@lowers("SoftmaxCrossEntropyLoss")
def cross_entropy(context: Context, node: ir.Node, facts: Facts) -> list[ast.expr]:
    """`F.cross_entropy(x, target)`, and `F.log_softmax(x, dim=1)` where that is read too."""
    loss = _loss(context, node, facts, "torch.nn.functional.cross_entropy")
    if len(node.outputs) < 2:
        return [loss]
    return [loss, fill(context, "F.log_softmax(X, dim=1)", X=context.ref(given(node, 0)))]
