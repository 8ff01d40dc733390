"""Names: from the source's to what a target can hold, and back."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable
from urllib.parse import unquote


def legalise(name: str, separator: str = ".") -> str:
    """A slash-separated name with another separator, reversibly: `vgg_16/fc8` is `vgg_16.fc8`.

    What stood for the separator before, and the percent sign, are percent-encoded. `restore` undoes it.
    """
    escaped = name.replace("%", "%25").replace(separator, f"%{ord(separator):02X}")
    return escaped.replace("/", separator)


def restore(name: str, separator: str = ".") -> str:
    """The name that `legalise` was given."""
    return unquote(name.replace(separator, "/"))


def snake_case(name: str) -> str:
    """The name as variables are called: `self_attention` of `SelfAttention`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def common_scope(names: Iterable[str]) -> str:
    """The longest scope ("vgg_16/") that all the slash- or dot-separated names share, "" where there is none."""
    split = [re.split(r"(?<=[/.])", name)[:-1] for name in names]
    if len(split) < 2:
        return ""
    shared: list[str] = []
    for parts in zip(*split, strict=False):
        if len(set(parts)) != 1:
            break
        shared.append(parts[0])
    return "".join(shared)


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Each slash- or dot-separated name with the shortest ending that no other of the names shares.

    `vgg_16/conv1/conv1_1` is `conv1_1`; `layer1.0.conv1` and `layer2.0.conv1` stay whole, for their endings are the
    same or begin with a number.
    """
    split = {name: re.split(r"[/.]", name) for name in dict.fromkeys(names)}
    longest = max((len(parts) for parts in split.values()), default=0)
    shared: dict[tuple[str, ...], int] = {}
    for parts in split.values():
        for count in range(1, len(parts) + 1):
            shared[tuple(parts[-count:])] = shared.get(tuple(parts[-count:]), 0) + 1
    found: dict[str, str] = {}
    for name, parts in split.items():
        endings = (parts[-count:] for count in range(1, longest + 1))
        fits = (ending for ending in endings if shared.get(tuple(ending)) == 1 and re.match(r"[A-Za-z_]", ending[0]))
        found[name] = "/".join(next(fits, parts))
    return found


_UNUSED = frozenset({"filter", "format", "hash", "id", "input", "iter", "next", "object", "vars"})
"""Builtins that no generated code calls."""


class Identifiers:
    """Python identifiers for source names: each name one identifier, each identifier one name.

    None is a keyword, a builtin or one of `taken`. `given` maps identifiers back to the names.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *taken}
        self.given: dict[str, str] = {}

    def take(self, name: str, hint: str = "") -> str:
        """A new identifier for `name`, made from `hint` or the name itself."""
        stem = re.sub(r"\W+", "_", hint or name, flags=re.ASCII).strip("_")
        if not stem or stem[0].isdigit():
            stem = f"layer_{stem}".rstrip("_")
        identifier, number = stem, 1
        while identifier in self._taken:
            number += 1
            identifier = f"{stem}_{number}"
        self._taken.add(identifier)
        self.given[identifier] = name
        return identifier

    def keep(self, name: str) -> str:
        """The name itself where it can be: that of a builtin too which code has no use for (`input`)."""
        if name not in _UNUSED or name in self.given:
            return self.take(name)
        self._taken.add(name)
        self.given[name] = name
        return name

    def reserve(self, identifier: str) -> None:
        """Keeps an identifier from being given."""
        self._taken.add(identifier)

    def __contains__(self, identifier: str) -> bool:
        return identifier in self._taken
