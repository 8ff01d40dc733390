"""The one opset of the canonical form, and how nodes of other opsets get there.

A node whose schema is compatible with the pinned one is only restamped. What changed meaning is rewritten by an
adapter of `opset_adapters`; what is left goes, node by node, through ONNX's own converter, so that metadata, names and
weights of the rest never leave the model.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

import onnx
import onnx_ir as ir

from interlingua.errors import UnsupportedModel
from interlingua.ir import metadata
from interlingua.ir.alone import alone, graft
from interlingua.ir.bodies import expand, inside
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
            bring_up(node, node.version or version)
        except Refused as error:
            refusals.append(f"{node.op_type} at {metadata.place(node)}: {error}")
    for node in graph.all_nodes():
        if node.domain == "":
            node.version = None


def bring_up(node: ir.Node, version: int) -> None:
    """Brings one node, without those of its subgraphs, from an opset to the pinned one.

    Raises:
        Refused: it cannot be said there.
    """
    old = schema_of(node.op_type, version)
    if old is None:
        newer = schema_of(node.op_type, NEWEST)
        if version > OPSET and newer is not None:
            raise Refused(f"the operator came with opset {newer.since_version}")
        return
    new = schema_of(node.op_type, OPSET)
    if new is not None and old.since_version == new.since_version:
        return
    if version > OPSET:
        _bring_down(node, version, old, new)
        return
    node.attributes.pop("consumed_inputs", None)
    adapter = ADAPTERS.get(node.op_type)
    if adapter is not None and adapter(node, old.since_version):
        return
    if new is None or not compatible(node, new):
        _convert(node, version)


def _bring_down(node: ir.Node, version: int, old: onnx.defs.OpSchema, new: onnx.defs.OpSchema | None) -> None:
    """Says a node of an opset newer than the pinned one in the pinned one."""
    if new is not None:
        drop_defaults(node, old, new)
        if compatible(node, new) and typed(node, new):
            return
    created = expand(node, old, version, OPSET)
    if created is None:
        raise Refused(f"its meaning changed with opset {old.since_version}")
    raise_all(created)


def raise_all(created: Iterable[ir.Node]) -> None:
    """Brings the nodes of a function body, which know its opset, to the pinned one, those of subgraphs too."""
    for node in [each for outermost in created for each in (outermost, *inside(outermost))]:
        if node.domain in ("", "ai.onnx") and node.version is not None:
            bring_up(node, node.version)


@functools.cache
def schema_of(op_type: str, version: int) -> onnx.defs.OpSchema | None:
    """The schema of a standard operator as of that opset; None where it did not exist."""
    try:
        return onnx.defs.get_schema(op_type, version, "")
    except onnx.defs.SchemaError:
        return None


def compatible(node: ir.Node, other: onnx.defs.OpSchema) -> bool:
    """Whether the node as it stands is said the same way by the other schema (types were widened, options added)."""
    if other.deprecated or not other.min_input <= len(node.inputs) <= other.max_input:
        return False
    if not other.min_output <= len(node.outputs) <= other.max_output:
        return False
    if any(name not in other.attributes for name in node.attributes):
        return False
    return all(not spec.required or name in node.attributes for name, spec in other.attributes.items())


def typed(node: ir.Node, schema: onnx.defs.OpSchema) -> bool:
    """Whether the schema has the types of the node's inputs and outputs, as far as they are known."""
    return _typed(node.inputs, schema.inputs) and _typed(node.outputs, schema.outputs)


def _typed(values: Sequence[ir.Value | None], formal: Sequence[onnx.defs.OpSchema.FormalParameter]) -> bool:
    for index, value in enumerate(values):
        if value is None or value.type is None or not formal:
            continue
        spelled = spell(value.type)
        if spelled is not None and spelled not in formal[min(index, len(formal) - 1)].types:
            return False
    return True


def spell(kind: ir.TypeProtocol | None) -> str | None:
    """The type as ONNX's schemas spell it (`seq(tensor(float))`); None where an element is unknown."""
    if isinstance(kind, ir.SequenceType):
        return _around("seq", kind.elem_type)
    if isinstance(kind, ir.OptionalType):
        return _around("optional", kind.elem_type)
    if isinstance(kind, ir.TensorType) and kind.dtype != ir.DataType.UNDEFINED:
        return f"tensor({kind.dtype.name.lower()})"
    return None


def _around(word: str, element: ir.TypeProtocol | None) -> str | None:
    inner = spell(element)
    return None if inner is None else f"{word}({inner})"


def drop_defaults(node: ir.Node, stated: onnx.defs.OpSchema, other: onnx.defs.OpSchema) -> None:
    """Drops attributes that the other schema lacks and that say no more than the stated schema's default."""
    for name in [name for name in node.attributes if name not in other.attributes]:
        spec = stated.attributes.get(name)
        if spec is None or not spec.default_value.type:
            continue
        if ir.serde.deserialize_attribute(spec.default_value).value == node.attributes[name].value:
            del node.attributes[name]


def _convert(node: ir.Node, version: int) -> None:
    """Replaces one node by what ONNX's version converter makes of it in a model of its own."""
    if any(
        attribute.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS) for attribute in node.attributes.values()
    ):
        raise Refused(f"its form of opset {version} has no counterpart in opset {OPSET}")
    try:
        converted = onnx.version_converter.convert_version(alone(node, version), OPSET)
    except Exception as error:  # the converter throws C++ errors of many kinds
        raise Refused(f"ONNX's converter says: {' '.join(str(error).split())[:200]}") from error
    graft(node, converted)
