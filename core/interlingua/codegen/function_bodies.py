"""Says a composite operator through its parts where a target lacks it: by a body of ours, else by the standard's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx
import onnx_ir as ir

from interlingua import extensions
from interlingua.codegen.body import Body
from interlingua.codegen.composites import BODIES
from interlingua.ir import bodies, metadata
from interlingua.ir.alone import alone
from interlingua.ir.edit import graph_of, take_over
from interlingua.ir.opset import OPSET, raise_all

Able = Callable[[ir.Node], bool]
"""Whether the target says a node of this type."""


def expand(node: ir.Node, able: Able) -> list[ir.Node] | None:
    """Puts the function body of a node in its place; None, and nothing changed, where it would not help.

    It helps where the target says every operator of the body, or that operator's own body.
    """
    if node.domain != "":
        return _users(node)
    return _own(node, able) or _standard(node, able)


def expand_all(model: ir.Model, able: Able) -> int:
    """Puts bodies in the place of all nodes that have one of ours and that the target does not say; says how many."""
    count, work = 0, list(model.graph)
    while work:
        node = work.pop(0)
        if node.op_type not in BODIES or node.domain != "" or able(node):
            continue
        made = _own(node, able)
        if made is not None:
            count += 1
            work[:0] = made
    return count


def expand_calls(model: ir.Model, able: Able) -> int:
    """Puts bodies in the place of all calls of functions that the target does not say; says how many."""
    count, work = 0, [node for node in model.graph if node.domain != ""]
    while work:
        node = work.pop()
        if not able(node):
            made = _users(node)
            count += made is not None
            work += [each for each in made or () if each.domain != ""]
    return count


def _users(node: ir.Node) -> list[ir.Node] | None:
    """The body that an extension gives an operator of its own."""
    given = {(function.domain, function.name): function for function in extensions.functions()}
    function = given.get((node.domain, node.op_type))
    if function is None:
        return None
    made = bodies.expand_by(node, function)
    raise_all(made)
    return made


def _own(node: ir.Node, able: Able) -> list[ir.Node] | None:
    write = BODIES.get(node.op_type)
    if write is None or any(output.uses() for output in node.outputs[1:]):
        return None
    body = Body(node)
    result = write(body)
    if result is None or not all(able(each) or each.op_type in BODIES for each in body.nodes):
        body.forget()
        return None
    _place(node, body.nodes, result)
    return body.nodes


def _place(node: ir.Node, made: Sequence[ir.Node], result: ir.Value) -> None:
    for number, each in enumerate(made):
        last = each.outputs[0] is result
        each.name = node.name if last else f"{node.name}.{each.op_type.lower()}_{number}"
    metadata.copy_place(node, made)
    graph = graph_of(node)
    graph.insert_before(node, made)
    take_over(node.outputs[0], result)
    graph.remove(node, safe=True)


def _standard(node: ir.Node, able: Able) -> list[ir.Node] | None:
    if not onnx.defs.has(node.op_type):
        return None
    schema = onnx.defs.get_schema(node.op_type, OPSET, "")
    parts = _parts(node, schema)
    if parts is None or not all(able(each) or _expandable(each) for each in parts):
        return None
    return bodies.expand(node, schema, OPSET, OPSET)


def _expandable(node: ir.Node) -> bool:
    return node.op_type in BODIES or node.op_type == "Constant"


def _parts(node: ir.Node, schema: onnx.defs.OpSchema) -> list[ir.Node] | None:
    """The nodes of the standard's body, not yet in the graph."""
    if not (schema.has_function or schema.has_context_dependent_function):
        return None
    versions = [*schema.function_opset_versions, *schema.context_dependent_function_opset_versions]
    if not versions:
        return None
    if schema.has_function:
        proto = onnx.FunctionProto.FromString(schema.get_function_with_opset_version(max(versions)))
    else:
        copy = alone(node, OPSET)
        types = {info.name: info.type.SerializeToString() for info in copy.graph.input}
        call = copy.graph.node[0]
        try:
            made = schema.get_context_dependent_function(
                call.SerializeToString(), [types.get(n, b"") for n in call.input]
            )
        except Exception:  # the builder of the body throws C++ errors where it lacks a type
            return None
        proto = onnx.FunctionProto.FromString(made)
    made = {*proto.input, *(name for each in proto.node for name in each.output)}
    for name in [name for name in proto.output if name not in made]:  # an output that the node leaves out
        proto.output.remove(name)
    function: ir.Function = ir.from_proto(proto)
    return list(function.all_nodes())
