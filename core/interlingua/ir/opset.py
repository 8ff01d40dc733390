"""The one opset of the canonical form, and how nodes of other opsets get there.

A node whose schema is compatible with the pinned one is only restamped. What changed meaning is rewritten by an
adapter of `opset_adapters`; what is left goes, node by node, through ONNX's own converter, so that metadata, names and
weights of the rest never leave the model.
"""

from __future__ import annotations

import functools

import onnx
import onnx_ir as ir

from interlingua.errors import UnsupportedModel
from interlingua.ir import metadata
from interlingua.ir.edit import constant, replace
from interlingua.ir.opset_adapters import ADAPTERS, Refused
from interlingua.notes import Notes

OPSET = 26
IR_VERSION = 10
NEWEST = onnx.defs.onnx_opset_version()


def version_of(imports: dict[str, int]) -> int | None:
    """The version of the standard operators that opset imports state, under either spelling of their domain."""
    return imports.get("", imports.get("ai.onnx"))


def upgrade(model: ir.Model, notes: Notes) -> bool:
    """Brings every node of the model to the pinned opset, in place; returns whether anything was done.

    Raises:
        UnsupportedModel: nodes that cannot be brought there, all of them named.
    """
    stated = version_of(model.opset_imports)
    graphs = [model.graph, *(function.graph for function in model.functions.values())]
    if all(version_of(graph.opset_imports) == OPSET for graph in graphs):
        return False
    refusals: list[str] = []
    for graph in graphs:
        version = version_of(graph.opset_imports) or stated or OPSET
        if version > NEWEST:
            refusals.append(f"opset {version} is newer than any this reader knows ({NEWEST})")
            continue
        _upgrade_graph(graph, version, refusals)
        graph.opset_imports.pop("ai.onnx", None)
        graph.opset_imports[""] = OPSET
    if refusals:
        raise UnsupportedModel(
            f"Expected operators that opset {OPSET} can say. Received opset {stated} with others:", refusals
        )
    model.ir_version = max(model.ir_version or IR_VERSION, IR_VERSION) if (stated or 0) <= OPSET else IR_VERSION
    return True


def _upgrade_graph(graph: ir.Graph, version: int, refusals: list[str]) -> None:
    for node in list(graph.all_nodes()):
        if node.domain not in ("", "ai.onnx"):
            continue
        node.domain = ""
        try:
            _upgrade_node(node, node.version or version)
        except Refused as error:
            refusals.append(f"{node.op_type} at {metadata.place(node)}: {error}")
    for node in graph.all_nodes():
        if node.domain == "":
            node.version = None


def _upgrade_node(node: ir.Node, version: int) -> None:
    old = _schema(node.op_type, version)
    if old is None:
        newer = _schema(node.op_type, NEWEST)
        if version > OPSET and newer is not None:
            raise Refused(f"the operator came with opset {newer.since_version}")
        return
    new = _schema(node.op_type, OPSET)
    if version > OPSET:
        if new is None or old.since_version != new.since_version:
            raise Refused(f"its meaning changed with opset {old.since_version}")
        return
    if new is not None and old.since_version == new.since_version:
        return
    node.attributes.pop("consumed_inputs", None)
    adapter = ADAPTERS.get(node.op_type)
    if adapter is not None and adapter(node, old.since_version):
        return
    if new is None or not _compatible(node, new):
        _convert(node, version)


@functools.cache
def _schema(op_type: str, version: int) -> onnx.defs.OpSchema | None:
    try:
        return onnx.defs.get_schema(op_type, version, "")
    except onnx.defs.SchemaError:
        return None


def _compatible(node: ir.Node, new: onnx.defs.OpSchema) -> bool:
    """Whether the node as it stands is said the same way by the newer schema (types were widened, options added)."""
    if new.deprecated or not new.min_input <= len(node.inputs) <= new.max_input:
        return False
    if not new.min_output <= len(node.outputs) <= new.max_output:
        return False
    if any(name not in new.attributes for name in node.attributes):
        return False
    return all(not spec.required or name in node.attributes for name, spec in new.attributes.items())


def _convert(node: ir.Node, version: int) -> None:
    """Replaces one node by what ONNX's version converter makes of it in a model of its own."""
    if any(
        attribute.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS) for attribute in node.attributes.values()
    ):
        raise Refused(f"its form of opset {version} has no counterpart in opset {OPSET}")
    try:
        converted = onnx.version_converter.convert_version(_alone(node, version), OPSET)
    except Exception as error:  # the converter throws C++ errors of many kinds
        raise Refused(f"ONNX's converter says: {' '.join(str(error).split())[:200]}") from error
    graph = ir.from_proto(converted).graph
    outer = {f"in{index}": value for index, value in enumerate(node.inputs)}
    created = list(graph)
    for each in created:
        for index, value in enumerate(each.inputs):
            if value is not None and value.producer() is None and value.name in outer:
                each.replace_input_with(index, outer[value.name])
    heirs = [graph.outputs[i] if output.name else None for i, output in enumerate(node.outputs)]
    for value in list(graph.initializers.values()):
        if value.name not in outer and value.uses():
            raise Refused("its converted form holds new initializers")
    graph.remove(created)
    for each in created:
        each.name = None
        for output in each.outputs:
            output.name = None
    replace(node, created, heirs)


def _alone(node: ir.Node, version: int) -> onnx.ModelProto:
    """A model of that one node; its inputs are the model's, small constants among them as initializers."""
    made = onnx.NodeProto(op_type=node.op_type, name=node.name or "")
    made.attribute.extend(ir.serde.serialize_attribute(attribute) for attribute in node.attributes.values())
    graph = onnx.GraphProto(name="alone")
    for index, value in enumerate(node.inputs):
        made.input.append("" if value is None else f"in{index}")
        if value is None:
            continue
        info = graph.input.add()
        info.CopyFrom(_value_info(f"in{index}", value))
        array = constant(value)
        if array is not None:
            graph.initializer.append(onnx.numpy_helper.from_array(array, f"in{index}"))
    for index, value in enumerate(node.outputs):
        made.output.append(f"out{index}")
        graph.output.add().CopyFrom(_value_info(f"out{index}", value))
    graph.node.append(made)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", version)], ir_version=8)


def _value_info(name: str, value: ir.Value) -> onnx.ValueInfoProto:
    shape = None if value.shape is None else [d if isinstance(d, int) else d.value for d in value.shape]
    return onnx.helper.make_tensor_value_info(name, int(value.dtype or ir.DataType.FLOAT), shape)
