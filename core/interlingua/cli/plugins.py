"""`interlingua plugins`: what is installed, what it reads and writes, what is broken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from interlingua.plugin import Framework, Listed


def plugins(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the installed plugins: frameworks, formats read and written, broken ones with their reason."""
    from interlingua import plugin

    found = plugin.listed()
    if as_json:
        _print_json(found)
    else:
        _show(found)
    plugin.frameworks()  # two claimants of one name are an error, told after what is there


def _print_json(found: Sequence[Listed]) -> None:
    import json

    rows = [
        {
            "plugin": listed.name,
            "distribution": listed.distribution,
            "version": listed.version,
            "framework": framework.name,
            "title": framework.title,
            "aliases": framework.aliases,
            "reads": _reads(framework),
            "writes": _writes(framework),
            "runtimes": _runtimes(framework),
        }
        for listed in found
        for framework in listed.frameworks
    ]
    broken = [
        {"plugin": listed.name, "distribution": listed.distribution, "version": listed.version, "reason": listed.broken}
        for listed in found
        if listed.broken
    ]
    typer.echo(json.dumps({"frameworks": rows, "broken": broken}, indent=2))


def _reads(framework: Framework) -> list[str]:
    return [form.name for form in framework.formats if form.reader]


def _writes(framework: Framework) -> list[str]:
    return list(framework.backend.natives) if framework.backend else []


def _runtimes(framework: Framework) -> list[str]:
    return [runtime.name for runtime in framework.runtimes]


def _show(found: Sequence[Listed]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table()
    for heading in ("framework", "reads", "writes", "runtimes", "distribution"):
        table.add_column(heading, overflow="fold")
    for listed in found:
        for framework in listed.frameworks:
            cells = [[framework.name, *framework.aliases], _reads(framework), _writes(framework), _runtimes(framework)]
            shown = [", ".join(cell) or "-" for cell in cells]
            table.add_row(*shown, f"{listed.distribution} {listed.version}")
    console.print(table)
    for listed in found:
        if listed.broken:
            line = f"Broken: {listed.name} ({listed.distribution} {listed.version}): {listed.broken}"
            console.print(line, style="red", soft_wrap=True, markup=False, highlight=False)
