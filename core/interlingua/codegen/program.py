"""A program in a target framework: layers with weights, then statements; the printer's input."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterable, Set

import onnx_ir as ir

from interlingua.codegen.expressions import assign, target
from interlingua.codegen.weights import Weight
from interlingua.ir.origin import Constant

UNREAD = "_"
"""The variable for what nobody reads."""


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer object the model owns: `self.<attribute> = <call>`; weights by the layer's own parameter names."""

    attribute: str
    call: ast.expr
    weights: dict[str, Weight]
    source: str


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A weight that stands by itself: a parameter, or a buffer where nothing trains it."""

    attribute: str
    weight: Weight
    trainable: bool
    source: str


@dataclasses.dataclass
class Statement:
    """`targets = value`, with a comment or none, and the node that it says.

    `outputs` are the values of the graph that the targets are, where these are known to be just that.
    """

    targets: tuple[str, ...]
    value: ast.expr
    comment: str = ""
    node: ir.Node | None = None
    outputs: tuple[ir.Value, ...] = ()


@dataclasses.dataclass
class Compound(Statement):
    """An `if`, `while` or `for`: `value` is its test, or what a `for` goes through with `variable`.

    `targets` are the variables that hold results afterwards; an `if` has two bodies, a loop has one.
    """

    kind: str = "if"
    variable: str = ""
    bodies: tuple[list[Statement], ...] = ()


def as_ast(statement: Statement) -> ast.stmt:
    """The statement as Python's own tree."""
    if not statement.targets and not isinstance(statement, Compound):
        return ast.Expr(statement.value)
    if not isinstance(statement, Compound):
        return assign(statement.targets, statement.value)
    body, *rest = ([as_ast(each) for each in body] or [ast.Pass()] for body in statement.bodies)
    if statement.kind == "if":
        otherwise = rest[0] if rest and statement.bodies[1] else []
        return ast.If(statement.value, body, otherwise)
    if statement.kind == "while":
        return ast.While(statement.value, body, [])
    return ast.For(target(statement.variable), statement.value, body, [], lineno=0)


@dataclasses.dataclass(frozen=True)
class Port:
    """An input or output of the program: its identifier there, its name in the source, shape and type."""

    identifier: str
    name: str
    shape: tuple[int | str | None, ...] | None
    dtype: ir.DataType


@dataclasses.dataclass
class Program:
    """A whole model in the target's terms. `names` maps identifiers to the source's names; `helpers` are functions
    that the file must hold."""

    name: str
    inputs: list[Port] = dataclasses.field(default_factory=list)
    outputs: list[Port] = dataclasses.field(default_factory=list)
    layers: list[Layer] = dataclasses.field(default_factory=list)
    tensors: list[Tensor] = dataclasses.field(default_factory=list)
    statements: list[Statement] = dataclasses.field(default_factory=list)
    imports: set[str] = dataclasses.field(default_factory=set)
    names: dict[str, str] = dataclasses.field(default_factory=dict)
    helpers: set[str] = dataclasses.field(default_factory=set)

    def drop_unread(self, statements: Iterable[Statement]) -> None:
        """Removes those of the statements whose target nobody reads."""
        nodes = (node for statement in self.statements for node in ast.walk(as_ast(statement)))
        read = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        _remove(self.statements, {id(each) for each in statements if each.targets[0] not in read})

    def weights(self) -> dict[str, Weight]:
        """Every weight by the name the target's state gives it."""
        named = {f"{layer.attribute}.{key}": w for layer in self.layers for key, w in layer.weights.items()}
        return named | {tensor.attribute: tensor.weight for tensor in self.tensors}

    def ties(self) -> dict[str, str]:
        """Each weight that is another's parameter in the same form, with the name of the first that holds it."""
        first: dict[Weight, str] = {}
        trained = ((name, w) for name, w in self.weights().items() if not isinstance(w.origin, Constant))
        return {name: first[w] for name, w in trained if first.setdefault(w, name) != name}

    def source_names(self) -> dict[str, str]:
        """What each weight is in the source's terms: a parameter's name, or an expression over parameters."""
        return {key: str(weight.origin) for key, weight in self.weights().items()}


def _remove(body: list[Statement], statements: Set[int]) -> None:
    body[:] = [each for each in body if id(each) not in statements]
    for each in body:
        for inner in each.bodies if isinstance(each, Compound) else ():
            _remove(inner, statements)
