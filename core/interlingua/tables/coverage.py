"""What is proved, stated or refused: records by frameworks, for the coverage page. Imports no framework."""

from __future__ import annotations

import dataclasses

from interlingua.cards import Kind, by_record
from interlingua.records import records
from interlingua.tables import evidence
from interlingua.tables.evidence import Evidence, Outcome
from interlingua.tables.sources import readable

WORDS = ("notimpl", "notyet", "never")
"""Why a cell is not proved: ours to do, upstream's to do, or not to be done at all."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """A record in a framework's runtime. `apis` are those its cards name; a cell counts a case and an API each.

    `proved` of `executable` cells hold; `refused` cases cannot be said and refuse; `decomposed` are proved through
    other ops; `reasons` say, with their word, why the rest is not proved. `state` is "proved", "stated" (there are
    cards and no evidence), "refused" (there are no cards) or the word of the reasons.
    """

    record: str
    framework: str
    runtime: str
    version: str
    apis: tuple[str, ...]
    executable: int = 0
    proved: int = 0
    decomposed: int = 0
    refused: int = 0
    reasons: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """One word for the cell."""
        if not self.apis and not self.decomposed:
            return "refused"
        if not self.executable:
            return "stated"
        words = {reason.partition(":")[0] for reason in self.reasons}
        return "proved" if self.proved else next((word for word in WORDS if word in words), "stated")


def table() -> list[Cell]:
    """Every record in every runtime, records in their order."""
    found: list[Cell] = []
    for record in records():
        for framework in readable():
            apis = _apis(framework, record)
            of_runtimes = evidence.load(framework)
            found += [_cell(record, framework, apis, one) for one in of_runtimes]
            if not of_runtimes:
                found.append(Cell(record, framework, framework, "", apis))
    return found


def _apis(framework: str, record: str) -> tuple[str, ...]:
    rows = by_record(framework).get(record, ())
    return tuple(dict.fromkeys(row.api for row in rows if row.kind is not Kind.SERIAL))


def _cell(record: str, framework: str, apis: tuple[str, ...], found: Evidence) -> Cell:
    rows = [outcome for outcome in found.outcomes if outcome.record == record]
    executable = [row for row in rows if row.result != "refused"]
    reasons = dict.fromkeys(f"{row.result}: {row.reason}" for row in executable if row.result != evidence.PROVED)
    return Cell(
        record,
        framework,
        found.runtime,
        found.version,
        apis,
        len(executable),
        _count(executable, evidence.PROVED),
        sum(row.route == "decomposed" for row in executable),
        len(rows) - len(executable),
        tuple(reasons),
    )


def _count(rows: list[Outcome], result: str) -> int:
    return sum(row.result == result for row in rows)
