"""What an interpreter is, asked by running it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_ASKING = "import sys; sys.stdout.write('python %d %d %d' % tuple(sys.version_info[:3]))"


def version_of(python: Path) -> tuple[int, ...] | None:
    """The version of an interpreter, by running it; None where it is no Python, or is one that does not run."""
    try:
        done = subprocess.run(
            [str(python), "-c", _ASKING],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=30,
            env=child_environment(python),
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = done.stdout.split()
    if done.returncode != 0 or len(words) != 4 or words[0] != "python":
        return None
    return tuple(int(word) for word in words[1:])


def dotted(version: tuple[int, ...]) -> str:
    """A version as text: "3.7.16"."""
    return ".".join(map(str, version))


def is_current(python: Path) -> bool:
    """Whether `python` names the interpreter that runs us (its links unresolved: a venv's is a link to its base)."""
    return python.absolute() == Path(sys.executable).absolute()


def child_environment(python: Path) -> dict[str, str]:
    """The environment of a child: another interpreter does not get the paths that are meant for ours."""
    dropped = () if is_current(python) else ("PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__")
    kept = {key: value for key, value in os.environ.items() if key not in dropped}
    return {
        "PYTHONHASHSEED": "0",
        **kept,
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
    }
