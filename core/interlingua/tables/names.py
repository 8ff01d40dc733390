"""Finds the APIs that a name speaks of, in any framework's spelling, and near ones where it speaks of none."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import re
from collections.abc import Iterator

from interlingua import plugin
from interlingua.cards import Card, Kind, cards
from interlingua.errors import UsageError
from interlingua.records import Record, records
from interlingua.tables.sources import readable

_PREFERRED_RANK = 2


@dataclasses.dataclass(frozen=True)
class Match:
    """A card that a name speaks of, for one number of spatial axes (0 where it has none)."""

    card: Card
    rank: int

    @property
    def api(self) -> str:
        """The API's full name for this rank."""
        return self.card.spelled(self.rank)


def preferred_rank(card: Card) -> int:
    """The number of spatial axes to show a card for, where nobody says one: two, else its first."""
    return _PREFERRED_RANK if _PREFERRED_RANK in card.ranks else next(iter(card.ranks), 0)


def spellings(card: Card) -> Iterator[tuple[str, int]]:
    """Every full name and alias of a card, with the rank it is for."""
    for name in (card.api, *card.aliases):
        if "{n}" in name:
            yield from ((name.format(n=rank), rank) for rank in card.ranks)
        else:
            yield name, preferred_rank(card)


@functools.cache
def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _parts(name: str) -> list[str]:
    return [part for part in re.split(r"[.:/]", name) if part]


def _without_framework(name: str) -> tuple[str, tuple[str, ...]]:
    """The framework that the name's first part speaks of ("" where it is none), and the parts after it."""
    parts = _parts(name)
    for framework in plugin.frameworks().values():
        if len(parts) > 1 and parts[0] in (framework.name, *framework.aliases):
            return framework.name, tuple(parts[1:])
    return "", tuple(parts)


def _ends_with(whole: list[str], end: tuple[str, ...]) -> bool:
    return bool(end) and tuple(whole[-len(end) :]) == end


def _tier(
    query: str, framework: str, parts: tuple[str, ...], card: Card, spelled: str, described: Record
) -> int | None:
    """How well a spelling fits the query: 0 is best, None not at all."""
    whole = _parts(spelled)
    fits = framework in ("", card.framework)
    if query == spelled:
        return 3 if card.kind is Kind.SERIAL else 0
    if fits and _ends_with(whole, parts) and len(parts) > 1:
        return 1
    if _plain(query) == _plain(spelled):
        return 2
    if fits and whole[-1] == parts[-1] and (framework or len(parts) == 1):
        return 3
    if fits and _plain(whole[-1]) == _plain(parts[-1]) and (framework or len(parts) == 1):
        return 4
    if _plain(query) == _plain(described.name):
        return 5
    if _plain(query) in map(_plain, described.synonyms):
        return 6
    return None


def find(name: str, framework: str = "") -> list[Match]:
    """The cards that `name` speaks of best, of one framework or of all.

    A name may be full (`torch.nn.Conv2d`), an alias, cut at the left (`nn.Conv2d`, `Conv2d`), a canonical op (`Conv`)
    or a synonym of it (`convolution`). Cards of APIs stand before those of serialised operators.

    Raises:
        UsageError: none does; near names are told.
    """
    wanted = plugin.framework(framework).name if framework else ""
    said, parts = _without_framework(name)
    best: list[tuple[int, Match]] = []
    for candidate in [wanted] if wanted else readable():
        for card in cards(candidate):
            described = records()[card.record]
            for spelled, rank in spellings(card):
                tier = _tier(name, said or wanted, parts, card, spelled, described) if parts else None
                if tier is not None:
                    best.append((tier, Match(card, rank)))
    if not best:
        raise _unknown(name, wanted)
    lowest = min(tier for tier, _ in best)
    found = list(dict.fromkeys(_key(match) for tier, match in best if tier == lowest))
    by_key = {_key(match): match for tier, match in reversed(best) if tier == lowest}
    return sorted((by_key[key] for key in found), key=lambda match: match.card.kind is Kind.SERIAL)


def _key(match: Match) -> tuple[str, str, str, str, int]:
    return match.card.framework, match.card.record, match.api, match.card.kind.value, match.rank


def _unknown(name: str, framework: str) -> UsageError:
    near = near_names(name, framework)
    where = f" of {framework}" if framework else ""
    hint = f"Did you mean {' or '.join(repr(n) for n in near)}?" if near else "`interlingua coverage` lists the ops."
    return UsageError(f"Expected the name of an API{where}, a canonical op or a concept. Received {name!r}.", hint=hint)


def near_names(name: str, framework: str = "", count: int = 4) -> list[str]:
    """Names of APIs and ops that look like `name`, the nearest first."""
    frameworks = [framework] if framework else list(readable())
    every: dict[str, None] = {}
    for candidate in frameworks:
        for card in cards(candidate):
            if card.kind is not Kind.SERIAL:
                every.update(dict.fromkeys(spelled for spelled, _ in spellings(card)))
    every.update(dict.fromkeys(records()))
    ranked = sorted(every, key=lambda known: (-_likeness(name, known), len(known), known))
    return [known for known in ranked[:count] if _likeness(name, known) >= 0.6]


def _tokens(name: str) -> set[str]:
    return set(re.findall(r"[a-z]+|\d+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower()))


def _likeness(name: str, known: str) -> float:
    """Between 0 and 1: the better of the whole names' and the last parts' likeness, mixed with shared words."""
    ours, theirs = name.lower(), known.lower()
    last = _parts(theirs)[-1]
    whole = difflib.SequenceMatcher(None, ours, theirs)
    ending = difflib.SequenceMatcher(None, (_parts(ours) or [ours])[-1], last)
    if max(whole.real_quick_ratio(), ending.real_quick_ratio()) < 0.6:
        return 0.0
    a, b = _tokens(name), _tokens(known)
    shared = len(a & b) / max(1, len(a | b))
    return 0.75 * max(whole.ratio(), 0.97 * ending.ratio()) + 0.25 * shared
