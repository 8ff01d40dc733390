"""The committed evidence: whole, fresh, agreeing with the cards, and strict where it is read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from card_changes import renamed

from interlingua.cards import REQUIRED, Card, Kind, cards
from interlingua.errors import PluginError
from interlingua.records import record
from interlingua.records.cases import cases
from interlingua.tables import coverage, evidence
from interlingua.tables.calls import by_default, call
from interlingua.tables.evidence import Evidence, Outcome

FRAMEWORKS = ("caffe", "fluid", "keras", "onnx", "paddle", "tensorflow", "torch")
RUNTIMES = {"caffe", "fluid", "keras", "onnx", "paddle", "tensorflow", "tensorflow1", "torch"}


def every() -> list[Evidence]:
    return [found for framework in FRAMEWORKS for found in evidence.load(framework)]


def test_there_is_evidence_of_all_eight_runtimes() -> None:
    assert {found.runtime for found in every()} == RUNTIMES


def test_no_committed_case_failed() -> None:
    failed = [
        (e.runtime, o.record, o.case, o.api, o.reason) for e in every() for o in e.outcomes if o.result == "failed"
    ]
    assert not failed


def test_nearly_every_executable_cell_is_proved_and_the_others_say_why() -> None:
    rows = coverage.table()
    executable = [row for row in rows if row.executable]
    proved = sum(row.proved for row in executable)
    assert proved / len(executable) >= 0.95, f"{proved} of {len(executable)}"
    outcomes = [o for e in every() for o in e.outcomes if o.result not in ("proved", "refused")]
    assert all(o.result in coverage.WORDS and o.reason for o in outcomes)


def test_evidence_speaks_of_cases_that_are() -> None:
    known = {(row.record, row.name) for row in cases()}
    strangers = {(o.record, o.case) for e in every() for o in e.outcomes} - known
    assert not strangers


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_cards_still_say_what_was_proved(framework: str) -> None:
    by_name = {(row.record, row.name): row for row in cases()}
    stale = []
    for found in evidence.load(framework):
        for outcome in found.outcomes:
            if outcome.result != "proved" or outcome.route == "decomposed":
                continue
            row = by_name[outcome.record, outcome.case]
            mine = [
                card
                for card in cards(framework)
                if card.record == outcome.record
                and outcome.api in (card.spelled(row.rank), card.api)
                and evidence.holds(card, found.version)
            ]
            if not any(_says(card, outcome) for card in mine):
                stale.append((outcome.record, outcome.case, outcome.api, dict(outcome.said)))
    assert not stale


def _says(card: Card, outcome: Outcome) -> bool:
    row = next(r for r in cases() if (r.record, r.name) == (outcome.record, outcome.case))
    made = by_default(card, row) if row.default_call else call(row)
    for facts in (made.facts, dataclasses.replace(made.facts, constants=frozenset(made.arrays))):
        try:
            said = card.lower(facts)
        except Exception:
            continue
        if evidence.plain(said) == dict(outcome.said):
            return True
    return False


@pytest.mark.parametrize("framework", [f for f in FRAMEWORKS if f != "caffe"])
def test_names_and_defaults_on_the_cards_are_those_of_the_measured_signatures(framework: str) -> None:
    wrong = []
    for found in evidence.load(framework):
        for card in cards(framework):
            if card.kind is Kind.SERIAL or not evidence.holds(card, found.version):
                continue
            for rank in card.ranks or (0,):
                measured = found.signatures.get(card.spelled(rank))
                if measured:
                    wrong += [
                        f"{found.runtime} {card.record} {card.spelled(rank)}: {text}"
                        for text in _mismatches(card, dict(measured))
                    ]
    assert not wrong


def _mismatches(card: Card, measured: dict[str | None, str | None]) -> list[str]:
    open_ended = any(str(name).startswith("*") for name in measured)
    found = []
    for parameter in card.parameters.values():
        if parameter.adapter.name.startswith("told") or not parameter.name or not parameter.name.isidentifier():
            continue
        if parameter.name not in measured:
            found += [] if open_ended else [f"has no {parameter.name}"]
            continue
        default = measured[parameter.name]
        stated = None if parameter.default is REQUIRED else repr(parameter.default)
        if default is not None and default.startswith("<"):
            continue
        if default == "None" and (stated is None or (card.framework == "onnx" and _is_input(card, parameter.name))):
            continue  # unsaid it is another operation, or the operator's text tells what it then is
        if not _same(default, stated):
            found.append(f"{parameter.name}={default}, the card states {stated}")
    if card.kind in (Kind.FUNCTION, Kind.METHOD, Kind.OPERATOR):
        for slot in card.inputs.values():
            if slot.name.isidentifier() and slot.name not in measured and not open_ended:
                found.append(f"has no {slot.name}")
    return found


def _is_input(card: Card, name: str) -> bool:
    known = record(card.record).parameters.get(name)
    return known is not None and known.origin == "input"


def _same(measured: str | None, stated: str | None) -> bool:
    if measured is None or stated is None:
        return measured == stated
    left, right = measured.strip("'\""), stated.strip("'\"")
    if left == right:
        return True
    try:
        return float(left) == float(right)
    except ValueError:
        truth = {"True": True, "1": True, "False": False, "0": False}
        if left in truth and right in truth:
            return truth[left] == truth[right]
        return set(left.strip("()[]").replace(" ", "").rstrip(",").split(",")) == {right}


def test_a_proof_vanishes_when_the_card_says_it_otherwise(change_card: Callable[..., Card]) -> None:
    card = next(c for c in cards("torch") if c.api == "torch.nn.functional.leaky_relu")
    assert evidence.proof(card, 0).versions
    new = change_card("torch", "LeakyRelu", card.api, renamed("alpha", "slope", 0.01))
    assert "slope" not in evidence.proof(new, 0).parameters


def test_evidence_survives_writing_and_reading(tmp_path: Path) -> None:
    outcome = Outcome("Relu", "rows", "proved", "x.relu", "card", {"a": [1, 2]}, 1.5e-7)
    written = Evidence(
        "torch",
        "torch",
        "torch",
        "1.2.3",
        {"torch": "1.2.3"},
        {"x.relu": [["a", None], ["b", "1"]], "y": None},
        (outcome,),
    )
    assert evidence.read(written.save(tmp_path)) == written


@pytest.mark.parametrize("text", ["", "{}", '{"cases": [{"record": "Relu"}]}', "[1]"])
def test_damaged_evidence_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "torch-1.json"
    path.write_text(text)
    with pytest.raises(PluginError, match=r"Expected evidence.*torch-1\.json"):
        evidence.read(path)
