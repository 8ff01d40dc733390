"""Lowers a prepared model to a program: node by node, through the cards, or a function where data cannot say it."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
from collections.abc import Mapping
from typing import Any

import onnx_ir as ir

from interlingua import cards, extensions
from interlingua.axes import rearrange
from interlingua.cards import Card, Facts, Kind, Slot
from interlingua.codegen import expressions
from interlingua.codegen.context import Context
from interlingua.codegen.dialect import Dialect
from interlingua.codegen.function_bodies import expand_calls
from interlingua.codegen.package import Mapped
from interlingua.codegen.program import Program
from interlingua.codegen.weights import Weight
from interlingua.errors import Unsupported, UnsupportedModel
from interlingua.ir import metadata
from interlingua.ir.facts import facts_of, inputs_of, is_constant, qualified, raw_facts
from interlingua.ir.origin import Origin, parameters
from interlingua.notes import Notes
from interlingua.passes import run
from interlingua.passes.fold import FoldConstants
from interlingua.passes.infer import InferShapes
from interlingua.passes.names import NameNodes
from interlingua.passes.no_ops import RemoveNoOps
from interlingua.passes.raising import SpellPlainly
from interlingua.passes.shape_arithmetic import ResolveShapes
from interlingua.passes.small_types import WidenSmall
from interlingua.passes.unused import RemoveUnused
from interlingua.records import record, records

__all__ = ["Context", "arranged", "by_card", "by_cards", "in_place", "lower", "operands_for", "weight_for"]


def lower(model: ir.Model, dialect: Dialect, class_name: str = "Model") -> tuple[Program, tuple[Mapped, ...]]:
    """The program that computes the model in the dialect's framework, and what each node became.

    Raises:
        UnsupportedModel: nodes that neither a lowering, a card nor a decomposition can say, all at once.
    """
    if not dialect.computes and expand_calls(model, lambda node: _is_said(node, dialect)):
        run(model, _PLAIN, notes=Notes())  # sizes that a body works out are numbers where shapes are known
    WidenSmall(Notes()).call(model)  # no framework has tensors of less than a byte
    context = Context(model, dialect, class_name, _lower_node)
    context.run(list(model.graph))
    if context.refusals:
        raise UnsupportedModel(
            f"Expected operators that {dialect.framework} can say. Received {len(context.refusals)} that it cannot:",
            context.refusals,
            hint=f"`interlingua api OP --to {dialect.framework}` shows what a card can say.",
        )
    context.finish()
    return context.program, tuple(context.mapped)


_PLAIN = (
    InferShapes,
    SpellPlainly,
    FoldConstants,
    ResolveShapes,
    InferShapes,
    FoldConstants,
    RemoveNoOps,
    RemoveUnused,
    NameNodes,
)
"""What brings bodies in the place of calls into the canonical form."""


def _is_said(node: ir.Node, dialect: Dialect) -> bool:
    name = qualified(node)
    return bool(
        name in cards.by_record(dialect.framework)
        or name in dialect.lowerings
        or extensions.lowering(dialect.framework, name)
    )


def _lower_node(context: Context, node: ir.Node) -> None:
    dialect = context.dialect
    function = extensions.lowering(dialect.framework, qualified(node)) or dialect.lowerings.get(qualified(node))
    if function is None and node.op_type == "Identity" and node.domain == "":
        context.pass_on(node)
        return
    if dialect.computes and context.sizes.take(node):
        context.finished(node)
        return
    described = qualified(node) in records()
    facts = raw_facts(node) if function is not None and not described else facts_of(node, computed=dialect.computes)
    context.look_for_nesting(node)
    if function is not None:
        lowered = function(context, node, facts)
        if lowered is None:
            context.finished(node)
        else:
            context.emit(node, lowered if isinstance(lowered, list) else [lowered])
        return
    context.emit(node, [by_cards(context, node, facts)])


def by_cards(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """The expression of the first card that can say the node.

    Where the source tells of its modules, a layer whose weights bear other names there is said as a function, and so
    is one whose weights are whole numbers.

    Raises:
        Unsupported: none can.
    """
    dialect = context.dialect
    card, keywords = cards.choose(dialect.framework, facts)
    if card.kind is Kind.LAYER:
        free = dataclasses.replace(facts, constants=facts.constants - {*card.weights})
        if dialect.layer_dtype and _is_whole(card, node):
            card, keywords = cards.choose(dialect.framework, free)
        elif dialect.keeps_state and not _is_named(context, card, node, facts):
            with contextlib.suppress(Unsupported):
                card, keywords = cards.choose(dialect.framework, free)
    return by_card(context, node, facts, card, keywords)


def _is_whole(card: Card, node: ir.Node) -> bool:
    """Whether weights of the layer are whole numbers, which layers do not hold."""
    given = inputs_of(node)
    types = {given[name][0].dtype for name in card.weights if name in given}
    return any(dtype is not None and dtype.is_integer() for dtype in types)


def _is_named(context: Context, card: Card, node: ir.Node, facts: Facts) -> bool:
    """Whether the layer's weights bear its own names in the source: else its state dict would have others."""
    given = inputs_of(node)
    slots = [(name, slot) for name, slot in card.weights.items() if name in given]
    keys = {slot.name for slot in card.weights.values()}
    weights = ((slot.name, weight_for(card, facts, name, slot, given[name][0])) for name, slot in slots)
    return all(
        is_called(weight, key) and (not weight.is_named(key) or context.is_layer(weight, keys))
        for key, weight in weights
    )


def is_called(weight: Weight, key: str) -> bool:
    """Whether a weight bears the name in the source that a layer has for it.

    Names that no module's parameters can have, of a source of another framework, are not in any state dict.
    """
    return weight.is_named(key) or not _is_of_modules(weight.origin)


def _is_of_modules(origin: Origin) -> bool:
    parts = (part for name in parameters(origin) for part in name.split("."))
    return all(part.isidentifier() or part.isdigit() for part in parts)


def by_card(context: Context, node: ir.Node, facts: Facts, card: Card, keywords: Mapping[str, Any]) -> ast.expr:
    """The expression that the card gives for the node."""
    given = inputs_of(node)
    api = card.spelled(facts.rank)
    positional, named = arranged(card, keywords)
    named |= in_place(card, node, context.dialect)
    if card.kind is Kind.LAYER:
        weights = {
            slot.name: weight_for(card, facts, name, slot, given[name][0])
            for name, slot in card.weights.items()
            if name in given
        }
        layer = context.layer(node, api, positional, named, weights)
        return expressions.call(layer, operands_for(context, card, given))
    operands = operands_for(context, card, given)
    if card.kind is Kind.OPERATOR:
        left, right = operands
        if isinstance(left, ast.Constant) and isinstance(right, ast.Constant):
            left = context.as_tensor(given[next(iter(card.inputs))][0])
        context.note_mapping(node, api)
        return expressions.operator(card.operator, left, right)
    for name, slot in card.weights.items():
        if name in given:
            value = given[name][0]
            kept = is_constant(value)
            weight = context.tensor(weight_for(card, facts, name, slot, value)) if kept else context.as_tensor(value)
            named = {slot.name: weight, **named}
    context.note_mapping(node, api, expressions.call("x", positional, named))
    if card.kind is Kind.METHOD:
        return expressions.method(operands[0], api.rpartition(".")[2], [*operands[1:], *positional], named)
    return expressions.call(context.api(api), [*operands, *positional], named)


def operands_for(context: Context, card: Card, given: Mapping[str, list[ir.Value]]) -> list[ast.expr]:
    """The tensor inputs in the card's order; a variadic one is a list."""
    described = record(card.record)
    found: list[ast.expr] = []
    for name in card.inputs:
        if name in given and described.input(name).variadic:
            found.append(ast.List([context.as_tensor(value) for value in given[name]], ast.Load()))
        elif name in given and card.kind in (Kind.FUNCTION, Kind.METHOD):
            found.append(context.as_tensor(given[name][0]))
        elif name in given:
            found.append(context.operand(given[name][0]))
    return found


def arranged(card: Card, keywords: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Arguments in the card's order: those a person gives by position first, as long as none is missing."""
    positional: list[Any] = []
    named = dict(keywords)
    for parameter in card.parameters.values():
        if not parameter.positional or parameter.name not in named:
            break
        positional.append(named.pop(parameter.name))
    return positional, named


def in_place(card: Card, node: ir.Node, dialect: Dialect) -> dict[str, bool]:
    """The argument by which the API overwrites its input, where the source does so and nothing else reads the input."""
    return {dialect.in_place: True} if dialect.in_place in card.fixed and _overwrites(node, dialect) else {}


def _overwrites(node: ir.Node, dialect: Dialect) -> bool:
    """Whether the source computes the node in place, and nothing else reads what is overwritten."""
    value = node.inputs[0]
    producer = None if value is None else value.producer()
    if value is None or producer is None or metadata.IN_PLACE not in node.metadata_props:
        return False
    alone = producer.graph is node.graph and len(value.uses()) == 1 and not value.is_graph_output()
    return alone and qualified(producer) in dialect.overwritable


def weight_for(card: Card, facts: Facts, name: str, slot: Slot, value: ir.Value) -> Weight:
    """The weight in the axis order that the card says."""
    weight = Weight(value)
    canonical = record(card.record).input(name).axes
    if card.record == "Gemm" and name == "B" and facts.get("transB"):
        canonical = "O I"
    if not slot.axes or slot.axes == canonical:
        return weight
    if slot.axes == "C":
        return weight.then(("reshape", (weight.size,))) if weight.shape != (weight.size,) else weight
    if "(" in slot.axes or "M" in slot.axes:
        canonical, sizes = "(I M) 1 *", {"I": int(facts["group"])}
        return weight.rearranged(rearrange(canonical, slot.axes, weight.shape, sizes))
    return weight.rearranged(rearrange(canonical, slot.axes, weight.shape))
