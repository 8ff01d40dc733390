"""One live worker for each runtime, reused within this process and ended with it."""

from __future__ import annotations

import atexit
import os
import threading

from interlingua.worker.process import Worker

_Key = tuple[str, str | None, int | None]
_workers: dict[_Key, Worker] = {}
_lock = threading.Lock()


def shared(runtime_name: str, *, python: str | None = None, memory_bytes: int | None = None) -> Worker:
    """The worker of that runtime; every caller in this process gets the same one, which restarts after a failure.

    Raises:
        UsageError: no plugin declares the runtime.
        RuntimeMissing: no interpreter has it.
    """
    from interlingua.environments import open_worker  # it opens workers: at load time the import goes one way

    key = (runtime_name, python, memory_bytes)
    with _lock:
        if key not in _workers:
            _workers[key] = open_worker(runtime_name, python=python, memory_bytes=memory_bytes)
        return _workers[key]


def close_shared() -> None:
    """Ends all shared workers; the next use starts new ones."""
    with _lock:
        for worker in _workers.values():
            worker.close()
        _workers.clear()


atexit.register(close_shared)
os.register_at_fork(after_in_child=_workers.clear)
