"""Folders for what lives as long as this process: exported graphs whose weights are mapped from disk."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from interlingua.artifact import ReadOptions


def scratch_folder(options: ReadOptions) -> Path:
    """A new empty folder: in `options.scratch` where that is said, else one that vanishes with the process."""
    if options.scratch is not None:
        return Path(tempfile.mkdtemp(prefix="interlingua-", dir=options.scratch))
    folder = Path(tempfile.mkdtemp(prefix="interlingua-"))
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder
