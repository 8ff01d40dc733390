"""Names of parameters: the source's own, but for what Fluid or a file system cannot hold."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote

import onnx_ir as ir

from interlingua.codegen.lowering import Context
from interlingua.codegen.weights import Weight
from interlingua.ir.origin import parameters

_GRADIENT = "@GRAD"
_KEY = "interlingua_fluid.parameters"


def legalise(name: str) -> str:
    """A name that can be a variable and, with `/` as folders, a file; `restore` undoes it.

    Percent signs, Fluid's mark of gradients, and parts that are empty, `.` or `..` are percent-encoded.
    """
    escaped = name.replace("%", "%25").replace(_GRADIENT, "%40GRAD")
    parts = [part if part.strip(".") else "".join(f"%{ord(c):02X}" for c in part) for part in escaped.split("/")]
    return "/".join(parts) if all(parts) else "%2F".join(parts)


def restore(name: str) -> str:
    """The name that `legalise` was given."""
    return unquote(name)


class Parameters:
    """The parameters of one program by name; a weight used twice is one parameter. `taken` are the inputs' names."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.weights: dict[str, Weight] = {}
        self._names: dict[tuple[int, object], str] = {}
        self._taken = set(taken)

    def name(self, weight: Weight) -> str:
        """The parameter's name, made from the one source parameter that the weight comes from."""
        key = (id(weight.value), weight.steps)
        if key not in self._names:
            sources = parameters(weight.origin)
            name = self._free(sources[0] if len(sources) == 1 else weight.value.name or "weight")
            self._names[key], self.weights[name] = name, weight
        return self._names[key]

    def _free(self, source: str) -> str:
        """A name that is free as a variable, and as a file among the folders of the others."""
        stem = legalise(source)
        name, number = stem, 1
        while name in self._taken:
            number += 1
            name = f"{stem}_{number}"
        if any(name.startswith(f"{other}/") for other in self._taken):
            name = name.replace("/", "%2F")
        elif any(other.startswith(f"{name}/") for other in self._taken):
            name = f"%{ord(name[0]):02X}{name[1:]}"
        self._taken.add(name)
        return name


def start(model: ir.Model) -> Parameters:
    """The names of a program about to be lowered from the model."""
    kept = Parameters(value.name or "" for value in model.graph.inputs)
    model.graph.meta[_KEY] = kept
    return kept


def parameters_of(context: Context) -> Parameters:
    """The names of the program that is being lowered."""
    kept = context.model.graph.meta[_KEY]
    assert isinstance(kept, Parameters)
    return kept
