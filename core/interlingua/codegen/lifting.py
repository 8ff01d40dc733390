"""What modules alike share, in the module around them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence

from interlingua.codegen.owners import owned
from interlingua.codegen.steps import Step

_NUMBER = re.compile(r"(?<![^.])\d+(?![^.])")

Scopes = tuple[str, ...]


def lifted(steps: Sequence[Step]) -> list[Step]:
    """The steps, those whose result modules alike share as of the module around them, with what they need.

    An exporter that merges equal computations leaves them in the first module: all layers of an encoder take the mask
    that layer 0 computed. What depends on weights of the module stays, and so does what its own module does not read.
    """
    readers: dict[str, list[Scopes]] = {}
    makers: dict[str, int] = {}
    result = list(steps)
    for position, step in enumerate(steps):
        for name in step.reads:
            readers.setdefault(name, []).append(step.scopes or ())
        makers |= dict.fromkeys(step.writes, position)
    for position, step in enumerate(steps):
        home = _home(step, [scopes for name in step.writes for scopes in readers.get(name, [])])
        if home != (step.scopes or ()):
            for moved in _together(position, len(home), result, makers) or ():
                result[moved] = dataclasses.replace(result[moved], scopes=home)
    return result


def _together(position: int, depth: int, steps: Sequence[Step], makers: Mapping[str, int]) -> set[int] | None:
    """The step and those in the module it leaves that it needs; None where one of them reads weights."""
    own = (steps[position].scopes or ())[: depth + 1]
    found: set[int] = set()
    waiting = [position]
    while waiting:
        place = waiting.pop()
        step = steps[place]
        if place in found or (step.scopes or ())[: depth + 1] != own:
            continue
        if any(True for tree in step.tree for _ in owned(tree)):
            return None
        found.add(place)
        waiting += [makers[name] for name in step.reads if name in makers]
    return found


def _home(step: Step, readers: Sequence[Scopes]) -> Scopes:
    """The modules around the step and all that read it, where some are alike; else its own."""
    own = step.scopes or ()
    alike = [scopes for scopes in readers if scopes != own and _masked(scopes) == _masked(own)]
    if not alike or own not in readers:
        return own
    count = 0
    while count < len(own) and all(scopes[count : count + 1] == own[count : count + 1] for scopes in readers):
        count += 1
    return own[:count]


def _masked(scopes: Scopes) -> Scopes:
    """The paths without their numbers."""
    return tuple(_NUMBER.sub("#", path) for path in scopes)
