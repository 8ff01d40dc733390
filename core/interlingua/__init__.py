"""Interlingua: models of any framework into any other, each conversion proved.

The verbs of the command line, with the same options: `read`, `write`, `convert`, `verify`, `check`, `run`, `api`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interlingua.verbs import api, check, convert, read, run, verify, write

__all__ = ["api", "check", "convert", "read", "run", "verify", "write"]


def __getattr__(name: str) -> Any:
    """Imports a verb when it is first asked for: the package itself is imported by every command."""
    if name not in __all__:
        raise AttributeError(f"module 'interlingua' has no attribute {name!r}")
    from interlingua import verbs

    return getattr(verbs, name)
