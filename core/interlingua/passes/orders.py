"""Orders of axes: what a Transpose does, as tuples of axis numbers."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from interlingua.errors import InvalidSource
from interlingua.ir import metadata

Order = tuple[int, ...]


def identity(rank: int) -> Order:
    """The order that moves nothing."""
    return tuple(range(rank))


def compose(first: Order, second: Order) -> Order:
    """The order of `transpose(transpose(x, first), second)`."""
    return tuple(first[axis] for axis in second)


def inverse(order: Order) -> Order:
    """The order that undoes `order`."""
    return tuple(order.index(axis) for axis in range(len(order)))


def restricted(order: Order, axes: Order) -> Order:
    """The order that a value with only `axes` of the frame has, when the frame has `order`."""
    return tuple(axes.index(axis) for axis in order if axis in axes)


def extended(order: Order, axes: Order, rank: int) -> Order:
    """An order of a frame of `rank` axes whose restriction to `axes` is `order`; new axes keep their places."""
    moved_axes = [axes[position] for position in order]
    return tuple(axis if axis not in axes else moved_axes.pop(0) for axis in range(rank))


def moves_nothing(order: Order, shape: Sequence[object]) -> bool:
    """Whether a transpose of a value of that shape only moves axes of size one: it is then a reshape."""
    long = [axis for axis in order if shape[axis] != 1]
    return long == sorted(long)


def only_ones(kept: Order, target: Order, shape: Sequence[object]) -> bool:
    """Whether turning a value from one order into another only moves axes of size one; `shape` is the plain one."""
    if len(kept) != len(target) or len(shape) != len(kept):
        return False
    return moves_nothing(compose(inverse(kept), target), [shape[axis] for axis in kept])


def order_of(node: ir.Node) -> Order | None:
    """The permutation of a Transpose; None where the rank is unknown and none is stated."""
    held = node.attributes.get("perm")
    if held is not None:
        order = tuple(held.as_ints())
        if sorted(order) != list(range(len(order))):
            raise InvalidSource(
                f"Expected a Transpose by each axis once. Received {list(order)}.", place=str(metadata.place(node))
            )
        return order
    source = node.inputs[0]
    return None if source is None or source.shape is None else identity(len(source.shape))[::-1]


def is_transpose(node: ir.Node) -> bool:
    """Whether the node is ONNX's Transpose."""
    return node.op_type == "Transpose" and node.domain == ""
