"""Arithmetic, and the activations that a layer takes along."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua import cards
from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context, arranged
from interlingua.codegen.weights import Weight
from interlingua.errors import Unsupported
from interlingua.ir.facts import is_constant, shape_of
from interlingua.ir.parameters import is_trained
from interlingua_fluid.lowering import lowers
from interlingua_fluid.naming import parameters_of

_SIGNS = {"Add": "+", "Sub": "-", "Mul": "*", "Div": "/", "Pow": "**"}


@lowers(*_SIGNS)
def binary(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """A function of two tensors; with a number it is the operator that Python has for it."""
    biased = _bias(context, node) if node.op_type == "Add" else None
    if biased is not None:
        return biased
    left, right = (context.ref(value) for value in node.inputs if value is not None)
    if node.op_type == "Pow":
        left = _as_many_axes(context, node, left)
    card, keywords = cards.choose("fluid", facts)
    if _is_number(left) or _is_number(right):
        if _is_number(left) and _is_number(right):
            raise Unsupported("it computes a number from numbers")
        context.note_mapping(node, card.api)
        return expressions.operator(_SIGNS[node.op_type], left, right)
    context.note_mapping(node, card.api)
    return expressions.call(context.api(card.api), [left, right], keywords)


def _as_many_axes(context: Context, node: ir.Node, base: ast.expr) -> ast.expr:
    """The base with as many axes as the exponent: Fluid 1.8.5 takes one with fewer for the exponent."""
    ranks = [len(shape_of(value) or ()) for value in node.inputs]
    if ranks[0] >= ranks[1] or _is_number(base):
        return base
    value = node.inputs[0]
    assert value is not None
    if is_constant(value):
        shape = Weight(value).shape
        return context.tensor(Weight(value, (("reshape", (*[1] * (ranks[1] - ranks[0]), *shape)),)))
    card, keywords = cards.choose("fluid", Facts("Unsqueeze", {"axes": list(range(ranks[1] - ranks[0]))}))
    positional, named = arranged(card, keywords)
    return expressions.call(context.api(card.api), [base, *positional], named)


def _bias(context: Context, node: ir.Node) -> ast.expr | None:
    """The dense layer that was just computed without a bias and that nothing else reads, with this one; or None."""
    last = context.program.statements[-1] if context.program.statements else None
    product, vector = node.inputs
    assert product is not None and vector is not None
    if is_constant(product):
        product, vector = vector, product
    if last is None or is_constant(product) or not is_constant(vector) or not is_trained(vector):
        return None
    maker, alone = product.producer(), len(list(product.uses())) == 1 and not product.is_graph_output()
    if maker is None or maker.op_type != "MatMul" or not alone or last.targets != (ast.unparse(context.ref(product)),):
        return None
    size = (shape_of(maker.inputs[1]) or (None,))[-1]
    if shape_of(vector) != (size,) or not isinstance(last.value, ast.Call):
        return None
    switch = next((k for k in last.value.keywords if k.arg == "bias_attr"), None)
    if switch is None:
        return None
    switch.value = ast.Constant(parameters_of(context).name(Weight(vector)))
    context.program.statements.remove(last)
    return last.value


def _is_number(operand: ast.expr) -> bool:
    inner = operand.operand if isinstance(operand, ast.UnaryOp) else operand
    return isinstance(inner, ast.Constant)


@lowers("Relu", "Sigmoid", "Tanh")
def activation(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """The `act` of the layer that was just computed and that nothing else reads; else a function."""
    card, keywords = cards.choose("fluid", facts)
    value = node.inputs[0]
    assert value is not None
    name = card.api.rpartition(".")[2]
    context.note_mapping(node, card.api)
    last = context.program.statements[-1] if context.program.statements else None
    reference = context.ref(value)
    alone = len(list(value.uses())) == 1 and not value.is_graph_output()
    just = last is not None and alone and last.targets == (ast.unparse(reference),)
    if last is not None and just and _takes_activation(context, last.value) and isinstance(last.value, ast.Call):
        context.program.statements.remove(last)
        last.value.keywords.append(ast.keyword("act", ast.Constant(name)))
        return last.value
    return expressions.call(context.api(card.api), [context.operand(value)], keywords)


def _takes_activation(context: Context, expression: ast.expr) -> bool:
    """Whether the expression calls a layer that has `act` and has not been given one."""
    if not isinstance(expression, ast.Call) or any(keyword.arg == "act" for keyword in expression.keywords):
        return False
    written = ast.unparse(expression.func)
    for row in context.dialect.abbreviations:
        full = row.prefix + written[len(row.short) :] if written.startswith(f"{row.short}.") else ""
        if any("act" in card.ignored for card in cards.by_api("fluid").get(full, ())):
            return True
    return False
