"""What one call of torch says and no operator of ONNX: rolled axes, gated halves."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen.lowering import Context
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.common import by_api
from interlingua_torch.lowering.terms import source


@lowers("interlingua.forms::Roll")
def roll(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.roll(x, shifts=(-3, -3), dims=(1, 2))`."""
    said = {"shifts": tuple(facts["shifts"]), "dims": tuple(facts["axes"])}
    plain = {name: value[0] if len(value) == 1 else value for name, value in said.items()}
    return by_api(context, node, "torch.roll", [source(context, node)], plain)


@lowers("interlingua.forms::Glu")
def gated(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`F.glu(x, dim=1)`; the last axis is the default."""
    axis, shape = facts["axis"], node.outputs[0].shape
    last = shape is not None and axis == len(shape) - 1
    named = {} if last else {"dim": axis}
    return by_api(context, node, "torch.nn.functional.glu", [source(context, node)], named)
