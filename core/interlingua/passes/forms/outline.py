"""What a form is, and how a piece of a graph becomes one: a node whose function body is the piece."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import forget_names, graph_of, replace
from interlingua.ir.opset import OPSET
from interlingua.ir.scopes import move_out

FORMS = "interlingua.forms"
"""The domain of the nodes."""


@dataclasses.dataclass(frozen=True)
class Piece:
    """Nodes in their order, of which only the last gives what others read; what they read, and what the form says."""

    nodes: Sequence[ir.Node]
    inputs: Sequence[ir.Value | None]
    attributes: Mapping[str, Any]
    weights: Mapping[str, ir.Value] = dataclasses.field(default_factory=dict)
    """Inputs behind the others, by the names that a layer has for them."""
    layer: str = ""
    """The module's path in the source, where it is known."""


@dataclasses.dataclass(frozen=True)
class Form:
    """`find` gives the piece that ends at a node of one of the types `roots`, or None."""

    name: str
    roots: frozenset[str]
    find: Callable[[ir.Node], Piece | None]


def closed(nodes: Sequence[ir.Node]) -> bool:
    """Whether nothing else reads what the nodes but the last compute."""
    inside = {*nodes}
    values = [output for node in nodes[:-1] for output in node.outputs]
    return not any(value.is_graph_output() or any(use.node not in inside for use in value.uses()) for value in values)


def in_order(nodes: Iterable[ir.Node]) -> list[ir.Node]:
    """The nodes, each once and behind those of them that it reads."""
    inside, found = dict.fromkeys(nodes), dict[ir.Node, None]()

    def visit(node: ir.Node) -> None:
        for value in node.inputs:
            before = None if value is None else value.producer()
            if before in inside and before not in found:
                visit(before)
        found[node] = None

    for node in inside:
        if node not in found:
            visit(node)
    return list(found)


def outline(model: ir.Model, name: str, piece: Piece) -> ir.Node:
    """Puts a node of the domain in the place of the piece, which becomes a function of the model.

    Where the piece is a whole module of the source, what it reads is made outside of it.
    """
    last = piece.nodes[-1]
    inputs = [*piece.inputs, *piece.weights.values()]
    overload = str(sum(key[:2] == (FORMS, name) for key in model.functions))
    function = _body(name, overload, piece, [value for value in inputs if value is not None])
    model.functions[function.identifier()] = function
    model.graph.opset_imports[FORMS] = 1
    given = dict(piece.attributes) | ({"weights": list(piece.weights)} if piece.weights else {})
    said = [ir.convenience.convert_attribute(key, value) for key, value in given.items()]
    made = ir.Node(FORMS, name, [value for value in inputs if value is not None], said, overload=overload)
    made.outputs[0].type, made.outputs[0].shape = last.outputs[0].type, last.outputs[0].shape
    made.name = last.name
    metadata.set_place(made, piece.layer)
    forget_names(model.graph)
    replace(last, [made])
    for value in piece.inputs if piece.layer else ():
        move_out(value, piece.layer)
    for node in reversed(piece.nodes[:-1]):
        if not any(output.uses() for output in node.outputs):
            graph_of(node).remove(node, safe=True)
    return made


def _body(name: str, overload: str, piece: Piece, inputs: Sequence[ir.Value]) -> ir.Function:
    """The function: copies of the nodes, and their constants."""
    held: dict[ir.Value | None, ir.Value | None] = {None: None}
    parameters = []
    for index, each in enumerate(inputs):
        parameter = ir.Value(name=f"x{index}", type=each.type, shape=each.shape)
        held[each] = parameter
        parameters.append(parameter)
    constants: list[ir.Node] = []
    copies: list[ir.Node] = []
    for node in piece.nodes:
        for value in node.inputs:
            if value is not None and value not in held:
                assert value.const_value is not None
                made = ir.node("Constant", [], {"value": value.const_value})
                made.outputs[0].name = f"c{len(constants)}"
                held[value] = made.outputs[0]
                constants.append(made)
        given = [held[value] for value in node.inputs]
        outputs = [ir.Value(name=f"v{len(copies)}_{i}", type=o.type, shape=o.shape) for i, o in enumerate(node.outputs)]
        held.update(zip(node.outputs, outputs, strict=True))
        copies.append(ir.Node(node.domain, node.op_type, given, list(node.attributes.values()), outputs=outputs))
    graph = ir.Graph(parameters, [copies[-1].outputs[0]], nodes=[*constants, *copies], opset_imports={"": OPSET})
    return ir.Function(FORMS, name, overload, graph=graph, attributes=[])
