"""Answers "what is this called there, and how does it differ": one name to one framework or to all."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from typing import Any

from interlingua import plugin
from interlingua.cards import Card, Kind, by_record
from interlingua.tables.difference import Difference, compare, nothing
from interlingua.tables.names import Match, find, preferred_rank
from interlingua.tables.sources import readable


@dataclasses.dataclass(frozen=True)
class Answer:
    """The tables for one API that a name speaks of; `meant` are other APIs the name may speak of."""

    source: Match
    tables: tuple[Difference, ...]
    meant: tuple[str, ...] = ()


def query(name: str, *, source: str = "", target: str = "") -> list[Answer]:
    """The API-difference tables for a name in any framework's spelling: one answer for each canonical op it speaks of.

    `source` and `target` are frameworks; without `target` there is a table for each other framework.

    Raises:
        UsageError: no card knows the name (near names are told), or a framework is not known.
    """
    found = find(name, source)
    chosen: dict[str, Match] = {}
    for match in found:
        chosen.setdefault(match.card.record, match)
    answers = []
    for described, match in chosen.items():
        targets = [plugin.framework(target).name] if target else [f for f in readable() if f != match.card.framework]
        meant = dict.fromkeys(m.api for m in found if m.card.record == described and m.api != match.api)
        answers.append(Answer(match, tuple(table(match, t) for t in targets), tuple(meant)))
    return answers


def table(source: Match, framework: str) -> Difference:
    """The table of an API and its best counterpart in a framework; further counterparts are listed."""
    candidates = counterparts(source, framework)
    if not candidates:
        return nothing(source, framework)
    best = candidates[0]
    others = dict.fromkeys(m.api for m in candidates[1:] if m.api != best.api and m.card.kind is not Kind.SERIAL)
    return compare(source, best, tuple(others))


def counterparts(source: Match, framework: str) -> list[Match]:
    """The cards of a framework for the same canonical op and rank, the most alike first."""
    rows = [row for row in by_record(framework).get(source.card.record, ()) if row != source.card]
    fitting = [row for row in rows if not source.rank or not row.ranks or source.rank in row.ranks]
    ranked = sorted(enumerate(fitting or rows), key=lambda pair: (-_likeness(source.card, pair[1]), pair[0]))
    return [Match(row, source.rank if source.rank in row.ranks else preferred_rank(row)) for _, row in ranked]


def _likeness(source: Card, candidate: Card) -> float:
    """How well a card answers: APIs before serialised operators, the same kind, the same implied values, current
    versions, as many of the source's parameters as possible, a name like its own."""
    score = 2.0 * len(source.parameters.keys() & candidate.parameters.keys()) + 3 * _alike(source.api, candidate.api)
    if (candidate.kind is Kind.SERIAL) != (source.kind is Kind.SERIAL):
        score -= 32
    score += 8 * (candidate.kind is source.kind or _calls(candidate) == _calls(source))
    for name in source.implied.keys() | candidate.implied.keys():
        known = [card.implied.get(name) for card in (source, candidate)]
        if None not in known:
            score += 12 if known[0] == known[1] else -12
        elif source.implied.get(name) is not None and name in candidate.parameters:
            score += 6
    score -= 16 * ("<" in candidate.versions and "<" not in source.versions)
    return score + 4 * candidate.write


def _alike(one: str, other: str) -> float:
    """Between 0 and 1: how much the last parts of two names look alike."""
    ours, theirs = (name.rpartition(".")[2].replace("_", "").lower() for name in (one, other))
    return difflib.SequenceMatcher(None, ours, theirs).ratio()


def _calls(card: Card) -> bool:
    """Whether the API is called with tensors, as functions, methods and operators are."""
    return card.kind in (Kind.FUNCTION, Kind.METHOD, Kind.OPERATOR)


def as_json(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """The answers as plain data for `--json`."""
    return [
        {
            "api": answer.source.api,
            "framework": answer.source.card.framework,
            "also": list(answer.meant),
            "tables": [_table(t) for t in answer.tables],
        }
        for answer in answers
    ]


def _table(difference: Difference) -> dict[str, Any]:
    plain = dataclasses.asdict(difference)
    plain["categories"] = [category.value for category in difference.categories]
    for where in ("source", "target"):
        described = getattr(difference, where)
        if described is not None:
            plain[where]["proof"] = {
                "text": described.proof.text,
                "versions": list(described.proof.versions),
                "cases": described.proof.cases,
                "signature": [list(pair) for pair in described.proof.signature],
            }
    return plain
