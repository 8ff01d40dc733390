"""What a child prints, of which the end is kept."""

from __future__ import annotations

import contextlib
import os
import select
import threading

LINES = 40
LINE_LENGTH = 400
KEPT = 64 * 1024


class Output:
    """Drains the child's standard output and error, as one pipe, and keeps the last lines."""

    def __init__(self) -> None:
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._kept = bytearray()
        self._open = True
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._drain, name="worker-output", daemon=True)

    def start(self) -> None:
        """Call once the child holds its end of the pipe: ours is closed here."""
        os.close(self.writing)
        self._thread.start()

    def _drain(self) -> None:
        ready = select.poll()
        ready.register(self._reading, select.POLLIN)
        while self._open:
            ready.poll()
            self.settle()
        os.close(self._reading)

    def settle(self) -> None:
        """Takes all that the child has printed by now."""
        with self._lock, contextlib.suppress(BlockingIOError):
            while self._open:
                part = os.read(self._reading, KEPT)
                self._open = bool(part)
                self._kept += part
                del self._kept[:-KEPT]

    def forget(self) -> None:
        """Drops what was printed so far: it belongs to an earlier call."""
        self.settle()
        self._kept.clear()

    def finish(self) -> None:
        """Waits until all is read; not for long, since a grandchild may hold the pipe open."""
        self._thread.join(timeout=1.0)

    def lines(self) -> tuple[str, ...]:
        """The last lines, oldest first."""
        with self._lock:
            text = self._kept.decode(errors="replace")
        lines = (line.rstrip().rpartition("\r")[2] for line in text.split("\n"))
        return tuple(line[:LINE_LENGTH] for line in lines if line)[-LINES:]
