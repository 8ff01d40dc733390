"""What a lowering works with: references to values, layers, tensors, sizes and statements of the program."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import functools
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import onnx_ir as ir

from interlingua.codegen import expressions
from interlingua.codegen.decompose import decompose
from interlingua.codegen.dialect import Dialect
from interlingua.codegen.integers import Integers
from interlingua.codegen.layers import Layers
from interlingua.codegen.moves import moved
from interlingua.codegen.numbers import number
from interlingua.codegen.package import Mapped
from interlingua.codegen.program import Compound, Layer, Program, Statement, Tensor
from interlingua.codegen.variables import Variables
from interlingua.codegen.weights import Weight
from interlingua.errors import ComputedShape, Refusal, Unsupported, UnsupportedModel
from interlingua.ir import metadata
from interlingua.ir.facts import constant_value, facts_of, inputs_of, is_constant, qualified
from interlingua.ir.origin import Constant, Parameter
from interlingua.ir.parameters import held, is_trained
from interlingua.names import Identifiers
from interlingua.records import records

_LONGEST_INLINE = 72
_DTYPES = {ir.DataType.FLOAT: "float32", ir.DataType.DOUBLE: "float64"}
_NUMBERED = re.compile(r"node_\w+")
"""A name that PyTorch's exporter gives a node, of an operator of its own and a number."""


class Context(Variables):
    """What a lowering works with: references to values, layers and tensors it may add to the program."""

    def __init__(
        self, model: ir.Model, dialect: Dialect, class_name: str, lower_node: Callable[[Context, ir.Node], None]
    ) -> None:
        super().__init__(model, dialect, class_name)
        self._lower_node = lower_node
        self.program = Program(class_name)
        self.layers = Layers(self.program.layers, dialect)
        self.mapped: list[Mapped] = []
        self.refusals: list[Refusal] = []
        self._body = self.program.statements
        self._unsure: list[Statement] = []
        self._attributes = Identifiers(dialect.reserved)
        self._inline: tuple[ir.Value, Statement] | None = None
        self._tensors: dict[ir.Value, str] = {}
        self._sizes: list[Statement] = []
        self._node: ir.Node | None = None
        for value in model.graph.inputs:
            self._names[value] = self._variables.keep(value.name or "x")
            self.program.inputs.append(self._port(value))
        self.sizes = Integers(model.graph.inputs, self._bind)

    def _bind(self, value: ir.Value, axis: int, hint: str) -> str:
        """A variable for the size of an axis, read where the function begins or where the value has just come."""
        variable = self._variables.take(f"{value.name}.shape[{axis}]", hint)
        shape = ast.Attribute(expressions.name(self._names[value]), "shape", ast.Load())
        statement = Statement((variable,), ast.Subscript(shape, ast.Constant(axis), ast.Load()))
        if value in self.model.graph.inputs:
            self.program.statements.insert(len(self._sizes), statement)
            self._sizes.append(statement)
        else:
            self._body.append(statement)
            self._unsure.append(statement)
        return variable

    def is_layer(self, weight: Weight, keys: Collection[str]) -> bool:
        """Whether the module that the weight is a parameter of has nothing else that the model reads than `keys`.

        A module that holds more is a class: the state's other names would have no place in a layer.
        """
        said = weight.origin
        path = said.name.rpartition(".")[0] if isinstance(said, Parameter) else ""
        return self._held.get(path, frozenset()) <= {*keys}

    @functools.cached_property
    def _held(self) -> Mapping[str, frozenset[str]]:
        return held(self.model.graph)

    def api(self, full: str) -> ast.expr:
        """The code for an API's full name; its import is added to the program."""
        short, statement = self.dialect.spell(full)
        self.program.imports.add(statement)
        return expressions.name(short)

    def ref(self, value: ir.Value) -> ast.expr:
        """The expression for a value: a variable, a number, or a tensor the model owns."""
        if value in self._names:
            return expressions.name(self._names[value])
        if self.sizes.holds(value):
            return self._numbers(value)
        if is_constant(value):
            return self.constant(value)
        raise Unsupported(f"{value.name} is used before it is computed")

    def constant(self, value: ir.Value) -> ast.expr:
        """A constant operand: a number where it is a scalar nobody trains, else a tensor the model owns."""
        tensor = value.const_value
        assert tensor is not None
        if tensor.size == 1 and not is_trained(value) and (value.shape is None or len(value.shape) == 0):
            return number(self, tensor.numpy().item(), tensor.dtype)
        return self.tensor(Weight(value))

    def _numbers(self, value: ir.Value) -> ast.expr:
        """What exists as numbers alone: a plain one where it is a scalar, else a tensor of them."""
        entries = self.sizes.entries(value)
        assert entries is not None
        return entries[0] if value.shape is not None and len(value.shape) == 0 else self._tensor_of(entries, value)

    def _tensor_of(self, entries: ast.expr | list[ast.expr], value: ir.Value) -> ast.expr:
        plainly = value.dtype in (None, ir.DataType.INT64, ir.DataType.FLOAT, ir.DataType.BOOL) and entries != []
        dtype = {} if plainly or value.dtype is None else {"dtype": self.dtype(value.dtype)}
        return expressions.call(self.api(self.dialect.tensor_of), [entries], dtype)

    def dtype(self, dtype: ir.DataType) -> ast.expr:
        """The framework's name of an element type: `torch.float16`."""
        return self.api(f"{self.dialect.framework}.{_DTYPES.get(dtype, dtype.name.lower())}")

    def as_tensor(self, value: ir.Value) -> ast.expr:
        """Like `ref`, but always a tensor: what is a plain number elsewhere becomes one."""
        if value in self._names or not self.dialect.computes:
            return self.operand(value)
        entries = self.sizes.entries(value) if self.sizes.holds(value) else None
        if entries is not None:
            scalar = value.shape is not None and len(value.shape) == 0
            return self._tensor_of(entries[0] if scalar else entries, value)
        return self.tensor(Weight(value)) if is_constant(value) else self.ref(value)

    def integers(self, value: ir.Value) -> list[ast.expr]:
        """The entries of a small vector (or the one of a scalar) of integers, as Python's whole numbers.

        Raises:
            Unsupported: how many there are is not known.
        """
        entries = self.sizes.entries(value)
        if entries is not None:
            return entries
        if value.shape is not None and len(value.shape) == 0:
            return [expressions.call("int", [self.ref(value)])]
        count = value.shape[0] if value.shape is not None and len(value.shape) == 1 else None
        if not isinstance(count, int):
            raise ComputedShape(f"{value.name} holds an unknown number of sizes")
        whole = self.ref(value)
        items = (ast.Subscript(whole, ast.Constant(index), ast.Load()) for index in range(count))
        return [expressions.call("int", [item]) for item in items]

    def size(self, value: ir.Value, axis: int) -> ast.expr:
        """The size of an axis of a tensor: a number where it is known, else an expression over variables of sizes."""
        return self.sizes.expression(self.sizes.size(value, axis))

    def python(self, value: ir.Value) -> ast.expr:
        """A small tensor as Python's own: a number where it is a scalar, else a list."""
        scalar = value.shape is not None and len(value.shape) == 0
        entries = self.sizes.entries(value)
        if entries is not None:
            return entries[0] if scalar else ast.List(entries, ast.Load())
        if is_constant(value):
            return expressions.literal(constant_value(value))
        return expressions.method(self.ref(value), "item" if scalar else "tolist")

    def given(self, node: ir.Node, name: str) -> ast.expr | None:
        """A parameter or input of the record in Python's terms (see `python`); None where it is absent.

        An attribute that is not said has the record's default.
        """
        value = next(iter(inputs_of(node).get(name, ())), None)
        if value is not None:
            return self.python(value)
        default = facts_of(node, computed=True).values.get(name)
        return None if default is None else expressions.literal(default)

    def statement(self, hint: str, value: ast.expr) -> ast.expr:
        """Adds a statement beside the one that the lowering returns; the new variable."""
        variable = self._variables.take(hint, hint)
        self._body.append(Statement((variable,), value, node=self._node))
        return expressions.name(variable)

    def add(self, statement: Statement) -> None:
        """Adds a statement; an `if`, `while` or `for` too."""
        statement.node = self._node
        self._body.append(statement)

    @contextlib.contextmanager
    def suite(self, graph: ir.Graph) -> Iterator[list[Statement]]:
        """The statements of a subgraph, and of what is said inside; values from outside keep their variables."""
        outer, lasting, node, nested = self._body, self._lasting, self._node, self.sizes.nested
        self.sizes.nested = True
        self._body, self._lasting, self._inline = [], {*self._names}, None
        try:
            self.run(list(graph))
            yield self._body
        finally:
            self._body, self._lasting, self._inline, self._node = outer, lasting, None, node
            self.sizes.nested = nested

    def helper(self, name: str) -> ast.expr:
        """A function of the dialect's helpers, which the file then holds."""
        self.program.helpers.add(name)
        self._variables.reserve(name)
        return expressions.name(name)

    def tensor(self, weight: Weight, *, trainable: bool | None = None, hint: str = "") -> ast.expr:
        """The expression for a weight that stands by itself; the same initializer is kept once."""
        graph = self.model.graph
        said = moved(weight, self.dialect.moves, graph, lambda value: self.tensor(Weight(value), trainable=trainable))
        if said is not None:
            return said
        key = weight.value
        if key not in self._tensors or weight.steps:
            source = str(weight.origin)
            attribute = self._attributes.take(source, hint or self._short(self._parameter(weight)))
            train = is_trained(weight.value) if trainable is None else trainable
            self.program.tensors.append(Tensor(attribute, weight, train, source))
            self.program.names[attribute] = source
            if weight.steps:
                return expressions.parse(self.dialect.tensor.format(name=attribute))
            self._tensors[key] = attribute
        return expressions.parse(self.dialect.tensor.format(name=self._tensors[key]))

    def _parameter(self, weight: Weight) -> str:
        origin = weight.origin
        return origin.name if isinstance(origin, Parameter | Constant) else weight.value.name or "weight"

    def layer(
        self,
        node: ir.Node,
        api: str,
        arguments: Sequence[Any] = (),
        keywords: Mapping[str, Any] | None = None,
        weights: Mapping[str, Weight] | None = None,
    ) -> ast.expr:
        """The expression for a layer object that the model owns: `self.conv1`."""
        place = metadata.place(node)
        source = place.layer or node.name or node.op_type
        dtype = self.layers.element_type(weights or {})
        said = {} if dtype is None else {self.dialect.layer_dtype: self.dtype(dtype)}
        call = expressions.call(self.api(api), arguments, {**(keywords or {}), **said})
        made = Layer("", call, dict(weights or {}), source)
        again = self.layers.like(made)
        if again is not None:
            self.note_mapping(node, api, call)
            return expressions.parse(f"self.{again.attribute}")
        hint = node.op_type.lower() if _NUMBERED.fullmatch(source) else self._short(source)
        attribute = self._attributes.take(source, hint)
        self.layers.add(dataclasses.replace(made, attribute=attribute))
        self.program.names[attribute] = source
        self.note_mapping(node, api, call)
        return expressions.parse(f"self.{attribute}")

    def note_mapping(self, node: ir.Node, api: str, call: ast.expr | None = None) -> None:
        """Takes down, for the report, what a node became."""
        arguments = ""
        if isinstance(call, ast.Call):
            arguments = ", ".join(
                [*(ast.unparse(a) for a in call.args), *(f"{k.arg}={ast.unparse(k.value)}" for k in call.keywords)]
            )
        self.mapped.append(Mapped(str(metadata.place(node)), node.op_type, api, arguments))

    def emit(self, node: ir.Node, values: Sequence[ast.expr]) -> None:
        """Adds a statement that computes the node's outputs."""
        self._done.add(node)
        targets = tuple(self._target(node, output) for output in node.outputs[: len(values)])
        whole = values[0] if len(values) == 1 else ast.Tuple(list(values), ast.Load())
        self._body.append(Statement(targets, whole, node=node, outputs=tuple(node.outputs[: len(values)])))

    def finished(self, node: ir.Node) -> None:
        """Takes down that the node is said, by no statement of its own."""
        self._done.add(node)

    def pass_on(self, node: ir.Node) -> None:
        """Gives the node's output the variable of its input: an Identity between an input and an output."""
        source = node.inputs[0]
        if source is not None and source not in self._names and self.dialect.computes:
            self.emit(node, [self.as_tensor(source)])
            return
        if source is None or source not in self._names:
            raise Unsupported("an output that is a constant")
        self._done.add(node)
        self._names[node.outputs[0]] = self._names[source]
        self._passed.add(self._names[source])

    def heir(self, node: ir.Node, output: ir.Value) -> str:
        """The variable of an output in a statement that the lowering adds itself, once its operands are said."""
        self._done.add(node)
        return self._target(node, output)

    def _target(self, node: ir.Node, output: ir.Value) -> str:
        """A dying input's variable goes on; a new branch is named after its layer."""
        inputs = self._inherited(node)
        heirs = [v for v in inputs if v is not None and v in self._names and not self._left(v) and self._mortal(v)]
        taken = {self._names.get(each) for each in node.outputs if each is not output}
        heirs = [v for v in heirs if self._names[v] not in taken]
        if heirs:
            name = self._names[heirs[0]]
        elif "x" not in self._variables:
            name = self._variables.take(output.name or "x", "x")
        else:
            name = self._variables.take(output.name or "x", self._short(metadata.place(node).layer) or "x")
        self._names[output] = name
        return name

    def _inherited(self, node: ir.Node) -> Sequence[ir.Value | None]:
        """The values whose variables may go on: none where the structure gives the variables their names."""
        return () if self.dialect.structured and self._body is self.program.statements else node.inputs

    def look_for_nesting(self, node: ir.Node) -> None:
        """Finds out whether a person would nest the last statement's expression in this node's.

        That is where the node is an activation, its input was just computed and nothing else reads it.
        """
        self._inline = None
        described = records().get(qualified(node))
        statement = self._body[-1] if self._body else None
        value = node.inputs[0] if node.inputs else None
        if self.dialect.structured and self._body is self.program.statements:
            return
        if statement is None or isinstance(statement, Compound) or value is None or len(node.inputs) > 1:
            return
        if described is None or described.family not in self.dialect.fuses or value.is_graph_output():
            return
        variable = self._names.get(value)
        fits = statement.targets == (variable,) and self._left(value) == 1 and not statement.comment
        if fits and variable not in self._passed and len(ast.unparse(statement.value)) <= _LONGEST_INLINE:
            self._inline = (value, statement)

    def operand(self, value: ir.Value) -> ast.expr:
        """Like `ref`, but the expression itself where it was found to be nested."""
        if self._inline is not None and self._inline[0] is value:
            statement = self._inline[1]
            del self._body[next(i for i in reversed(range(len(self._body))) if self._body[i] is statement)]
            self._inline = None
            return statement.value
        return self.ref(value)

    def refuse(self, node: ir.Node) -> None:
        """Goes on after a node that cannot be said, so that all others are told too."""
        for output in node.outputs:
            self._names.setdefault(output, "x")

    def finish(self) -> None:
        """Adds the program's outputs.

        Raises:
            UnsupportedModel: an output is a constant.
        """
        constants = [value for value in self.model.graph.outputs if value not in self._names]
        if constants and not self.dialect.computes:
            names = [f"{value.name} is a constant" for value in constants]
            raise UnsupportedModel("Expected outputs that the model computes.", names)
        for value in constants:
            self._body.append(Statement((self.fresh(value.name or "output"),), self.as_tensor(value)))
            self._names[value] = self._body[-1].targets[0]
        for value in self.model.graph.outputs:
            if not self.dialect.computes and self._names[value] in [port.identifier for port in self.program.outputs]:
                copy: ast.expr = expressions.name(self._names[value])  # artifacts fetch outputs by names of their own
                copy = expressions.call(self.api(self.dialect.identity), [copy]) if self.dialect.identity else copy
                self._names[value] = self.fresh(value.name or "output")
                self._body.append(Statement((self._names[value],), copy))
            self.program.outputs.append(self._port(value))
        self.program.drop_unread([*self._sizes, *self._unsure])

    def run(self, nodes: list[ir.Node]) -> None:
        """Lowers nodes in their order; what cannot be said is kept in `refusals`."""
        while nodes:
            node = self._node = nodes.pop(0)
            try:
                self._lower_node(self, node)
            except Unsupported as refusal:
                replacement = decompose(node, self.dialect.framework, self.dialect.lowerings)
                if replacement is not None:
                    nodes[:0] = replacement
                    continue
                self.refusals.append(Refusal(qualified(node), str(metadata.place(node)), str(refusal), refusal.kind))
                self.refuse(node)
            except AssertionError:
                if not self.refusals or all(value is None or value.dtype is not None for value in node.inputs):
                    raise
                self.refuse(node)  # what was refused before would have told the type
