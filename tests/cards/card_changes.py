"""Cards changed for a test, in the sight of everyone who reads them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from interlingua import cards
from interlingua.cards import Card

Change = Callable[[Card], Card]


def forget_cards() -> None:
    for cached in (cards.cards, cards.by_record, cards.by_api):
        cached.cache_clear()


@pytest.fixture
def change_card(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str, str, Change], Card]]:
    """Replaces a card in every reader's sight: framework, record, API, and how it is changed."""
    original = cards.cards.__wrapped__

    def change(framework: str, record: str, api: str, how: Change) -> Card:
        rows = original(framework)
        old = next(row for row in rows if row.record == record and row.api == api)
        new = how(old)
        patched = tuple(new if row is old else row for row in rows)
        replaced = functools.cache(lambda name: patched if name == framework else original(name))
        monkeypatch.setattr(cards, "cards", replaced)
        for module in ("interlingua.tables.names", "interlingua.tables.sources"):
            monkeypatch.setattr(f"{module}.cards", replaced)
        for cached in (cards.by_record, cards.by_api):
            cached.cache_clear()
        return new

    yield change
    monkeypatch.undo()
    forget_cards()


def renamed(parameter: str, name: str, default: Any) -> Change:
    """The card with another name and default for a canonical parameter."""

    def change(card: Card) -> Card:
        changed = dataclasses.replace(card.parameters[parameter], name=name, default=default)
        return dataclasses.replace(card, parameters={**card.parameters, parameter: changed})

    return change
