"""Shows answers to a person: as plain text, or with colours on a terminal. Imports `rich` only there."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Sequence
from typing import TextIO

from interlingua.tables.difference import Category, Cell, Difference, Row
from interlingua.tables.query import Answer
from interlingua.tables.sources import broken

NONE = "—"
_SPATIAL = {1: ("L",), 2: ("H", "W"), 3: ("D", "H", "W")}
_WIDEST_CELL = 46


@dataclasses.dataclass(frozen=True)
class Table:
    """A block of rows under headings; the last column says what differs."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclasses.dataclass(frozen=True)
class Lines:
    """Words with what stands beside them."""

    rows: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Title:
    """A heading and a sentence under it."""

    text: str
    below: str = ""


Block = Table | Lines | Title


def document(answers: Sequence[Answer]) -> list[Block]:
    """What is shown: one whole table where one framework is asked for, else a line of differences for each."""
    blocks: list[Block] = []
    for answer in answers:
        if len(answer.tables) == 1:
            blocks.extend(_whole(answer.tables[0]))
        else:
            blocks.extend(_overview(answer))
        if answer.meant:
            blocks.append(Lines((("also", _list(answer.meant)),)))
    if broken():
        blocks.append(Lines(tuple((f"left out: {name}", reason) for name, reason in broken().items())))
    return blocks


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)


def _whole(table: Difference) -> list[Block]:
    words = _list([category.value for category in table.categories])
    if table.target is None:
        title = Title(f"{table.source.api} → {table.to}", f"{table.record}: {table.summary}")
        call = Lines((("difference", words), (table.source.framework, table.source.signature)))
        return [title, call, *_foot(table)]
    title = Title(f"{table.source.api} → {table.target.api}", f"{table.record}: {table.summary}")
    sides = (table.source, table.target)
    said = [(side.framework + (f" {side.versions}" if side.versions else ""), side.signature) for side in sides]
    calls = Lines((("difference", words), *said))
    headings = ("", table.source.framework, table.target.framework, "difference")
    shown = [_shown(row) for row in table.rows if not _says_nothing(row)]
    axes = [(f"axes of {row.canonical}", *_both_axes(row, table.rank), *_word(row)) for row in table.axes]
    traits = [(row.canonical, _text(row.source), _text(row.target), *_word(row)) for row in table.traits]
    return [title, calls, Table(headings, (*shown, *axes, *traits)), *_foot(table)]


def _says_nothing(row: Row) -> bool:
    return row.what == "weight" and not row.differs


def _shown(row: Row) -> tuple[str, ...]:
    formed = _forms_differ(row)
    return row.canonical, _cell(row.source, formed), _cell(row.target, formed), *_word(row)


def _forms_differ(row: Row) -> bool:
    """Whether it is worth saying how the two values are formed."""
    return Category.PARAMETERS.value in row.differs or Category.DEFAULT.value in row.differs


def _word(row: Row) -> tuple[str, ...]:
    return (_list(row.differs),)


def _cell(cell: Cell | None, formed: bool) -> str:
    if cell is None:
        return NONE
    form = f"({cell.form})" if cell.form and (formed or not cell.name) else ""
    return " ".join(part for part in (cell.text, form, "✓" if cell.proved else "") if part)


def _text(cell: Cell | None) -> str:
    return NONE if cell is None else cell.text or f"({cell.form})"


def _axes(cell: Cell | None, rank: int, what: str) -> str:
    if cell is None:
        return NONE
    prefix = "k" if what == "weight" else ""
    return " ".join(
        " ".join(prefix + axis for axis in _SPATIAL.get(rank, ())) if axis == "*" else axis
        for axis in cell.name.split()
    ).replace("  ", " ")


def _both_axes(row: Row, rank: int) -> tuple[str, str]:
    return _axes(row.source, rank, row.what), _axes(row.target, rank, row.what)


def _foot(table: Difference) -> list[Block]:
    sides = [side for side in (table.source, table.target) if side is not None]
    rows: list[tuple[str, str]] = []
    rows += [(f"{side.framework} cannot say", limit) for side in sides for limit in side.limits]
    rows += [(f"{side.framework} remark", remark) for side in sides for remark in side.remarks]
    rows += [("others", _list(table.others))] if table.others else []
    rows += [(side.framework, side.proof.text) for side in sides]
    rows += [("✓", "said in a case that was proved")] if any(side.proof.versions for side in sides) else []
    return [Lines(tuple(rows))]


def _overview(answer: Answer) -> list[Block]:
    first = answer.tables[0]
    title = Title(first.source.api, f"{first.record}: {first.summary}")
    own = Lines(((first.source.framework, first.source.signature), ("", first.source.proof.text)))
    rows = []
    for table in answer.tables:
        if table.target is None:
            rows.append((table.to, NONE, Category.NONE.value, ""))
            continue
        words = _list([category.value for category in table.categories])
        rows.append((table.to, table.target.api, words, table.target.proof.text))
    details = [line for table in answer.tables for line in _details(table)]
    return [title, own, Table(("", "counterpart", "difference", "proof"), tuple(rows)), Lines(tuple(details))]


def _details(table: Difference) -> list[tuple[str, str]]:
    """What differs to one framework: only the rows that do."""
    if table.target is None:
        return []
    changed = [f"{_text(row.source)} → {_cell(row.target, _forms_differ(row))}" for row in table.rows if row.differs]
    moved = [f"axes of {row.canonical}: {' → '.join(_both_axes(row, table.rank))}" for row in table.axes if row.differs]
    behaves = [f"{row.canonical}: {_text(row.source)} → {_text(row.target)}" for row in table.traits if row.differs]
    limits = [f"cannot say: {limit}" for limit in table.target.limits]
    text = "; ".join([*changed, *moved, *behaves, *limits])
    return [(table.to, text)] if text else []


def plain(blocks: Sequence[Block], width: int = 100) -> str:
    """The blocks as plain text no wider than `width` where words allow."""
    parts: list[str] = []
    for block in blocks:
        if isinstance(block, Title):
            parts.append("\n".join(text for text in (block.text, block.below) if text))
        elif isinstance(block, Lines):
            parts.append(_plain_lines(block, width))
        else:
            parts.append(_plain_table(block, width))
    return "\n\n".join(part for part in parts if part) + "\n"


def _plain_lines(block: Lines, width: int) -> str:
    label = max((len(word) for word, _ in block.rows), default=0)
    lines: list[str] = []
    for word, text in block.rows:
        wrapped = textwrap.wrap(text, max(width - label - 2, 30)) or [""]
        lines += [f"{word if i == 0 else '':<{label}}  {line}".rstrip() for i, line in enumerate(wrapped)]
    return "\n".join(lines)


def _plain_table(block: Table, width: int) -> str:
    columns = len(block.headings)
    whole = [block.headings, *block.rows]
    widths = [min(max(len(row[i]) for row in whole), _WIDEST_CELL) for i in range(columns)]
    words = [
        min(max(len(word) for row in whole for word in (row[i].split() or [""])), _WIDEST_CELL) for i in range(columns)
    ]
    while sum(widths) + 2 * (columns - 1) > width:
        widest = max(range(columns), key=lambda i: widths[i] - words[i])
        if widths[widest] <= words[widest]:
            break
        widths[widest] -= 1
    lines: list[str] = []
    for number, row in enumerate(whole):
        cells = [
            textwrap.wrap(cell, size, break_long_words=False) or [""] for cell, size in zip(row, widths, strict=True)
        ]
        for i in range(max(len(cell) for cell in cells)):
            line = [f"{cell[i] if i < len(cell) else '':<{size}}" for cell, size in zip(cells, widths, strict=True)]
            lines.append("  ".join(line).rstrip())
        if number == 0:
            lines.append("  ".join("-" * size for size in widths))
    return "\n".join(lines)


def coloured(blocks: Sequence[Block], file: TextIO | None = None) -> None:
    """Prints the blocks to a terminal."""
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console(file=file, highlight=False)
    for block in blocks:
        if isinstance(block, Title):
            console.print(Text(block.text, style="bold"))
            console.print(Text(block.below, style="dim"))
        elif isinstance(block, Lines):
            grid = RichTable.grid(padding=(0, 2))
            grid.add_column(style="cyan", no_wrap=True)
            grid.add_column(overflow="fold")
            for word, text in block.rows:
                grid.add_row(Text(word), Text(text))
            console.print(grid)
        else:
            shown = RichTable(pad_edge=False)
            for heading in block.headings:
                shown.add_column(heading, overflow="fold")
            for row in block.rows:
                differs = bool(row[-1])
                shown.add_row(*(Text(cell) for cell in row[:-1]), Text(row[-1], style="yellow" if differs else ""))
            console.print(shown)
        console.print()
