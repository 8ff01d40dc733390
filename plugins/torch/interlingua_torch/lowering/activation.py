"""Activations with parameters that PyTorch's own do not have."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.errors import Unsupported
from interlingua.ir import metadata
from interlingua.ir.facts import constant_value, inputs_of, is_constant
from interlingua.ir.parameters import is_of_state, is_trained
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.common import by_cards
from interlingua_torch.lowering.templates import WIDER, converted, fill, given, narrowed, said, widened


@lowers("Swish")
def swish(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`F.silu(x)`, or `x * torch.sigmoid(alpha * x)`."""
    if facts["alpha"] == 1:
        return by_cards(context, node, facts)
    x = context.ref(given(node, 0))
    return said(context, node, "torch.sigmoid", "X * torch.sigmoid(ALPHA * X)", X=x, ALPHA=facts["alpha"])


@lowers("HardSigmoid")
def hard_sigmoid(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`F.hardsigmoid(x)`, or `torch.clamp(alpha * x + beta, 0, 1)`."""
    return _by_cards_or(context, node, facts, "torch.clamp", "torch.clamp(ALPHA * X + BETA, 0, 1)", "alpha", "beta")


@lowers("Selu")
def selu(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`F.selu(x)`, or `gamma * F.elu(x, alpha)`."""
    text = "GAMMA * F.elu(X, alpha=ALPHA)"
    return _by_cards_or(context, node, facts, "torch.nn.functional.elu", text, "alpha", "gamma")


def _by_cards_or(context: Context, node: ir.Node, facts: Facts, api: str, text: str, *names: str) -> ast.expr:
    """What a card says, else the template, in which the attributes stand in capitals."""
    try:
        return by_cards(context, node, facts)
    except Unsupported:
        values = {name.upper(): facts[name] for name in names}
        return said(context, node, api, text, X=context.as_tensor(given(node, 0)), **values)


@lowers("Shrink")
def shrink(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`F.hardshrink(x)` or `F.softshrink(x)`, else one `torch.where` in another."""
    dtype = given(node, 0).dtype
    if dtype is not None and dtype.is_floating_point():
        try:
            return by_cards(context, node, facts)
        except Unsupported:
            pass
    x = context.ref(given(node, 0))
    text = "torch.where(X > EDGE, X - BIAS, torch.where(X < -EDGE, X + BIAS, 0))"
    bias, edge = facts["bias"], facts["lambd"]
    whole = dtype is not None and dtype.is_integer()
    if whole and float(bias).is_integer():
        return said(context, node, "torch.where", text, X=x, BIAS=int(bias), EDGE=edge)
    shrunk = said(context, node, "torch.where", text, X=x, BIAS=bias, EDGE=edge)
    return converted(context, shrunk, dtype) if whole and dtype is not None else shrunk


@lowers("Hardmax")
def hardmax(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """A 1 put where the maximum stands: `torch.zeros_like(x).scatter(-1, x.argmax(-1, keepdim=True), 1)`."""
    x = context.ref(given(node, 0))
    text = "torch.zeros_like(X).scatter(AXIS, X.argmax(AXIS, keepdim=True), 1)"
    return said(context, node, "torch.Tensor.scatter", text, X=x, AXIS=facts["axis"])


@lowers("PRelu")
def prelu(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`nn.PReLU` where it owns and trains such slopes, else `torch.where(x < 0, slope * x, x)`."""
    value, slope = given(node, 0), given(node, 1)
    if (
        is_constant(slope)
        and is_trained(slope)
        and facts.get("slopes") is not None
        and (value.dtype is None or value.dtype.is_floating_point())
    ):
        return by_cards(context, node, facts)
    if value.dtype in WIDER:
        return context.as_tensor(value)
    x = context.ref(value)
    return said(context, node, "torch.where", "torch.where(X < 0, S * X, X)", X=x, S=context.as_tensor(slope))


@lowers("Clip")
def clip(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.clamp(x, min=…, max=…)`; bounds that are computed, or that the state holds, are tensors, and then both."""
    value = given(node, 0)
    named = inputs_of(node)
    bounds: dict[str, ir.Value] = {name: named[name][0] for name in ("min", "max") if name in named}
    if value.dtype in WIDER:
        x = widened(context, value, order=True)
        told = {name: widened(context, bound, order=True) for name, bound in bounds.items()}
        call = fill(context, "torch.clamp(X)", X=x)
        assert isinstance(call, ast.Call)
        call.keywords = [ast.keyword(name, each) for name, each in told.items()]
        context.note_mapping(node, "torch.clamp", call)
        return narrowed(context, call, value.dtype, order=True)
    if not bounds:
        return context.as_tensor(value)
    held = any(_is_held(bound, context.model.graph) for bound in bounds.values())
    if not (facts.computed or held or any(isinstance(constant_value(bound), list) for bound in bounds.values())):
        return by_cards(context, node, facts)
    told = {name: context.as_tensor(bound) for name, bound in bounds.items()}
    call = expressions.call(context.api("torch.clamp"), [context.as_tensor(value)], told)
    context.note_mapping(node, "torch.clamp", call)
    return call


def _is_held(value: ir.Value, graph: ir.Graph) -> bool:
    """Whether a number stands in the source's state dict, where another may be loaded or training move it."""
    return is_constant(value) and (metadata.is_state(value) or is_of_state(metadata.origin(value), graph))
