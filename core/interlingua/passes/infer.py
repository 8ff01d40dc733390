"""Infers shapes and types."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping

import onnx
import onnx_ir as ir

from interlingua.ir import foreign_types
from interlingua.passes.base import Pass

KEEPS_SHAPE = frozenset({"GroupNormalization", "RMSNormalization", "Swish"})
SMALL = 4096
"""Bytes up to which an initializer's values are shown to the inference, which reads shapes and axes out of them."""

LONGEST = 1 << 16
_MADE_UP = "unk__"

_GRAPHS = (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS)


class InferShapes(Pass):
    """Gives every value the shape and type that follow from the inputs, as far as they do."""

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        for node in model.graph.all_nodes():
            if node.op_type == "STFT" and "onesided" not in node.attributes:
                node.attributes["onesided"] = ir.AttrInt64("onesided", 1)  # without it, onnx's inference goes by 0
        before = _forget_names(model)
        filled = True
        while filled:  # what was filled in tells of what follows
            inferred = _inferred(model)
            if inferred is not None:
                _merge(model.graph, inferred.graph, outermost=True)
            filled = _fill(model)
        _name(model, before)
        return any(value.shape != shape for value, shape in before.items())


@dataclasses.dataclass(frozen=True)
class Inferred:
    """What an inference went by, node by node, under which opset, and whether it left nothing open."""

    nodes: Mapping[ir.Node, tuple[object, ...]]
    inputs: tuple[object, ...]
    opset: int | None
    whole: bool

    @classmethod
    def of(cls, model: ir.Model) -> Inferred:
        """What an inference of the model goes by, taken down right after it."""
        nodes = {node: _signature(node) for node in model.graph.all_nodes()}
        whole = all(_is_known(output) for node in nodes for output in node.outputs)
        return cls(nodes, _types(model.graph.inputs), model.opset_imports.get(""), whole)

    def holds(self, model: ir.Model) -> bool:
        """Whether another inference could tell nothing else: every node is as it was, though some may be gone.

        Another opset's inference may know more of what was left open.
        """
        if self.inputs != _types(model.graph.inputs):
            return False
        if self.opset != model.opset_imports.get("") and not self.whole:
            return False
        return all(self.nodes.get(node) == _signature(node) for node in model.graph.all_nodes())


def _signature(node: ir.Node) -> tuple[object, ...]:
    """All that the inference of a node goes by, and what it gave; numbers that are replaced are other numbers."""
    held = tuple(node.attributes.values())
    numbers = tuple(None if value is None else _Same(value.const_value) for value in node.inputs)
    graphs = [graph for each in held if each.type in _GRAPHS for graph in _graphs(each)]
    ends = tuple(value for graph in graphs for value in (*graph.inputs, *graph.outputs))
    given = tuple(map(_Same, held))
    return (node.domain, node.op_type, node.inputs, given, numbers, ends, _types(node.outputs))


class _Same:
    """An object that equals itself alone."""

    def __init__(self, held: object) -> None:
        self.held = held

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.held is other.held

    def __hash__(self) -> int:
        return id(self.held)


def _graphs(attribute: ir.Attr) -> list[ir.Graph]:
    return [attribute.as_graph()] if attribute.type == ir.AttributeType.GRAPH else list(attribute.as_graphs())


def _types(values: Iterable[ir.Value]) -> tuple[object, ...]:
    return tuple((value.type, None if value.shape is None else tuple(value.shape)) for value in values)


def _is_known(value: ir.Value) -> bool:
    """Whether type and shape are there, each size a number or a name."""
    shape = value.shape
    return value.type is not None and shape is not None and all(isinstance(s, int) or s.value for s in shape)


def _inferred(model: ir.Model) -> onnx.ModelProto | None:
    """What ONNX's own inference makes of the model, without its large weights; None where it gives up."""
    with _light(model.graph):
        proto = ir.to_proto(model)
    foreign_types.restore(proto.graph)
    try:
        inferred = onnx.shape_inference.infer_shapes(proto, check_type=False, strict_mode=False)
        infos = (*inferred.graph.value_info, *proto.graph.input, *inferred.graph.output)
        if _leaves_nothing_open(inferred.graph) or any(_is_long(info) for info in infos):
            return inferred
        return onnx.shape_inference.infer_shapes(proto, check_type=False, strict_mode=False, data_prop=True)
    except Exception:  # the inference throws C++ errors of many kinds; what it cannot say stays unknown
        return None


def _leaves_nothing_open(graph: onnx.GraphProto) -> bool:
    """Whether each size is a number or an input's, so that to propagate the values of shapes would tell no more."""
    told = {info.name for info in (*graph.value_info, *graph.output) if _is_whole(info.type)}
    plain = not any(attribute.HasField("g") or attribute.graphs for node in graph.node for attribute in node.attribute)
    return plain and all(name in told for node in graph.node for name in node.output if name)


def _is_whole(kind: onnx.TypeProto) -> bool:
    if not kind.HasField("tensor_type") or not kind.tensor_type.HasField("shape"):
        return False
    return all(
        size.HasField("dim_value") or (size.dim_param and not size.dim_param.startswith(_MADE_UP))
        for size in kind.tensor_type.shape.dim
    )


def _is_long(info: onnx.ValueInfoProto) -> bool:
    """Whether it is a vector so long that the propagation of values, which holds each entry of it, would not end."""
    sizes = info.type.tensor_type.shape.dim
    return len(sizes) == 1 and sizes[0].dim_value > LONGEST


@contextlib.contextmanager
def _light(graph: ir.Graph) -> Iterator[None]:
    """While this lasts, large initializers pretend to stand in another file."""
    held = {}
    for value in graph.initializers.values():
        tensor = value.const_value
        if tensor is not None and tensor.size * 8 > SMALL and tensor.dtype != ir.DataType.STRING:
            held[value] = tensor
            shape = ir.Shape(tensor.shape.numpy())
            value.const_value = ir.ExternalTensor("weights", 0, tensor.nbytes, tensor.dtype, shape=shape, name="")
    try:
        yield
    finally:
        for value, tensor in held.items():
            value.const_value = tensor


def _merge(graph: ir.Graph, proto: onnx.GraphProto, outermost: bool = False) -> None:
    infos = {info.name: info for info in (*proto.value_info, *proto.output)}
    if not outermost:
        for value, info in zip(graph.inputs, proto.input, strict=True):
            _take(value, info)
    for node, made in zip(graph, proto.node, strict=True):
        for value in node.outputs:
            if value.name and value.name in infos:
                _take(value, infos[value.name])
        for attribute in made.attribute:
            held = node.attributes[attribute.name]
            if held.type == ir.AttributeType.GRAPH:
                _merge(held.as_graph(), attribute.g)
            elif held.type == ir.AttributeType.GRAPHS:
                for inner, each in zip(held.as_graphs(), attribute.graphs, strict=True):
                    _merge(inner, each)


def _take(value: ir.Value, info: onnx.ValueInfoProto) -> None:
    """Gives the value the type and shape that were inferred; what was not inferred stays as it was."""
    which = info.type.WhichOneof("value")
    if which is None or foreign_types.type_of(value) is not None:
        return
    if which != "tensor_type" and not foreign_types.names_elements(info.type):  # the IR has no half-open containers
        return
    if not foreign_types.has_word(info.type):
        foreign_types.keep(value, info.type)
        return
    kind = ir.serde.deserialize_type_proto_for_type(info.type)
    shape = ir.serde.deserialize_type_proto_for_shape(info.type)
    if kind is not None and kind.dtype != ir.DataType.UNDEFINED and kind != value.type:
        value.type = kind
    if shape is not None and shape != value.shape:
        value.shape = shape


def _values(model: ir.Model) -> list[ir.Value]:
    return [output for node in model.graph.all_nodes() for output in node.outputs]


def _forget_names(model: ir.Model) -> dict[ir.Value, ir.Shape | None]:
    """Makes symbolic sizes of inner values and outputs unknown, so that those of the inputs reach them."""
    before = {value: value.shape for value in _values(model)}
    for value, shape in before.items():
        if shape is not None and not shape.is_static():
            value.shape = ir.Shape([size if isinstance(size, int) else None for size in shape])
    return before


def _name(model: ir.Model, before: dict[ir.Value, ir.Shape | None]) -> None:
    """Gives sizes that do not follow from the inputs the names they had, or a name after where they first stand."""
    given: dict[str, str] = {}
    for value in _values(model):
        if value.shape is None or value.shape.is_static():
            continue
        old = before[value]
        sizes: list[int | ir.SymbolicDim | str | None] = list(value.shape)
        for axis, size in enumerate(value.shape):
            if isinstance(size, int) or not (size.value is None or generated(size)):
                continue
            kept = old[axis] if old is not None and len(old) == len(sizes) else None
            if kept is not None and not isinstance(kept, int) and kept.value is not None and not generated(kept):
                sizes[axis] = kept
            elif size.value is not None:
                sizes[axis] = given.setdefault(size.value, f"{value.name}_{axis}")
        value.shape = ir.Shape(sizes)


def generated(size: ir.SymbolicDim) -> bool:
    """Whether ONNX's inference made the name up; it makes the same one up for another size the next time."""
    return size.value is not None and size.value.startswith(_MADE_UP)


def _fill(model: ir.Model) -> bool:
    """Fills in shapes that ONNX's own inference leaves out: of operators that keep their first input's."""
    filled = False
    for node in model.graph.all_nodes():
        if node.op_type not in KEEPS_SHAPE or node.domain != "" or node.inputs[0] is None:
            continue
        source, output = node.inputs[0], node.outputs[0]
        if output.shape is None and source.shape is not None:
            output.shape, output.type = source.shape.copy(), source.type
            filled = True
    return filled
