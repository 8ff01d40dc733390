"""`interlingua inspect`: what a file is, what it holds, what it lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def inspect(
    file: Annotated[Path, typer.Argument(help="A model file, folder or checkpoint prefix.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Show a model's format, inputs, outputs, layers and weights, and what is missing."""
    import dataclasses
    import json

    from interlingua import artifact, plugin
    from interlingua.cli.display import show_table

    recognised = artifact.recognise(file)
    _, form = plugin.format_named(recognised.format)
    if not form.inspector:
        typer.echo(f"{file}: {form.title}")
        return
    found: artifact.Inspection = plugin.resolve(form.inspector)(recognised)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(found), indent=1))
        return
    typer.echo(f"{file}: {found.title}")
    typer.echo(f"inputs:  {', '.join(found.inputs) or '-'}")
    typer.echo(f"outputs: {', '.join(found.outputs) or '-'}")
    typer.echo(f"weights: {found.parameters:,}")
    rows = [(layer.name, layer.kind, layer.output, f"{layer.parameters:,}") for layer in found.layers]
    show_table(("layer", "kind", "output", "weights"), rows)
    for sentence in found.missing:
        typer.echo(f"missing: {sentence}")
