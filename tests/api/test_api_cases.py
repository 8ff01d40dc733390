"""What the cases claim, checked against the cards and the formulas without running a framework."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interlingua.cards import REQUIRED, Card, Kind, cards, choose
from interlingua.errors import Unsupported, UsageError
from interlingua.records import record, records
from interlingua.records.cases import BEYOND_INFERENCE, Case, case, cases
from interlingua.tables.calls import Call, by_default, call
from interlingua.tables.difference import default_of
from interlingua.tables.formulas import FORMULAS
from interlingua.tables.sources import broken, readable
from interlingua.tables.traits import TRAITS, problems
from interlingua.tables.verify import first_card

BESIDE_THE_SUITE = ("test_torch_beside_suite.py", "test_torch_random.py", "test_torch_whole.py")
"""Tests of operators that no case of the suite has."""

ROOT = Path(__file__).resolve().parents[2]
FRAMEWORKS = ("caffe", "fluid", "keras", "onnx", "paddle", "tensorflow", "torch")


@pytest.fixture(scope="module")
def calls() -> list[Call]:
    return [call(row) for row in cases()]


def test_every_frameworks_cards_can_be_read() -> None:
    assert dict(broken()) == {}
    assert set(FRAMEWORKS) <= set(readable())


def test_every_record_has_cases_and_a_formula_or_is_in_the_backend_suite() -> None:
    suite = json.loads((ROOT / "docs" / "results" / "suite.json").read_text("utf-8"))["cases"]
    proved_elsewhere = {operator for row in suite.values() for operator in row["operators"]}
    with_cases = {row.record for row in cases()}
    assert with_cases <= set(records())
    told = "".join((ROOT / "tests" / "torch" / name).read_text("utf-8") for name in BESIDE_THE_SUITE)
    rest = set(records()) - with_cases - proved_elsewhere
    assert {name for name in rest if f'"{name}"' not in told and f'"{name} ' not in told} == set()
    assert set(FORMULAS) >= with_cases - {"placeholder"}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_cards_refuse_what_the_cases_say_and_nothing_else(framework: str, calls: list[Call]) -> None:
    wrong = []
    for made in calls:
        if made.case.default_call:
            continue
        try:
            choose(framework, made.facts)
            refused = ""
        except Unsupported as refusal:
            refused = str(refusal)
        if bool(refused) != (framework in made.case.cannot):
            wrong.append(f"{made.case.record}, {made.case.name}: {refused or 'is said'}")
    assert not wrong


def _default_calls() -> list[Case]:
    return [row for row in cases() if row.default_call]


@pytest.mark.parametrize("row", _default_calls(), ids=lambda row: f"{row.record}-{row.name}".replace(" ", "-"))
def test_who_agrees_by_default_and_who_does_not(row: Case) -> None:
    groups: list[tuple[list[str], np.ndarray[Any, Any]]] = []
    for framework in FRAMEWORKS:
        try:
            card = first_card(framework, row)
            made = by_default(card, row)
            card.lower(made.facts)
        except Unsupported:
            continue
        for members, result in groups:
            if result.shape == made.expected.shape and np.allclose(result, made.expected, rtol=1e-6, atol=1e-9):
                members.append(framework)
                break
        else:
            groups.append(([framework], made.expected))
    assert sorted(sorted(members) for members, _ in groups) == sorted(sorted(group) for group in row.groups)


def _mapped() -> Iterator[tuple[Card, str]]:
    for framework in FRAMEWORKS:
        for card in cards(framework):
            if card.kind is Kind.SERIAL or any((card.record, name) in BEYOND_INFERENCE for name in card.implied):
                continue
            for name, parameter in card.parameters.items():
                known = record(card.record).parameters.get(name)
                if (
                    known is not None
                    and not parameter.adapter.name.startswith("told")
                    and name not in ("auto_pad", "output_shape")  # the canonical form has them resolved to pads
                    and (card.record, name) not in BEYOND_INFERENCE
                ):
                    yield card, name


def _matters(card: Card, name: str, made: Call) -> bool:
    """Whether the case says the parameter through the card and its result changes without it."""
    if card.ranks and made.case.rank not in card.ranks:
        return False
    facts = dataclasses.replace(made.facts, constants=frozenset(made.arrays))
    parameter = card.parameters[name]
    try:
        said = card.lower(facts)
    except Unsupported:
        return name in made.case.values  # the parameter has one value, and the case shows that another is refused
    if parameter.name not in said:
        return False
    known = record(card.record).parameters[name]
    if parameter.default is REQUIRED or known.derived:
        return True
    if parameter.default is None and name == "kernel_shape":
        return True  # without it there is no kernel
    default = default_of(card, name, made.case.rank)
    values = dict(made.values)
    if default == "nothing":
        neutral = record(card.record).parameters[name].neutral
        default = [neutral] * len(values[name])
    if isinstance(default, list) and default[:1] == ["kernel"]:
        default = values["kernel_shape"]
    values[name] = default
    try:
        changed = made.result(values)
    except (ValueError, TypeError, IndexError, np.exceptions.AxisError):
        return True
    return changed.shape != made.expected.shape or not np.allclose(
        changed, made.expected, rtol=1e-6, atol=1e-9, equal_nan=True
    )


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_every_mapped_parameter_is_said_in_a_case_and_matters(framework: str, calls: list[Call]) -> None:
    by_record: dict[str, list[Call]] = {}
    for made in calls:
        by_record.setdefault(made.case.record, []).append(made)
    idle = [
        f"{card.record} {card.api}: {name}"
        for card, name in _mapped()
        if card.framework == framework
        and card.record in by_record
        and not any(_matters(card, name, made) for made in by_record[card.record])
    ]
    assert not idle


@pytest.mark.parametrize(("described", "name"), sorted(BEYOND_INFERENCE))
def test_what_is_called_beyond_inference_changes_no_result(described: str, name: str) -> None:
    if described == "placeholder" or name == "training_mode":
        return  # they make another operation, or none
    said = [row for row in cases() if row.record == described and name in row.values]
    assert said
    for row in said:
        made = call(row)
        default = record(described).parameters[name].default
        assert np.array_equal(made.result({**made.values, name: default}), made.expected)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_traits_come_from_the_vocabulary(framework: str) -> None:
    found = [f"{card.record} {card.api}: {problem}" for card in cards(framework) for problem in problems(card.traits)]
    assert not found


def test_traits_that_name_a_case_name_one_that_is() -> None:
    known = {(row.record, row.name) for row in cases()}
    assert {trait.case for trait in TRAITS.values() if trait.case} <= known


def test_an_unknown_input_of_a_case_is_named() -> None:
    with pytest.raises(UsageError, match="alhpa"):
        case("LeakyRelu", "typo", X=(2, 3), alhpa=0.1)


def test_the_same_words_draw_the_same_numbers(calls: list[Call]) -> None:
    for made in calls[:20]:
        again = call(made.case)
        assert all(
            np.array_equal(a, b) for n in made.arrays for a, b in zip(made.arrays[n], again.arrays[n], strict=True)
        )
