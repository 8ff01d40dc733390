"""Dense layers: a matrix product."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen.lowering import Context
from interlingua.errors import Unsupported
from interlingua_tensorflow.lowering import lowers
from interlingua_tensorflow.lowering.common import called, chosen, own_weights


@lowers("Gemm")
def gemm(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`tf.matmul(x, kernel)`, the kernel kept with its inputs first."""
    own_weights(node, ("B",))
    if facts["has_bias"]:
        raise Unsupported("a bias that is scaled")
    return called(context, node, facts, *chosen(facts))
