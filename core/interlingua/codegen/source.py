"""A source file as a tree of statements, suites and comments, printed once and formatted by black."""

from __future__ import annotations

import ast
import dataclasses
import sys
from collections.abc import Iterable, Sequence

import black

LINE = 100
"""The longest line, in letters."""
_PYTHON = "py311"
_WIDTH = LINE - 16
"""So many letters a line has beside its indentation."""


@dataclasses.dataclass(frozen=True)
class Line:
    """A statement, with a comment above it or none."""

    statement: ast.stmt
    comment: str = ""


@dataclasses.dataclass(frozen=True)
class Suite:
    """A class or function: its header (a `ClassDef` or `FunctionDef` whose body is ignored), docstring and body."""

    header: ast.ClassDef | ast.FunctionDef | ast.If | ast.With
    body: Sequence[Item]
    docstring: str = ""


@dataclasses.dataclass(frozen=True)
class Blank:
    """An empty line."""


Item = Line | Suite | Blank


def code(text: str) -> list[Item]:
    """Statements that a developer of a plugin wrote out."""
    return [Line(statement) for statement in ast.parse(text).body]


def class_header(name: str, base: str) -> ast.ClassDef:
    """`class name(base):`."""
    tree = ast.parse(f"class {name}({base}): pass").body[0]
    assert isinstance(tree, ast.ClassDef)
    return tree


def function_header(name: str, signature: str) -> ast.FunctionDef:
    """`def name(signature):`; the signature may end in `-> type`."""
    arguments, _, returns = signature.partition(" -> ")
    tree = ast.parse(f"def {name}({arguments}){' -> ' + returns if returns else ''}: pass").body[0]
    assert isinstance(tree, ast.FunctionDef)
    return tree


def _lines(items: Iterable[Item], indent: str) -> Iterable[str]:
    for item in items:
        if isinstance(item, Blank):
            yield ""
        elif isinstance(item, Line):
            if item.comment:
                yield f"{indent}# {item.comment}"
            for line in _text(item.statement).splitlines():
                yield f"{indent}{line}"
        else:
            yield from _suite(item, indent)


def _text(statement: ast.stmt) -> str:
    """The statement's text; `return a, b` without the parentheses that `ast` puts there."""
    ast.fix_missing_locations(statement)
    if isinstance(statement, ast.Return) and isinstance(statement.value, ast.Tuple) and len(statement.value.elts) > 1:
        return f"return {', '.join(ast.unparse(element) for element in statement.value.elts)}"
    return ast.unparse(statement)


def _suite(suite: Suite, indent: str) -> Iterable[str]:
    header = ast.unparse(ast.fix_missing_locations(suite.header)).rsplit("\n", 1)[0]
    for line in header.splitlines():
        yield f"{indent}{line}"
    inner = indent + "    "
    if suite.docstring:
        yield f'{inner}"""{suite.docstring}"""'
        if suite.body and isinstance(suite.header, ast.ClassDef):
            yield ""
    if not suite.body and not suite.docstring:
        yield f"{inner}pass"
    yield from _lines(suite.body, inner)


def lines(node: ast.AST) -> int:
    """About how many lines the formatter makes of the code: arguments stand below each other that do not fit."""
    if isinstance(node, ast.For):
        return 1 + sum(map(lines, node.body))
    if len(ast.unparse(node)) <= _WIDTH:
        return 1
    inside = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr | ast.keyword)]
    if isinstance(node, ast.Call | ast.List | ast.Tuple):
        return 2 + sum(map(lines, inside))
    return max(1, sum(lines(child) for child in inside if not isinstance(child, ast.Name | ast.Attribute)))


def size(item: Item) -> int:
    """About how many lines an item is."""
    if isinstance(item, Line):
        return lines(ast.fix_missing_locations(item.statement)) + bool(item.comment)
    return 1 if isinstance(item, Blank) else 3 + sum(map(size, item.body))


def sorted_imports(statements: Iterable[str]) -> list[str]:
    """Import statements in isort's order: the standard library, then the others; `import` before `from`."""
    groups: dict[bool, list[str]] = {}
    for statement in set(statements):
        groups.setdefault(statement.split()[1].partition(".")[0] in sys.stdlib_module_names, []).append(statement)
    blocks = [
        sorted(groups[key], key=lambda line: (line.startswith("from"), line)) for key in (True, False) if key in groups
    ]
    return [line for block in blocks for line in (*block, "")][:-1]


def _bound(statement: str) -> set[str]:
    """The names that an import statement gives."""
    node = ast.parse(statement).body[0]
    assert isinstance(node, ast.Import | ast.ImportFrom)
    return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}


def render(docstring: str, imports: Sequence[str], body: Sequence[Item], *, python: str = "") -> str:
    """The file's text: docstring, those of the imports as given that the body uses, body; formatted by black.

    `python` names black's target version ("py37") where the file must be parsed by an old interpreter.
    """
    lines = list(_lines(body, ""))
    used = {node.id for node in ast.walk(ast.parse("\n".join(lines))) if isinstance(node, ast.Name)}
    kept = [each for each in imports if not each or _bound(each) & used]
    text = "\n".join([f'"""{docstring}"""', "", *kept, "", "", *lines])
    versions = {version for version in black.mode.TargetVersion if version.name == (python or _PYTHON).upper()}
    return black.format_str(text, mode=black.Mode(line_length=LINE, target_versions=versions))
