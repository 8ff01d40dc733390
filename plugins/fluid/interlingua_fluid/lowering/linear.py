"""Products of matrices."""

from __future__ import annotations

import ast
import dataclasses

import onnx_ir as ir

from interlingua import cards
from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.codegen.weights import Weight
from interlingua.errors import Unsupported
from interlingua.ir.facts import Shape, is_constant, known, shape_of
from interlingua.ir.parameters import is_trained
from interlingua_fluid.lowering import lowers
from interlingua_fluid.lowering.layers import call, function

_EXPAND = "paddle.fluid.layers.expand"


@lowers("MatMul")
def product(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """A product with a trained matrix is a dense layer over the last axis; others have batches of equal sizes."""
    left, right = node.inputs
    assert left is not None and right is not None
    shape, rank = known(shape_of(right)), len(shape_of(left) or ())
    if is_constant(right) and shape is not None and len(shape) == 2 and rank >= 2 and is_trained(right):
        dense = Facts("Gemm", {"out_features": shape[1], "has_bias": False}, 0, {}, frozenset({"B"}))
        card, keywords = cards.choose("fluid", dense)
        keywords = {**keywords, "num_flatten_dims": rank - 1} if rank > 2 else keywords
        return call(context, node, dense, card, keywords, context.operand(left), {"B": Weight(right)})
    operands = [context.operand(left), context.ref(right)]
    try:
        card, keywords = cards.choose("fluid", facts)
    except Unsupported:
        operands, facts = _spread(context, facts, operands)
        card, keywords = cards.choose("fluid", facts)
    context.note_mapping(node, card.api)
    return expressions.call(context.api(card.api), operands, keywords)


def _spread(context: Context, facts: Facts, operands: list[ast.expr]) -> tuple[list[ast.expr], Facts]:
    """The operands with equal batch axes, by axes in front and repetition: matmul itself does not broadcast them.

    Raises:
        Unsupported: a size that must be repeated to is not known.
    """
    shapes = [facts.shapes.get(name) for name in ("A", "B")]
    if shapes[0] is None or shapes[1] is None or min(len(shapes[0]), len(shapes[1])) < 2:
        raise Unsupported("a product whose operands are no matrices, or of shapes that are not known")
    rank = max(len(shape) for shape in shapes if shape is not None)
    wide: list[Shape] = [(*[1] * (rank - len(shape)), *shape) for shape in shapes if shape is not None]
    for index, (shape, other) in enumerate(((wide[0], wide[1]), (wide[1], wide[0]))):
        front = rank - len(shapes[index] or ())
        if front:
            operands[index] = function(context, "Unsqueeze", {"axes": list(range(front))}, operands[index])
        times = [b if a == 1 else 1 for a, b in zip(shape[:-2], other[:-2], strict=True)]
        if not all(isinstance(number, int) for number in times):
            raise Unsupported("a product whose batches are repeated to a size that is not known")
        if any(number != 1 for number in times):
            operands[index] = expressions.call(context.api(_EXPAND), [operands[index], [*times, 1, 1]])
    batch = [b if a == 1 else a for a, b in zip(wide[0][:-2], wide[1][:-2], strict=True)]
    spread = {"A": (*batch, *wide[0][-2:]), "B": (*batch, *wide[1][-2:])}
    return operands, dataclasses.replace(facts, shapes={**facts.shapes, **spread})
