"""Writes the nodes of a function body in the place of one node."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from interlingua.ir.edit import add_initializer, fresh_name, graph_of
from interlingua.ir.origin import Constant


class Body:
    """Writes nodes that stand in the place of one, typed like its first output unless said otherwise."""

    def __init__(self, node: ir.Node) -> None:
        self.node = node
        self.nodes: list[ir.Node] = []
        self.made: list[ir.Value] = []

    @property
    def source(self) -> ir.Value:
        """The node's first input."""
        return self.input(0)

    def input(self, index: int) -> ir.Value:
        """A given input of the node."""
        value = self.node.inputs[index]
        assert value is not None
        return value

    def optional(self, index: int) -> ir.Value | None:
        """An input of the node, or None."""
        return self.node.inputs[index] if index < len(self.node.inputs) else None

    def decimal(self, name: str, default: float) -> float:
        """A float attribute of the node."""
        held = self.node.attributes.get(name)
        return default if held is None else held.as_float()

    def whole(self, name: str, default: int) -> int:
        """An integer attribute of the node."""
        held = self.node.attributes.get(name)
        return default if held is None else held.as_int()

    def __call__(
        self,
        op_type: str,
        *inputs: ir.Value | float | None,
        shape: Sequence[int | str | None] | None = None,
        **attributes: object,
    ) -> ir.Value:
        """The output of a new node; a Python number becomes a constant of the node's element type."""
        given = [self.number(each) if isinstance(each, float) else each for each in inputs]
        said = [ir.convenience.convert_attribute(name, value) for name, value in attributes.items()]
        made = ir.Node("", op_type, given, said)
        output, final = made.outputs[0], self.node.outputs[0]
        output.name = fresh_name(graph_of(self.node), f"{final.name}_{op_type.lower()}")
        output.type = final.type
        output.shape = ir.Shape(list(shape)) if shape is not None else final.shape
        self.nodes.append(made)
        return output

    def number(self, value: float) -> ir.Value:
        """A constant without axes of the node's element type."""
        dtype = self.node.outputs[0].dtype or ir.DataType.FLOAT
        return self.constant(np.asarray(value, dtype.numpy()))

    def constant(self, array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> ir.Value:
        """A constant of the graph, no parameter of the source."""
        stem = fresh_name(graph_of(self.node), f"{self.node.outputs[0].name}_number")
        value = add_initializer(graph_of(self.node), stem, array, Constant(stem))
        self.made.append(value)
        return value

    def forget(self) -> None:
        """Takes back the constants that a body made which is not used."""
        graph = graph_of(self.node)
        for value in self.made:
            if value.name is not None:
                graph.initializers.pop(value.name, None)
        for node in self.nodes:
            for index in range(len(node.inputs)):
                node.replace_input_with(index, None)
