"""Options that several commands take, and how their texts are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

Inputs = Annotated[str, typer.Option(help="Names of the source's inputs, separated by commas; found where left out.")]
Outputs = Annotated[str, typer.Option(help="Names of the source's outputs, separated by commas; found where left out.")]
InputShape = Annotated[
    list[str] | None,
    typer.Option(help="Shape of an input, as 'None,224,224,3' or 'name=None,224,224,3'; may be given again."),
]
InputDtype = Annotated[
    list[str] | None, typer.Option(help="Type of a made-up example input, as 'ids=int64'; may be given again.")
]
ExampleInputs = Annotated[Path | None, typer.Option(help="Example inputs of a source that is code (.npz, by name).")]
Dynamic = Annotated[
    list[str] | None,
    typer.Option(help="Axes of an input that vary, as 'x:0=batch,3=width'; may be given again."),
]
Arguments = Annotated[str, typer.Option(help="Keyword arguments of the source's factory, as JSON.")]
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

    name, mark, sizes = text.rpartition("=" if "=" in text else ":")
    found: list[int | None] = []
    for word in sizes.split(","):
        size = word.strip()
        if size.lower() in ("none", "?", "-1"):
            found.append(None)
        elif size.isdigit() and int(size) > 0:
            found.append(int(size))
        else:
            raise UsageError(f"Expected a shape such as 'None,224,224,3'. Received {text!r}.")
    return name if mark else "", tuple(found)


def pairs(texts: list[str] | None) -> dict[str, str]:
    """What `name=value` says, by name.

    Raises:
        UsageError: a text is no such pair.
    """
    from interlingua.errors import UsageError

    found: dict[str, str] = {}
    for text in texts or []:
        name, mark, value = text.partition("=")
        if not (name and mark and value):
            raise UsageError(f"Expected name=value, such as ids=int64. Received {text!r}.")
        found[name] = value
    return found


def keywords(text: str) -> dict[str, Any]:
    """Keyword arguments of a JSON object.

    Raises:
        UsageError: the text is none.
    """
    import json

    from interlingua.errors import UsageError

    try:
        found = json.loads(text or "{}")
    except ValueError as error:
        raise UsageError(f"Expected JSON as --arguments. Received {text!r}: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(f'Expected a JSON object as --arguments, such as {{"depth": 2}}. Received {text!r}.')
    return found
