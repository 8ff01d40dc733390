"""Indices that only count along the axes of what they index: each rule's first sentence is the transformation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import constant
from interlingua.ir.facts import shape_of
from interlingua.passes.raising.reading import Reading, Rule, attribute_int, integers, maker, new, number, rank, tensor

_LARGEST = 1 << 16


@dataclasses.dataclass(frozen=True)
class _Count:
    """0, 1, 2, … along one axis; `limit` is where a Range ends, None where the size is a number."""

    axis: int
    size: int | str
    limit: ir.Value | None = None


def counted(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `GatherND(X, indices)` by `Unsqueeze(X)` where each index counts along an axis of the result of its own.

    Masks are read so: `mask[batch[:, None, None, None], columns]`. An axis of X that is not known to be as long as its
    index counts is sliced to that.
    """
    data, indices = node.inputs
    count, sizes, shape = rank(indices), shape_of(indices), shape_of(data)
    if data is None or count is None or sizes is None or shape is None or count < 2:
        return None
    if attribute_int(node, "batch_dims", 0):
        return None
    counts = _counts(indices, count)
    axes = [each.axis for each in counts if each is not None]
    if len(axes) != len(shape) or len(counts) != len(shape) or axes != sorted(set(axes)):
        return None
    added = [axis for axis in range(count - 1) if axis not in axes]
    if any(sizes[axis] != 1 for axis in added):
        return None
    made: list[ir.Node] = []
    for axis, each in enumerate(counts):
        assert each is not None
        if each.size != shape[axis]:
            cut = _sliced(node, made[-1].outputs[0] if made else data, axis, each)
            if cut is None:
                return None
            made += cut
    kept = made[-1].outputs[0] if made else data
    long = {each.axis: each.size for each in counts if each is not None}
    known = [long.get(axis, 1) for axis in range(count - 1)]
    places = tensor(node, f"{node.outputs[0].name}_axes", np.asarray(added, np.int64))
    return [*made, new("Unsqueeze", [kept, places], like=node.outputs[0], shape=known)]


def _counts(indices: ir.Value | None, count: int) -> list[_Count | None]:
    """What each column of the indices counts, None for one that does not."""
    array = constant(indices, _LARGEST)
    if array is not None:
        return [_count_of(column) for column in np.moveaxis(array, -1, 0)]
    concat = maker(indices, "Concat")
    if concat is None or attribute_int(concat, "axis", -1) not in (-1, count - 1):
        return []
    return [_count(_column(part, count), count - 1) for part in concat.inputs]


def _count_of(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> _Count | None:
    """What a constant counts along one axis, however often repeated along others."""
    for axis, size in enumerate(array.shape):
        counted = np.arange(size).reshape([-1 if each == axis else 1 for each in range(array.ndim)])
        if size > 1 and np.array_equal(array, np.broadcast_to(counted, array.shape)):
            return _Count(axis, size)
    return None


def _column(value: ir.Value | None, count: int) -> ir.Value | None:
    """The index that is one column of the indices, without repetition: below `Unsqueeze(Expand(X), -1)`."""
    node = maker(value, "Unsqueeze")
    if node is None or integers(node.inputs[1]) not in ([-1], [count - 1]):
        return None
    repeated = maker(node.inputs[0], "Expand")
    return node.inputs[0] if repeated is None else repeated.inputs[0]


def _count(value: ir.Value | None, count: int) -> _Count | None:
    """What a value of `count` axes counts, all axes but one being of size 1."""
    shape = shape_of(value)
    if value is None or shape is None or len(shape) != count:
        return None
    long = [axis for axis, size in enumerate(shape) if size != 1]
    size = shape[long[0]] if len(long) == 1 else None
    if size is None:
        return None
    array = constant(value)
    if array is not None:
        return _count_of(array)
    source: ir.Value | None = value
    while (view := maker(source, "Unsqueeze", "Reshape")) is not None:
        source = view.inputs[0]
    found = maker(source, "Range")
    if found is None or number(found.inputs[0]) != 0 or number(found.inputs[2]) != 1:
        return None
    limit = found.inputs[1]
    said = None if limit is None else metadata.dimensions(limit)
    return _Count(long[0], said[0] if said else size, limit)


def _sliced(node: ir.Node, data: ir.Value, axis: int, wanted: _Count) -> list[ir.Node] | None:
    """The first entries along an axis; None where they are known to be more than there are."""
    shape = shape_of(data)
    assert shape is not None
    stem, size = f"{node.outputs[0].name}_{axis}", shape[axis]
    if isinstance(size, int) and isinstance(wanted.size, int) and wanted.size > size:
        return None
    start, along = (
        tensor(node, f"{stem}_{name}", np.asarray([n], np.int64)) for name, n in (("start", 0), ("axis", axis))
    )
    made: list[ir.Node] = []
    if wanted.limit is None:
        end = tensor(node, f"{stem}_end", np.asarray([wanted.size], np.int64))
    else:
        flat = tensor(node, f"{stem}_one", np.asarray([-1], np.int64))
        made.append(new("Reshape", [wanted.limit, flat], like=wanted.limit, shape=[1]))
        end = made[0].outputs[0]
    known = [*shape[:axis], wanted.size, *shape[axis + 1 :]]
    return [*made, new("Slice", [data, start, end, along], like=data, shape=known)]


RULES: Mapping[str, Sequence[Rule]] = {"GatherND": (counted,)}
