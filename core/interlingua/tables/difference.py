"""Joins two cards of one record: what the two APIs have in common and where they differ. Nobody authors a pair."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator
from typing import Any

from interlingua.adapters import WORDS
from interlingua.cards import REQUIRED, Card, Facts, Fixed, Kind, Parameter, Slot
from interlingua.errors import Unsupported
from interlingua.records import Record, record
from interlingua.tables import evidence, remarks
from interlingua.tables.names import Match


class Category(enum.Enum):
    """How two APIs differ; all that hold are kept."""

    IDENTICAL = "identical"
    RENAMED = "renamed"
    DEFAULT = "default differs"
    PARAMETERS = "parameters differ"
    LAYOUT = "layout differs"
    BEHAVIOUR = "behaviour differs"
    NONE = "no counterpart"


@dataclasses.dataclass(frozen=True)
class Cell:
    """One side of a row: the name there, its default as code ("" where it must be said), how its value is formed,
    and whether a case proved it."""

    name: str
    default: str = ""
    form: str = ""
    proved: bool = False

    @property
    def text(self) -> str:
        """`stride=1`."""
        return f"{self.name}={self.default}" if self.default else self.name


@dataclasses.dataclass(frozen=True)
class Row:
    """One canonical input, weight or parameter on both sides; None where a side has none."""

    what: str
    canonical: str
    meaning: str
    source: Cell | None
    target: Cell | None
    differs: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Side:
    """One API: its signature as the card knows it, what it cannot say, what was proved."""

    framework: str
    api: str
    kind: str
    signature: str
    versions: str
    limits: tuple[str, ...]
    remarks: tuple[str, ...]
    proof: evidence.Proof


@dataclasses.dataclass(frozen=True)
class Difference:
    """The table of two APIs. `target` is None where the framework has no counterpart; `others` are further ones."""

    record: str
    summary: str
    source: Side
    target: Side | None
    to: str
    categories: tuple[Category, ...]
    rows: tuple[Row, ...] = ()
    axes: tuple[Row, ...] = ()
    traits: tuple[Row, ...] = ()
    others: tuple[str, ...] = ()
    rank: int = 0


def signature(card: Card, rank: int) -> str:
    """The API's call as the card knows it; fixed arguments that select it are said, `…` stands for others."""
    slots = [_slot_text(slot) for slot in card.inputs.values()]
    weights = (
        []
        if card.kind is Kind.LAYER
        else [f"{slot.name}=…" for slot in card.weights.values() if slot.name not in _own(card)]
    )
    fixed = [f"{name}={f.value!r}" for name, f in card.fixed.items() if f.value != f.default]
    arguments = [p.name + ("" if p.default is REQUIRED else f"={p.default!r}") for p in _said(card)]
    more = ["…"] if card.ignored else []
    api = card.spelled(rank)
    if card.kind is Kind.LAYER:
        return f"{api}({', '.join([*arguments, *fixed, *more])})({', '.join(slots)})"
    if card.kind is Kind.OPERATOR and len(slots) == 2:
        return f"{slots[0]} {card.operator} {slots[1]}  or  {api}({', '.join([*slots, *more])})"
    return f"{api}({', '.join(dict.fromkeys([*slots, *weights, *arguments, *fixed, *more]))})"


def _slot_text(slot: Slot) -> str:
    return slot.name if slot.default is REQUIRED else f"{slot.name}={slot.default!r}"


def _said(card: Card) -> list[Parameter]:
    """The parameters that have a name there; those that must be said first."""
    named = {p.name: p for p in card.parameters.values() if not _nameless(p)}
    return sorted(named.values(), key=lambda p: p.default is not REQUIRED)


def _own(card: Card) -> set[str]:
    return {p.name for p in card.parameters.values()}


def side(match: Match) -> Side:
    """One API with what is proved of it."""
    card = match.card
    remark = [card.remark] if card.remark else []
    by_function = remarks.of_record(card.framework, card.record)
    return Side(
        card.framework,
        match.api,
        card.kind.value,
        signature(card, match.rank),
        card.versions,
        card.limits,
        (*remark, *([by_function] if by_function and card.write else [])),
        evidence.proof(card, match.rank),
    )


def compare(source: Match, target: Match, others: tuple[str, ...] = ()) -> Difference:
    """The difference of two APIs of one record, with every category that holds."""
    described = record(source.card.record)
    ours, theirs = side(source), side(target)
    rank = source.rank or target.rank
    rows = [
        *_input_rows(described, source.card, target.card),
        *_parameter_rows(described, source.card, target.card, rank, ours, theirs),
    ]
    axes = list(_axis_rows(described, source.card, target.card))
    traits = list(_trait_rows(source.card, target.card))
    return Difference(
        described.name,
        described.summary,
        ours,
        theirs,
        target.card.framework,
        categories([*rows, *axes, *traits]),
        tuple(rows),
        tuple(axes),
        tuple(traits),
        others,
        rank,
    )


def nothing(source: Match, framework: str) -> Difference:
    """The difference where the framework has no card for the record."""
    described = record(source.card.record)
    return Difference(described.name, described.summary, side(source), None, framework, (Category.NONE,))


def categories(rows: list[Row]) -> tuple[Category, ...]:
    """All categories that hold, derived from the rows; `identical` where none does."""
    found = {word for row in rows for word in row.differs}
    held = tuple(category for category in Category if category.value in found)
    return held or (Category.IDENTICAL,)


def _input_rows(described: Record, source: Card, target: Card) -> Iterator[Row]:
    for given in described.inputs:
        cells = [_input_cell(card, given.name) for card in (source, target)]
        if cells == [None, None]:
            continue
        differs: list[str] = []
        made_here = [given.name in card.weights for card in (source, target)]
        if cells[0] is None or cells[1] is None or (given.learned and made_here[0] != made_here[1]):
            differs.append(Category.PARAMETERS.value)
        elif cells[0].name != cells[1].name:
            differs.append(Category.RENAMED.value)
        yield Row("weight" if given.learned else "input", given.name, "", cells[0], cells[1], tuple(differs))


def _input_cell(card: Card, name: str) -> Cell | None:
    if name in card.inputs:
        slot = card.inputs[name]
        return Cell(slot.name, "" if slot.default is REQUIRED else repr(slot.default), slot.remark)
    if name in card.weights:
        slot = card.weights[name]
        return Cell(slot.name, "", slot.remark or "made by the layer")
    return None


def _parameter_rows(
    described: Record, source: Card, target: Card, rank: int, ours: Side, theirs: Side
) -> Iterator[Row]:
    for name, parameter in described.parameters.items():
        x, y = source.parameters.get(name), target.parameters.get(name)
        implied = name in source.implied or name in target.implied
        if (x is None and y is None and not implied) or (_nameless(x) and _nameless(y)):
            continue
        cells = (_parameter_cell(source, name, x, ours), _parameter_cell(target, name, y, theirs))
        yield Row(
            "parameter", name, parameter.meaning, *cells, tuple(_differs(described, name, source, target, rank, cells))
        )
    for word, cell_pair in _fixed_rows(source, target, ours, theirs):
        yield Row("argument", word, "what makes it this operation", *cell_pair, (Category.PARAMETERS.value,))


def _nameless(parameter: Parameter | None) -> bool:
    return parameter is None or parameter.adapter.name.startswith("told")


def _parameter_cell(card: Card, name: str, parameter: Parameter | None, side: Side) -> Cell | None:
    if parameter is None:
        return Cell("", "", f"always {card.implied[name]!r}") if name in card.implied else None
    if _nameless(parameter):
        return Cell("", "", parameter.remark or parameter.adapter.remark or parameter.adapter.name.replace("_", " "))
    default = "" if parameter.default is REQUIRED else repr(parameter.default)
    said = parameter.remark or parameter.adapter.remark or WORDS.get(parameter.adapter.name, "")
    return Cell(parameter.name, default, "" if said == WORDS["same"] else said, parameter.name in side.proof.parameters)


def _differs(
    described: Record, name: str, source: Card, target: Card, rank: int, cells: tuple[Cell | None, Cell | None]
) -> Iterator[str]:
    x, y = source.parameters.get(name), target.parameters.get(name)
    if x is None or y is None or _nameless(x) or _nameless(y):
        known = [default_of(card, name, rank) for card in (source, target)]
        if known[0] != known[1] or not (x is None or y is None) or None in cells:
            yield Category.PARAMETERS.value
        return
    if x.name != y.name:
        yield Category.RENAMED.value
    if form(x) != form(y):
        yield Category.PARAMETERS.value
    if default_of(source, name, rank) != default_of(target, name, rank):
        yield Category.DEFAULT.value


_ALIKE = {"counted": "same", "each_axis": "per_axis", "flag": "same", "stride_or_kernel": "per_axis"}


def form(parameter: Parameter) -> str:
    """How the value is formed, in words; forms that take the same values count as one."""
    name = _ALIKE.get(parameter.adapter.name, parameter.adapter.name)
    return WORDS.get(name, "") if name in _ALIKE.values() else parameter.adapter.remark or WORDS.get(name, name)


def default_of(card: Card, name: str, rank: int) -> Any:
    """The API's default in canonical terms, REQUIRED where it must be said; "kernel" stands for the kernel's size.

    A default that the adapter does not read stays as the API spells it.
    """
    parameter = card.parameters.get(name)
    if parameter is None:
        return card.implied.get(name, None)
    if parameter.default is REQUIRED or parameter.adapter.read is None:
        return parameter.default
    described = record(card.record).parameters[name]
    known = {"kernel_shape": ["kernel"] * rank, "pads": [0] * (2 * rank), "input_rank": rank + 2, "size": 1}
    facts = Facts(card.record, known, rank, {})
    try:
        value = parameter.adapter.read(parameter.default, facts)
    except (Unsupported, KeyError, TypeError, ValueError):
        return parameter.default
    if described.neutral is not None and (value is None or value == "VALID" or described.is_default(value)):
        return "nothing"
    if isinstance(value, bool) or (isinstance(described.default, bool) and value in (0, 1)):
        return int(value)
    return value


def _fixed_rows(
    source: Card, target: Card, ours: Side, theirs: Side
) -> Iterator[tuple[str, tuple[Cell | None, Cell | None]]]:
    """Arguments that one side must be given to be this operation at all."""
    for name, fixed in source.fixed.items():
        if fixed.value != fixed.default:
            other = target.fixed.get(name)
            if other is None or other.value == other.default:
                yield name, (_fixed_cell(name, fixed, ours), None)
    for name, fixed in target.fixed.items():
        if fixed.value != fixed.default:
            other = source.fixed.get(name)
            if other is None or other.value == other.default:
                yield name, (None, _fixed_cell(name, fixed, theirs))


def _fixed_cell(name: str, fixed: Fixed, side: Side) -> Cell:
    default = "" if fixed.default is REQUIRED else f"where the default is {fixed.default!r}"
    return Cell(f"{name}={fixed.value!r}", "", default, name in side.proof.parameters)


def _axis_rows(described: Record, source: Card, target: Card) -> Iterator[Row]:
    for given in described.inputs:
        canonical = "O I" if source.record == "Gemm" and given.name == "B" else given.axes
        yield from _axis_row(
            "weight" if given.learned else "input", given.name, canonical or given.axes, source, target
        )
    for output in described.outputs:
        yield from _axis_row("output", output.name, output.axes, source, target)


def _axis_row(what: str, name: str, canonical: str, source: Card, target: Card) -> Iterator[Row]:
    x, y = axes_of(source, name, canonical), axes_of(target, name, canonical)
    if not x or not y:
        return
    differs = (Category.LAYOUT.value,) if x != y else ()
    yield Row(what, name, "", Cell(x), Cell(y), differs)


def axes_of(card: Card, name: str, canonical: str) -> str:
    """The axis order of an input, weight or output there, "" where the card has no such thing."""
    slot = card.inputs.get(name) or card.weights.get(name)
    if slot is not None:
        return slot.axes or (record(card.record).input(name).axes or canonical)
    outputs = {o.name: o.axes for o in record(card.record).outputs}
    if name not in outputs:
        return ""
    if card.outputs.get(name):
        return card.outputs[name]
    data = next((i.name for i in record(card.record).inputs if i.axes == "N C *"), "")
    return axes_of(card, data, canonical) if data and outputs[name] == "N C *" else outputs[name]


def _trait_rows(source: Card, target: Card) -> Iterator[Row]:
    for name in dict.fromkeys([*source.traits, *target.traits]):
        x, y = source.traits.get(name), target.traits.get(name)
        differs = (Category.BEHAVIOUR.value,) if x is not None and y is not None and x != y else ()
        yield Row("behaviour", name, "", None if x is None else Cell(x), None if y is None else Cell(y), differs)
