"""The state of reading one program: its values as IR, its constants as numbers, and what layer each operator is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from interlingua.errors import Unsupported
from interlingua.ir.build import Builder
from interlingua.notes import Notes
from interlingua_paddle.frontend.pir import Operator, Program, Value

Array = np.ndarray[Any, Any]
_LARGEST_CONSTANT = 1 << 24


class Reading:
    """Values by their number in the program. A constant becomes an initializer only when a tensor is wanted."""

    def __init__(self, program: Program, builder: Builder, notes: Notes) -> None:
        self.builder = builder
        self.notes = notes
        self.described = program.values()
        self.layers = program.layers
        self.parameters = {parameter.value.number: parameter.name for parameter in program.parameters}
        self._tensors: dict[int, ir.Value] = {}
        self._arrays: dict[int, Array] = {}
        self._groups: dict[int, tuple[int, ...]] = {}

    def keep(self, value: Value, tensor: ir.Value) -> None:
        """Takes down what a value is; its shape and type are the program's."""
        if value.shape is not None and not tensor.is_graph_input() and tensor.const_value is None:
            tensor.shape = ir.Shape(value.shape)
            tensor.type = ir.TensorType(dtype_of(value))
        self._tensors[value.number] = tensor

    def keep_array(self, number: int, array: Array) -> None:
        """Takes down a constant."""
        self._arrays[number] = array

    def keep_group(self, number: int, members: Sequence[int]) -> None:
        """Takes down a list of values."""
        self._groups[number] = tuple(members)

    def array(self, number: int) -> Array | None:
        """The constant's array; None for what is no constant."""
        if number in self._groups:
            members = [self.array(member) for member in self._groups[number]]
            found = [member for member in members if member is not None]
            return np.stack([m.reshape(()) for m in found]) if len(found) == len(members) else None
        return self._arrays.get(number)

    @property
    def computed(self) -> frozenset[int]:
        """The values that operators compute."""
        return frozenset(self._tensors) - frozenset(self._arrays)

    def members(self, number: int) -> tuple[int, ...]:
        """The values of a list; the value itself where it is none."""
        return self._groups.get(number, (number,))

    def tensor(self, number: int) -> ir.Value:
        """The value in the IR.

        Raises:
            Unsupported: nothing made it (a further result of an operator of which only the first is read).
        """
        if number in self._tensors:
            return self._tensors[number]
        array = self._arrays.get(number)
        if array is None:
            raise Unsupported(f"it takes the value {number}, which is no first result of an operator")
        scalar = array.reshape(()) if array.shape == (1,) else array
        self._tensors[number] = self.builder.constant(f"constant_{number}", scalar)
        return self._tensors[number]

    def layer(self, operator: Operator) -> str:
        """The layer's name: that of its first weight without the weight's own part, else the operator's label."""
        for number in operator.inputs:
            name = self.parameters.get(number, "")
            if "." in name.strip("."):
                layer = name.rpartition(".")[0]
                return self.layers.get(layer, layer)
        return self.layers.get(operator.label, operator.label)

    def rank(self, operator: Operator) -> int:
        """How many spatial axes the operator's first input has."""
        described = self.described.get(operator.inputs[0]) if operator.inputs else None
        return max(len((described.shape if described else None) or ()) - 2, 0)


def dtype_of(value: Value) -> ir.DataType:
    """The value's element type.

    Raises:
        Unsupported: a type the IR has none for.
    """
    if not value.dtype:
        raise Unsupported("a value that is no tensor, or of a type the IR does not hold")
    return ir.DataType[
        {"bfloat16": "BFLOAT16", "float32": "FLOAT", "float64": "DOUBLE"}.get(value.dtype, value.dtype.upper())
    ]


def filled(shape: Sequence[int], value: float, dtype: str) -> Array:
    """A constant of one number, its size checked before it is made.

    Raises:
        Unsupported: too large to be one, or of an unknown shape or type.
    """
    if any(size < 0 for size in shape) or np.prod(shape, dtype=np.float64) > _LARGEST_CONSTANT:
        raise Unsupported(f"a constant of shape {list(shape)}")
    try:
        return np.full(tuple(shape), value, np.dtype(dtype))
    except TypeError:
        raise Unsupported(f"a constant of type {dtype}") from None
