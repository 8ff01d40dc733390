"""Parameters that the source's state holds under several names: which of them the code must tie, and how."""

from __future__ import annotations

import collections
from collections.abc import Collection, Iterable, Mapping, Sequence


class Ties:
    """The names of each tied parameter: `ties` maps each further name to the first."""

    def __init__(self, ties: Mapping[str, str]) -> None:
        groups: dict[str, list[str]] = collections.defaultdict(list)
        for other, first in ties.items():
            groups[first] = groups[first] or [first]
            groups[first].append(other)
        self.groups = list(groups.values())
        self._group = {name: group for group in self.groups for name in group}

    def names(self, name: str) -> Sequence[str]:
        """All names of a parameter, its own among them."""
        return self._group.get(name, [name])

    def modules(self, path: str, keys: Iterable[str]) -> list[str]:
        """The paths of other modules that hold the same parameters under the same keys."""
        found: set[str] | None = None
        for key in keys:
            same = {each[: -len(key) - 1] for each in self.names(f"{path}.{key}") if each.endswith(f".{key}")}
            found = same if found is None else found & same
        return sorted((found or set()) - {path})

    def missing(self, held: Iterable[str], called: Collection[str] = ()) -> list[tuple[str, str]]:
        """Pairs of dotted paths, the new one and the one that is there, that give each tied parameter all its names.

        `held` are the names that the code's state has by itself, `called` the modules that it has a class of. A pair
        is of whole modules where all that the one holds is tied and it is none of those, else of parameters; a name
        in a module that the code does not have is left out.
        """
        names = set(held)
        found: dict[str, str] = {}
        for group in self.groups:
            there = next((name for name in group if name in names), None)
            for name in group:
                if there is None or name in names:
                    continue
                pair = self._pair(name, there, names, called)
                if pair is not None:
                    found.setdefault(*pair)
        return list(found.items())

    def _pair(self, name: str, there: str, names: set[str], called: Collection[str]) -> tuple[str, str] | None:
        new, old = name, there
        while new.rpartition(".")[2] == old.rpartition(".")[2]:
            outer, inner = new.rpartition(".")[0], old.rpartition(".")[0]
            if not inner or not outer or outer in called or any(each.startswith(f"{outer}.") for each in names):
                break
            owned = [each[len(inner) + 1 :] for each in names if each.startswith(f"{inner}.")]
            if any(f"{outer}.{key}" not in self.names(f"{inner}.{key}") for key in owned):
                break
            new, old = outer, inner
        parent = new.rpartition(".")[0]
        known = not parent or parent in called or any(each.startswith(f"{parent}.") for each in names)
        return (new, old) if known else None
