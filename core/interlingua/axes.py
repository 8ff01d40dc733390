"""Axis orders as text: "O I *" is ONNX's convolution weight, "* I O" is Keras' (`*` stands for the spatial axes).

A group in parentheses is one axis that holds several: "(I M) 1 *" is ONNX's depthwise weight, "* I M" Keras'.
Turning one order into another is a reshape, a transpose and a reshape, each left out where it does nothing.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence

_TOKEN = re.compile(r"\([^)]*\)|\S+")


def parse(order: str, rank: int) -> list[tuple[str, ...]]:
    """The axes of `order`, each a tuple of the names it holds; `*` becomes S0, S1, … for `rank` spatial axes.

    The axis "1" holds nothing.
    """
    axes: list[tuple[str, ...]] = []
    for token in _TOKEN.findall(order):
        if token == "*":
            axes.extend((f"S{i}",) for i in range(rank))
        elif token == "1":
            axes.append(())
        else:
            axes.append(tuple(token.strip("()").split()))
    return axes


@dataclasses.dataclass(frozen=True)
class Rearrangement:
    """How an array goes from one axis order to another: None where a step does nothing."""

    split: tuple[int, ...] | None
    permutation: tuple[int, ...] | None
    merge: tuple[int, ...] | None

    @property
    def identity(self) -> bool:
        """Whether it changes nothing."""
        return self.split is None and self.permutation is None and self.merge is None


def sizes(order: str, shape: Sequence[int], known: Mapping[str, int] | None = None) -> dict[str, int]:
    """The size of each named axis of an array in `order`; one unknown name in a group is worked out.

    Raises:
        ValueError: the shape does not fit the order.
    """
    rank = len(shape) - len([t for t in _TOKEN.findall(order) if t != "*"])
    axes = parse(order, rank)
    if len(axes) != len(shape):
        raise ValueError(f"axes {order!r} do not fit the shape {tuple(shape)}")
    found = dict(known or {})
    for axis, size in zip(axes, shape, strict=True):
        unknown = [name for name in axis if name not in found]
        rest = math.prod(found[name] for name in axis if name in found)
        if len(unknown) > 1 or rest == 0 or size % rest:
            raise ValueError(f"axes {order!r} do not fit the shape {tuple(shape)}")
        if unknown:
            found[unknown[0]] = size // rest
        elif rest != size:
            raise ValueError(f"axes {order!r} do not fit the shape {tuple(shape)}")
    return found


def rearrange(source: str, target: str, shape: Sequence[int], known: Mapping[str, int] | None = None) -> Rearrangement:
    """How an array of `shape` in the order `source` becomes one in the order `target`.

    `known` gives sizes that the shape alone does not tell (of names inside a group).

    Raises:
        ValueError: the shape does not fit, or the two orders do not hold the same names.
    """
    rank = len(shape) - len([t for t in _TOKEN.findall(source) if t != "*"])
    size = sizes(source, shape, known)
    before = [name for axis in parse(source, rank) for name in axis]
    after_axes = parse(target, rank)
    after = [name for axis in after_axes for name in axis]
    if sorted(before) != sorted(after):
        raise ValueError(f"axes {source!r} and {target!r} hold different names")
    split = tuple(size[name] for name in before)
    permutation = tuple(before.index(name) for name in after)
    permuted = tuple(size[name] for name in after)
    merged = tuple(math.prod(size[name] for name in axis) for axis in after_axes)
    return Rearrangement(
        split if split != tuple(shape) else None,
        permutation if permutation != tuple(range(len(permutation))) else None,
        merged if merged != permuted else None,
    )


def permutation(source: str, target: str, rank: int) -> tuple[int, ...]:
    """The transpose that brings data of order `source` into the order `target`, for `rank` spatial axes.

    Raises:
        ValueError: the two orders do not hold the same axes.
    """
    before, after = parse(source, rank), parse(target, rank)
    if sorted(before) != sorted(after):
        raise ValueError(f"axes {source!r} and {target!r} hold different names")
    return tuple(before.index(axis) for axis in after)
