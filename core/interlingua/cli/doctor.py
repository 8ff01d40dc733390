"""`interlingua doctor`: for each runtime what is there, its version, and the command that mends it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from interlingua.environments import Status


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Say for each runtime what is there, its version, and the exact command that mends what is not.

    The exit code is 0 where all is there, else 7.
    """
    from interlingua.errors import RuntimeMissing

    found = _statuses()
    if as_json:
        import json

        typer.echo(json.dumps([dataclasses.asdict(status) for status in found], indent=2))
    else:
        _show(found)
    if any(status.problem for status in found):
        raise typer.Exit(RuntimeMissing.exit_code)


def _statuses() -> list[Status]:
    from interlingua import environments, plugin

    runtimes = {runtime.name: runtime for framework in plugin.frameworks().values() for runtime in framework.runtimes}
    broken = [
        environments.Status(
            listed.name,
            f"plugin {listed.distribution} {listed.version}",
            problem=f"The plugin is broken: {listed.broken}",
            mend=f"pip install --force-reinstall {listed.distribution}",
        )
        for listed in plugin.listed()
        if listed.broken
    ]
    return [environments.status(runtime) for _, runtime in sorted(runtimes.items())] + broken


def _show(found: list[Status]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table()
    for heading in ("runtime", "state", "versions", "Python", "what"):
        table.add_column(heading, overflow="fold")
    for status in found:
        versions = ", ".join(f"{module} {version}" for module, version in status.versions.items())
        wrong = "[yellow]incomplete[/yellow]" if status.versions else "[red]missing[/red]"
        mark = wrong if status.problem else "[green]found[/green]"
        table.add_row(status.runtime, mark, versions or "-", status.python_version or "-", status.title)
    console.print(table)
    for status in found:
        if status.problem:
            console.print(f"{status.runtime}: {status.problem}", soft_wrap=True, markup=False, highlight=False)
            console.print(f"    {status.mend}", style="bold", soft_wrap=True, markup=False, highlight=False)
