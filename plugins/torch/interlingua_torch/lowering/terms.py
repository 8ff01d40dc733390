"""What lowerings of shapes and indices share: sources, methods, numbers that stand in the code."""

from __future__ import annotations

import ast

import numpy as np
import onnx_ir as ir

from interlingua import cards
from interlingua.cards import Facts, Kind
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context, arranged, by_card
from interlingua.errors import Unsupported
from interlingua.ir.edit import constant
from interlingua.ir.facts import inputs_of
from interlingua_torch.lowering.common import FRAMEWORK


def as_method(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """What the first card that can says of a function `torch.f(x, …)`, as the method `x.f(…)`; sizes side by side.

    Raises:
        Unsupported: none can.
    """
    card, keywords = cards.choose(FRAMEWORK, facts)
    name = f"{FRAMEWORK}.Tensor.{card.api.rpartition('.')[2]}"
    if card.kind is not Kind.FUNCTION or name not in card.aliases:
        return by_card(context, node, facts, card, keywords)
    positional, named = arranged(card, keywords)
    if len(positional) == 1 and isinstance(positional[0], tuple):
        positional = list(positional[0])
    given = inputs_of(node)
    receiver, *others = (context.as_tensor(given[each][0]) for each in card.inputs if each in given)
    call = expressions.method(receiver, card.api.rpartition(".")[2], [*others, *positional], named)
    context.note_mapping(node, card.api, call)
    return call


def source(context: Context, node: ir.Node, position: int = 0) -> ast.expr:
    """The node's input at a position, as a tensor.

    Raises:
        Unsupported: it is absent.
    """
    value = node.inputs[position] if position < len(node.inputs) else None
    if value is None:
        raise Unsupported(f"{node.op_type} without its input {position}")
    return context.as_tensor(value)


def number_of(expression: ast.expr) -> int | None:
    """The whole number that an expression spells, None where it is no literal."""
    try:
        value = ast.literal_eval(expression)
    except ValueError:
        return None
    return value if isinstance(value, int) else None


_KEEPS_NUMBERS = frozenset(
    {
        *("Cast", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Identity", "Reshape", "Slice"),
        *("Squeeze", "Tile", "Transpose", "Unsqueeze", "Split"),
    }
)
"""Ops whose results are numbers of their first input."""


def never_negative(value: ir.Value | None, depth: int = 8) -> bool:
    """Whether indices are known to count from the start alone: what finds places gives no negative ones."""
    if value is None or depth == 0:
        return False
    array = constant(value)
    if array is not None:
        return not bool(np.less(array, 0).any())
    producer = value.producer()
    if producer is None or producer.domain != "":
        return False
    if producer.op_type in ("ArgMax", "ArgMin", "NonZero", "Shape", "Size"):
        return True
    if producer.op_type == "TopK":
        return value is producer.outputs[1]
    if producer.op_type == "Unique":
        return value is not producer.outputs[0]
    if producer.op_type in _KEEPS_NUMBERS:
        return never_negative(producer.inputs[0], depth - 1)
    if producer.op_type in ("Concat", "Add", "Mul"):
        return all(never_negative(each, depth - 1) for each in producer.inputs)
    return False
