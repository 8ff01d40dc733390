"""Builds IR from layer-like formats: nodes by record, and whole calls read through a card backwards."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from interlingua.axes import permutation, rearrange
from interlingua.cards import Card, Facts, Slot
from interlingua.codegen.weights import Weight
from interlingua.errors import InvalidSource, Unsupported
from interlingua.ir import metadata
from interlingua.ir.facts import known, shape_of
from interlingua.ir.origin import Constant
from interlingua.records import record

OPSET = 26

_INPUT_TYPES: Mapping[str, Any] = {
    "min": np.float32,
    "max": np.float32,
    "ratio": np.float32,
    "constant_value": np.float32,
}


@dataclasses.dataclass
class Builder:
    """A graph being built. Values are `onnx_ir.Value`s; every node remembers its layer."""

    name: str

    def __post_init__(self) -> None:
        self.graph = ir.Graph([], [], nodes=[], opset_imports={"": OPSET}, name=self.name)
        self._taken: dict[str, int] = {}

    def _free(self, name: str) -> str:
        number = self._taken.get(name, 0) + 1
        self._taken[name] = number
        return name if number == 1 else self._free(f"{name}_{number}")

    def input(self, name: str, shape: Sequence[int | str | None], dtype: ir.DataType = ir.DataType.FLOAT) -> ir.Value:
        """A graph input; a None in the shape is an unknown axis."""
        value = ir.Value(name=self._free(name), shape=ir.Shape(shape), type=ir.TensorType(dtype))
        self.graph.inputs.append(value)
        return value

    def weight(self, name: str, tensor: ir.TensorProtocol, origin: str | None = None) -> ir.Value:
        """A parameter of the source, under the source's name; taken again, it is the same value."""
        if name in self.graph.initializers:
            return self.graph.initializers[name]
        shape = ir.Shape(tensor.shape.numpy())
        value = ir.Value(name=name, shape=shape, type=ir.TensorType(tensor.dtype), const_value=tensor)
        self._taken[name] = 1
        metadata.set_origin(value, origin or name)
        self.graph.register_initializer(value)
        return value

    def constant(self, name: str, array: np.ndarray[Any, Any]) -> ir.Value:
        """A number the source's code states, no parameter."""
        free = self._free(name)
        tensor = ir.tensor(array, name=free)
        value = ir.Value(name=free, shape=ir.Shape(array.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
        metadata.set_origin(value, Constant(free))
        self.graph.register_initializer(value)
        return value

    def rearranged(self, weight: Weight) -> ir.Value:
        """A weight in another form, evaluated lazily; its origin says how it comes from the source's parameter."""
        if not weight.steps:
            return weight.value
        name = self._free(str(weight.origin))
        tensor = ir.LazyTensor(
            lambda: ir.tensor(weight.array()), dtype=weight.tensor.dtype, shape=ir.Shape(weight.shape), name=name
        )
        value = ir.Value(name=name, shape=ir.Shape(weight.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
        metadata.set_origin(value, weight.origin)
        self.graph.register_initializer(value)
        return value

    def node(
        self,
        op: str,
        inputs: Sequence[ir.Value | None],
        attributes: Mapping[str, Any] | None = None,
        *,
        layer: str = "",
        outputs: int = 1,
        domain: str = "",
        dtype: ir.DataType | None = None,
    ) -> ir.Value:
        """A node of any op; the first output is returned."""
        name = self._free(layer or op)
        values = [
            ir.Value(name=self._free(f"{name}:{i}"), type=ir.TensorType(dtype) if dtype else None)
            for i in range(outputs)
        ]
        converted = [ir.convenience.convert_attribute(k, v) for k, v in (attributes or {}).items() if v is not None]
        node = ir.Node(domain, op, inputs, converted, outputs=values, name=name)
        metadata.set_place(node, layer or name)
        self.graph.append(node)
        return values[0]

    def transpose(self, value: ir.Value, order: Sequence[int], *, layer: str = "") -> ir.Value:
        """The value with its axes in another order; the value itself where nothing moves."""
        if tuple(order) == tuple(range(len(order))):
            return value
        turned = self.node(
            "Transpose", [value], {"perm": list(order)}, layer=f"{layer}.axes" if layer else "", dtype=value.dtype
        )
        shape = shape_of(value)
        if shape is not None:
            turned.shape = ir.Shape([shape[axis] for axis in order])
        return turned

    def record(
        self, op: str, inputs: Mapping[str, Sequence[ir.Value]], values: Mapping[str, Any], *, layer: str = ""
    ) -> ir.Value:
        """A node of a record from its tensor inputs and canonical parameters, each put where ONNX wants it.

        `pads` may be one of ONNX's auto_pad words.
        """
        described = record(op)
        attributes: dict[str, Any] = {}
        constants: dict[str, ir.Value] = {}
        data = next((values[0].dtype for values in inputs.values() if values), None)
        for name, value in values.items():
            parameter = described.parameters.get(name)
            if parameter is None or parameter.derived or value is None:
                continue
            if name == "pads" and isinstance(value, str):
                attributes["auto_pad"] = value
            elif parameter.origin == "attribute":
                if not parameter.is_default(value):
                    attributes[name] = value
            elif not parameter.is_default(value):
                dtype = _INPUT_TYPES.get(name, bool if isinstance(value, bool) else np.int64)
                if dtype is np.float32 and data is not None and data.is_floating_point():
                    dtype = data.numpy()
                constants[name] = self.constant(f"{layer or op}.{name}", np.asarray(value, dtype))
        ordered: list[ir.Value | None] = []
        for name in described.order:
            ordered.extend(inputs[name] if name in inputs else [constants.get(name)])
        while ordered and ordered[-1] is None:
            ordered.pop()
        return self.node(op, ordered, attributes, layer=layer)

    def model(self, outputs: Sequence[tuple[str, ir.Value]]) -> ir.Model:
        """The finished model; outputs get their names."""
        for name, value in outputs:
            if value.is_graph_input() or value in self.graph.outputs:
                value = self.node("Identity", [value], layer=f"{name}.output", dtype=value.dtype)
            value.name = name
            self.graph.outputs.append(value)
        self.graph.sort()
        return ir.Model(self.graph, ir_version=10, producer_name="interlingua")


def read_call(
    builder: Builder,
    card: Card,
    arguments: Mapping[str, Any],
    inputs: Mapping[str, Sequence[ir.Value]],
    weights: Mapping[str, ir.Value],
    *,
    layer: str,
    rank: int = 0,
) -> ir.Value:
    """Reads one serialised call through its card: the op's output, in the source's own axis order.

    `inputs` are by canonical name, in the axis order the card says; `weights` by the card's own weight names, as
    the source holds them. Where the card's data is not in ONNX's order, Transposes are put around the node; the
    layout pass removes them.

    Raises:
        Unsupported: an argument no card knows.
        InvalidSource: a weight is missing or its shape does not fit.
    """
    described = record(card.record)
    turned: dict[str, Sequence[ir.Value]] = {}
    for name, values in inputs.items():
        slot = card.inputs.get(name) or card.weights.get(name) or Slot(name)
        turned[name] = [
            _to_canonical(builder, described.input(name).axes, slot, value, rank, layer) for value in values
        ]
    shapes = {name: shape_of(values[0]) for name, values in turned.items() if values}
    first = next(iter(shapes.values()), None)
    known_before: dict[str, Any] = {} if first is None else {"input_rank": len(first)}
    facts = Facts(card.record, known_before, rank, shapes, frozenset(weights))
    read = card.read_arguments(arguments, facts)
    for name, slot in card.weights.items():
        given = weights.get(slot.name)
        if given is None:
            if not described.input(name).optional and slot.default is not None:
                raise InvalidSource(f"Expected the weight {slot.name!r} of {card.api}. Received none.", place=layer)
            continue
        turned[name] = [_weight_to_canonical(builder, card, name, slot, given, read, layer)]
    output = builder.record(card.record, turned, read, layer=layer)
    output_slot = described.outputs[0]
    theirs = card.outputs.get(output_slot.name, "") or next(
        (s.axes for n, s in card.inputs.items() if described.input(n).axes == "N C *"), ""
    )
    if theirs and output_slot.axes == "N C *" and theirs != output_slot.axes:
        return builder.transpose(output, permutation(output_slot.axes, theirs, rank), layer=layer)
    return output


def _to_canonical(builder: Builder, canonical: str, slot: Slot, value: ir.Value, rank: int, layer: str) -> ir.Value:
    if not slot.axes or slot.axes == canonical or canonical != "N C *":
        return value
    return builder.transpose(value, permutation(slot.axes, canonical, rank), layer=layer)


def _weight_to_canonical(
    builder: Builder, card: Card, name: str, slot: Slot, value: ir.Value, read: Mapping[str, Any], layer: str
) -> ir.Value:
    canonical = record(card.record).input(name).axes
    if card.record == "Gemm" and name == "B" and read.get("transB"):
        canonical = "O I"
    shape = known(shape_of(value))
    if not slot.axes or slot.axes == canonical or shape is None or slot.axes == "C":
        return value
    target = "(I M) 1 *" if "M" in slot.axes else canonical
    try:
        return builder.rearranged(Weight(value).rearranged(rearrange(slot.axes, target, shape)))
    except ValueError as error:
        raise InvalidSource(
            f"Expected the weight {slot.name!r} of {card.api} with the axes {slot.axes!r}. "
            f"Received the shape {tuple(shape)}.",
            place=layer,
        ) from error


def opaque(builder: Builder, domain: str, kind: str, inputs: Sequence[ir.Value], layer: str) -> ir.Value:
    """An opaque node for a layer nobody reads: it travels on, and who must write it refuses with all others."""
    if not kind:
        raise Unsupported("a layer without a type")
    return builder.node(kind, inputs, layer=layer, domain=domain)
