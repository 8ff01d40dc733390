"""The IR being built from a network: values by name, blobs as weights, shapes known as it grows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir

from interlingua import cards
from interlingua.axes import parse
from interlingua.cards import Card, Facts
from interlingua.errors import InvalidSource, Unsupported
from interlingua.ir.build import OPSET, Builder, read_call
from interlingua.ir.facts import shape_of
from interlingua.records import record
from interlingua_caffe.arguments import slot_index
from interlingua_caffe.frontend.net import Layer, Net, Stored

FRAMEWORK = "caffe"
DOMAIN = "caffe"
_OPSETS = [onnx.helper.make_opsetid("", OPSET)]


class Graph:
    """A builder with a network's values in it."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.builder = Builder(net.name)
        self.values: dict[str, ir.Value] = {name: self.builder.input(name, shape) for name, shape in net.inputs.items()}
        self._inferred = 0

    def inputs(self, layer: Layer) -> list[ir.Value]:
        """The values a layer takes."""
        return [self.values[name] for name in layer.inputs]

    def rank(self, value: ir.Value) -> int:
        """How many axes a value has.

        Raises:
            Unsupported: nobody knows.
        """
        shape = shape_of(value)
        if shape is None:
            raise Unsupported("the shape of what it takes is not known")
        return len(shape)

    def _spatial(self, layer: Layer, value: ir.Value) -> int:
        """How many spatial axes: as the data have, else as the kernel has, else two, which most layers want."""
        shape = shape_of(value)
        if shape is not None:
            return max(len(shape) - 2, 0)
        kernel = layer.stored[0].blob.shape if layer.stored else ()
        return len(kernel) - 2 if len(kernel) > 2 else 2

    def blob(
        self, layer: Layer, index: int, dims: int | None = None, expected: Sequence[int | None] | None = None
    ) -> ir.Value:
        """A learned blob as an initializer under its own name; `dims` is how many axes it should have.

        `expected` is the shape it should have, None where a size is not known beforehand.

        Raises:
            InvalidSource: it is missing, or of another shape.
        """
        if index >= len(layer.stored):
            raise InvalidSource(self._missing(layer, index), place=f"layer {layer.name!r}", hint=self._how())
        stored = layer.stored[index]
        array = stored.blob.array
        if dims is not None and array.ndim != dims:
            array = array.reshape(_fitted(stored, dims, layer))
        if expected is not None:
            check_shape(layer, stored, array.shape, expected)
        if array.dtype == np.float64:
            tensor: ir.TensorProtocol = ir.LazyTensor(
                lambda: ir.Tensor(array.astype(np.float32), name=stored.name),
                dtype=ir.DataType.FLOAT,
                shape=ir.Shape(array.shape),
                name=stored.name,
            )
        else:
            tensor = ir.Tensor(array, name=stored.name)
        return self.builder.weight(stored.name, tensor)

    def _missing(self, layer: Layer, index: int) -> str:
        if not self.net.has_weights:
            return "Expected the network's weights. Received the prototxt alone."
        held = f"{len(layer.stored)} of them" if layer.stored else "none"
        return f"Expected blob {index} of the {layer.type} layer in the weights file. Received {held}."

    def _how(self) -> str:
        if self.net.has_weights:
            return "Weights are matched by layer name: is the file another network's?"
        return "Put its .caffemodel beside it, or give `--weights FILE`."

    def call(
        self,
        layer: Layer,
        api: str,
        said: Mapping[str, Any],
        inputs: Sequence[ir.Value],
        *,
        extra: Mapping[str, ir.Value] | None = None,
        weights: Mapping[str, ir.Value] | None = None,
    ) -> ir.Value:
        """Reads a layer, or a part of one, through the card of that type.

        `extra` are inputs by canonical name that another layer or nobody says, `weights` those that are not the
        layer's blobs as they are stored.

        Raises:
            Unsupported: no card knows it.
        """
        card = cards.find_to_read(FRAMEWORK, api, said)
        rest = dict(said)
        named = {name: [value] for name, value in (extra or {}).items()}
        for name, slot in card.inputs.items():
            role, index = slot_index(slot.name)
            if not role:
                named[name] = [self.number(layer, rest.pop(slot.name, slot.default))]
            elif index is None:
                named[name] = list(inputs)
            elif index < len(inputs):
                named[name] = [inputs[index]]
            else:
                raise Unsupported(f"it takes {index + 1} blobs and is given {len(inputs)}")
        if all(slot_index(slot.name)[1] is not None for slot in card.inputs.values()) and len(inputs) > len(
            card.inputs
        ):
            raise Unsupported(f"{len(inputs)} blobs are given to a layer that takes {len(card.inputs)}")
        rank = self._spatial(layer, inputs[0]) if card.ranks else 0
        blobs = self._weights(layer, card, rank, rest, inputs[0]) if weights is None else weights
        value = read_call(self.builder, card, rest, named, blobs, layer=layer.name, rank=rank)
        self.infer()
        return value

    def _weights(
        self, layer: Layer, card: Card, rank: int, said: Mapping[str, Any], x: ir.Value
    ) -> dict[str, ir.Value]:
        if not card.weights:
            return {}
        found = {}
        described = record(card.record)
        read = card.read_arguments(said, Facts(card.record, {}, rank))
        for name, slot in card.weights.items():
            _, index = slot_index(slot.name)
            assert index is not None
            if described.input(name).optional and not read.get("has_bias", True):
                continue
            axes = parse("C" if slot.axes == "C" else slot.axes or described.input(name).axes, rank)
            sizes = _sizes(card.record, name, read, shape_of(x))
            found[slot.name] = self.blob(layer, index, len(axes), [sizes.get(axis) for (axis,) in axes])
        return found

    def number(self, layer: Layer, value: float) -> ir.Value:
        """A number that the prototxt states."""
        return self.builder.constant(f"{layer.name}.number", np.asarray(value, np.float32))

    def node(
        self, layer: Layer, op: str, inputs: Sequence[ir.Value], attributes: Mapping[str, Any] | None = None
    ) -> ir.Value:
        """A node of ONNX's own for what no card says."""
        value = self.builder.node(op, inputs, attributes, layer=layer.name)
        self.infer()
        return value

    def infer(self) -> None:
        """Gives the values of new nodes the shapes that follow."""
        nodes = list(self.builder.graph)
        for node in nodes[self._inferred :]:
            if node.domain == "":
                _infer(node)
        self._inferred = len(nodes)


def _sizes(
    op: str, name: str, values: Mapping[str, Any], shape: Sequence[int | str | None] | None
) -> dict[str, int | None]:
    """The size of each axis of a weight that the layer's fields and its input's shape tell."""
    channels = shape[1] if shape is not None and len(shape) > 1 and isinstance(shape[1], int) else None
    group = values.get("group", 1)
    inputs = channels if op != "Conv" or channels is None else channels // group
    outputs = values.get("out_channels", values.get("out_features"))
    if op == "ConvTranspose" and name == "W":
        outputs //= group
    kernel = {f"S{axis}": size for axis, size in enumerate(values.get("kernel_shape", ()))}
    return {"I": inputs, "O": outputs, "C": channels, **kernel}


def check_shape(layer: Layer, stored: Stored, shape: Sequence[int], expected: Sequence[int | None]) -> None:
    """Compares a blob's shape with what the layer and its input want.

    Raises:
        InvalidSource: they differ.
    """
    if len(shape) == len(expected) and all(b in (None, a) for a, b in zip(shape, expected, strict=True)):
        return
    wanted = ", ".join("?" if size is None else str(size) for size in expected)
    raise InvalidSource(
        f"Expected a blob of the shape [{wanted}] for {layer.type}. "
        f"Received {stored.name!r} of the shape {list(shape)}.",
        place=f"layer {layer.name!r}",
        hint="Weights are matched by layer name: is the file another network's?",
    )


def _fitted(stored: Stored, dims: int, layer: Layer) -> tuple[int, ...]:
    """The stored shape with `dims` axes: old files put ones before (or around) what a blob has."""
    shape = stored.blob.shape
    if dims == 1 and math.prod(shape) == max(shape, default=1):
        return (math.prod(shape),)
    extra = len(shape) - dims
    if extra > 0 and all(size == 1 for size in shape[:extra]):
        return shape[extra:]
    raise InvalidSource(
        f"Expected a blob of {dims} axes for {layer.type}. Received {stored.name!r} of the shape {list(shape)}.",
        place=f"layer {layer.name!r}",
    )


def _infer(node: ir.Node) -> None:
    if any(value is not None and value.shape is None for value in node.inputs):
        return
    types = {
        v.name: onnx.helper.make_tensor_type_proto(int(v.dtype or 1), list(shape_of(v) or ())) for v in node.inputs if v
    }
    data = {
        v.name: ir.to_proto(v.const_value)
        for v in node.inputs
        if v is not None and v.const_value is not None and v.const_value.dtype == ir.DataType.INT64
    }
    schema = onnx.defs.get_schema(node.op_type, OPSET, "")
    try:
        found = onnx.shape_inference.infer_node_outputs(schema, ir.to_proto(node), types, data, opset_imports=_OPSETS)
    except onnx.shape_inference.InferenceError as error:
        shapes = ", ".join(str(list(shape_of(value) or ())) for value in node.inputs if value is not None)
        raise InvalidSource(
            f"Expected shapes that {node.op_type} takes. Received {shapes}.", place=f"layer {node.name!r}"
        ) from error
    for output in node.outputs:
        if output.name in found and found[output.name].tensor_type.HasField("shape"):
            dims = found[output.name].tensor_type.shape.dim
            output.shape = ir.Shape([d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in dims])
            output.dtype = ir.DataType(found[output.name].tensor_type.elem_type)
