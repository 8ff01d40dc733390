"""`interlingua run`: a model on arrays of a user, in the model's own framework."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interlingua.cli import options


def run(
    artifact: Annotated[Path, typer.Argument(help="A model, or a folder that `interlingua convert` wrote.")],
    inputs: Annotated[Path, typer.Option(help="Arrays by input name (.npz).")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to write the outputs (.npz).")] = None,
    input_names: Annotated[str, typer.Option(help="Names of the source's inputs, separated by commas.")] = "",
    outputs: options.Outputs = "",
    input_shape: options.InputShape = None,
    weights: options.Weights = None,
    trust: options.Trust = False,
) -> None:
    """Run a model in its own framework."""
    import numpy as np

    from interlingua import verbs
    from interlingua.cli.display import show_table
    from interlingua.errors import OutputError
    from interlingua.proof.inputs import arrays_in

    found = verbs.run(
        artifact,
        arrays_in(inputs),
        inputs=options.names(input_names),
        outputs=options.names(outputs),
        input_shape=options.shapes(input_shape),
        weights=weights,
        trust=trust,
    )
    rows = [
        (
            name,
            "×".join(map(str, a.shape)),
            a.dtype.name,
            f"{a.min():.6g}" if a.size else "-",
            f"{a.max():.6g}" if a.size else "-",
        )
        for name, a in found.items()
    ]
    show_table(("output", "shape", "dtype", "min", "max"), rows)
    if out is not None:
        try:
            np.savez(out, allow_pickle=False, **found)
        except OSError as error:
            raise OutputError(f"Expected a file to write. Received {str(out)!r}: {error.strerror}.") from error
