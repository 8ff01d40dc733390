"""Lets Python's collector of cycles look less often while a model is worked on."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

ALLOCATIONS = 20_000
"""Objects between two looks. A model is objects by the hundred thousand that stay: at Python's own 700 a third of
the time of a large one goes into looking at them again."""


@contextlib.contextmanager
def seldom_collecting() -> Iterator[None]:
    """While this lasts, the collector looks after `ALLOCATIONS`; one that is off stays off. Also a decorator."""
    before = gc.get_threshold()
    if before[0]:
        gc.set_threshold(max(before[0], ALLOCATIONS), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
