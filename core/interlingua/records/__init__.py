"""Records: the canonical ops, each with its inputs, parameters, axis orders and cases.

A record is an ONNX operator at the pinned opset, or a concept of ours where ONNX has no operator (a placeholder, a
loss). Cards of the frameworks hang under it. Nothing here imports numpy, the IR or a framework.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any

from interlingua import extensions
from interlingua.cards import REQUIRED
from interlingua.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Input:
    """A tensor input: ONNX's name and axis order ("" where any shape goes). `learned` marks what is a weight."""

    name: str
    axes: str = ""
    learned: bool = False
    optional: bool = False
    variadic: bool = False


@dataclasses.dataclass(frozen=True)
class CanonicalParameter:
    """A canonical parameter. `origin` is "attribute" (of the ONNX op), "input" (a constant ONNX input taken as a
    parameter) or "derived" (worked out from shapes and presence)."""

    name: str
    default: Any = REQUIRED
    origin: str = "attribute"
    meaning: str = ""
    neutral: int | None = None
    absorbed: str = ""

    def is_default(self, value: Any) -> bool:
        """Whether `value` is the default, or a list of the one number that changes nothing (`neutral`)."""
        if self.neutral is not None and isinstance(value, list | tuple):
            return all(item == self.neutral for item in value)
        return bool(value == self.default)

    @property
    def derived(self) -> bool:
        """Whether shapes tell it."""
        return self.origin == "derived"


@dataclasses.dataclass(frozen=True)
class Record:
    """A canonical op. `order` is ONNX's order of all inputs, tensor inputs and parameter inputs alike."""

    name: str
    summary: str
    inputs: tuple[Input, ...]
    parameters: Mapping[str, CanonicalParameter]
    order: tuple[str, ...]
    outputs: tuple[Input, ...] = (Input("Y"),)
    synonyms: tuple[str, ...] = ()
    concept: bool = False
    family: str = ""

    def input(self, name: str) -> Input:
        """The tensor input of that name.

        Raises:
            KeyError: there is none.
        """
        return next(i for i in self.inputs if i.name == name)


def attribute(
    name: str, default: Any = REQUIRED, meaning: str = "", neutral: int | None = None, absorbed: str = ""
) -> CanonicalParameter:
    """An ONNX attribute.

    `neutral` is the number a list of which does nothing (strides of 1, pads of 0); `absorbed` names the weight whose
    axis order says the attribute (transB), so that a card which has that weight need not.
    """
    return CanonicalParameter(name, default, "attribute", meaning, neutral, absorbed)


def constant(name: str, default: Any = REQUIRED, meaning: str = "") -> CanonicalParameter:
    """An ONNX input that is a constant and is taken as a parameter."""
    return CanonicalParameter(name, default, "input", meaning)


def derived(name: str, meaning: str = "") -> CanonicalParameter:
    """What shapes and presence of inputs tell."""
    return CanonicalParameter(name, REQUIRED, "derived", meaning)


def record_of(
    name: str,
    summary: str,
    inputs: Sequence[Input],
    parameters: Sequence[CanonicalParameter] = (),
    *,
    outputs: Sequence[Input] = (Input("Y"),),
    order: Sequence[str] = (),
    synonyms: Sequence[str] = (),
    concept: bool = False,
) -> Record:
    """One record as a row; the inputs' order is tensors first, then parameter inputs, unless `order` says otherwise."""
    named = {p.name: p for p in parameters}
    whole = tuple(order) or (*(i.name for i in inputs), *(p.name for p in parameters if p.origin == "input"))
    return Record(name, summary, tuple(inputs), named, whole, tuple(outputs), tuple(synonyms), concept)


@functools.cache
def records() -> Mapping[str, Record]:
    """Every record by name, in the order of the families.

    Raises:
        UsageError: two records of one name.
    """
    found: dict[str, Record] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        for row in getattr(importlib.import_module(f"{__name__}.{module.name}"), "RECORDS", ()):
            if row.name in found:
                raise UsageError(f"Expected one record for {row.name}. Received two.")
            found[row.name] = dataclasses.replace(row, family=module.name)
    for row in extensions.records():
        if row.name in found:
            raise UsageError(f"Expected a record for an operator that has none. Received another for {row.name}.")
        found[row.name] = dataclasses.replace(row, family=extensions.FAMILY)
    return found


def record(name: str) -> Record:
    """The record of a canonical op.

    Raises:
        UsageError: there is none.
    """
    try:
        return records()[name]
    except KeyError:
        raise UsageError(f"Expected a canonical op with a record. Received {name!r}.") from None
