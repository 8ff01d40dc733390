"""Progress and results as a person reads them: live on a terminal, plain lines otherwise."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from interlingua.progress import Progress

if TYPE_CHECKING:
    from interlingua.report import Report


class Counted(Progress):
    """Remembers how far the current stage came."""

    def __init__(self) -> None:
        super().__init__()
        self._counted = ""

    def begin(self, title: str) -> None:
        """Forgets the last stage's count."""
        self._counted = ""

    def count(self, done: int, total: int, what: str) -> None:
        """Keeps the count for the line that ends the stage."""
        self._counted = f"{done} of {total} {what}, "


class Lines(Counted):
    """One plain line for each stage that ended."""

    def end(self, title: str, seconds: float) -> None:
        """Says the stage, its count and its time."""
        print(f"{title}: {self._counted}{seconds:.1f} s", file=sys.stderr)


class Live(Counted):
    """A spinner with the stage at work, a line for each that ended."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console

        self._console = Console(stderr=True)
        self._status = self._console.status("")

    def begin(self, title: str) -> None:
        """Shows the stage."""
        super().begin(title)
        self._status.update(f"{title} …")
        self._status.start()

    def count(self, done: int, total: int, what: str) -> None:
        """Shows how far the stage is."""
        super().count(done, total, what)
        self._status.update(f"{done} of {total} {what} …")

    def end(self, title: str, seconds: float) -> None:
        """Replaces the spinner by a line."""
        self._status.stop()
        self._console.print(f"[green]✓[/green] {title} [dim]{self._counted}{seconds:.1f} s[/dim]")


@contextlib.contextmanager
def progress(quiet: bool = False) -> Iterator[Progress]:
    """The display that fits: none, live on a terminal, or plain lines."""
    shown: Progress = Progress() if quiet else Live() if sys.stderr.isatty() else Lines()
    try:
        yield shown
    finally:
        if isinstance(shown, Live):
            shown._status.stop()


def proof_rows(report: Report) -> list[tuple[str, ...]]:
    """The proofs as rows: what, against what, verdict, largest absolute and relative difference."""
    return [
        (proof.what, proof.reference, proof.verdict, f"{proof.absolute:.2e}", f"{proof.relative:.2e}")
        for proof in report.proofs
    ]


def show_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on standard output; without a terminal, aligned columns."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        table = Table()
        for heading in headings:
            table.add_column(heading, overflow="fold")
        for row in rows:
            table.add_row(*row)
        Console().print(table)
        return
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    for row in [headings, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def show_report(report: Report) -> None:
    """What was proved, noted and written."""
    headings = ("what", "against", "verdict", "largest absolute", "relative")
    if report.proofs:
        show_table(headings, proof_rows(report))
    for note in report.notes:
        print(f"{note.kind.lower()}: {note.place}: {note.text}")
    print(f"transposes left: {report.transposes['leftover']}")
    print(f"written: {report.folder}")
    if (report.folder / "model.py").is_file():
        print(f"run it:  cd {report.folder} && python -c 'from model import load; model = load()'")
