"""A program with layers in a constructor, rewritten as the functional model a person would write."""

from __future__ import annotations

import ast
import copy
import dataclasses
import re

import onnx_ir as ir

from interlingua import cards
from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.program import Layer, Port, Program, Tensor
from interlingua.codegen.source import Item, Line, code
from interlingua.codegen.weights import Weight
from interlingua_keras.cards.forms import NAME
from interlingua_keras.names import LayerNames

PARAMETER = "Parameter"
VALUE = "value"

HELPER = '''
@keras.saving.register_keras_serializable("model")
class Parameter(layers.Layer):
    """A tensor that the model owns: called on anything, it gives its value."""

    def __init__(self, shape, **kwargs):
        super().__init__(**kwargs)
        self.shape = tuple(shape)

    def build(self, input_shape):
        self.value = self.add_weight(name="value", shape=self.shape, initializer="zeros", dtype=self.dtype)
        super().build(input_shape)

    def call(self, inputs):
        return keras.ops.convert_to_tensor(self.value)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.shape, dtype=self.dtype)

    def get_config(self):
        return {**super().get_config(), "shape": self.shape}
'''


@dataclasses.dataclass
class Functional:
    """The body of `build()`, the weights by Keras' paths, and Keras' names with the source's.

    `again` are the names under which the runtime's trace tells a layer's second and later uses.
    """

    body: list[Item]
    weights: dict[str, Weight]
    names: dict[str, str]
    again: dict[str, str]
    ports: tuple[Port, ...]
    helper: bool


class _InPlace(ast.NodeTransformer):
    """Puts each layer's constructor where the layer is called."""

    def __init__(self, written: dict[str, ast.expr]) -> None:
        self._written = written

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Replaces `self.conv1` by `layers.Conv2D(…, name="conv1")`."""
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and node.value.id == "self":
            return copy.deepcopy(self._written[node.attr])
        return node


def _rename(program: Program) -> None:
    """Keeps `x` for what is computed: an input called so becomes `inputs`, the first result `x`."""
    used = {port.identifier for port in program.inputs} | {t for s in program.statements for t in s.targets}
    renamed: dict[str, str] = {}
    if "x" in {port.identifier for port in program.inputs}:
        renamed["x"] = (
            "inputs" if "inputs" not in used else next(f"inputs_{n}" for n in range(2, 99) if f"inputs_{n}" not in used)
        )
    first = program.statements[0].targets[0] if program.statements else "x"
    if ("x" in renamed or "x" not in used) and first != "x":
        renamed[first] = "x"

    class Rename(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            return ast.Name(renamed.get(node.id, node.id), node.ctx)

    for statement in program.statements:
        statement.value = Rename().visit(statement.value)
        statement.targets = tuple(renamed.get(target, target) for target in statement.targets)
    for ports in (program.inputs, program.outputs):
        ports[:] = [dataclasses.replace(p, identifier=renamed.get(p.identifier, p.identifier)) for p in ports]


def _weighty_first(layers: list[Layer]) -> list[Layer]:
    """Layers with weights first: of several pieces of one source layer, the one with the weights keeps its name.

    A layer that is called twice counts once.
    """
    once = [layer for index, layer in enumerate(layers) if not any(_same(layer, other) for other in layers[:index])]
    return sorted(once, key=lambda layer: not layer.weights)


def _same(left: Layer, right: Layer) -> bool:
    """Whether two layers hold the same parameters: one layer, called twice."""
    if not left.weights or left.weights.keys() != right.weights.keys():
        return False
    if any(weight != right.weights[key] for key, weight in left.weights.items()):
        return False
    return ast.dump(left.call) == ast.dump(right.call)


def _named(call: ast.expr, name: str) -> ast.expr:
    assert isinstance(call, ast.Call)
    return ast.Call(call.func, call.args, [*call.keywords, ast.keyword(NAME, ast.Constant(name))])


def functional(program: Program, apis: list[str], model_name: str) -> Functional:
    """The functional form of a program; `apis` are those that it calls."""
    names = LayerNames(apis)
    _rename(program)
    ports = tuple(program.inputs)
    body: list[Item] = [Line(_input(port, names.take(port.name))) for port in ports]
    anchor = expressions.name(ports[0].identifier) if ports else ast.Constant(None)
    written: dict[str, ast.expr] = {}
    weights: dict[str, Weight] = {}
    taken = {target for statement in program.statements for target in statement.targets}
    first_uses: dict[int, list[Item]] = {}
    kept: list[Layer] = []
    uses: dict[str, int] = {}
    again: dict[str, str] = {}
    chosen = {layer.attribute: names.take(layer.source) for layer in _weighty_first(program.layers)}
    for layer in program.layers:
        twin = next((other for other in kept if _same(layer, other)), None)
        if twin is not None:
            _share(program, twin, written, taken, first_uses)
            written[layer.attribute] = written[twin.attribute]
            uses[twin.attribute] = uses.get(twin.attribute, 1) + 1
            again[f"{chosen[twin.attribute]}#{uses[twin.attribute]}"] = layer.source
            continue
        kept.append(layer)
        name = chosen[layer.attribute]
        written[layer.attribute] = _named(layer.call, name)
        weights |= {f"{name}/{key}": weight for key, weight in layer.weights.items()}
    for tensor in program.tensors:
        name = names.take(tensor.source if _HELD_SIMPLY.fullmatch(tensor.source) else tensor.attribute)
        names.given[name] = tensor.source
        written[tensor.attribute] = ast.Call(_parameter(tensor, name), [anchor], [])
        weights[f"{name}/{VALUE}"] = tensor.weight
    for index, statement in enumerate(program.statements):
        body.extend(first_uses.get(index, ()))
        value = _InPlace(written).visit(copy.deepcopy(statement.value))
        body.append(Line(expressions.assign(statement.targets, value), statement.comment))
    body.extend(_returned(program, model_name))
    return Functional(body, weights, names.given, again, ports, bool(program.tensors))


_HELD_SIMPLY = re.compile(r"[A-Za-z0-9_.\-/]+")


def _share(
    program: Program,
    layer: Layer,
    written: dict[str, ast.expr],
    taken: set[str],
    first_uses: dict[int, list[Item]],
) -> None:
    """Gives a layer that is called twice a variable, assigned before its first use."""
    if isinstance(written[layer.attribute], ast.Name):
        return
    variable = f"{layer.attribute}_layer"
    while variable in taken:
        variable += "_"
    taken.add(variable)
    pattern = re.compile(rf"\bself\.{layer.attribute}\b")
    index = next(i for i, s in enumerate(program.statements) if pattern.search(ast.unparse(s.value)))
    first_uses.setdefault(index, []).append(Line(expressions.assign([variable], written[layer.attribute])))
    written[layer.attribute] = expressions.name(variable)


def _input(port: Port, name: str) -> ast.stmt:
    """`image = keras.Input((28, 28, 1), name="image")`."""
    shape = [size if isinstance(size, int) else None for size in port.shape or ()]
    (card,) = [row for row in cards.by_record("keras")["placeholder"] if row.write]
    dtype = port.dtype.numpy().name if port.dtype != ir.DataType.BFLOAT16 else "bfloat16"
    typed = {} if port.dtype == ir.DataType.FLOAT else {"dtype": dtype}  # Keras' own default, told by its settings
    said = card.lower(Facts("placeholder", {"shape": shape, **typed, "name": name}))
    batch = {"batch_size": shape[0]} if shape and shape[0] is not None else {}
    positional = said.pop(card.parameters["shape"].name)
    return expressions.assign([port.identifier], expressions.call(card.api, [positional], {**batch, **said}))


def _parameter(tensor: Tensor, name: str) -> ast.expr:
    dtype = tensor.weight.tensor.dtype
    keywords: dict[str, object] = {} if tensor.trainable else {"trainable": False}
    if dtype != ir.DataType.FLOAT:
        keywords["dtype"] = dtype.numpy().name
    return expressions.call(PARAMETER, [tuple(tensor.weight.shape)], {**keywords, NAME: name})


def _returned(program: Program, model_name: str) -> list[Item]:
    def listed(ports: list[Port]) -> str:
        text = ", ".join(port.identifier for port in ports)
        return text if len(ports) == 1 else f"[{text}]"

    inputs, outputs = listed(program.inputs), listed(program.outputs)
    return code(f"return keras.Model({inputs}, {outputs}, name={model_name!r})")
