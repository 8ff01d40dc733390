"""`interlingua check`: what stands in the way of a conversion, told before it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from interlingua.cli import options

if TYPE_CHECKING:
    from interlingua.obstacles import Finding

_SHOWN = 3


def check(
    source: Annotated[Path, typer.Argument(help="A model file, folder, checkpoint prefix, or package.module:factory.")],
    to: Annotated[str, typer.Option("--to", help="Frameworks, separated by commas; all where left out.")] = "",
    inputs: options.Inputs = "",
    outputs: options.Outputs = "",
    input_shape: options.InputShape = None,
    weights: options.Weights = None,
    trust: options.Trust = False,
    example_inputs: options.ExampleInputs = None,
    input_dtype: options.InputDtype = None,
    dynamic: options.Dynamic = None,
    arguments: options.Arguments = "",
    extensions: options.Extensions = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Say for each target, without converting, which operators, attributes, dtypes or shapes stand in the way."""
    import json

    from interlingua import verbs
    from interlingua.errors import UnsupportedModel

    findings = verbs.check(
        source,
        to=options.names(to),
        inputs=options.names(inputs),
        outputs=options.names(outputs),
        input_shape=options.shapes(input_shape),
        weights=weights,
        trust=trust,
        example_inputs=example_inputs,
        input_dtype=options.pairs(input_dtype),
        dynamic=dynamic,
        arguments=options.keywords(arguments),
        extensions=extensions or (),
    )
    if as_json:
        typer.echo(json.dumps([finding.as_json() for finding in findings], indent=1))
    else:
        for finding in findings:
            _show(finding)
    if to and not all(finding.converts for finding in findings):
        raise typer.Exit(UnsupportedModel.exit_code)


def _show(finding: Finding) -> None:
    """A line for the target; for each thing in the way its places and what could be done."""
    if finding.converts:
        notes = f", {len(finding.notes)} notes" if len(finding.notes) else ""
        typer.echo(f"{finding.target}: nothing stands in the way ({finding.nodes} nodes{notes})")
        return
    if finding.problem:
        typer.echo(f"{finding.target}: {finding.problem}")
        return
    typer.echo(f"{finding.target}: {len(finding.refusals)} of {finding.nodes} nodes stand in the way")
    grouped: dict[tuple[str, str, str, str], list[str]] = {}
    for each in finding.refusals:
        grouped.setdefault((each.operator, each.kind, each.reason, each.remedy), []).append(each.place)
    for (operator, kind, reason, remedy), places in grouped.items():
        typer.echo(f"  {operator or '-'} × {len(places)} ({kind}): {reason}")
        named = [place for place in dict.fromkeys(places) if place]
        if named:
            typer.echo(f"    at {', '.join(named[:_SHOWN])}{', …' if len(named) > _SHOWN else ''}")
        typer.echo(f"    {remedy}")
