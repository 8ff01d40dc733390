"""Infers shapes and types."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import onnx
import onnx_ir as ir

from interlingua.ir import foreign_types
from interlingua.passes.base import Pass

KEEPS_SHAPE = frozenset({"GroupNormalization", "RMSNormalization", "Swish"})
SMALL = 4096
"""Bytes up to which an initializer's values are shown to the inference, which reads shapes and axes out of them."""

LONGEST = 1 << 16


class InferShapes(Pass):
    """Gives every value the shape and type that follow from the inputs, as far as they do."""

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        before = _forget_names(model)
        inferred = _inferred(model)
        if inferred is not None:
            _merge(model.graph, inferred.graph, outermost=True)
        _fill(model)
        _name(model, before)
        return any(value.shape != shape for value, shape in before.items())


def _inferred(model: ir.Model) -> onnx.ModelProto | None:
    """What ONNX's own inference makes of the model, without its large weights; None where it gives up."""
    try:
        with _light(model.graph):
            proto = ir.to_proto(model)
        foreign_types.restore(proto.graph)
        inferred = onnx.shape_inference.infer_shapes(proto, check_type=False, strict_mode=False)
        if any(_is_long(info) for info in (*inferred.graph.value_info, *proto.graph.input, *inferred.graph.output)):
            return inferred
        return onnx.shape_inference.infer_shapes(proto, check_type=False, strict_mode=False, data_prop=True)
    except Exception:  # the inference throws C++ errors of many kinds; what it cannot say stays unknown
        return None


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
    return size.value is not None and size.value.startswith("unk__")


def _fill(model: ir.Model) -> None:
    """Shapes that ONNX's own inference leaves out: of operators that keep their first input's."""
    for node in model.graph.all_nodes():
        if node.op_type not in KEEPS_SHAPE or node.domain != "" or node.inputs[0] is None:
            continue
        source, output = node.inputs[0], node.outputs[0]
        if output.shape is None and source.shape is not None:
            output.shape, output.type = source.shape.copy(), source.type
