"""Writes the generated pages of the documentation; with `--check` says which are stale instead.

Sources: the command line itself, the classes of errors and notes, the plugins, the cards and their evidence, and the
results under docs/results.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import black
import suite_page
import typer
import zoo_page

import interlingua
from interlingua import errors, notes, plugin
from interlingua.cli import INTERRUPTED, app
from interlingua.tables import coverage

DOCS = Path(__file__).resolve().parent.parent / "docs"
RESULTS = DOCS / "results"
_GENERATED = "<!-- Written by `make docs`; not edited by hand. -->"


def command_line() -> str:
    """The command reference."""
    group = typer.main.get_command(app)
    parts = ["# Command line", "", "Every command says more with `--help`.", ""]
    for path, command in _commands(group, "interlingua"):
        parts += [f"## `{path}`", "", inspect.cleandoc(command.help or ""), ""]
        rows = [_parameter(p) for p in command.params if not getattr(p, "hidden", False) and p.name != "help"]
        if rows:
            parts += ["| argument or option | default | meaning |", "|---|---|---|", *rows, ""]
    return "\n".join(parts)


def _commands(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def _parameter(parameter: Any) -> str:
    option = parameter.param_type_name == "option"
    names = "`, `".join([*parameter.opts, *parameter.secondary_opts]) if option else parameter.name
    default = parameter.default
    shown = (
        ""
        if default in (None, "", False) or callable(default) or not isinstance(default, str | int | float)
        else f"`{default}`"
    )
    told = getattr(parameter, "help", "") or ""
    return f"| `{names}` | {'required' if parameter.required else shown} | {told} |"


def error_page() -> str:
    """Exit codes and the kinds of notes."""
    parts = [
        "# Errors and notes",
        "",
        'An error says law and fact ("Expected … . Received …"), where it stands, and what to do next. It goes to '
        "standard error as one message, and the exit code tells its class. Nothing half-written is left behind.",
        "",
        "| exit code | class | when |",
        "|---|---|---|",
        "| 0 | | everything was done, and proved where that was asked |",
    ]
    for kind in sorted(_subclasses(errors.InterlinguaError), key=lambda k: k.exit_code):
        parts.append(f"| {kind.exit_code} | `{kind.__name__}` | {_first(kind)} |")
    parts += [f"| {INTERRUPTED} | | interrupted; nothing was written |", "", "## Notes", ""]
    parts += [
        "A note is what a conversion lost, changed or assumed. It is shown, counted, and written to `report.json`; "
        "`--strict` makes it a failure.",
        "",
        "| kind | meaning |",
        "|---|---|",
    ]
    for note in _subclasses(notes.Note):
        parts.append(f"| `{note.__name__}` | {_first(note)} |")
    return "\n".join([*parts, ""])


def _subclasses(kind: type[Any]) -> list[type[Any]]:
    return [
        found
        for found in vars(inspect.getmodule(kind)).values()
        if inspect.isclass(found) and issubclass(found, kind) and found is not kind
    ]


def _first(kind: type[Any]) -> str:
    return inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].replace("\n", " ")


def python_page() -> str:
    """The verbs for Python."""
    said = "The verbs of the command line, with the same options under the same names. The errors that they raise by\n"
    parts = ["# From Python", "", said + "themselves are kinds of `interlingua.InterlinguaError`.", ""]
    for name in interlingua.__all__:
        verb = getattr(interlingua, name)
        if inspect.isclass(verb):
            continue
        header = ast.parse(inspect.getsource(verb)).body[0]
        assert isinstance(header, ast.FunctionDef)
        header.body = [ast.Expr(ast.Constant(...))]
        text = black.format_str(ast.unparse(header), mode=black.Mode(line_length=100)).rstrip()
        parts += [
            f"## `interlingua.{name}`",
            "",
            "```python",
            text,
            "```",
            "",
            inspect.cleandoc(verb.__doc__ or ""),
            "",
        ]
    return "\n".join(parts)


def formats() -> str:
    """What every plugin reads, writes and runs in."""
    parts = ["# Frameworks and formats", ""]
    for framework in plugin.frameworks().values():
        parts += [f"## {framework.title} (`{framework.name}`)", ""]
        if framework.aliases:
            parts += [f"Aliases: {', '.join(f'`{alias}`' for alias in framework.aliases)}.", ""]
        parts += ["| format | what | read | written |", "|---|---|---|---|"]
        natives = framework.backend.natives if framework.backend else ()
        for form in framework.formats:
            parts.append(
                f"| `{form.name}` | {form.title} | {'yes' if form.reader else 'no'} "
                f"| {'yes' if form.name in natives else 'no'} |"
            )
        parts += ["", "| runtime | Python | requirements |", "|---|---|---|"]
        for runtime in framework.runtimes:
            parts.append(
                f"| `{runtime.name}` | {runtime.python} | {', '.join(f'`{r}`' for r in runtime.requirements)} |"
            )
        parts.append("")
    return "\n".join(parts)


def coverage_page() -> str:
    """Records by runtimes: cases proved of those that can be said."""
    cells = coverage.table()
    runtimes = sorted({(cell.runtime, cell.version) for cell in cells})
    executable = sum(cell.executable for cell in cells)
    proved = sum(cell.proved for cell in cells)
    parts = [
        "# Coverage",
        "",
        f"What the cards say, and what was run of it: {proved} of {executable} executable cells proved. A cell is a "
        "case with an API in a real framework. `12/12` means twelve of twelve proved; `d` after it that the op is said "
        "through others; `refused` that the framework has no way to say it, which is tested too.",
        "",
        "| op | " + " | ".join(f"{name} {version}" for name, version in runtimes) + " |",
        "|---|" + "---|" * len(runtimes),
    ]
    by_key = {(cell.record, cell.runtime): cell for cell in cells}
    for record in dict.fromkeys(cell.record for cell in cells):
        row = [_coverage_cell(by_key.get((record, runtime))) for runtime, _ in runtimes]
        parts.append(f"| `{record}` | " + " | ".join(row) + " |")
    parts += ["", "## What is not proved, and why", "", *_unproved(cells), "", *suite_page.section()]
    return "\n".join(parts)


def _coverage_cell(cell: coverage.Cell | None) -> str:
    if cell is None:
        return ""
    if not cell.executable:
        return cell.state
    return f"{cell.proved}/{cell.executable}{' d' if cell.decomposed else ''}"


def _unproved(cells: list[coverage.Cell]) -> list[str]:
    rows = [f"- `{cell.record}` in {cell.runtime}: {reason}" for cell in cells for reason in cell.reasons]
    return rows or ["Nothing."]


def benchmark_page() -> str:
    """What `make bench` measured."""
    sys.path.insert(0, str(DOCS.parent / "benchmarks"))
    try:
        results = importlib.import_module("results")
    finally:
        sys.path.pop(0)
    parts = [
        "# Benchmarks",
        "",
        f"{results.conditions()} `make bench` measures it anew. Ratios are of medians of interleaved turns in one "
        "process, with the 95 % interval of the bootstrap; the twins are the hand-written models under "
        "`benchmarks/twins`. The other converters run in environments of their own; each gets the file that today's "
        "PyTorch exporter writes and, where it does not take that, the older exporter's. Ours write code and weights, "
        "onnx2torch a module in memory, onnx2tf TensorFlow's files, x2paddle code and weights; a remark says why a "
        "converter has no numbers.",
        "",
    ]
    pictures = results.charts()
    for title, header, rows in results.tables():
        parts += [f"## {title}", "", "| " + " | ".join(header) + " |", "|---|" + "---|" * (len(header) - 1)]
        parts += ["| " + " | ".join(row) + " |" for row in rows] + [""]
        if pictures.get(title):
            parts += [pictures[title], ""]
    return "\n".join(parts)


def matrix() -> str:
    """The 7 × 7 matrix of LeNet-4."""
    rows: dict[str, dict[str, Any]] = json.loads((RESULTS / "matrix.json").read_text())
    names = list(dict.fromkeys(pair.partition(":")[0] for pair in rows))
    proved = sum(row["verdict"] == "proved" for row in rows.values())
    parts = [
        "# The matrix",
        "",
        f"LeNet-4 from every framework (rows) to every framework (columns): {proved} of {len(rows)} pairs proved by "
        "the real runtimes of both ends (`make matrix`). A cell is the largest relative difference of any output of "
        "the native artifact and of `model.py` from what the source's own framework computes. Self-pairs go "
        "through the IR too.",
        "",
        "| | " + " | ".join(names) + " |",
        "|---|" + "---|" * len(names),
    ]
    for source in names:
        parts.append(
            f"| **{source}** | " + " | ".join(_cell(rows.get(f"{source}:{target}")) for target in names) + " |"
        )
    left = sum(row.get("leftover", 0) or 0 for row in rows.values())
    versions = sorted({told for row in rows.values() for told in row.get("runtimes", {}).values()})
    parts += ["", f"Transposes left over inside all targets: {left}.", "", "Runtimes: " + "; ".join(versions) + ".", ""]
    return "\n".join(parts)


def _cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return "not run"
    return f"{row['relative']:.1e}" if row["verdict"] == "proved" else f"{row['verdict']}: {row.get('reason', '')}"


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": command_line,
    "python.md": python_page,
    "errors.md": error_page,
    "formats.md": formats,
    "matrix.md": matrix,
    "coverage.md": coverage_page,
    "benchmarks.md": benchmark_page,
    "zoo.md": zoo_page.page,
}


def main() -> int:
    """Writes the pages; under `--check` the exit code is 1 where one is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for name, page in PAGES.items():
        text = f"{_GENERATED}\n\n{page()}"
        path = DOCS / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not check:
                path.write_text(text, encoding="utf-8")
    if check and stale:
        print(f"Stale: {', '.join(stale)}. `make docs` writes them anew.", file=sys.stderr)
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
