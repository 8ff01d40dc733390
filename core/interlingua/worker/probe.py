"""Run by any interpreter from 3.7 on, or imported: what of a list of modules is installed, without importing them.

Prints JSON: for each module its distribution and version ("" where no metadata tells), or null where there is none.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path


def spec_of(module: str) -> ModuleSpec | None:
    """Where a module, dotted or not, would come from; no package above it is imported."""
    top, *rest = module.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None
    name = top
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, list(spec.submodule_search_locations))
    return spec


def _metadata() -> Iterator[Path]:
    for folder in dict.fromkeys(sys.path):
        yield from sorted(Path(folder or ".").glob("*.dist-info"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def distribution_of(top: str) -> tuple[str, str]:
    """The distribution, with its version, that brought a top-level module; empty strings where none says so."""
    fallback = ("", "")
    for folder in _metadata():
        name, _, version = folder.name[: -len(".dist-info")].partition("-")
        record = "\n" + _text(folder / "RECORD")
        if f"\n{top}/__init__.py," in record or f"\n{top}.py," in record:
            return name, version
        if top in _text(folder / "top_level.txt").split():
            fallback = (name, version)
    return fallback


def probe(modules: list[str]) -> dict[str, tuple[str, str] | None]:
    """For each module its distribution and version, None where it is not installed."""
    return {module: distribution_of(module.split(".")[0]) if spec_of(module) else None for module in modules}


if __name__ == "__main__":
    sys.path.pop(0)
    json.dump(probe(sys.argv[1:]), sys.stdout)
