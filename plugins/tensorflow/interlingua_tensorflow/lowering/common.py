"""What several families share: a function of TensorFlow's takes its weights by position, the bias comes behind."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import onnx_ir as ir

from interlingua import cards
from interlingua.cards import Card, Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context, arranged, weight_for
from interlingua.codegen.weights import Weight
from interlingua.errors import Unsupported, UnsupportedModel
from interlingua.ir import metadata
from interlingua.ir.facts import CHANNELS_LAST, elements, inputs_of, is_constant, shape_of
from interlingua.ir.origin import Parameter, is_permutation, parameters
from interlingua.ir.weights import moved
from interlingua.names import common_scope

FRAMEWORK = "tensorflow"
BIASED = frozenset({"Conv", "ConvTranspose", "Gemm"})


def own_weights(node: ir.Node, names: tuple[str, ...]) -> None:
    """Refuses a node whose kernel is computed.

    Raises:
        Unsupported: one of the named inputs is no constant.
    """
    given = inputs_of(node)
    for name in names:
        if name in given and not is_constant(given[name][0]):
            raise Unsupported(f"the input {name} of {node.op_type} is computed, not a weight")


def called(
    context: Context,
    node: ir.Node,
    facts: Facts,
    card: Card,
    keywords: Mapping[str, Any],
    between: tuple[Any, ...] = (),
    weights: tuple[ast.expr, ...] | None = None,
) -> ast.expr:
    """`api(data, weights, between, **keywords)` as the card spells it; `weights` where they are no constants."""
    given = inputs_of(node)
    operands = [context.operand(given[name][0]) for name in card.inputs if name in given]
    tensors = weights or [
        owned(context, weight_for(card, facts, name, slot, given[name][0]))
        for name, slot in card.weights.items()
        if name in given
    ]
    positional, named = arranged(card, keywords)
    api = card.spelled(facts.rank)
    call = expressions.call(context.api(api), [*operands, *tensors, *between, *positional], named)
    context.note_mapping(node, api, expressions.call("x", positional, named))
    return call


def owned(context: Context, weight: Weight) -> ast.expr:
    """A weight of the model, called as the source calls the parameter, also where its axes were moved."""
    origin = weight.origin
    if isinstance(origin, Parameter) or not is_permutation(origin):
        return context.tensor(weight)
    scope = common_scope([metadata.place(node).layer for node in context.model.graph if metadata.place(node).layer])
    return context.tensor(weight, hint=parameters(origin)[0].removeprefix(scope))


def biases_behind(model: ir.Model) -> None:
    """Replaces `Conv(X, W, B)` by `Add(Conv(X, W), B)`, and so for ConvTranspose and Gemm: no function takes a bias."""
    for node in list(model.graph):
        if node.op_type not in BIASED or len(node.inputs) < 3 or node.inputs[2] is None or not _plain_bias(node):
            continue
        bias, final = node.inputs[2], node.outputs[0]
        if is_constant(bias) and len(bias.shape or ()) > 1:
            bias = moved(model.graph, bias, [("reshape", (elements(shape_of(bias)) or 1,))])
        inner = ir.Value(name=f"{final.name}.without_bias", type=final.type, shape=final.shape)
        bare = ir.Node(
            node.domain,
            node.op_type,
            node.inputs[:2],
            list(node.attributes.values()),
            overload=node.overload,
            outputs=[inner],
            name=node.name,
        )
        added = ir.Node("", "Add", [inner, bias], name=f"{node.name}.bias")
        heir, name = added.outputs[0], final.name
        heir.type, heir.shape = final.type, final.shape
        heir.metadata_props.update(final.metadata_props)
        metadata.copy_place(node, [bare, added])
        model.graph.insert_before(node, [bare, added])
        final.replace_all_uses_with(heir, replace_graph_outputs=True)
        model.graph.remove(node, safe=True)
        heir.name = name


def _plain_bias(node: ir.Node) -> bool:
    """Whether the bias can be added as it is: one number a channel, the channels last, not scaled."""
    if node.op_type != "Gemm":
        return node.domain == CHANNELS_LAST
    beta = node.attributes.get("beta")
    return beta is None or beta.as_float() == 1


def refuse_channels_first(model: ir.Model) -> None:
    """Refuses windows over channels-first data, which TensorFlow does not compute on a CPU.

    Raises:
        UnsupportedModel: there are such nodes, all at once.
    """
    wanting = {
        name
        for name, rows in cards.by_record(FRAMEWORK).items()
        if rows[0].write and any(slot.axes == "N * C" for slot in rows[0].inputs.values())
    }
    refusals = [
        f"{node.op_type} {metadata.place(node)}: its data have the channels first, or their axes are not known"
        for node in model.graph
        if node.op_type in wanting and node.domain != CHANNELS_LAST and len(shape_of(node.inputs[0]) or (None,) * 9) > 2
    ]
    if refusals:
        raise UnsupportedModel(
            f"Expected data with the channels last. Received {len(refusals)} operators on others:",
            refusals,
            hint="Leave --layout channels_first out; sizes that are not known can be given with --input-shape.",
        )


def chosen(facts: Facts) -> tuple[Card, dict[str, Any]]:
    """The card that can say the op, with its arguments."""
    return cards.choose(FRAMEWORK, facts)
