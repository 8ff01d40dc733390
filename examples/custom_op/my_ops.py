"""Operators of com.example for Interlingua: Snake by a card of its own code, SquaredRelu by a function body.

interlingua check model.onnx --to torch --with my_ops.py
interlingua convert model.onnx --to torch --out out --with my_ops.py
"""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen.context import Context
from interlingua.codegen.expressions import call, operator
from interlingua.extensions import lowers
from interlingua.records import Input, attribute, record_of

RECORDS = (
    record_of(
        "com.example::Snake", "x + sin²(alpha · x) / alpha", [Input("X")], [attribute("alpha", 1.0, "frequency")]
    ),
)

FUNCTIONS = (
    """
    <domain: "com.example", opset_import: ["": 20]>
    Snake <alpha: float = 1.0> (x) => (y) {
        a = Constant <value_float: float = @alpha> ()
        frequency = CastLike (a, x)
        angle = Mul (frequency, x)
        wave = Sin (angle)
        squared = Mul (wave, wave)
        scaled = Div (squared, frequency)
        y = Add (x, scaled)
    }
    """,
    """
    <domain: "com.example", opset_import: ["": 20]>
    SquaredRelu (x) => (y) {
        positive = Relu (x)
        y = Mul (positive, positive)
    }
    """,
)
"""What the operators compute: other targets are written by it, and onnxruntime proves by it."""


@lowers("torch", "com.example::Snake")
def snake(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`x + torch.sin(alpha * x) ** 2 / alpha`, as a person writes it in PyTorch."""
    (source,) = node.inputs
    assert source is not None
    alpha = ast.Constant(facts["alpha"])
    x = context.ref(source)
    wave = call(context.api("torch.sin"), [operator("*", alpha, x)])
    context.note_mapping(node, "torch.sin")
    return operator("+", x, operator("/", operator("**", wave, ast.Constant(2)), alpha))
