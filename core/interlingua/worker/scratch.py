"""Folders for arrays on their way between processes: made in pairs, locked while in use, swept when orphaned."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import shutil
import tempfile
import time
from pathlib import Path

PREFIX = "interlingua-worker-"
SETTLED_AFTER = 60.0


def _roots() -> list[Path]:
    memory = Path("/dev/shm")
    disk = Path(tempfile.gettempdir())
    return [memory, disk] if os.access(memory, os.W_OK) else [disk]


@functools.cache
def _sweep_once() -> None:
    """Removes what a process left behind that was killed before it could."""
    for root in _roots():
        for lock in root.glob(f"{PREFIX}*/lock"):
            with contextlib.suppress(OSError), open(lock) as file:
                if time.time() - lock.stat().st_mtime > SETTLED_AFTER:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(lock.parent, ignore_errors=True)


class Scratch:
    """One folder in memory (where the machine has such a place) and one on disk, in this order."""

    def __init__(self) -> None:
        _sweep_once()
        self.folders: list[str] = []
        self._locks: list[int] = []
        for root in _roots():
            folder = tempfile.mkdtemp(prefix=PREFIX, dir=root)
            lock = os.open(Path(folder) / "lock", os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.folders.append(folder)
            self._locks.append(lock)

    def close(self) -> None:
        """Removes both folders; arrays already mapped from them stay valid."""
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)
        for lock in self._locks:
            os.close(lock)
        self.folders, self._locks = [], []
