"""Options that several commands take, and how their texts are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Inputs = Annotated[str, typer.Option(help="Names of the source's inputs, separated by commas; found where left out.")]
Outputs = Annotated[str, typer.Option(help="Names of the source's outputs, separated by commas; found where left out.")]
InputShape = Annotated[
    list[str] | None,
    typer.Option(help="Shape of an input, as 'None,224,224,3' or 'name:None,224,224,3'; may be given again."),
]
Weights = Annotated[Path | None, typer.Option(help="Weights that stand beside the graph.")]
Extensions = Annotated[
    list[Path] | None,
    typer.Option("--with", help="A Python file with cards or lowerings of your own; it is run. May be given again."),
]
Trust = Annotated[bool, typer.Option("--trust", help="Execute what the file holds (pickles, Lambda layers).")]


def names(text: str) -> tuple[str, ...]:
    """Names separated by commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def shapes(texts: list[str] | None) -> dict[str, tuple[int | None, ...]]:
    """Shapes by input name; the name "" stands for the only input.

    Raises:
        UsageError: a size is neither a number nor None.
    """
    return dict(_shape(text) for text in texts or [])


def _shape(text: str) -> tuple[str, tuple[int | None, ...]]:
    from interlingua.errors import UsageError

    name, colon, sizes = text.rpartition(":")
    found: list[int | None] = []
    for word in sizes.split(","):
        size = word.strip()
        if size.lower() in ("none", "?", "-1"):
            found.append(None)
        elif size.isdigit() and int(size) > 0:
            found.append(int(size))
        else:
            raise UsageError(f"Expected a shape such as 'None,224,224,3'. Received {text!r}.")
    return name if colon else "", tuple(found)
