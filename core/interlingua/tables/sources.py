"""Which frameworks' cards can be read: a plugin with broken cards must not hide the others."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from interlingua import plugin
from interlingua.cards import cards


@functools.cache
def _state() -> Mapping[str, str]:
    """Every framework with cards, and the reason where they cannot be read."""
    found: dict[str, str] = {}
    for name, framework in plugin.frameworks().items():
        if not framework.cards:
            continue
        try:
            cards(name)
            found[name] = ""
        except Exception as error:  # another's cards may break in any way
            found[name] = f"{type(error).__name__}: {error}"
    return found


def readable() -> tuple[str, ...]:
    """The frameworks whose cards can be read."""
    return tuple(name for name, reason in _state().items() if not reason)


def broken() -> Mapping[str, str]:
    """The frameworks whose cards cannot be read, with the reason."""
    return {name: reason for name, reason in _state().items() if reason}
