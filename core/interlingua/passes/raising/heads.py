"""Heads of attention: split off by reshapes and transposes, repeated for groups of queries, merged again."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence

import onnx_ir as ir

from interlingua.ir.edit import constant, replace
from interlingua.ir.facts import shape_of
from interlingua.passes.raising.masks import LARGEST
from interlingua.passes.raising.reading import (
    Reading,
    Rule,
    integers,
    maker,
    near,
    new,
    rank,
    sides,
    sizes_of,
)
from interlingua.passes.raising.views import MOVES, Axis, Builder, Factor, View, arranged, moved, size_of, views

_DEFAULTS = {"is_causal": 0, "qk_matmul_output_mode": 0, "softcap": 0.0}
_CHAIN = 8
"""Nodes behind attention up to which a merge of heads is looked for."""


def shared_heads(reading: Reading, value: ir.Value) -> tuple[ir.Value, int] | None:
    """What `Reshape(Expand(Unsqueeze(X, 2)))` repeats each head of, and how often."""
    last = reading.made(value, "Reshape")
    middle = None if last is None else reading.made(last.inputs[0], "Expand", "Tile")
    first = None if middle is None else reading.made(middle.inputs[0], "Unsqueeze")
    source = None if first is None else first.inputs[0]
    before, after = sizes_of(source), sizes_of(value)
    if first is None or middle is None or source is None or before is None or after is None or len(before) != 4:
        return None
    if integers(first.inputs[1]) not in ([2], [-3]) or len(after) != 4 or None in after:
        return None
    heads, wanted = before[1], after[1]
    if not isinstance(heads, int) or not isinstance(wanted, int) or wanted % heads or heads == wanted:
        return None
    if middle.op_type == "Tile" and integers(middle.inputs[1]) != [1, 1, wanted // heads, 1, 1]:
        return None
    if (before[0], before[2], before[3]) != (after[0], after[2], after[3]):
        return None
    repeated = sizes_of(middle.outputs[0])
    if repeated is None or len(repeated) != 5 or repeated[1] != heads or repeated[3:] != before[2:]:
        return None
    return source, wanted // heads


def grouped(reading: Reading, key: ir.Value, value: ir.Value) -> tuple[ir.Value, ir.Value] | None:
    """The keys and values before each of their heads was repeated for several heads of queries."""
    mark = reading.mark()
    keys, values = shared_heads(reading, key), shared_heads(reading, value)
    if keys is not None and values is not None and keys[1] == values[1]:
        return keys[0], values[0]
    reading.back(mark)
    return None


def plain(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Attention(Q, repeat(K), repeat(V), mask ∧ true, scale=1/√size)` by `Attention(Q, K, V, mask)`."""
    given = list(node.inputs)
    query, key, value = given[:3]
    if query is None or key is None or value is None or rank(query) != 4 or not _is_simple(node):
        return None
    size = (shape_of(query) or (None,))[-1]
    attributes = {name: held for name, held in node.attributes.items() if _DEFAULTS.get(name) != held.value}
    stated = attributes.pop("scale", None)
    if stated is not None and not (isinstance(size, int) and near(stated.as_float(), 1 / math.sqrt(size), query)):
        attributes["scale"] = stated
    fewer = grouped(reading, key, value)
    mask = _without_trues(reading, given[3] if len(given) > 3 else None)
    if fewer is None and mask is None and len(attributes) == len(node.attributes):
        return None
    masks = given[3:] if mask is None else [mask]
    made = ir.Node("", "Attention", [query, *(fewer or (key, value)), *masks], list(attributes.values()))
    made.outputs[0].type, made.outputs[0].shape = node.outputs[0].type, node.outputs[0].shape
    return [made]


def _without_trues(reading: Reading, mask: ir.Value | None) -> ir.Value | None:
    """The mask beside a constant that masks nothing and at most repeats its rows, which attention does by itself."""
    node, shape = maker(mask, "And"), shape_of(mask)
    for inner, other in sides(node) if node is not None and shape is not None else ():
        held, sizes = constant(other, LARGEST), shape_of(inner)
        if held is not None and held.all() and sizes and shape is not None and sizes[-1] == shape[-1] is not None:
            if reading.alone(mask):
                reading.made(mask, "And")
            return inner
    return None


def _is_simple(node: ir.Node) -> bool:
    """Whether the node has queries, keys, values and a mask, and one result."""
    return len(node.outputs) == 1 and len(node.inputs) <= 4 and "q_num_heads" not in node.attributes


@dataclasses.dataclass
class _Merged:
    """Queries, keys or values as (batch, length, heads · size), with the factors of those; what they were is `axes`."""

    value: ir.Value
    batch: Axis
    heads: Axis
    length: Axis
    size: Axis
    axes: list[Axis]

    @property
    def count(self) -> int | str | None:
        """How many heads there are."""
        return size_of(self.heads)


def merge_heads(node: ir.Node) -> bool:
    """Replaces `Reshape(Transpose(Attention(split(Q), split(K), split(V))))` by `Attention(Q, K, V, q_num_heads=…)`.

    `split` is `Transpose(Reshape(X, [batch, length, heads, size]), [0, 2, 1, 3])` in whatever spelling, also out of a
    projection of queries, keys and values in one, or with the heads as part of the batch. Says whether it did.
    """
    if not _is_simple(node) or rank(node.outputs[0]) != 4 or len(node.inputs) < 3:
        return False
    made = Builder(node)
    found = [_merged(value, made) for value in node.inputs[:3]]
    if None in found:
        return False
    query, key, value = (each for each in found if each is not None)
    mask = node.inputs[3] if len(node.inputs) > 3 else None
    if not key.axes[1] and not query.axes[1]:  # heads are part of the batch
        stretched = mask is not None and any(size != 1 for size in (shape_of(mask) or (None,))[:-2])
        if stretched or not query.count == key.count == value.count:
            return False
    elif not query.axes[1] or not key.axes[1] or not value.axes[1]:
        return False
    attributes: dict[str, object] = {name: each.value for name, each in node.attributes.items()}
    attributes |= {"q_num_heads": query.count, "kv_num_heads": key.count}
    features = [Factor(query.count), *value.size]
    sizes = (size_of(query.batch), size_of(query.length), size_of(features))
    operands = [query.value, key.value, value.value, mask]
    attention = new("Attention", operands, attributes, like=node.outputs[0], shape=sizes)
    made.nodes.append(attention)
    merged = _Merged(attention.outputs[0], query.batch, features[:1], query.length, value.size, [])
    apart = bool(query.axes[1])
    merged.axes = [query.batch if apart else [*query.batch, features[0]], [features[0]] if apart else [], query.length]
    merged.axes.append(value.size)
    for end in _ends(node.outputs[0], merged):
        count = len(made.nodes)
        result = _result(end, merged, made)
        if result is not None:
            last = end.value.producer()
            assert last is not None
            replace(last, made.nodes, [result])
            return True
        made.forget(count)
    return False


def _merged(value: ir.Value | None, made: Builder) -> _Merged | None:
    """The value (batch, heads, length, size) as (batch, length, heads · size), made of what it is a view of."""
    for view in views(value):
        if len(view.axes) != 4:
            continue
        batch, heads, length, size = (list(axis) for axis in view.axes)
        axis = next((axis for axis in _left(view) if size and axis[-len(size) :] == size and axis != size), size)
        inner = axis[: len(axis) - len(size)]
        if not heads and inner and batch[-len(inner) :] == inner:
            batch, heads = batch[: -len(inner)], inner
        features = [*heads, *size]
        if features != axis or not isinstance(size_of(features), int):
            continue
        count, source = len(made.nodes), made.part(view)
        result = None if source is None else arranged(view, source, [batch, length, features], made)
        if result is not None:
            return _Merged(result, batch, heads, length, size, view.axes)
        made.forget(count)
    return None


def _left(view: View) -> list[Axis]:
    """The axes of what the view is of, without the factors of which one is chosen."""
    return [[factor for factor in axis if factor not in view.chosen] for axis in view.source]


def _ends(output: ir.Value, merged: _Merged) -> Iterator[View]:
    """What chains of moves make of the result of attention, the farthest first."""
    found: list[View] = []
    source = [merged.batch, merged.length, [*merged.heads, *merged.size]]
    view = View(output, output, [list(axis) for axis in source], [list(axis) for axis in merged.axes])
    node = _only_user(output)
    while node is not None and len(found) < _CHAIN and moved(view, node, node.outputs[0]):
        source, axes = ([list(axis) for axis in each] for each in (view.source, view.axes))
        found.append(View(output, node.outputs[0], source, axes))
        node = _only_user(node.outputs[0])
    return reversed(found)


def _only_user(value: ir.Value) -> ir.Node | None:
    uses = list(value.uses())
    if len(uses) != 1 or value.is_graph_output():
        return None
    node = uses[0].node
    return node if node.domain == "" and node.op_type in MOVES and uses[0].idx == 0 else None


def _result(end: View, merged: _Merged, made: Builder) -> ir.Value | None:
    """What stands at the end, made of (batch, length, heads · size), whose features stay together."""
    if end.axes[-1][-len(end.source[-1]) :] != end.source[-1]:
        return None
    return arranged(end, merged.value, end.axes, made)


RULES: Mapping[str, Sequence[Rule]] = {"Attention": (plain,)}
