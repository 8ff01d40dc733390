"""What functions say where data cannot: the first sentence of a lowering's docstring, read without importing it."""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
from pathlib import Path

from interlingua import plugin


@functools.cache
def of_record(framework: str, record: str) -> str | None:
    """The remark of the function that a framework's `lowering` package has for a canonical op, None without one."""
    decorator = re.compile(rf'@lowers\([^)]*"{re.escape(record)}"')
    for text in _files(framework):
        if decorator.search(text):  # to parse every file costs more than all else that a query does
            told = _remark(text, record)
            if told is not None:
                return told
    return None


@functools.cache
def _files(framework: str) -> tuple[str, ...]:
    package = plugin.framework(framework).cards.rpartition(".")[0]
    spec = importlib.util.find_spec(package) if package else None
    folders = [Path(location) / "lowering" for location in (spec and spec.submodule_search_locations) or ()]
    return tuple(path.read_text(encoding="utf-8") for folder in folders for path in sorted(folder.glob("*.py")))


def _remark(text: str, record: str) -> str | None:
    for node in ast.parse(text).body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for decorator in node.decorator_list:
            if (
                isinstance(decorator, ast.Call)
                and isinstance(decorator.func, ast.Name)
                and decorator.func.id == "lowers"
                and any(isinstance(a, ast.Constant) and a.value == record for a in decorator.args)
            ):
                return first_sentence(ast.get_docstring(node) or "") or None
    return None


def first_sentence(docstring: str) -> str:
    """The first sentence, on one line."""
    words = " ".join(docstring.partition("\n\n")[0].split())
    end = next(
        (i for i, c in enumerate(words) if c == "." and words[i + 1 : i + 2] in ("", " ") and words[i - 1] != "."),
        len(words),
    )
    return words[: end + 1]
