"""Folders for what lives as long as this process: exported graphs whose weights are mapped from disk."""

from __future__ import annotations

import atexit
import os
import tempfile
from pathlib import Path

from interlingua.artifact import ReadOptions
from interlingua.worker.scratch import Held


def scratch_folder(options: ReadOptions) -> Path:
    """A new folder: in `options.scratch` where that is said, else one that vanishes with the process."""
    if options.scratch is not None:
        return Path(tempfile.mkdtemp(prefix="interlingua-", dir=options.scratch))
    held, owner = Held(), os.getpid()

    def remove() -> None:
        if os.getpid() == owner:
            held.close()

    atexit.register(remove)
    return Path(held.path)
