"""`interlingua env create|list|remove`: the environments that runtimes live in."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="Make, list and remove the environments that runtimes live in.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="The runtime, as `interlingua doctor` names it.")],
    python: Annotated[
        str | None, typer.Option(help="The interpreter: a path, a name (python3.7), a version or a specifier.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the environment that is there.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show what pip says.")] = False,
) -> None:
    """Make an environment for a runtime, with what its plugin declares."""
    from rich.console import Console

    from interlingua import environments, plugin

    runtime = plugin.runtime(name)
    console = Console(stderr=True)
    if verbose:
        made = environments.create(runtime, python, force=force, say=lambda line: typer.echo(line, err=True))
    else:
        with console.status(f"Installing {', '.join(runtime.requirements)} …"):
            made = environments.create(runtime, python, force=force)
    typer.echo(f"{made.name}: Python {made.python_version} in {made.path}")


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the environments that were made."""
    from interlingua import environments

    found = environments.list_()
    if as_json:
        import dataclasses
        import json

        typer.echo(json.dumps([dataclasses.asdict(entry) for entry in found], indent=2, default=str))
        return
    if not found:
        typer.echo(f"No environments in {environments.root()}.")
    for entry in found:
        what = f"Python {entry.python_version}: {', '.join(entry.requirements)}" if entry.whole else "incomplete"
        typer.echo(f"{entry.name}  {entry.path}  {what}")


@app.command()
def remove(name: Annotated[str, typer.Argument(help="The environment, as `interlingua env list` names it.")]) -> None:
    """Remove an environment."""
    from interlingua import environments

    typer.echo(f"Removed {environments.remove(name)}")
