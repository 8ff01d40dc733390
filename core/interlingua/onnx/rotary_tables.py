"""Cosines and sines of rotations, told once a pair of features, out of tables that tell them of both."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from interlingua.ir.edit import constant, graph_of, insert_before, is_initializer
from interlingua.ir.weights import moved
from interlingua.passes.raising.masks import LARGEST
from interlingua.passes.raising.reading import (
    Sizes,
    attribute_int,
    integers,
    maker,
    new,
    number,
    rank,
    sides,
    sizes_of,
    tensor,
)

_EACH = ("Cos", "Sin", "Cast", "Neg")
"""Operators whose results are alike where what they read is."""


class Tables:
    """What is made of tables, each once."""

    def __init__(self, graph: ir.Graph) -> None:
        self._graph = graph
        self._halves: dict[tuple[ir.Value, bool], ir.Value] = {}
        self._repeated: dict[tuple[ir.Value, int | str | None], ir.Value] = {}
        self._rows: dict[tuple[ir.Value, int], ir.Value] = {}

    def pairs(self, table: ir.Value | None, interleaved: bool, heads: int) -> ir.Value | None:
        """The table with one entry a pair, as (samples or 1, positions, pairs); None where the pair's two differ.

        The heads are an axis of size 1 of the table, at `heads` where it has four.
        """
        half = self._half(table, interleaved)
        if half is None:
            return None
        if (half, heads) not in self._rows:
            made = self._without_heads(half, heads)
            if made is None:
                return None
            self._rows[half, heads] = made
        return self._rows[half, heads]

    def _without_heads(self, half: ir.Value, heads: int) -> ir.Value | None:
        """A table of samples, positions and pairs."""
        above, sizes = maker(half, "Unsqueeze"), sizes_of(half)
        if sizes is None or len(sizes) < 2:
            return None
        at = heads - 4 + len(sizes)
        if len(sizes) == 4 and above is not None and integers(above.inputs[1]) == [at]:
            return above.inputs[0]
        left = [size for axis, size in enumerate(sizes) if axis != at]
        wanted = [*[1] * (3 - len(left)), *(size if isinstance(size, int) else -1 for size in left)]
        if tuple(wanted) == sizes:
            return half
        return None if wanted.count(-1) > 1 else self._reshaped(half, wanted)

    def _reshaped(self, half: ir.Value, entries: list[int]) -> ir.Value:
        node = half.producer()
        if node is None:
            return moved(self._graph, half, [("reshape", tuple(entries))])
        made = new("Reshape", [half, tensor(node, "rows", np.asarray(entries, np.int64))], like=half, shape=entries)
        graph_of(node).insert_after(node, made)
        return made.outputs[0]

    def _half(self, table: ir.Value | None, interleaved: bool) -> ir.Value | None:
        if table is None:
            return None
        key = table, interleaved
        if key not in self._halves:
            made = self._first_of_pairs(table, interleaved)
            if made is None:
                return None
            self._halves[key] = made
        return self._halves[key]

    def _first_of_pairs(self, table: ir.Value, interleaved: bool) -> ir.Value | None:
        if is_initializer(table):
            return self._part(table, interleaved)
        doubled = _side_by_side(table) if interleaved else _twice(table)
        if doubled is not None:
            return doubled
        node, count = maker(table, *_EACH, "Mul", "Unsqueeze", "Gather"), rank(table)
        if node is None or count is None:
            return None
        inputs = list(node.inputs)
        at = 0
        if node.op_type == "Mul":
            pairs = [(index, each) for index, (_, each) in enumerate(sides(node)) if number(each) is not None]
            if not pairs or (rank(pairs[0][1]) or 0) > 1:
                return None
            at = pairs[0][0]
        elif node.op_type == "Unsqueeze":
            axes = integers(node.inputs[1])
            if axes is None or -1 in axes or count - 1 in axes:
                return None
        elif node.op_type == "Gather" and attribute_int(node, "axis", 0) != 0:
            return None
        half, sizes = self._half(inputs[at], interleaved), sizes_of(table)
        last = None if sizes is None else sizes[-1]
        if half is None or sizes is None or not isinstance(last, int):
            return None
        inputs[at] = half
        made = ir.Node("", node.op_type, inputs, list(node.attributes.values()))
        made.outputs[0].type, made.outputs[0].shape = table.type, ir.Shape([*sizes[:-1], last // 2])
        insert_before(node, [made])
        return made.outputs[0]

    def _part(self, table: ir.Value, interleaved: bool) -> ir.Value | None:
        """The first of each pair in a constant table, where the second equals it."""
        array = constant(table, LARGEST)
        if array is None or not array.ndim or array.shape[-1] % 2:
            return None
        axis, size = array.ndim - 1, array.shape[-1]
        first, second = (array[..., ::2], array[..., 1::2]) if interleaved else np.split(array, 2, axis=-1)
        if not np.array_equal(first, second):
            return None
        step = (axis, 0, size, 2) if interleaved else (axis, 0, size // 2)
        return moved(self._graph, table, [("slice", step)])

    def of_samples(self, rows: ir.Value, source: ir.Value, sizes: Sizes | None, node: ir.Node) -> ir.Value:
        """The table for each sample of the source, in front of the node where it has one row for all."""
        shape = sizes_of(rows)
        if shape is None or sizes is None or shape[0] == sizes[0]:
            return rows
        key = rows, sizes[0]
        if key not in self._repeated:
            made: list[ir.Node] = []
            if isinstance(sizes[0], int):
                entries = tensor(node, "samples", np.asarray([sizes[0], 1, 1], np.int64))
            else:
                count = new("Shape", [source], {"start": 0, "end": 1})
                ones = tensor(node, "ones", np.asarray([1, 1], np.int64))
                joined = new("Concat", [count.outputs[0], ones], {"axis": 0})
                for each, size in ((count, 1), (joined, 3)):
                    each.outputs[0].type, each.outputs[0].shape = ir.TensorType(ir.DataType.INT64), ir.Shape([size])
                made, entries = [count, joined], joined.outputs[0]
            made.append(new("Expand", [rows, entries], like=rows, shape=(sizes[0], *shape[1:])))
            insert_before(node, made)
            self._repeated[key] = made[-1].outputs[0]
        return self._repeated[key]


def _twice(table: ir.Value) -> ir.Value | None:
    """What `Concat(X, X)` has twice."""
    node, count = maker(table, "Concat"), rank(table)
    if node is None or count is None or len(node.inputs) != 2 or node.inputs[0] is not node.inputs[1]:
        return None
    return node.inputs[0] if attribute_int(node, "axis", 0) in (-1, count - 1) else None


def _side_by_side(table: ir.Value) -> ir.Value | None:
    """What `Reshape(Expand(Unsqueeze(X, -1)))`, or `Concat` instead of `Expand`, has each entry of twice."""
    last = maker(table, "Reshape")
    wide = None if last is None else maker(last.inputs[0], "Expand", "Concat")
    if last is None or wide is None or (wide.op_type == "Concat" and len(wide.inputs) != 2):
        return None
    tops = [maker(each, "Unsqueeze") for each in (wide.inputs if wide.op_type == "Concat" else wide.inputs[:1])]
    sources = {None if top is None else top.inputs[0] for top in tops}
    source = sources.pop()
    before, inside, after = sizes_of(source), sizes_of(wide.outputs[0]), sizes_of(table)
    if sources or source is None or before is None or inside is None or after is None or None in before:
        return None
    axes = [None if top is None else integers(top.inputs[1]) for top in tops]
    joined = wide.op_type == "Expand" or attribute_int(wide, "axis", 0) in (-1, len(before))
    if any(each not in ([-1], [len(before)]) for each in axes) or not joined or inside != (*before, 2):
        return None
    return source if isinstance(before[-1], int) and after == (*before[:-1], 2 * before[-1]) else None
