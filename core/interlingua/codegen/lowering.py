"""Lowers a prepared model to a program: node by node, through the cards, or a function where data cannot say it."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

import onnx_ir as ir

from interlingua import cards
from interlingua.axes import rearrange
from interlingua.cards import Card, Facts, Kind, Slot
from interlingua.codegen import expressions
from interlingua.codegen.decompose import decompose
from interlingua.codegen.dialect import Dialect
from interlingua.codegen.package import Mapped
from interlingua.codegen.program import Layer, Port, Program, Statement, Tensor
from interlingua.codegen.weights import Weight
from interlingua.errors import Unsupported, UnsupportedModel
from interlingua.ir import metadata
from interlingua.ir.facts import facts_of, inputs_of, is_constant, plain, shape_of
from interlingua.ir.origin import Constant, Parameter
from interlingua.names import Identifiers, common_scope, short_names
from interlingua.records import record

_LONGEST_INLINE = 72


class Context:
    """What a lowering works with: references to values, layers and tensors it may add to the program."""

    def __init__(self, model: ir.Model, dialect: Dialect, class_name: str) -> None:
        self.model = model
        self.dialect = dialect
        self.program = Program(class_name)
        self.mapped: list[Mapped] = []
        self._attributes = Identifiers(dialect.reserved)
        self._variables = Identifiers({*dialect.reserved, *(row.short for row in dialect.abbreviations), class_name})
        self._names: dict[ir.Value, str] = {}
        self._done: set[ir.Node] = set()
        self._inline: tuple[ir.Value, Statement] | None = None
        self._tensors: dict[ir.Value, str] = {}
        self._passed: set[str] = set()
        layers = [metadata.place(n).layer for n in model.graph if metadata.place(n).layer]
        self._scope = common_scope(layers)
        self._endings = short_names(layers)
        for value in model.graph.inputs:
            self._names[value] = self._variables.take(value.name or "x")
            self.program.inputs.append(self._port(value))

    def _port(self, value: ir.Value) -> Port:
        return Port(self._names[value], value.name or "", shape_of(value), value.dtype or ir.DataType.FLOAT)

    def _left(self, value: ir.Value) -> int:
        """How often the value is still to be read."""
        return sum(use.node not in self._done for use in value.uses()) + value.is_graph_output()

    def api(self, full: str) -> ast.expr:
        """The code for an API's full name; its import is added to the program."""
        short, statement = self.dialect.spell(full)
        self.program.imports.add(statement)
        return expressions.name(short)

    def ref(self, value: ir.Value) -> ast.expr:
        """The expression for a value: a variable, a number, or a tensor the model owns."""
        if value in self._names:
            return expressions.name(self._names[value])
        if is_constant(value):
            return self.constant(value)
        raise Unsupported(f"{value.name} is used before it is computed")

    def constant(self, value: ir.Value) -> ast.expr:
        """A constant operand: a number where it is a scalar nobody trains, else a tensor the model owns."""
        tensor = value.const_value
        assert tensor is not None
        if tensor.size == 1 and not self.trained(value) and (value.shape is None or len(value.shape) == 0):
            number = tensor.numpy().item()
            return expressions.literal(plain(number) if isinstance(number, float) else number)
        return self.tensor(Weight(value))

    def trained(self, value: ir.Value) -> bool:
        """Whether an initializer is a parameter of the source that training would move."""
        floating = value.dtype is not None and value.dtype.is_floating_point()
        return floating and not isinstance(metadata.origin(value), Constant)

    def tensor(self, weight: Weight, *, trainable: bool | None = None, hint: str = "") -> ast.expr:
        """The expression for a weight that stands by itself; the same initializer is kept once."""
        key = weight.value
        if key not in self._tensors or weight.steps:
            source = str(weight.origin)
            attribute = self._attributes.take(source, hint or self._short(self._parameter(weight)))
            train = self.trained(weight.value) if trainable is None else trainable
            self.program.tensors.append(Tensor(attribute, weight, train, source))
            self.program.names[attribute] = source
            if weight.steps:
                return expressions.parse(self.dialect.tensor.format(name=attribute))
            self._tensors[key] = attribute
        return expressions.parse(self.dialect.tensor.format(name=self._tensors[key]))

    def _parameter(self, weight: Weight) -> str:
        origin = weight.origin
        return origin.name if isinstance(origin, Parameter | Constant) else weight.value.name or "weight"

    def _short(self, name: str) -> str:
        if name in self._endings:
            return self._endings[name]
        return name[len(self._scope) :] if self._scope and name.startswith(self._scope) else name

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
        call = expressions.call(self.api(api), arguments, keywords)
        again = self._same_layer(call, weights or {})
        if again is not None:
            self.note_mapping(node, api, call)
            return expressions.parse(f"self.{again.attribute}")
        attribute = self._attributes.take(source, self._short(source))
        self.program.layers.append(Layer(attribute, call, dict(weights or {}), source))
        self.program.names[attribute] = source
        self.note_mapping(node, api, call)
        return expressions.parse(f"self.{attribute}")

    def _same_layer(self, call: ast.expr, weights: Mapping[str, Weight]) -> Layer | None:
        """The layer that has all these weights already: the source calls it more than once."""
        if not weights or not self.dialect.reuses_layers:
            return None
        said = ast.dump(call)
        return next(
            (each for each in self.program.layers if each.weights == weights and ast.dump(each.call) == said), None
        )

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
        self.program.statements.append(Statement(targets, whole))

    def pass_on(self, node: ir.Node) -> None:
        """Gives the node's output the variable of its input: an Identity between an input and an output."""
        source = node.inputs[0]
        if source is None or source not in self._names:
            raise Unsupported("an output that is a constant")
        self._done.add(node)
        self._names[node.outputs[0]] = self._names[source]
        self._passed.add(self._names[source])

    def _target(self, node: ir.Node, output: ir.Value) -> str:
        """A dying input's variable goes on; a new branch is named after its layer."""
        heirs = [v for v in node.inputs if v is not None and v in self._names and not self._left(v) and self._mortal(v)]
        if heirs:
            name = self._names[heirs[0]]
        elif "x" not in self._variables:
            name = self._variables.take(output.name or "x", "x")
        else:
            name = self._variables.take(output.name or "x", self._short(metadata.place(node).layer) or "x")
        self._names[output] = name
        return name

    def _mortal(self, value: ir.Value) -> bool:
        """Whether the value's variable may be given to another: an input's own name is kept, unless it is x."""
        if self._names[value] in self._passed:
            return False
        return not value.is_graph_input() or (self.dialect.reuses_inputs and self._names[value] == "x")

    def look_for_nesting(self, node: ir.Node) -> None:
        """Finds out whether a person would nest the last statement's expression in this node's.

        That is where the node is an activation, its input was just computed and nothing else reads it.
        """
        self._inline = None
        described = record(node.op_type)
        statement = self.program.statements[-1] if self.program.statements else None
        value = node.inputs[0] if node.inputs else None
        if statement is None or value is None or described.family not in self.dialect.fuses or len(node.inputs) > 1:
            return
        variable = self._names.get(value)
        fits = statement.targets == (variable,) and self._left(value) == 1 and not statement.comment
        if fits and variable not in self._passed and len(ast.unparse(statement.value)) <= _LONGEST_INLINE:
            self._inline = (value, statement)

    def operand(self, value: ir.Value) -> ast.expr:
        """Like `ref`, but the expression itself where it was found to be nested."""
        if self._inline is not None and self._inline[0] is value:
            statement = self._inline[1]
            self.program.statements.remove(statement)
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
        for value in self.model.graph.outputs:
            if value not in self._names:
                raise UnsupportedModel("Expected outputs that the model computes.", [f"{value.name} is a constant"])
            self.program.outputs.append(self._port(value))


def lower(model: ir.Model, dialect: Dialect, class_name: str = "Model") -> tuple[Program, tuple[Mapped, ...]]:
    """The program that computes the model in the dialect's framework, and what each node became.

    Raises:
        UnsupportedModel: nodes that neither a lowering, a card nor a decomposition can say, all at once.
    """
    context = Context(model, dialect, class_name)
    refusals: list[str] = []
    work = list(model.graph)
    while work:
        node = work.pop(0)
        try:
            _lower_node(context, node)
        except Unsupported as refusal:
            replacement = decompose(node, dialect.framework)
            if replacement is not None:
                work[:0] = replacement
                continue
            refusals.append(f"{node.op_type} {metadata.place(node)}: {refusal}")
            context.refuse(node)
    if refusals:
        raise UnsupportedModel(
            f"Expected operators that {dialect.framework} can say. Received {len(refusals)} that it cannot:",
            refusals,
            hint=f"`interlingua api OP --to {dialect.framework}` shows what a card can say.",
        )
    context.finish()
    return context.program, tuple(context.mapped)


def _lower_node(context: Context, node: ir.Node) -> None:
    function = context.dialect.lowerings.get(node.op_type)
    if function is None and node.op_type == "Identity" and node.domain == "":
        context.pass_on(node)
        return
    facts = facts_of(node)
    context.look_for_nesting(node)
    if function is not None:
        lowered = function(context, node, facts)
        context.emit(node, lowered if isinstance(lowered, list) else [lowered])
        return
    card, keywords = cards.choose(context.dialect.framework, facts)
    context.emit(node, [by_card(context, node, facts, card, keywords)])


def by_card(context: Context, node: ir.Node, facts: Facts, card: Card, keywords: Mapping[str, Any]) -> ast.expr:
    """The expression that the card gives for the node."""
    given = inputs_of(node)
    api = card.spelled(facts.rank)
    positional, named = arranged(card, keywords)
    if card.kind is Kind.LAYER:
        weights = {
            slot.name: weight_for(card, facts, name, slot, given[name][0])
            for name, slot in card.weights.items()
            if name in given
        }
        layer = context.layer(node, api, positional, named, weights)
        return expressions.call(layer, operands_for(context, card, given))
    operands = operands_for(context, card, given)
    if card.kind is Kind.OPERATOR:
        left, right = operands
        context.note_mapping(node, api)
        return expressions.operator(card.operator, left, right)
    for name, slot in card.weights.items():
        if name in given:
            named = {slot.name: context.tensor(weight_for(card, facts, name, slot, given[name][0])), **named}
    context.note_mapping(node, api, expressions.call("x", positional, named))
    if card.kind is Kind.METHOD:
        return expressions.method(operands[0], api.rpartition(".")[2], [*operands[1:], *positional], named)
    return expressions.call(context.api(api), [*operands, *positional], named)


def operands_for(context: Context, card: Card, given: Mapping[str, list[ir.Value]]) -> list[ast.expr]:
    """The tensor inputs in the card's order; a variadic one is a list."""
    described = record(card.record)
    found: list[ast.expr] = []
    for name in card.inputs:
        if name in given and described.input(name).variadic:
            found.append(ast.List([context.ref(value) for value in given[name]], ast.Load()))
        elif name in given:
            found.append(context.operand(given[name][0]))
    return found


def arranged(card: Card, keywords: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Arguments in the card's order: those a person gives by position first, as long as none is missing."""
    positional: list[Any] = []
    named = dict(keywords)
    for parameter in card.parameters.values():
        if not parameter.positional or parameter.name not in named:
            break
        positional.append(named.pop(parameter.name))
    return positional, named


def weight_for(card: Card, facts: Facts, name: str, slot: Slot, value: ir.Value) -> Weight:
    """The weight in the axis order that the card says."""
    weight = Weight(value)
    canonical = record(card.record).input(name).axes
    if card.record == "Gemm" and name == "B" and facts.get("transB"):
        canonical = "O I"
    if not slot.axes or slot.axes == canonical:
        return weight
    if slot.axes == "C":
        return weight.then(("reshape", (weight.size,))) if weight.shape != (weight.size,) else weight
    if "(" in slot.axes or "M" in slot.axes:
        canonical, sizes = "(I M) 1 *", {"I": int(facts["group"])}
        return weight.rearranged(rearrange(canonical, slot.axes, weight.shape, sizes))
    return weight.rearranged(rearrange(canonical, slot.axes, weight.shape))
