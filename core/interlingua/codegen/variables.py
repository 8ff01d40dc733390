"""The variables of a program's values: which value has which, and whose may go on to another."""

from __future__ import annotations

import onnx_ir as ir

from interlingua.codegen.dialect import Dialect
from interlingua.codegen.program import Port
from interlingua.ir import metadata
from interlingua.ir.facts import shape_of
from interlingua.names import Identifiers, common_scope, short_names


class Variables:
    """Names for the values of a model while it is lowered, made of those of its layers."""

    def __init__(self, model: ir.Model, dialect: Dialect, class_name: str) -> None:
        self.model = model
        self.dialect = dialect
        self._variables = Identifiers({*dialect.reserved, *(row.short for row in dialect.abbreviations), class_name})
        self._names: dict[ir.Value, str] = {}
        self._done: set[ir.Node] = set()
        self._passed: set[str] = set()
        self._lasting: set[ir.Value] = set()
        layers = [metadata.place(n).layer for n in model.graph if metadata.place(n).layer]
        self._scope = common_scope(layers)
        self._endings = short_names(layers)

    def fresh(self, hint: str) -> str:
        """A new variable."""
        return self._variables.take(hint, hint)

    def name(self, value: ir.Value, variable: str) -> None:
        """Gives a value a variable that a lowering made itself."""
        self._names[value] = variable

    def _port(self, value: ir.Value) -> Port:
        return Port(self._names[value], value.name or "", shape_of(value), value.dtype or ir.DataType.FLOAT)

    def _left(self, value: ir.Value) -> int:
        """How often the value is still to be read."""
        return sum(use.node not in self._done for use in value.uses()) + value.is_graph_output()

    def _mortal(self, value: ir.Value) -> bool:
        """Whether the value's variable may be given to another: an input's own name is kept, unless it is x."""
        if self._names[value] in self._passed or value in self._lasting:
            return False
        return not value.is_graph_input() or (self.dialect.reuses_inputs and self._names[value] == "x")

    def _short(self, name: str) -> str:
        if name in self._endings:
            return self._endings[name]
        return name[len(self._scope) :] if self._scope and name.startswith(self._scope) else name
