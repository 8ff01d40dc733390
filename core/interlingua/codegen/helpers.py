"""Helper functions that generated code contains: copied by name from a plugin's own files, with what they call."""

from __future__ import annotations

import ast
import functools
import pkgutil
from collections.abc import Iterator, Mapping
from importlib import resources

from interlingua.errors import PluginError


@functools.cache
def _functions(package: str) -> Mapping[str, tuple[ast.FunctionDef, tuple[str, ...]]]:
    """Every function of a package's modules, with the imports of its module. Nothing is imported."""
    folder = resources.files(package)
    found: dict[str, tuple[ast.FunctionDef, tuple[str, ...]]] = {}
    for module in sorted(pkgutil.iter_modules([str(folder)]), key=lambda each: each.name):
        tree = ast.parse(folder.joinpath(f"{module.name}.py").read_text("utf-8"))
        imports = tuple(ast.unparse(each) for each in tree.body if isinstance(each, ast.Import | ast.ImportFrom))
        for each in tree.body:
            if not isinstance(each, ast.FunctionDef):
                continue
            if each.name in found:
                raise PluginError(f"Expected one helper {each.name} in {package}. Received two.")
            found[each.name] = each, imports
    return found


def copied(package: str, names: set[str]) -> tuple[list[ast.FunctionDef], set[str]]:
    """The named functions and all they call, those called first; and the import statements they need.

    Raises:
        PluginError: a name is not in the package, or is there twice.
    """
    known = _functions(package)
    order: dict[str, ast.FunctionDef] = {}
    statements: set[str] = set()

    def visit(name: str) -> None:
        if name in order:
            return
        if name not in known:
            raise PluginError(f"Expected a helper of {package}. Received {name!r}.")
        function, imports = known[name]
        used = set(_names(function))
        for each in sorted(used & known.keys() - {name}):
            visit(each)
        order[name] = function
        statements.update(each for each in imports if _bound(each) & used)

    for name in sorted(names):
        visit(name)
    return list(order.values()), statements


def _names(function: ast.FunctionDef) -> Iterator[str]:
    return (each.id for each in ast.walk(function) if isinstance(each, ast.Name))


def _bound(statement: str) -> set[str]:
    """The names that an import statement binds."""
    tree = ast.parse(statement).body[0]
    assert isinstance(tree, ast.Import | ast.ImportFrom)
    return {(alias.asname or alias.name).partition(".")[0] for alias in tree.names}
