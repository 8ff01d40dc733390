"""The skeleton that class-like targets share: a class with layers in its constructor and one forward method."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from interlingua.codegen.expressions import assign, name
from interlingua.codegen.program import Compound, Program, as_ast
from interlingua.codegen.source import Item, Line, Suite, class_header, code, function_header


def layers(program: Program) -> list[Item]:
    """`self.<name> = <layer>` for every layer of the program."""
    return [Line(assign([f"self.{layer.attribute}"], layer.call)) for layer in program.layers]


def statements(program: Program) -> list[Item]:
    """The forward computation and its return."""
    body: list[Item] = [Line(as_ast(s), s.comment) for s in program.statements]
    returned = ", ".join(port.identifier for port in program.outputs)
    return _returned_directly(program, body) or [*body, *_return(returned)]


def _return(text: str) -> list[Item]:
    return [Line(ast.Return(name(text)))]


def _returned_directly(program: Program, body: Sequence[Item]) -> list[Item] | None:
    """`return f(x)` instead of `x = f(x); return x`, where the last statement is the only output."""
    last = program.statements[-1] if program.statements else None
    if (
        last is None
        or isinstance(last, Compound)
        or len(program.outputs) != 1
        or last.targets != (program.outputs[0].identifier,)
    ):
        return None
    return [*body[:-1], Line(ast.Return(last.value), last.comment)]


def model_class(program: Program, base: str, constructor: Sequence[Item], forward: str, docstring: str = "") -> Suite:
    """The class: constructor, then the method `forward` over the program's inputs."""
    arguments = ", ".join(["self", *(port.identifier for port in program.inputs)])
    initializer: list[Item] = [*code("super().__init__()"), *constructor]
    return Suite(
        class_header(program.name, base),
        [
            Suite(function_header("__init__", "self"), initializer),
            Suite(function_header(forward, arguments), statements(program)),
        ],
        docstring,
    )
