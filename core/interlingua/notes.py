"""What a conversion lost, changed or assumed, as typed values with their place."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator


@dataclasses.dataclass(frozen=True)
class Note:
    """One thing a user would want to know: `place` is a layer, node, file or parameter of the source."""

    place: str
    text: str

    @property
    def kind(self) -> str:
        """The note's type as the report spells it."""
        return type(self).__name__


class Approximated(Note):
    """The target computes it otherwise; the numbers agree within tolerance, not to the bit."""


class Changed(Note):
    """Said in another form with the same meaning (a renamed parameter, an explicit padding)."""


class Dropped(Note):
    """Left out, because it has no effect at inference (a saver, an optimizer slot, a control edge)."""


class Assumed(Note):
    """Decided without being told (a default predicate, a found output, an input size)."""


class Skipped(Note):
    """Not done, with the reason (a proof without a runtime, a native artifact that cannot hold the model)."""


class Notes:
    """The notes of one conversion, in the order they were taken, each once."""

    def __init__(self) -> None:
        self._notes: dict[Note, None] = {}

    def add(self, note: Note) -> None:
        """Take a note; taking the same one again changes nothing."""
        self._notes[note] = None

    def __iter__(self) -> Iterator[Note]:
        return iter(self._notes)

    def __len__(self) -> int:
        return len(self._notes)

    def counts(self) -> dict[str, int]:
        """How many notes of each kind."""
        return dict(Counter(note.kind for note in self._notes))

    def as_json(self) -> list[dict[str, str]]:
        """The form `report.json` holds."""
        return [{"kind": note.kind, "place": note.place, "text": note.text} for note in self._notes]
