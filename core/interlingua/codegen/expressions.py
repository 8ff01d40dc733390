"""Small builders of Python expressions as `ast`."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from typing import Any

from interlingua.errors import Unsupported


def parse(text: str) -> ast.expr:
    """The expression that `text`, written by a developer of a plugin, spells."""
    return ast.parse(text, mode="eval").body


def name(identifier: str) -> ast.expr:
    """A plain or dotted name."""
    return parse(identifier)


def literal(value: Any) -> ast.expr:
    """A Python value as its literal; expressions inside stay as they are.

    Raises:
        Unsupported: the value has no literal.
    """
    if isinstance(value, ast.expr):
        return value
    if isinstance(value, bool) or value is None or isinstance(value, int | str):
        return ast.Constant(value) if not isinstance(value, int) or value >= 0 else _negative(-value)
    if isinstance(value, float):
        if math.isnan(value) or math.isinf(value):
            return call("float", [ast.Constant(str(value))])
        return ast.Constant(value) if value >= 0 else _negative(-value)
    if isinstance(value, tuple):
        return ast.Tuple([literal(item) for item in value], ast.Load())
    if isinstance(value, list):
        return ast.List([literal(item) for item in value], ast.Load())
    if isinstance(value, Mapping):
        return ast.Dict([literal(key) for key in value], [literal(item) for item in value.values()])
    raise Unsupported(f"{value!r} has no literal")


def _negative(value: float) -> ast.expr:
    return ast.UnaryOp(ast.USub(), ast.Constant(value))


def call(
    function: str | ast.expr, arguments: Sequence[Any] = (), keywords: Mapping[str, Any] | None = None
) -> ast.Call:
    """`function(*arguments, **keywords)`; what is no expression becomes a literal."""
    return ast.Call(
        name(function) if isinstance(function, str) else function,
        [literal(argument) for argument in arguments],
        [ast.keyword(word, literal(value)) for word, value in (keywords or {}).items()],
    )


def method(
    receiver: ast.expr, attribute: str, arguments: Sequence[Any] = (), keywords: Mapping[str, Any] | None = None
) -> ast.Call:
    """`receiver.attribute(*arguments, **keywords)`."""
    return call(ast.Attribute(receiver, attribute, ast.Load()), arguments, keywords)


_OPERATORS: Mapping[str, ast.operator] = {
    "+": ast.Add(),
    "-": ast.Sub(),
    "*": ast.Mult(),
    "/": ast.Div(),
    "**": ast.Pow(),
    "@": ast.MatMult(),
    "%": ast.Mod(),
    "&": ast.BitAnd(),
    "|": ast.BitOr(),
    "^": ast.BitXor(),
    "<<": ast.LShift(),
    ">>": ast.RShift(),
}
_COMPARISONS: Mapping[str, ast.cmpop] = {
    "==": ast.Eq(),
    "<": ast.Lt(),
    "<=": ast.LtE(),
    ">": ast.Gt(),
    ">=": ast.GtE(),
}


def operator(sign: str, left: ast.expr, right: ast.expr) -> ast.expr:
    """`left sign right`; `ast` keeps the parentheses right."""
    if sign in _COMPARISONS:
        return ast.Compare(left, [_COMPARISONS[sign]], [right])
    return ast.BinOp(left, _OPERATORS[sign], right)


def assign(targets: Sequence[str], value: ast.expr) -> ast.stmt:
    """`targets = value`; `self.x` is a target too."""
    names = [target(each) for each in targets]
    whole = names[0] if len(names) == 1 else ast.Tuple(names, ast.Store())
    return ast.Assign([whole], value, lineno=0)


def target(text: str) -> ast.expr:
    """What is assigned to: a name, `self.x`."""
    expression = parse(text)
    for part in expression.elts if isinstance(expression, ast.Tuple) else ():
        part.ctx = ast.Store()  # type: ignore[attr-defined]
    expression.ctx = ast.Store()  # type: ignore[attr-defined]
    return expression
