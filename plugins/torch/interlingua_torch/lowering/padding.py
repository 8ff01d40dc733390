"""Padding by every mode, along any axes."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Sequence

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.errors import Unsupported
from interlingua.ir.facts import inputs_of, is_constant, shape_of
from interlingua_torch.adapters import each_pad
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.common import by_cards
from interlingua_torch.lowering.terms import number_of, source

_PAD = "torch.nn.functional.pad"


@lowers("Pad")
def pad(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`F.pad(x, (1, 2))`; a helper where the pads are a tensor, or not of an image in another mode."""
    given = inputs_of(node)
    added = facts.values.get("constant_value")
    if isinstance(added, list):  # a vector of one number, as some exporters write it
        facts = dataclasses.replace(facts, values={**facts.values, "constant_value": added[0]})
    mode = facts["mode"]
    if mode == "constant" and _is_nothing(facts):
        return source(context, node)
    _check_cuts(node, facts)
    if not facts.computed and _as_pytorch(node, facts):
        return by_cards(context, node, facts)
    context.note_mapping(node, _PAD)
    if not {"pads", "axes"} & facts.computed and facts.get("input_rank") is not None:
        pairs = each_pad(facts["pads"], facts)
        if mode != "constant":
            return expressions.call(context.helper("pad_axes"), [source(context, node), list(pairs), mode])
    pads = context.sizes.entries(given["pads"][0])
    axes: Sequence[int] | None = None if "axes" in facts.computed else facts.get("axes")
    count = facts.get("input_rank")
    value = _value(context, facts, given)
    if mode == "constant" and pads is not None and count is not None and "axes" not in facts.computed:
        named = {} if value is None or number_of(value) == 0 else {"value": value}
        api = context.api(_PAD)
        return expressions.call(api, [source(context, node), _last_first(pads, axes, count)], named)
    told: dict[str, object] = {}
    if "axes" in given:
        told["axes"] = context.python(given["axes"][0])
    if mode != "constant":
        told["mode"] = mode
    elif value is not None:
        told["value"] = value
    arguments = [source(context, node), context.python(given["pads"][0])]
    return expressions.call(context.helper("pad_some_axes"), arguments, told)


def _check_cuts(node: ir.Node, facts: Facts) -> None:
    """Refuses pads that cut more than an axis has, which PyTorch does before it adds to the other end.

    Raises:
        Unsupported: they do.
    """
    shape = shape_of(node.inputs[0])
    if shape is None or {"pads", "axes"} & facts.computed or facts.get("input_rank") is None:
        return
    for size, (before, after) in zip(shape, each_pad(facts["pads"], facts), strict=True):
        if isinstance(size, int) and size + min(before, 0) + min(after, 0) < 0:
            raise Unsupported("pads that cut more than an axis has")


def _is_nothing(facts: Facts) -> bool:
    return "pads" not in facts.computed and not any(facts["pads"])


def _value(context: Context, facts: Facts, given: dict[str, list[ir.Value]]) -> ast.expr | None:
    """What is added, as a number; None where it is 0."""
    if "constant_value" not in given:
        return None
    value = given["constant_value"][0]
    if is_constant(value):
        return expressions.literal(facts["constant_value"])
    if context.sizes.holds(value):
        return context.integers(value)[0]
    return expressions.method(context.ref(value), "item")


def _last_first(pads: list[ast.expr], axes: Sequence[int] | None, count: int) -> tuple[ast.expr, ...]:
    """The pads of each axis from the last one, begin and end together; axes before the first padded one unsaid."""
    half = len(pads) // 2
    zero: ast.expr = ast.Constant(0)
    pairs = [(zero, zero)] * count
    for position, axis in enumerate(range(count) if axes is None else axes):
        pairs[axis] = (pads[position], pads[position + half])
    while len(pairs) > 1 and number_of(pairs[0][0]) == 0 and number_of(pairs[0][1]) == 0:
        pairs.pop(0)
    return tuple(each for pair in reversed(pairs) for each in pair)


def _as_pytorch(node: ir.Node, facts: Facts) -> bool:
    """Whether `F.pad` pads like this: by a constant, or floats along spatial axes by no more than they are long."""
    if facts["mode"] == "constant":
        return facts.get("input_rank") is not None
    data = node.inputs[0]
    if data is None or data.dtype is None or not data.dtype.is_floating_point():
        return False
    try:
        pairs = each_pad(facts["pads"], facts)
    except Unsupported:
        return False
    if not 3 <= len(pairs) <= 5 or any(pair != (0, 0) for pair in pairs[:2]):
        return False
    if any(amount < 0 for pair in pairs for amount in pair):
        return False
    shape = facts.shapes.get("data") or [None] * len(pairs)
    most = {"reflect": -1, "wrap": 0}.get(facts["mode"])
    return most is None or all(
        not isinstance(size, int) or max(pair) <= size + most for size, pair in zip(shape, pairs, strict=True)
    )
