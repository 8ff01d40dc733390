"""Labels of the axes of inputs that vary, as a dictionary or as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from interlingua.errors import UsageError

Dynamic = Mapping[str, Mapping[int, str]] | str | Sequence[str]


def dynamic_axes(said: Dynamic | None) -> dict[str, dict[int, str]]:
    """Labels of axes by input name, of `{"x": {0: "batch", 3: "width"}}` or of texts such as `x:0=batch,3=width`.

    The name "" stands for the only input; an axis below 0 counts from the end.

    Raises:
        UsageError: it is nothing like it.
    """
    found: dict[str, dict[int, str]] = {}
    if isinstance(said, Mapping):
        for name, labels in said.items():
            if not isinstance(labels, Mapping) or not all(map(_is_label, labels, labels.values())):
                raise _unlike({name: labels})
            found[name] = dict(labels)
        return found
    for text in [said] if isinstance(said, str) else said or []:
        name, _, rows = text.rpartition(":")
        for row in rows.split(","):
            axis, _, label = (part.strip() for part in row.partition("="))
            if not axis.removeprefix("-").isdigit() or not _is_label(int(axis), label):
                raise _unlike(text)
            found.setdefault(name, {})[int(axis)] = label
    return found


def _is_label(axis: object, label: object) -> bool:
    return isinstance(axis, int) and isinstance(label, str) and label.isidentifier()


def _unlike(received: object) -> UsageError:
    return UsageError(
        "Expected dynamic axes such as 'x:0=batch,3=width', or {'x': {0: 'batch', 3: 'width'}} from Python. "
        f"Received {received!r}."
    )
