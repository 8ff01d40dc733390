"""Masks as `nn.MultiheadAttention` takes them, out of what attention adds to its scores."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx_ir as ir

from interlingua.ir.edit import constant
from interlingua.passes.raising.masks import LARGEST, is_causal
from interlingua.passes.raising.reading import Sizes, maker, number, sizes_of
from interlingua.passes.raising.views import MOVES, Axis, Factor, View, moved, whole

ATTENTION, PADDING, CAUSAL = "attn_mask", "key_padding_mask", "is_causal"
_PAIRS = ({ATTENTION, PADDING}, {CAUSAL, PADDING})
_LONGEST = 16
_RANK = 4

_Chain = list[tuple[ir.Node, ir.Value]]
"""Nodes from a value on, each with what it makes of the one before."""


@dataclasses.dataclass(frozen=True)
class Mask:
    """A mask, what the module calls it, and the nodes that lead from it to what is added to the scores.

    A causal one is a constant, which is not given but said.
    """

    name: str
    value: ir.Value
    nodes: tuple[ir.Node, ...]


def module_masks(value: ir.Value, scores: Sizes, conditions: bool) -> list[Mask] | None:
    """The masks whose sum is the value, which is added to scores of sizes (N, heads, L, S); None where it is none.

    `attn_mask` is (L, S) or (N · heads, L, S), `key_padding_mask` is (N, S). Where `conditions` are taken, masks that
    are all chosen by conditions are those conditions: true where nothing may be seen.
    """
    found = _masks(value, [], scores)
    if found is None:
        return None
    chosen = [each if each.name == CAUSAL else _condition(each) for each in found] if conditions else [None]
    return found if None in chosen else [each for each in chosen if each is not None]


def _masks(value: ir.Value, chain: _Chain, scores: Sizes) -> list[Mask] | None:
    """The masks of a value that becomes the whole mask by the chain."""
    values = [(value, chain)]
    while len(values) < _LONGEST:
        node = maker(value, *MOVES, "Expand")
        if node is None or node.inputs[0] is None:
            break
        chain, value = [(node, value), *chain], node.inputs[0]
        values.append((value, chain))
    total = maker(value, "Add")
    if total is not None:
        parts = [_masks(each, [(total, value), *chain], scores) for each in total.inputs if each is not None]
        masks = [mask for part in parts for mask in part or ()]
        if None not in parts and {mask.name for mask in masks} in _PAIRS and len(masks) == 2:
            return masks
    for root, nodes in reversed(values):
        name = _name(root, nodes, scores)
        if name is not None:
            return [Mask(name, root, tuple(node for node, _ in nodes))]
    return None


def _name(root: ir.Value, chain: _Chain, scores: Sizes) -> str | None:
    """What a value is as a mask, if the chain does nothing but repeat it for what it does not tell apart."""
    view, sizes = whole(root), sizes_of(root)
    if view is None or sizes is None or not all(_followed(view, *step) for step in chain):
        return None
    source, repeated = view.source[: len(sizes)], {factor for axis in view.source[len(sizes) :] for factor in axis}
    axes = [[factor for factor in axis if factor not in repeated] for axis in view.axes]
    axes = [*[list[Factor]()] * (_RANK - len(axes)), *axes]
    batch, heads, queries, keys = axes
    samples, count, length, width = scores
    if len(axes) != _RANK or view.chosen:
        return None
    if is_causal(root) and [axis for axis in source if axis] == [queries, keys] and not batch and not heads:
        return CAUSAL
    if sizes == (length, width) and source == [queries, keys] and not batch and not heads:
        return ATTENTION
    if sizes == (samples, width) and source == [batch, keys] and not heads and not queries:
        return PADDING
    every = len(sizes) == 3 and sizes[1:] == (length, width) and _times(samples, count, sizes[0])
    return ATTENTION if every and source == [[*batch, *heads], queries, keys] else None


def _times(samples: int | str | None, heads: int | str | None, size: int | str | None) -> bool:
    """Whether there may be a mask for each head of each sample."""
    known = isinstance(samples, int) and isinstance(heads, int) and isinstance(size, int)
    return samples * heads == size if known else not isinstance(size, int) or not isinstance(samples, int)  # type: ignore[operator]


def _followed(view: View, node: ir.Node, output: ir.Value) -> bool:
    """Goes on to the node's output; whether that is a move, or repeats axes of size 1.

    The factors by which it does are axes of the source, behind those that it has.
    """
    if node.op_type in MOVES:
        return moved(view, node, output)
    sizes = sizes_of(output)
    if sizes is None or len(sizes) < len(view.axes):
        return False
    axes: list[Axis] = [*[list[Factor]()] * (len(sizes) - len(view.axes)), *view.axes]
    for at, size in enumerate(sizes):
        if not axes[at] and size != 1:
            axes[at] = [Factor(size)]
            view.source.append(list(axes[at]))
    view.axes, view.value = axes, output
    return True


def _condition(mask: Mask) -> Mask | None:
    """The condition by which a mask is minus infinity or zero."""
    node = maker(mask.value, "Where")
    condition = None if node is None else node.inputs[0]
    if node is None or condition is None or sizes_of(condition) != sizes_of(mask.value):
        return None
    if number(node.inputs[1]) != -np.inf or not is_zero(node.inputs[2]):
        return None
    return Mask(mask.name, condition, (node, *mask.nodes))


def is_zero(value: ir.Value | None) -> bool:
    """Whether all elements are known to be 0."""
    array = constant(value, LARGEST)
    if array is not None:
        return not array.any()
    node = maker(value, "Expand", "ConstantOfShape")
    if node is None:
        return False
    held = node.attributes.get("value")
    return is_zero(node.inputs[0]) if node.op_type == "Expand" else held is None or not held.as_tensor().numpy().any()
