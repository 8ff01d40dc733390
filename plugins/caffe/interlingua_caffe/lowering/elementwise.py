"""Arithmetic with a constant operand on either side."""

from __future__ import annotations

import dataclasses

import onnx_ir as ir

from interlingua import cards
from interlingua.cards import Facts
from interlingua.codegen.lowering import weight_for
from interlingua.errors import Unsupported
from interlingua.ir.facts import facts_of, is_constant
from interlingua_caffe.cards.forms import alike
from interlingua_caffe.lowering.network import FRAMEWORK, Learned, Network, lowers, scalar

_POWER = "Power"


def _turned(node: ir.Node) -> bool:
    return is_constant(node.inputs[0]) and not is_constant(node.inputs[1])


@lowers("Add", "Mul")
def commutative(network: Network, node: ir.Node, facts: Facts) -> None:
    """Puts the constant operand of a sum or product second, where the cards have it."""
    if _turned(node):
        first, second = node.inputs
        node.replace_input_with(0, second)
        node.replace_input_with(1, first)
        facts = facts_of(node)
    shapes = [facts.shapes["A"], facts.shapes["B"]]
    if None not in shapes and not alike(shapes) and not facts.constants & {"A", "B"}:
        _broadcast(network, node, facts)
        return
    network.by_card(node, facts)


def _broadcast(network: Network, node: ir.Node, facts: Facts) -> None:
    """Says `Mul(X, G)` with a factor G [N, C, 1, 1] for each channel of each sample as a Scale of two bottoms."""
    left, right = node.inputs
    shapes = [facts.shapes["A"], facts.shapes["B"]]
    if shapes[0] is not None and shapes[1] is not None and all(size == 1 for size in shapes[0][2:]):
        left, right, shapes = right, left, shapes[::-1]
    data, gate = shapes
    fits = data is not None and gate is not None and len(data) == len(gate) and gate[1] == data[1]
    if node.op_type != "Mul" or not fits or len(data or ()) < 3 or any(size != 1 for size in (gate or ())[2:]):
        raise Unsupported(f"operands of different shapes, {shapes[0]} and {shapes[1]}: Eltwise does not broadcast")
    flat = ir.Value(name=f"{node.name}.flat")
    network.for_node(node, "Flatten", {}, inputs=[right], output=flat)
    network.for_node(node, "Scale", {"scale_param.axis": 0}, inputs=[left, flat])


@lowers("Sub")
def subtract(network: Network, node: ir.Node, facts: Facts) -> None:
    """Says `Sub(X, c)` as the shift −c, `Sub(c, X)` as the scale −1 and the shift c."""
    left, right = node.inputs
    assert left is not None and right is not None
    if _turned(node):
        said = {"power_param.scale": -1.0, "power_param.shift": scalar(left)}
        network.for_node(node, _POWER, said, inputs=[right])
    elif is_constant(right) and right.const_value is not None and right.const_value.size == 1:
        network.for_node(node, _POWER, {"power_param.shift": -scalar(right)}, inputs=[left])
    elif is_constant(right):
        _minus_each_channel(network, node, facts)
    else:
        network.by_card(node, facts)


@lowers("Div")
def divide(network: Network, node: ir.Node, facts: Facts) -> None:
    """Says `Div(X, c)` as the scale 1 / c, `Div(c, X)` as the power −1 scaled by c."""
    left, right = node.inputs
    assert left is not None and right is not None
    if _turned(node):
        factor = scalar(left)
        inverse = node.outputs[0] if factor == 1 else ir.Value(name=f"{node.name}.inverse")
        network.for_node(node, _POWER, {"power_param.power": -1.0}, inputs=[right], output=inverse)
        if factor != 1:
            network.for_node(node, _POWER, {"power_param.scale": factor}, inputs=[inverse])
    elif is_constant(right) and right.const_value is not None and right.const_value.size == 1:
        network.for_node(node, _POWER, {"power_param.scale": 1 / scalar(right)}, inputs=[left])
    else:
        raise Unsupported("no layer divides blobs")


def _minus_each_channel(network: Network, node: ir.Node, facts: Facts) -> None:
    """Says `Sub(X, B)` with a number for each channel as the sum with their negatives."""
    (left, right) = node.inputs
    assert right is not None
    card, said = cards.choose(FRAMEWORK, dataclasses.replace(facts, record="Add"))
    weights = [weight_for(card, facts, name, slot, right).then(("negative", ())) for name, slot in card.weights.items()]
    network.for_node(node, card.api, said, [Learned(weight) for weight in weights], inputs=[left])


@lowers("Pow")
def power(network: Network, node: ir.Node, facts: Facts) -> None:
    """Says `Pow(X, c)` as a Power, `Pow(c, X)` as an Exp of that base."""
    left, right = node.inputs
    assert left is not None and right is not None
    if _turned(node):
        base = scalar(left)
        if base <= 0:
            raise Unsupported(f"the base {base:g}: Exp wants one above 0")
        network.for_node(node, "Exp", {"exp_param.base": base}, inputs=[right])
    else:
        network.by_card(node, facts)
