"""Folders for what lives as long as a process: locked while in use, swept when orphaned."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import shutil
import tempfile
import time
from pathlib import Path

PREFIX = "interlingua-"
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


class Held:
    """A new folder that is locked until it is closed, so that whoever comes later knows an orphan."""

    def __init__(self, root: Path | str | None = None) -> None:
        _sweep_once()
        self.path = tempfile.mkdtemp(prefix=PREFIX, dir=root)
        self._lock = os.open(Path(self.path) / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def close(self) -> None:
        """Removes the folder; arrays already mapped from it stay valid."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


class Scratch:
    """Folders for arrays on their way between processes: one in memory (where there is such a place), one on disk."""

    def __init__(self) -> None:
        self._held = [Held(root) for root in _roots()]
        self.folders = [held.path for held in self._held]

    def close(self) -> None:
        """Removes both folders."""
        for held in self._held:
            held.close()
        self.folders, self._held = [], []
