"""One live worker for each runtime, wherever it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from interlingua import environments, plugin, worker
from interlingua.plugin import Runtime
from interlingua.worker import scratch

FAULTS = Path(__file__).parent / "runtimes" / "faults.py"

RUNTIME = Runtime("faulty", "Faults", "runtimes/faults.py", ">=3.11", ("numpy",), ("numpy",))


@pytest.fixture(autouse=True)
def one_runtime(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv(environments.ROOT_VARIABLE, str(tmp_path))
    monkeypatch.setattr(plugin, "runtime", {"faulty": RUNTIME}.__getitem__)
    monkeypatch.setattr(environments, "script_path", lambda runtime: FAULTS)
    yield
    worker.close_shared()


def test_every_caller_gets_the_same_worker_and_a_dead_one_restarts() -> None:
    first = worker.shared("faulty")
    assert str(first.python) == sys.executable
    assert first.call("echo", phase="echo", number=1).value == {"number": 1}
    pid = first.pid
    assert worker.shared("faulty") is first
    with pytest.raises(worker.WorkerCrashed):
        worker.shared("faulty").call("crash", phase="crashing")
    assert not first.alive
    assert worker.shared("faulty").call("echo", phase="echo").value == {}
    assert first.pid not in (None, pid)


def test_closing_ends_them_all() -> None:
    opened = worker.shared("faulty")
    opened.start()
    worker.close_shared()
    assert not opened.alive
    assert worker.shared("faulty") is not opened


def test_what_a_killed_process_left_behind_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "_roots", lambda: [tmp_path])
    monkeypatch.setattr(scratch, "SETTLED_AFTER", -1.0)
    orphan = tmp_path / f"{scratch.PREFIX}orphan"
    orphan.mkdir()
    (orphan / "lock").touch()
    scratch._sweep_once.__wrapped__()
    assert not orphan.exists()
    used = scratch.Scratch()
    scratch._sweep_once.__wrapped__()
    assert Path(used.folders[0]).is_dir()
    used.close()
    assert list(tmp_path.iterdir()) == []
