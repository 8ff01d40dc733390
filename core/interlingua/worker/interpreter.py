"""Interpreters: what one is, asked by running it, and where to find one of a given version."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from interlingua.errors import RuntimeMissing, UsageError

_VERSION = re.compile(r"(?:python)?(\d+(?:\.\d+){0,2})")
_NEWEST_MINOR = 30
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


def specifier(wanted: str) -> SpecifierSet:
    """What versions a name ("python3.7"), a version ("3.7") or a specifier stands for.

    Raises:
        UsageError: it is none of these.
    """
    version = _VERSION.fullmatch(wanted)
    if version:
        return SpecifierSet(f"=={version[1]}" if version[1].count(".") == 2 else f"=={version[1]}.*")
    try:
        return SpecifierSet(wanted)
    except InvalidSpecifier:
        raise UsageError(
            f"Expected a path, a name (python3.7), a version (3.7) or a specifier (>=3.7,<3.8). Received {wanted!r}."
        ) from None


def satisfies(version: tuple[int, ...], allowed: SpecifierSet) -> bool:
    """Whether a version is among those allowed."""
    return allowed.contains(dotted(version), prereleases=True)


def series(allowed: SpecifierSet) -> list[str]:
    """The series of Python ("3.7") that are allowed, the newest first."""
    minors = range(_NEWEST_MINOR, -1, -1)
    return [f"3.{m}" for m in minors if any(satisfies((3, m, patch), allowed) for patch in range(40))]


def _said_by(*command: str) -> list[str]:
    """The lines a tool prints; none where there is no such tool or it fails."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.split() if done.returncode == 0 else []


def _candidates(allowed: SpecifierSet) -> Iterator[Path]:
    yield Path(sys.executable)
    for name in (*(f"python{series}" for series in series(allowed)), "python3", "python"):
        found = shutil.which(name)
        if found:
            yield Path(found)
    yield from map(Path, _said_by("uv", "python", "find", str(allowed)))
    for version in _said_by("pyenv", "versions", "--bare"):
        if _VERSION.fullmatch(version) and allowed.contains(version, prereleases=True):
            yield from (Path(prefix) / "bin" / "python" for prefix in _said_by("pyenv", "prefix", version))


@functools.cache
def find_python(wanted: str) -> Path:
    """An interpreter by path, name ("python3.7"), version ("3.7") or specifier (">=3.7,<3.8").

    Looks at the current one, on PATH, and asks uv and pyenv; each is run to see what it is.

    Raises:
        RuntimeMissing: there is none; the hint says how to get one.
        UsageError: `wanted` is none of these.
    """
    if os.sep in wanted:
        if version_of(Path(wanted)) is None:
            raise RuntimeMissing(f"Expected a Python interpreter. Received {wanted!r}, which does not run as one.")
        return Path(wanted).absolute()
    allowed = specifier(wanted)
    for candidate in _candidates(allowed):
        version = version_of(candidate)
        if version is not None and satisfies(version, allowed):
            return candidate
    newest = (series(allowed) or [wanted])[0]
    raise RuntimeMissing(
        f"Expected an interpreter of Python {allowed}. Found none on PATH, by uv or by pyenv.",
        hint=f"Install one: uv python install {newest}, or: pyenv install {newest}",
    )
