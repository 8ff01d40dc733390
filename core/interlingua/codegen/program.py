"""A program in a target framework: layers with weights, then statements; the printer's input."""

from __future__ import annotations

import ast
import dataclasses

import onnx_ir as ir

from interlingua.codegen.weights import Weight
from interlingua.ir.origin import Constant


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
    """`targets = value`, with a comment or none."""

    targets: tuple[str, ...]
    value: ast.expr
    comment: str = ""


@dataclasses.dataclass(frozen=True)
class Port:
    """An input or output of the program: its identifier there, its name in the source, shape and type."""

    identifier: str
    name: str
    shape: tuple[int | str | None, ...] | None
    dtype: ir.DataType


@dataclasses.dataclass
class Program:
    """A whole model in the target's terms. `names` maps identifiers to the source's names."""

    name: str
    inputs: list[Port] = dataclasses.field(default_factory=list)
    outputs: list[Port] = dataclasses.field(default_factory=list)
    layers: list[Layer] = dataclasses.field(default_factory=list)
    tensors: list[Tensor] = dataclasses.field(default_factory=list)
    statements: list[Statement] = dataclasses.field(default_factory=list)
    imports: set[str] = dataclasses.field(default_factory=set)
    names: dict[str, str] = dataclasses.field(default_factory=dict)

    def weights(self, separator: str = ".") -> dict[str, Weight]:
        """Every weight by the name the target's state gives it."""
        named = {f"{layer.attribute}{separator}{key}": w for layer in self.layers for key, w in layer.weights.items()}
        return named | {tensor.attribute: tensor.weight for tensor in self.tensors}

    def ties(self, separator: str = ".") -> dict[str, str]:
        """Each weight that is another's parameter in the same form, with the name of the first that holds it."""
        first: dict[Weight, str] = {}
        trained = ((name, w) for name, w in self.weights(separator).items() if not isinstance(w.origin, Constant))
        return {name: first[w] for name, w in trained if first.setdefault(w, name) != name}

    def source_names(self, separator: str = ".") -> dict[str, str]:
        """What each weight is in the source's terms: a parameter's name, or an expression over parameters."""
        return {key: str(weight.origin) for key, weight in self.weights(separator).items()}
