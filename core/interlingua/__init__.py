"""Interlingua: models of any framework into any other, each conversion proved.

The verbs of the command line, with the same options: `read`, `write`, `convert`, `verify`, `run`, `api`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interlingua.api import query as api
    from interlingua.pipeline import convert, read, write
    from interlingua.proof.folder import run, verify

__all__ = ["api", "convert", "read", "run", "verify", "write"]

_WHERE = {
    "convert": "interlingua.pipeline:convert",
    "read": "interlingua.pipeline:read",
    "write": "interlingua.pipeline:write",
    "verify": "interlingua.proof.folder:verify",
    "run": "interlingua.proof.folder:run",
    "api": "interlingua.api:query",
}


def __getattr__(name: str) -> Any:
    """Imports a verb when it is first asked for: the package itself is imported by every command."""
    if name not in _WHERE:
        raise AttributeError(f"module 'interlingua' has no attribute {name!r}")
    from interlingua.plugin import resolve

    return resolve(_WHERE[name])
