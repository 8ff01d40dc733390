from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from interlingua import environments
from interlingua.worker import Worker

HERE = Path(__file__).parent
FAULTS = HERE / "runtimes" / "faults.py"
REPOSITORY = HERE.parent.parent


def legacy_python() -> Path | None:
    """A Python 3.7 with numpy: that of a legacy runtime's environment."""
    for root in (environments.root(), REPOSITORY / ".environments"):
        for name in ("fluid", "tensorflow1"):
            python = root / name / "bin" / "python"
            if python.exists():
                return python
    return None


@pytest.fixture(params=["current", pytest.param("legacy", marks=pytest.mark.legacy)])
def python(request: pytest.FixtureRequest) -> Path:
    if request.param == "current":
        return Path(sys.executable)
    found = legacy_python()
    if found is None:
        pytest.skip("No environment of Python 3.7. Run: interlingua env create fluid --python python3.7")
    return found


@pytest.fixture
def worker(python: Path) -> Iterator[Worker]:
    with Worker(python, FAULTS, name="faulty") as opened:
        yield opened
