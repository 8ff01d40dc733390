"""`interlingua verify`: proves a result folder again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def verify(
    folder: Annotated[Path, typer.Argument(help="A folder that `interlingua convert` wrote.")],
    tolerance: Annotated[float | None, typer.Option(help="Another bound than that of the conversion.")] = None,
) -> None:
    """Run a converted model again and compare it with the reference kept beside it."""
    from interlingua.cli.display import show_table
    from interlingua.proof import folder as folders

    proofs = folders.verify(folder, tolerance=tolerance)
    rows = [(p.what, p.reference, p.verdict, f"{p.absolute:.2e}", f"{p.relative:.2e}") for p in proofs]
    show_table(("what", "against", "verdict", "largest absolute", "relative"), rows)
