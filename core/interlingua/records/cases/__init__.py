"""Cases: small seeded calls that say what each record computes, who cannot say it, and who agrees by default.

A case holds inputs by shape and kind and the canonical parameters that are not at their default; the result is
given by the record's numpy formula (`interlingua.tables.formulas`). Beside the cases, `CANNOT` names the frameworks
whose cards refuse one; that refusal is asserted like a result. `UNPROVED` says, by framework (as its backend writes
it) or by runtime ("fluid called": by a single call), why a cell that could run is not proved: "notimpl: …" (ours),
"notyet: …" (upstream) or "never: …". A default call says only what must be said, so that each framework's own
defaults decide: `groups` are the frameworks that then agree, and members of different groups must differ.
Nothing here imports numpy, the IR or a framework.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any

from interlingua.errors import UsageError
from interlingua.records import record

Shape = tuple[int, ...]

EVERY = "*"
"""Stands for all cases of a record."""

Told = Mapping[str, Mapping[str, Any]]
"""By record, then by framework: names of cases (`CANNOT`), or why each is not proved (`UNPROVED`)."""


@dataclasses.dataclass(frozen=True)
class Array:
    """A seeded array of a kind, and whether the model itself holds it (`constant`).

    The kinds: "normal", "wide" (five times as far), "positive" (0.5 to 2), "tiny" (up to 0.001), "classes" (whole
    numbers below `below`), "shares" and "middle" (positive, with the sum 1 along the last axis, or along axis 1),
    and "constant" (the number `below`).
    """

    shape: Shape
    kind: str = "normal"
    below: float = 0
    constant: bool = False


@dataclasses.dataclass(frozen=True)
class Case:
    """One call of a canonical op. Inputs are in the record's order, learned ones held by the model."""

    record: str
    name: str
    inputs: Mapping[str, tuple[Array, ...]]
    values: Mapping[str, Any]
    cannot: frozenset[str] = frozenset()
    groups: tuple[tuple[str, ...], ...] = ()
    computed: bool = False
    unproved: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def rank(self) -> int:
        """The number of spatial axes of the data."""
        first = next(iter(self.inputs.values()), (Array(()),))[0]
        return max(len(first.shape) - 2, 0)

    @property
    def default_call(self) -> bool:
        """Whether only what must be said is said."""
        return bool(self.groups)


def _arrays(given: Any, learned: bool) -> tuple[Array, ...]:
    if isinstance(given, Array):
        return (dataclasses.replace(given, constant=given.constant or learned),)
    if given and isinstance(given, tuple) and all(isinstance(item, tuple | Array) for item in given):
        return tuple(array for item in given for array in _arrays(item, learned))
    return (Array(tuple(given), constant=learned),)


def case(
    described: str,
    name: str,
    /,
    *,
    groups: Sequence[str] = (),
    computed: bool = False,
    **said: Any,
) -> Case:
    """One case as a row: keywords that are inputs of the record give shapes (or `Array`s), the others parameters.

    `computed` feeds the learned inputs at run time, as if other nodes computed them. `groups` makes it a default call:
    the frameworks that then agree, one string a group.

    Raises:
        UsageError: a keyword is neither an input nor a parameter of the record.
    """
    row = record(described)
    known = {i.name: i for i in row.inputs}
    wrong = said.keys() - known.keys() - row.parameters.keys()
    if wrong:
        raise UsageError(
            f"Expected inputs or parameters of {described} in the case {name!r}. Received {', '.join(sorted(wrong))}."
        )
    inputs = {n: _arrays(said[n], i.learned and not computed) for n, i in known.items() if n in said}
    values = {n: v for n, v in said.items() if n not in known}
    return Case(described, name, inputs, values, frozenset(), tuple(tuple(g.split()) for g in groups), computed)


BEYOND_INFERENCE: Mapping[tuple[str, str], str] = {
    ("Dropout", "seed"): "only draws in training",
    ("Dropout", "ratio"): "only acts in training",
    ("BatchNormalization", "momentum"): "only moves the running statistics in training",
    ("BatchNormalization", "training_mode"): "normalizes by the batch and returns two more outputs",
    ("Dropout", "training_mode"): "drops, which is random",
    ("MaxPool", "storage_order"): "only numbers the indices, a second output",
    ("placeholder", "name"): "names the input",
    ("placeholder", "dtype"): "changes no shape, which is what a declaration gives",
}
"""Parameters that change no result of an inference, or that no inference says, with the reason."""


@functools.cache
def cases() -> tuple[Case, ...]:
    """Every case, by family and in the order written.

    Raises:
        UsageError: two cases of one name.
    """
    found: dict[tuple[str, str], Case] = {}
    for each in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        module = importlib.import_module(f"{__name__}.{each.name}")
        cannot: Told = getattr(module, "CANNOT", {})
        unproved: Told = getattr(module, "UNPROVED", {})
        for row in getattr(module, "CASES", ()):
            if (row.record, row.name) in found:
                raise UsageError(f"Expected one case {row.name!r} of {row.record}. Received two.")
            refusing = [name for name, rows in cannot.get(row.record, {}).items() if row.name in rows or EVERY in rows]
            whys = {name: rows[row.name] for name, rows in unproved.get(row.record, {}).items() if row.name in rows}
            found[row.record, row.name] = dataclasses.replace(row, cannot=frozenset(refusing), unproved=whys)
        _check(module.__name__, [cannot, unproved], found)
    return tuple(found.values())


def _check(module: str, tables: Sequence[Told], found: Mapping[tuple[str, str], Case]) -> None:
    for table in tables:
        for described, by_framework in table.items():
            for name in (name for rows in by_framework.values() for name in rows):
                if name != EVERY and (described, name) not in found:
                    raise UsageError(f"Expected cases in the tables of {module}. Received {name!r} of {described}.")
