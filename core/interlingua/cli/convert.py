"""`interlingua convert`: a model of one framework into a model of another, proved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interlingua.cli import options


def convert(
    source: Annotated[Path, typer.Argument(help="A model file, folder, checkpoint prefix, or package.module:factory.")],
    to: Annotated[str, typer.Option("--to", help="The framework to convert to.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write.")],
    inputs: options.Inputs = "",
    outputs: options.Outputs = "",
    input_shape: options.InputShape = None,
    weights: options.Weights = None,
    trust: options.Trust = False,
    example_inputs: options.ExampleInputs = None,
    input_dtype: options.InputDtype = None,
    dynamic: options.Dynamic = None,
    arguments: options.Arguments = "",
    free_batch: Annotated[
        bool | None,
        typer.Option(
            "--free-batch/--fixed-batch",
            help="Free a batch of 1 that the source states, and say why where it stays; or keep it. "
            "Freed where proved, if nothing is said.",
        ),
    ] = None,
    extensions: options.Extensions = None,
    layout: Annotated[
        str,
        typer.Option(help="Axis order of inputs and outputs: source (as the source has it), native, channels_first."),
    ] = "source",
    native: Annotated[
        str, typer.Option(help="The native artifact's format; the framework's default where left out.")
    ] = "",
    class_name: Annotated[str, typer.Option(help="The name of the generated class.")] = "",
    opset: Annotated[
        int, typer.Option(help="To ONNX: the opset to write, 13 to 26; the newest where left out.", show_default=False)
    ] = 0,
    external_data: Annotated[
        bool, typer.Option("--external-data", help="To ONNX: weights in a file beside the graph.")
    ] = False,
    verify: Annotated[bool, typer.Option("--verify/--no-verify", help="Run source and target and compare.")] = True,
    tolerance: Annotated[float, typer.Option(help="Largest relative difference that counts as equal.")] = 1e-4,
    seed: Annotated[int, typer.Option(help="Seed of the inputs of the proof.")] = 13,
    batch: Annotated[int, typer.Option(min=1, help="Length of an unknown first axis in the proof.")] = 5,
    verify_inputs: Annotated[Path | None, typer.Option(help="Inputs of your own for the proof (.npz).")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing output.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Fail where anything was lost, changed or assumed.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Check the conditions of every pass.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False,
) -> None:
    """Convert a model to another framework, prove it, and write code, weights, native artifact and report."""
    from interlingua import verbs
    from interlingua.cli import display

    with display.progress(quiet) as progress:
        report = verbs.convert(
            source,
            to,
            out,
            inputs=options.names(inputs),
            outputs=options.names(outputs),
            input_shape=options.shapes(input_shape),
            weights=weights,
            trust=trust,
            example_inputs=example_inputs,
            input_dtype=options.pairs(input_dtype),
            dynamic=dynamic,
            arguments=options.keywords(arguments),
            free_batch=free_batch,
            extensions=extensions or (),
            layout=layout,
            native=native,
            class_name=class_name,
            opset=opset,
            external_data=external_data,
            verify=verify,
            tolerance=tolerance,
            seed=seed,
            batch=batch,
            verify_inputs=verify_inputs,
            force=force,
            strict=strict,
            debug=debug,
            progress=progress,
        )
    if not quiet:
        display.show_report(report)
