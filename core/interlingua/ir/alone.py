"""One node as an ONNX model of its own, and what became of that model back in the node's place.

This is how single nodes go through tools that only know whole ONNX models (the version converter, the inliner).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import onnx
import onnx_ir as ir
import onnx_ir.passes.common as common

from interlingua.ir.edit import add_initializer, constant, graph_of, replace
from interlingua.ir.origin import Constant

IR_VERSION = 10


def alone(node: ir.Node, version: int) -> onnx.ModelProto:
    """A model of that one node; its inputs are those of the node and of its subgraphs.

    Small constants among them are initializers, so that their values can be read.
    """
    made = onnx.NodeProto(op_type=node.op_type, name=node.name or "")
    made.attribute.extend(ir.serde.serialize_attribute(attribute) for attribute in node.attributes.values())
    graph = onnx.GraphProto(name="alone")
    for name, value in outer(node).items():
        graph.input.add().CopyFrom(described(name, value))
        array = constant(value)
        if array is not None and value.dtype != ir.DataType.STRING:
            graph.initializer.append(ir.serde.serialize_tensor(ir.tensor(array, dtype=value.dtype, name=name)))
    made.input.extend("" if value is None else f"in{index}" for index, value in enumerate(node.inputs))
    for index, value in enumerate(node.outputs):
        made.output.append(f"out{index}" if value.name else "")
        if value.name:
            graph.output.add().CopyFrom(described(f"out{index}", value))
    graph.node.append(made)
    return onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", version)], ir_version=IR_VERSION, producer_name="interlingua"
    )


def outer(node: ir.Node) -> dict[str, ir.Value]:
    """What the node reads, by the name it has in the model of its own; its subgraphs' captures keep their names."""
    found = {f"in{index}": value for index, value in enumerate(node.inputs) if value is not None}
    found.update((value.name, value) for value in captures(node) if value.name)
    return found


def captures(node: ir.Node) -> Iterator[ir.Value]:
    """Values of graphs around the node that its subgraphs read, in order, each as often as it is read."""
    inner = dict.fromkeys(subgraphs(node))
    for graph in inner:
        for each in graph:
            for value in each.inputs:
                if value is not None and value.graph not in inner:
                    yield value
        for value in graph.outputs:
            if value.graph not in inner:
                yield value


def subgraphs(node: ir.Node) -> Iterator[ir.Graph]:
    """Every graph inside the node, however deep."""
    for attribute in node.attributes.values():
        held: tuple[ir.Graph, ...] = ()
        if attribute.is_ref():
            continue
        if attribute.type == ir.AttributeType.GRAPH:
            held = (attribute.as_graph(),)
        elif attribute.type == ir.AttributeType.GRAPHS:
            held = tuple(attribute.as_graphs())
        for graph in held:
            yield graph
            for each in graph:
                yield from subgraphs(each)


def described(name: str, value: ir.Value) -> onnx.ValueInfoProto:
    """The value's type and shape under that name; a tensor of floats where nothing is known."""
    info = onnx.ValueInfoProto(name=name)
    if isinstance(value.type, ir.SequenceType | ir.OptionalType | ir.SparseTensorType):
        ir.serde.serialize_type_into(info.type, value.type)
        return info
    shape = None if value.shape is None else [d if isinstance(d, int) else d.value for d in value.shape]
    return onnx.helper.make_tensor_value_info(name, int(value.dtype or ir.DataType.FLOAT), shape)


def graft(node: ir.Node, proto: onnx.ModelProto) -> list[ir.Node]:
    """Puts the nodes of that model in the place of `node`, from whose model of its own it was made; the new nodes."""
    with contextlib.suppress(Exception):  # the inference throws C++ errors; without it types stay unknown
        proto = onnx.shape_inference.infer_shapes(proto, data_prop=True)
    model = ir.from_proto(proto)
    common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    graph = model.graph
    around = outer(node)
    created = list(graph)
    entries = {value.name: value for value in (*graph.inputs, *graph.initializers.values())}
    for name, value in entries.items():
        if name in around:
            value.replace_all_uses_with(around[name], replace_graph_outputs=True)
        elif value.uses() and value.const_value is not None:
            stem = f"{node.outputs[0].name or node.op_type}_constant"
            held = add_initializer(graph_of(node), stem, value.const_value, Constant(stem))
            value.replace_all_uses_with(held, replace_graph_outputs=True)
    ends = iter(list(graph.outputs))
    heirs = [next(ends) if output.name else None for output in node.outputs]
    graph.outputs.clear()
    graph.remove(created)
    for each in created:
        each.name = None
        for output in each.outputs:
            output.name = None if output in heirs or output.uses() else output.name
    replace(node, created, heirs)
    return created
