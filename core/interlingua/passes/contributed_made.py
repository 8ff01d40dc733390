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
