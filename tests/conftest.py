"""What all tests share: where the environments are, and what becomes of a test whose legacy runtime is missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("INTERLINGUA_ENVIRONMENTS", str(ROOT / ".environments"))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _missing() -> list[str]:
    from interlingua import environments, plugin

    needed = ("fluid", "tensorflow1")
    return [name for name in needed if environments.status(plugin.runtime(name)).problem]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skips legacy tests where their runtimes are missing; in CI they fail instead."""
    legacy = [item for item in items if item.get_closest_marker("legacy")]
    missing = _missing() if legacy else []
    if missing and not os.environ.get("CI"):
        for item in legacy:
            item.add_marker(pytest.mark.skip(reason=f"no environment for {', '.join(missing)}: make legacy"))
    elif missing:
        raise pytest.UsageError(f"the legacy tests must run in CI; no environment for {', '.join(missing)}")
