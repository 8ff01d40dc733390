"""What rules for onnxruntime's own operators make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from interlingua.ir.edit import fresh_name, graph_of

Outputs = Sequence[ir.Value | None]


class Made:
    """The nodes that are to stand in the place of one, and the numbers they need."""

    def __init__(self, node: ir.Node) -> None:
        self.node = node
        self.nodes: list[ir.Node] = []
        self.numbers: list[tuple[str, np.ndarray[Any, Any], ir.Value]] = []

    def input(self, index: int) -> ir.Value | None:
        """The input of this number; None where it is left out."""
        return self.node.inputs[index] if index < len(self.node.inputs) else None

    def reads(self, start: int) -> bool:
        """Whether something reads an output of this number or a later one."""
        return any(output.uses() or output.is_graph_output() for output in self.node.outputs[start:])

    def forget(self) -> None:
        """Lets the nodes go that will not stand in the graph after all; what they read is no longer read by them."""
        for node in self.nodes:
            for index in range(len(node.inputs)):
                node.replace_input_with(index, None)

    def attribute(self, name: str, default: Any) -> Any:
        """What the attribute says; `default` where nothing is said."""
        return self.node.attributes[name].value if name in self.node.attributes else default

    def op(self, op: str, *inputs: ir.Value | None, **attributes: Any) -> ir.Value:
        """The output of a new node, of the type of its first input; attributes that are None are left out."""
        converted = [ir.convenience.convert_attribute(k, v) for k, v in attributes.items() if v is not None]
        stem = f"{self.node.outputs[0].name}_{op.lower()}"
        first = next((value for value in inputs if value is not None), None)
        kind = ir.TensorType(ir.DataType.INT64) if op == "Shape" else None if first is None else first.type
        output = ir.Value(name=fresh_name(graph_of(self.node), stem), type=kind)
        self.nodes.append(ir.Node("", op, inputs, converted, outputs=[output]))
        return output

    def told(self, op: str, *inputs: ir.Value | None) -> ir.Value:
        """The output of a new node that gives truth values."""
        output = self.op(op, *inputs)
        output.type = ir.TensorType(ir.DataType.BOOL)
        return output

    def several(self, op: str, count: int, *inputs: ir.Value | None, **attributes: Any) -> list[ir.Value]:
        """The outputs of a new node that gives so many, all of the type of its first input."""
        first = self.op(op, *inputs, **attributes)
        node = self.nodes[-1]
        node.resize_outputs(count)
        for number, output in enumerate(node.outputs[1:], 1):
            output.name, output.type = fresh_name(graph_of(self.node), f"{first.name}_{number}"), first.type
        return list(node.outputs)

    def parts(self, value: ir.Value, sizes: Sequence[int], axis: int) -> list[ir.Value]:
        """The value cut along an axis into parts of these sizes."""
        return self.several("Split", len(sizes), value, self.number(list(sizes), ir.DataType.INT64), axis=axis)

    def cast(self, value: ir.Value, like: ir.Value) -> ir.Value:
        """The value in the element type of another."""
        kind = like.dtype or ir.DataType.FLOAT
        if value.dtype == kind:
            return value
        output = self.op("Cast", value, to=int(kind))
        output.type = ir.TensorType(kind)
        return output

    def number(self, number: Any, dtype: ir.DataType | None = None) -> ir.Value:
        """A constant, of the type of the first input unless another is given."""
        source = self.node.inputs[0]
        kind = dtype or (source.dtype if source is not None else None) or ir.DataType.FLOAT
        value = ir.Value(name=f"{self.node.outputs[0].name}_number_{len(self.numbers)}")
        self.numbers.append((value.name or "", np.asarray(number, kind.numpy()), value))
        return value

    def plus(self, *terms: ir.Value | None) -> ir.Value:
        """The sum of the terms that are there."""
        given = [term for term in terms if term is not None]
        total = given[0]
        for term in given[1:]:
            total = self.op("Add", total, term)
        return total
