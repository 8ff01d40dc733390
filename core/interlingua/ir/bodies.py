"""The function bodies that ONNX gives its composite operators, put in the place of a node."""

from __future__ import annotations

import onnx
import onnx.inliner
import onnx_ir as ir

from interlingua.ir.alone import alone, graft

_DOMAIN = "interlingua.body"


def expand(node: ir.Node, schema: onnx.defs.OpSchema, version: int, highest: int) -> list[ir.Node] | None:
    """Replaces a composite operator by its function body, in operators of an opset of at most `highest`.

    `version` is the opset the node is of, `schema` its schema there. The new nodes know the opset of the body;
    None, and nothing changed, where the operator has no such body.
    """
    model = alone(node, version)
    (call,) = model.graph.node
    for name, attribute in schema.attributes.items():
        if attribute.default_value.type and all(each.name != name for each in call.attribute):
            call.attribute.add().CopyFrom(attribute.default_value)
    body = _body(call, schema, model, highest)
    if body is None:
        return None
    opset = next(each.version for each in body.opset_import if each.domain in ("", "ai.onnx"))
    known = {*body.attribute, *(each.name for each in body.attribute_proto)}
    for attribute in [each for each in call.attribute if each.name not in known]:
        call.attribute.remove(attribute)
    body.domain, body.name = _DOMAIN, node.op_type
    call.domain = _DOMAIN
    model.functions.append(body)
    model.opset_import[0].version = opset
    model.opset_import.add(domain=_DOMAIN, version=1)
    created = graft(node, onnx.inliner.inline_local_functions(model))
    for each in created:
        stamp(each, opset)
    return created


def expand_by(node: ir.Node, function: onnx.FunctionProto) -> list[ir.Node]:
    """Replaces a node by the body that `function` gives its operator; the new nodes know the opset of the body."""
    opset = next((each.version for each in function.opset_import if each.domain in ("", "ai.onnx")), 1)
    model = alone(node, opset)
    (call,) = model.graph.node
    call.domain = function.domain
    model.functions.append(function)
    model.opset_import.add(domain=function.domain, version=1)
    created = graft(node, onnx.inliner.inline_local_functions(model))
    for each in created:
        stamp(each, opset)
    return created


def stamp(node: ir.Node, version: int | None) -> None:
    """Tells the node and those of its subgraphs the opset they are of."""
    for each in (node, *inside(node)):
        if each.domain in ("", "ai.onnx"):
            each.version = version


def inside(node: ir.Node) -> list[ir.Node]:
    """The nodes of the node's subgraphs, however deep."""
    found: list[ir.Node] = []
    for attribute in node.attributes.values():
        if attribute.is_ref():
            continue
        if attribute.type == ir.AttributeType.GRAPH:
            found.extend(attribute.as_graph().all_nodes())
        elif attribute.type == ir.AttributeType.GRAPHS:
            found.extend(each for graph in attribute.as_graphs() for each in graph.all_nodes())
    return found


def _body(
    call: onnx.NodeProto, schema: onnx.defs.OpSchema, model: onnx.ModelProto, highest: int
) -> onnx.FunctionProto | None:
    fixed = [opset for opset in schema.function_opset_versions if opset <= highest]
    if fixed:
        return onnx.FunctionProto.FromString(schema.get_function_with_opset_version(max(fixed)))
    versions = schema.context_dependent_function_opset_versions
    fitting = [opset for opset in versions if opset <= highest]
    types = {info.name: info.type.SerializeToString() for info in model.graph.input}
    kinds = [types.get(name, b"") for name in call.input]
    try:
        if fitting:
            made = schema.get_context_dependent_function_with_opset_version(
                max(fitting), call.SerializeToString(), kinds
            )
            return onnx.FunctionProto.FromString(made)
        return _newer(call, schema, kinds, highest)
    except Exception:  # the builder of the body throws C++ errors where it lacks a type
        return None


def _newer(
    call: onnx.NodeProto, schema: onnx.defs.OpSchema, kinds: list[bytes], highest: int
) -> onnx.FunctionProto | None:
    """The oldest body, stated for a newer opset, where all its operators mean the same in the one allowed."""
    versions = [*schema.context_dependent_function_opset_versions, *schema.function_opset_versions]
    if not versions:
        return None
    oldest = min(versions)
    if schema.has_context_dependent_function:
        made = schema.get_context_dependent_function_with_opset_version(oldest, call.SerializeToString(), kinds)
        body = onnx.FunctionProto.FromString(made)
    else:
        body = onnx.FunctionProto.FromString(schema.get_function_with_opset_version(oldest))
    if all(_since(each.op_type, oldest) <= highest for each in _nodes(list(body.node))):
        for each in body.opset_import:
            each.version = min(each.version, highest)
        return body
    return None


def _nodes(nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    found = list(nodes)
    for node in nodes:
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                found.extend(_nodes(list(graph.node)))
    return found


def _since(op_type: str, version: int) -> int:
    return int(onnx.defs.get_schema(op_type, version, "").since_version)
