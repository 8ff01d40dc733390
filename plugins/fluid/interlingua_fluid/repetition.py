"""Writes layers that are alike once: three or more calls that differ in their size and name alone become a function."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from interlingua import cards
from interlingua.codegen.program import Program
from interlingua.codegen.source import Item, Line, Suite, function_header

_FEWEST = 3
_TITLES = {"conv": "convolution", "fc": "dense", "batch": "normalization", "prelu": "slopes"}


def factored(program: Program) -> list[Suite]:
    """Replaces `conv2d(x, 64, 3, …, param_attr="a/w", name="a")` by `convolution(x, 64, "a")`; the functions made."""
    groups: dict[str, list[tuple[ast.Call, str]]] = {}
    for statement in program.statements:
        for call in (node for node in ast.walk(statement.value) if isinstance(node, ast.Call)):
            layer = _layer(call)
            if layer:
                groups.setdefault(_likeness(call, layer), []).append((call, layer))
    taken = {node.id for s in program.statements for node in ast.walk(s.value) if isinstance(node, ast.Name)}
    taken |= {target for statement in program.statements for target in statement.targets}
    return [_family(members, taken) for members in groups.values() if len(members) >= _FEWEST]


def _layer(call: ast.Call) -> str:
    """The layer's name, where all the names in the call begin with it; else ""."""
    words = {k.arg: k.value.value for k in call.keywords if isinstance(k.value, ast.Constant)}
    layer = words.get("name")
    names = [value for key, value in words.items() if _is_name(key) and isinstance(value, str)]
    alike = isinstance(layer, str) and all(name.startswith(layer) for name in names)
    return str(layer) if alike and len(names) > 1 and call.args else ""


def _is_name(keyword: str | None) -> bool:
    return keyword is not None and (keyword == "name" or keyword.endswith(("_attr", "_name")))


def _sizes(call: ast.Call) -> int:
    """How many of the call's arguments are its input and its size, which may differ between layers alike."""
    return 2 if len(call.args) > 1 and isinstance(call.args[1], ast.Constant) else 1


def _likeness(call: ast.Call, layer: str) -> str:
    """What layers alike have in common."""
    rest = [ast.unparse(argument) for argument in call.args[_sizes(call) :]]
    words = [(k.arg, ast.unparse(_without(k.value, layer) if _is_name(k.arg) else k.value)) for k in call.keywords]
    return repr((ast.unparse(call.func), _sizes(call), rest, words))


def _without(value: ast.expr, layer: str) -> ast.expr:
    """`name + "/weights"` for "conv1/weights" of the layer "conv1"."""
    if not isinstance(value, ast.Constant) or not isinstance(value.value, str):
        return value
    suffix = value.value[len(layer) :]
    name = ast.Name("name", ast.Load())
    return ast.BinOp(name, ast.Add(), ast.Constant(suffix)) if suffix else name


def _family(members: Sequence[tuple[ast.Call, str]], taken: set[str]) -> Suite:
    """The function of layers alike; their calls are replaced by calls of it."""
    first, layer = members[0]
    written = ast.unparse(first.func)
    title = next((full for short, full in _TITLES.items() if written.rpartition(".")[2].startswith(short)), "layer")
    name, number = title, 1
    while name in taken:
        number += 1
        name = f"{title}_{number}"
    taken.add(name)
    sizes = _sizes(first)
    parameters = ["x", _size_name(written)][:sizes]
    body = ast.Call(
        first.func,
        [*(ast.Name(p, ast.Load()) for p in parameters), *first.args[sizes:]],
        [ast.keyword(k.arg, _without(k.value, layer) if _is_name(k.arg) else k.value) for k in first.keywords],
    )
    for call, own in members:
        call.func, call.args = ast.Name(name, ast.Load()), [*call.args[:sizes], ast.Constant(own)]
        call.keywords = []
    return Suite(function_header(name, ", ".join([*parameters, "name"])), _returned(body))


def _returned(body: ast.expr) -> list[Item]:
    return [Line(ast.Return(body))]


def _size_name(written: str) -> str:
    """The name that the API gives to its first argument after the input."""
    api = re.sub(r"^fluid\.", "paddle.fluid.", written)
    for row in cards.by_api("fluid").get(api, ()):
        for parameter in row.parameters.values():
            if parameter.positional:
                return parameter.name
    return "size"
