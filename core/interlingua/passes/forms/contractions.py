"""Products over some axes of two values, as one equation says them: each function's first sentence is the form."""

from __future__ import annotations

import onnx_ir as ir

from interlingua.ir.edit import is_initializer
from interlingua.passes.forms.outline import Form, Piece, closed
from interlingua.passes.orders import order_of
from interlingua.passes.raising.contractions import Contraction, contraction
from interlingua.passes.raising.reading import rank

_LETTERS = "bijklmnopqrstuvwxyz"
_FEWEST = 2
"""Moves that an equation must save: a product of which one factor is turned reads better as that."""


def einsum(node: ir.Node) -> Piece | None:
    """`Einsum(X, Y, equation)`: a product of matrices whose axes are moved before and behind it.

    Matrices that a layer would have for its weight stay products, and so do those of which only the last two axes are
    turned.
    """
    found = contraction(node, repeats=True)
    if found is None or not closed(found.nodes) or sum(map(_moves, found.nodes)) < _FEWEST:
        return None
    if any(is_initializer(value) and rank(value) == 2 for value in (found.left, found.right)):
        return None
    equation = _equation(found)
    return None if equation is None else Piece(found.nodes, [found.left, found.right], {"equation": equation})


def _moves(node: ir.Node) -> bool:
    """Whether the node moves axes, and more than the last two of them against each other."""
    order = order_of(node) if node.op_type == "Transpose" else None
    turned = order is not None and order == (*range(len(order) - 2), len(order) - 1, len(order) - 2)
    return node.op_type != "MatMul" and not turned


def _equation(found: Contraction) -> str | None:
    """The equation; None where an axis is more than one letter, or a new one of size 1."""
    letters: dict[object, str] = {}
    terms: list[str] = []
    for axes in (found.first, found.second, found.result):
        term = ""
        for axis in axes:
            if len(axis) > 1 or (not axis and axes is found.result) or len(letters) >= len(_LETTERS):
                return None
            key = axis[0] if axis else object()
            letters.setdefault(key, _LETTERS[len(letters)])
            term += letters[key]
        if len({*term}) < len(term):
            return None
        terms.append(term)
    return f"{terms[0]},{terms[1]}->{terms[2]}"


FORMS = (Form("Einsum", frozenset({"Flatten", "MatMul", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}), einsum),)
