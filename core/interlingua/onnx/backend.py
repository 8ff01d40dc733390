"""Writes the IR as an ONNX model."""

from __future__ import annotations

import onnx_ir as ir

from interlingua.codegen.function_bodies import expand_calls
from interlingua.codegen.package import Mapped, Package, WriteRequest, ports
from interlingua.errors import UnsupportedModel
from interlingua.ir import metadata
from interlingua.ir.facts import qualified
from interlingua.ir.older_opsets import expand_composites, lower
from interlingua.ir.opset import OPSET
from interlingua.ir.origin import Call, Parameter, parameters
from interlingua.ir.parameters import remembered
from interlingua.onnx.constants import state_constants
from interlingua.onnx.rotary import SINCE, name_rotations
from interlingua.onnx.wholes import keep_wholes
from interlingua.onnx.writer import save
from interlingua.own_operators import STOP_GRADIENT
from interlingua.passes import run
from interlingua.passes.constants import LiftConstants
from interlingua.passes.fold import FoldConstants
from interlingua.passes.infer import InferShapes
from interlingua.passes.no_ops import RemoveNoOps
from interlingua.passes.shape_arithmetic import ResolveShapes
from interlingua.passes.unused import RemoveUnused

FILE = "model.onnx"
FOLDING = (LiftConstants, InferShapes, FoldConstants, ResolveShapes, InferShapes, FoldConstants, RemoveUnused)
"""What makes constants of what function bodies compute from shapes."""


def write(model: ir.Model, request: WriteRequest) -> Package:
    """Writes `model.onnx` into the request's folder; its weights bear the source's names where each is one parameter.

    Raises:
        UnsupportedModel: nodes of other frameworks that nobody could read, all of them; nodes that the opset asked
            for cannot say.
    """
    foreign = [node for node in model.graph.all_nodes() if node.domain not in model.opset_imports]
    if foreign:
        raise UnsupportedModel(
            "Expected operators that ONNX has. Received others:",
            [f"{node.domain}.{node.op_type} at {metadata.place(node)}" for node in foreign],
        )
    opset = request.options.opset or OPSET
    if expand_composites(model, opset):
        run(model, FOLDING, notes=request.options.notes)
    if opset >= SINCE and name_rotations(model):
        run(model, (RemoveUnused,), notes=request.options.notes)
    if expand_calls(model, lambda node: qualified(node) != STOP_GRADIENT):
        run(model, (RemoveNoOps, RemoveUnused), notes=request.options.notes)
    lower(model, opset)
    keep_wholes(model)
    name_weights(model)
    state_constants(model)
    if not request.dry:
        InferShapes(request.options.notes).call(model)
        save(model, request.folder / FILE, external_data=request.options.external_data)
    return Package(
        inputs=ports(tuple(model.graph.inputs)),
        outputs=ports(tuple(model.graph.outputs)),
        mapped=tuple(_mapped(node) for node in model.graph),
        weights={name: str(metadata.origin(value)) for name, value in model.graph.initializers.items()},
        layers={value.name: str(metadata.place(node)) for node in model.graph for value in node.outputs if value.name},
        native_path=FILE,
    )


def name_weights(model: ir.Model) -> None:
    """Gives each initializer that holds one source parameter, in whatever form, the parameter's name if it is free."""
    graph = model.graph
    taken = {
        value.name for value in (*graph.inputs, *(output for node in graph.all_nodes() for output in node.outputs))
    }
    for name, value in list(graph.initializers.items()):
        held = parameters(metadata.origin(value))
        if len(held) == 1 and held[0] not in graph.initializers and held[0] not in taken and held[0]:
            graph.initializers.pop(name)
            value.name = held[0]
            graph.register_initializer(value)
            _tell_turned(value, graph)


def _tell_turned(value: ir.Value, graph: ir.Graph) -> None:
    """Tells who reads the file how the initializer's axes were turned, and of what kind the parameter was."""
    said = metadata.origin(value)
    if isinstance(said, Call) and said.function == "transpose" and isinstance(said.operands[0], Parameter):
        metadata.set_permutation(value, [int(axis) for axis in said.numbers])
        known = remembered(graph).get(said.operands[0].name)
        if known is not None and known.role:
            metadata.set_role(value, known.role)


def _mapped(node: ir.Node) -> Mapped:
    said = ", ".join(f"{name}={_plain(attribute)}" for name, attribute in sorted(node.attributes.items()))
    return Mapped(str(metadata.place(node)), node.op_type, f"onnx.{node.op_type}", said)


def _plain(attribute: ir.Attr) -> str:
    if attribute.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS, ir.AttributeType.TENSOR):
        return "…"
    value = attribute.value
    return repr(list(value) if isinstance(value, tuple) else value)
