"""`interlingua api`: what an API is called elsewhere and how it differs; `interlingua api verify` proves the tables."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

_VERIFY = "verify"


def api(
    name: Annotated[str, typer.Argument(help="An API, in any framework's spelling; a canonical op; or `verify`.")],
    source: Annotated[str, typer.Option("--from", help="The framework whose API is meant.")] = "",
    target: Annotated[str, typer.Option("--to", help="The framework to compare with; all where unsaid.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    framework: Annotated[str, typer.Option("--framework", help="verify: only this framework or runtime.")] = "",
    record: Annotated[str, typer.Option("--record", help="verify: only this canonical op.")] = "",
) -> None:
    """Show how an API differs from its counterparts elsewhere; `verify` runs the cases and writes evidence."""
    from interlingua.errors import UsageError

    if name == _VERIFY:
        _verify(framework, record)
        return
    if framework or record:
        raise UsageError("Expected --framework and --record with `interlingua api verify` alone.")
    from interlingua.tables.query import as_json as plain_data
    from interlingua.tables.query import query

    answers = query(name, source=source, target=target)
    if as_json:
        import json

        typer.echo(json.dumps(plain_data(answers), indent=2, ensure_ascii=False))
        return
    from interlingua.tables import render

    blocks = render.document(answers)
    if sys.stdout.isatty():
        render.coloured(blocks)
    else:
        typer.echo(render.plain(blocks), nl=False)


def _verify(framework: str, record: str) -> None:
    from interlingua.tables.verify import verify

    failed = verify(framework=framework, record=record, say=typer.echo)
    if failed:
        raise typer.Exit(6)
