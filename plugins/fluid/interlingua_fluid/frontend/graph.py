"""The state of a reading: variables of the program on one side, values of the IR on the other."""

from __future__ import annotations

import re
from collections.abc import Mapping

import onnx_ir as ir

from interlingua.errors import InvalidSource
from interlingua.formats.lod_tensor import StoredTensor
from interlingua.formats.program_desc import Operator, Program
from interlingua.ir.build import Builder
from interlingua_fluid.naming import restore

_OUTPUTS = ("Output", "Out", "Y")


def layer_of(op: Operator) -> str:
    """The layer's name: Fluid names variables after it, `conv1.tmp_0`."""
    return re.sub(r"\.tmp_\d+$", "", output_of(op) or op.type)


def output_of(op: Operator) -> str:
    """The operator's main output, "" where it has none of the usual name."""
    return next((op.outputs[slot][0] for slot in _OUTPUTS if op.outputs.get(slot)), "")


class Reading:
    """A graph being built from a program."""

    def __init__(self, name: str, program: Program, stored: Mapping[str, StoredTensor]) -> None:
        self.builder = Builder(name)
        self.program = program
        self._stored = stored
        self._values: dict[str, ir.Value] = {}
        self._names: set[str] = set()

    def value(self, name: str) -> ir.Value:
        """The IR value of a variable; a stored one becomes an initializer, memory-mapped, under its name.

        A name that this plugin had to legalise when it wrote the model is the original one again.

        Raises:
            InvalidSource: nothing wrote it and it is not stored.
        """
        if name in self._values:
            return self._values[name]
        if name in self._stored:
            source = restore(name)
            self._names.add(source)
            return self.builder.weight(source, ir.tensor(self._stored[name].array(), name=source))
        raise InvalidSource(f"Expected a variable that is stored or computed. Received {name!r}, which is neither.")

    def stored(self, name: str) -> bool:
        """Whether the variable is a weight."""
        return name in self._stored and name not in self._values

    def define(self, name: str, value: ir.Value) -> None:
        """Says that a variable holds a value from now on; the value gets the variable's name where it is free."""
        self._values[name] = value
        if value.producer() is not None and name not in self._names and value.name not in self._names:
            value.name = name
        self._names.add(name)
        variable = self.program.variables.get(name)
        if variable is not None and variable.dtype is not None and value.type is None:
            value.type = ir.TensorType(ir.DataType.from_numpy(variable.dtype))
        if value.shape is None and variable is not None:
            value.shape = ir.Shape([None] * len(variable.shape))

    def absorbed(self, op: Operator, source: str) -> None:
        """Says that what wrote `source` does this operator's work too: its value goes under the new name alone."""
        value = self._values.pop(source)
        self._names.discard(source)
        if value.name == source:
            value.name = value.name + " (absorbed)"
        self.define(output_of(op), value)

    def alias(self, op: Operator, source: str) -> None:
        """Says that the operator changes nothing: its output is another name of `source`."""
        self._values[output_of(op)] = self.value(source)

    def rank(self, name: str) -> int:
        """How many axes the variable has."""
        return len(self.program.variables[name].shape) if name in self.program.variables else 0

    def sizes(self, name: str) -> list[int | None]:
        """The variable's shape as the program states it, None for an open axis."""
        return [None if size < 0 else size for size in self.program.variables[name].shape]
