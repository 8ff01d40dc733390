"""Attention of one head, which has no axis of its own: each function's first sentence is the form."""

from __future__ import annotations

import onnx_ir as ir

from interlingua.ir.facts import shape_of
from interlingua.passes.forms.joined import added
from interlingua.passes.forms.outline import Form, Piece, closed
from interlingua.passes.raising.reading import attribute_int, integers, maker

_SAID = frozenset({"is_causal", "scale"})
_HEADS = 1
"""The axis of heads."""


def single_headed(node: ir.Node) -> Piece | None:
    """`OneHead(Q, K, V, mask)`: `Squeeze(Attention(Unsqueeze(Q), Unsqueeze(K), Unsqueeze(V), mask))`, heads aside."""
    attention = maker(node.inputs[0], "Attention")
    shape = shape_of(node.inputs[0])
    if attention is None or shape is None or len(shape) != 4 or len(attention.inputs) > 4:
        return None
    if integers(node.inputs[1] if len(node.inputs) > 1 else None) not in ([_HEADS], [_HEADS - 4]):
        return None
    if set(attention.attributes) - _SAID or not closed([attention, node]):
        return None
    sources = [_source(value) for value in attention.inputs[:3]]
    mask = attention.inputs[3] if len(attention.inputs) > 3 else None
    flat = mask is not None and len(shape_of(mask) or ()) == 2
    if mask is not None and not flat:
        sources.append(_source(mask))
    if any(source is None for source in sources):
        return None
    found = [source for source in sources if source is not None]
    nodes = [*dict.fromkeys(made for made, _ in found), attention, node]
    said = {"is_causal": attribute_int(attention, "is_causal", 0)}
    if "scale" in attention.attributes:
        said |= {"scale": attention.attributes["scale"].as_float()}  # type: ignore[dict-item]
    inputs = [*(value for _, value in found), *([mask] if flat else [])]
    return Piece(nodes, inputs, said) if len({*inputs[:3]}) == 3 else None


def _source(value: ir.Value | None) -> tuple[ir.Node, ir.Value] | None:
    """What is given the axis of heads, and the node that gives it."""
    found = added(value)
    return None if found is None or found[2] != _HEADS or found[1].is_initializer() else found[:2]


FORMS = (Form("OneHead", frozenset({"Squeeze"}), single_headed),)
