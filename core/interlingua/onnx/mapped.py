"""Files mapped into memory."""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def mapped(path: Path) -> Iterator[memoryview]:
    """The bytes of a file without reading them; an empty view of an empty file."""
    if path.stat().st_size == 0:
        yield memoryview(b"")
        return
    with path.open("rb") as stream:
        view = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    yield view  # the map ends with its last view; closing it here fails while a caller's local still holds one
