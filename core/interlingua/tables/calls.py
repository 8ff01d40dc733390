"""Makes a case concrete: seeded arrays, canonical parameters with their defaults, an ONNX model of one node."""

from __future__ import annotations

import dataclasses
import functools
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from interlingua.cards import REQUIRED, Card, Facts
from interlingua.errors import Unsupported
from interlingua.records import record
from interlingua.records.cases import Array, Case
from interlingua.tables.formulas import compute

if TYPE_CHECKING:
    import onnx_ir as ir

Arrays = dict[str, list[np.ndarray[Any, Any]]]


def draw(spec: Array, seed: str) -> np.ndarray[Any, Any]:
    """The array of a specification; the same words give the same numbers."""
    random = np.random.default_rng(zlib.crc32(seed.encode()))
    if spec.kind == "classes":
        return random.integers(0, int(spec.below), spec.shape).astype(np.int64)
    if spec.kind == "constant":
        return np.full(spec.shape, spec.below, np.float32)
    made = {
        "normal": lambda: random.standard_normal(spec.shape),
        "wide": lambda: 5 * random.standard_normal(spec.shape),
        "positive": lambda: random.uniform(0.5, 2.0, spec.shape),
        "tiny": lambda: random.uniform(1e-4, 1e-3, spec.shape),
        "middle": lambda: np.moveaxis(
            random.dirichlet(np.ones(spec.shape[1]), (spec.shape[0], *spec.shape[2:])), -1, 1
        ),
        "shares": lambda: random.dirichlet(np.ones(spec.shape[-1]), spec.shape[:-1]),
    }[spec.kind]()
    return np.asarray(made, np.float32)


@dataclasses.dataclass(frozen=True)
class Call:
    """A case with its arrays (by canonical name, one or more), and every canonical parameter."""

    case: Case
    arrays: Arrays
    values: Mapping[str, Any]

    @functools.cached_property
    def expected(self) -> np.ndarray[Any, Any]:
        """What the record's formula gives."""
        return self.result(self.values)

    def result(self, values: Mapping[str, Any]) -> np.ndarray[Any, Any]:
        """What the formula gives for other parameters; a bias that `has_bias` denies is left out."""
        given = {n: (list(a) if record(self.case.record).input(n).variadic else a[0]) for n, a in self.arrays.items()}
        if not values.get("has_bias", True):
            given = {n: a for n, a in given.items() if not record(self.case.record).input(n).optional}
        return compute(self.case.record, given, values)

    @functools.cached_property
    def facts(self) -> Facts:
        """The facts as the cards see them: those of the one-node model, or of the concept."""
        if record(self.case.record).concept:
            shapes = {name: tuple(a[0].shape) for name, a in self.arrays.items()}
            return Facts(self.case.record, dict(self.values), self.case.rank, shapes)
        from interlingua.ir.facts import facts_of

        return facts_of(next(iter(model(self).graph)))


def filled(described: str, values: Mapping[str, Any], rank: int) -> dict[str, Any]:
    """Parameters with the record's defaults for those unsaid; lists with a neutral element get their length."""
    found: dict[str, Any] = {}
    for name, parameter in record(described).parameters.items():
        if parameter.derived or (name not in values and parameter.default is REQUIRED):
            continue
        value = values.get(name, parameter.default)
        if value is None and parameter.neutral is not None:
            value = [parameter.neutral] * (2 * rank if name == "pads" else rank)
        found[name] = value
    return found


def call(case: Case, values: Mapping[str, Any] | None = None) -> Call:
    """The case with its arrays; `values` replaces its parameters."""
    arrays = {
        name: [draw(spec, f"{case.record}/{case.name}/{name}/{i}") for i, spec in enumerate(specs)]
        for name, specs in case.inputs.items()
    }
    return Call(case, arrays, filled(case.record, case.values if values is None else values, case.rank))


def model(made: Call) -> ir.Model:
    """The ONNX model of one node; constant inputs are initializers named as layers name them."""
    import onnx_ir as ir

    from interlingua.ir.build import Builder

    described = record(made.case.record)
    layer = made.case.record.lower()
    builder = Builder(layer)
    inputs: dict[str, list[ir.Value]] = {}
    for given in described.inputs:
        for number, array in enumerate(made.arrays.get(given.name, [])):
            spec = made.case.inputs[given.name][number]
            name = _input_name(given.name, number, len(made.arrays[given.name]))
            if spec.constant:
                value = builder.weight(f"{layer}/{name}", ir.tensor(array, name=f"{layer}/{name}"))
            else:
                value = builder.input(name, array.shape, ir.DataType.from_numpy(array.dtype))
            inputs.setdefault(given.name, []).append(value)
    output = builder.record(made.case.record, inputs, made.values, layer=layer)
    return builder.model([("result", output)])


def _input_name(name: str, number: int, count: int) -> str:
    return f"input_{name.lower()}" + (f"_{number}" if count > 1 else "")


def fed(made: Call) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays that are given at run time, by the model's input names."""
    found: dict[str, np.ndarray[Any, Any]] = {}
    for given in record(made.case.record).inputs:
        arrays = made.arrays.get(given.name, [])
        for number, array in enumerate(arrays):
            if not made.case.inputs[given.name][number].constant:
                found[_input_name(given.name, number, len(arrays))] = array
    return found


def by_default(card: Card, case: Case) -> Call:
    """The case as the card's defaults have it: what the API does when only what must be said is said.

    Raises:
        Unsupported: the card cannot be called so.
    """
    from interlingua.adapters import same_pads

    made = call(case)
    shapes = {n: tuple(a[0].shape) for n, a in made.arrays.items()}
    counted = {"input_rank": len(next(iter(shapes.values()), ()))}
    facts = Facts(case.record, {**counted, **case.values}, case.rank, shapes)
    values: dict[str, Any] = dict(case.values)
    values |= {name: value for name, value in card.implied.items() if name not in case.values}
    for name, parameter in card.parameters.items():
        known = record(case.record).parameters.get(name)
        if name in values or known is None or known.derived or parameter.adapter.read is None:
            continue
        if parameter.default is REQUIRED:
            raise Unsupported(f"{card.api} wants {parameter.name} to be said")
        told = dataclasses.replace(facts, values={**facts.values, **values})
        values[name] = parameter.adapter.read(parameter.default, told)
    if isinstance(values.get("pads"), str):
        words = {"VALID": [0] * (2 * case.rank), "SAME_UPPER": same_pads(dataclasses.replace(facts, values=values))}
        values["pads"] = words[values["pads"]]
    return call(case, values)
