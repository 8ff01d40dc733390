"""What a long call tells while it works: stages, counts within one, and their times."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator


class Progress:
    """Takes stages and counts and shows nothing; a display derives from it. `seconds` keeps each stage's time."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """One stage of the work, timed."""
        self.begin(title)
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[title] = self.seconds.get(title, 0.0) + time.perf_counter() - started
            self.end(title, self.seconds[title])

    def begin(self, title: str) -> None:
        """A stage begins."""

    def count(self, done: int, total: int, what: str) -> None:
        """`done` of `total` nodes or checks of the current stage."""

    def end(self, title: str, seconds: float) -> None:
        """A stage is over."""
