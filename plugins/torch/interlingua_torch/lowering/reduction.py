"""Reductions over no axes."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen.lowering import Context
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.common import by_cards


@lowers("ReduceMean")
def mean(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """The input itself where there are no axes and the op says that this means none, not all."""
    if facts["noop_with_empty_axes"] and not facts.get("axes"):
        assert node.inputs[0] is not None
        return context.ref(node.inputs[0])
    values = {name: value for name, value in facts.values.items() if name != "noop_with_empty_axes"}
    return by_cards(context, node, Facts(facts.record, values, facts.rank, facts.shapes, facts.constants))
