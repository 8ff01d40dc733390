"""Interlingua: models of any framework into any other, each conversion proved.

The verbs of the command line, with the same options: `read`, `write`, `convert`, `verify`, `check`, `run`, `api`; and
`InterlinguaError`, the kind of every error that they raise by themselves.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interlingua.errors import InterlinguaError
    from interlingua.verbs import api, check, convert, read, run, verify, write

__all__ = ["InterlinguaError", "api", "check", "convert", "read", "run", "verify", "write"]


def __getattr__(name: str) -> Any:
    """Imports a name when it is first asked for: the package itself is imported by every command."""
    if name not in __all__:
        raise AttributeError(f"module 'interlingua' has no attribute {name!r}")
    module = "errors" if name == "InterlinguaError" else "verbs"
    return getattr(importlib.import_module(f"interlingua.{module}"), name)
