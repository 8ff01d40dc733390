"""What functions say where data cannot: the first sentence of a lowering's docstring, read without importing it."""

from __future__ import annotations

import ast
import functools
import importlib.util
from collections.abc import Mapping
from pathlib import Path

from interlingua import plugin


@functools.cache
def of_framework(framework: str) -> Mapping[str, str]:
    """The remark for each canonical op that a framework's `lowering` package has a function for."""
    package = plugin.framework(framework).cards.rpartition(".")[0]
    spec = importlib.util.find_spec(package) if package else None
    found: dict[str, str] = {}
    for location in (spec and spec.submodule_search_locations) or ():
        for path in sorted((Path(location) / "lowering").glob("*.py")):
            found |= _remarks(path)
    return found


def _remarks(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.FunctionDef):
            continue
        text = first_sentence(ast.get_docstring(node) or "")
        for decorator in node.decorator_list:
            if (
                text
                and isinstance(decorator, ast.Call)
                and isinstance(decorator.func, ast.Name)
                and decorator.func.id == "lowers"
            ):
                found |= {str(a.value): text for a in decorator.args if isinstance(a, ast.Constant)}
    return found


def first_sentence(docstring: str) -> str:
    """The first sentence, on one line."""
    words = " ".join(docstring.partition("\n\n")[0].split())
    end = next(
        (i for i, c in enumerate(words) if c == "." and words[i + 1 : i + 2] in ("", " ") and words[i - 1] != "."),
        len(words),
    )
    return words[: end + 1]
