"""Weights that the source rearranges before it reads them, said as the source does: `self.scale[:, None]`.

Kept rearranged, a weight would stand in the target's state under another name and shape than the source's.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence

import onnx_ir as ir

from interlingua.codegen.weights import Weight
from interlingua.ir import metadata
from interlingua.ir.origin import Call, Origin, Parameter, functions, shape_after, simplified
from interlingua.ir.parameters import is_of_state, remembered, value_of

Numbers = tuple[int | float, ...]
Move = Callable[[Sequence[ast.expr], Sequence[tuple[int, ...]], Numbers], ast.expr]
"""Says a function of `interlingua.ir.origin` of operands, whose shapes are given too."""


def moved(
    weight: Weight, moves: Mapping[str, Move], graph: ir.Graph, tensor: Callable[[ir.Value], ast.expr]
) -> ast.expr | None:
    """The weight as an expression over parameters of the source's state, each given by `tensor`.

    None where it is such a parameter itself, or where something in it is none or has no form in `moves`.
    """
    known = remembered(graph)
    origin = simplified(weight.origin)
    whole = isinstance(origin, Parameter) and metadata.origin(weight.value) == origin
    if whole or not functions(origin) <= set(moves) or not is_of_state(origin, graph):
        return None

    def said(expression: Origin) -> tuple[ast.expr, tuple[int, ...]]:
        if not isinstance(expression, Call):
            return tensor(value_of(expression.name, graph)), known[expression.name].shape
        operands = [said(operand) for operand in expression.operands]
        shapes = [shape for _, shape in operands]
        code = moves[expression.function]([each for each, _ in operands], shapes, expression.numbers)
        return code, shape_after(expression.function, shapes, expression.numbers)

    return said(origin)[0]
