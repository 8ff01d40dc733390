"""Stacks of samples, and what is known of them while a batch is shown to be free."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import onnx_ir as ir

from interlingua.ir.facts import known, shape_of


@dataclasses.dataclass(frozen=True)
class Stack:
    """Where the samples of a value are stacked: along `axis`, outside of which `outer` of its entries stand.

    `[4, N * 3]` made of `[4, N, 3]` is stacked along axis 1 with nothing outside; of `[2, N]` joined, with 2 outside.
    """

    axis: int
    outer: int = 1


class NotFree(Exception):
    """The batch cannot be shown to be free; says where."""


Edit = Callable[[], None]


@dataclasses.dataclass
class Induction:
    """What is known so far: where values are stacked, and how the graph must change for it."""

    model: ir.Model
    stacks: dict[ir.Value, Stack]
    edits: list[Edit]
    moving: bool = False
    """Whether a Reshape to something with an axis of 1 brings the batch there, though the elements would not."""

    def of(self, value: ir.Value | None) -> Stack | None:
        """Where the samples of the value are stacked; None for what is the same for all."""
        return None if value is None else self.stacks.get(value)

    def shape(self, value: ir.Value | None) -> list[int]:
        """The sizes of the value for one sample.

        Raises:
            NotFree: they are not known.
        """
        shape = known(shape_of(value))
        if shape is None:
            raise NotFree(f"the shape of {value.name if value else 'a value'} is not known")
        return shape


Found = Stack | tuple[Stack | None, ...] | None
"""Where all outputs of a node are stacked, or each of them; None where the node mixes samples, or may."""


Rule = Callable[[Induction, ir.Node], Found]


def alone(proof: Induction, node: ir.Node) -> Stack | None:
    """The stack of the first input, where no other input has one."""
    if any(proof.of(value) for value in node.inputs[1:]):
        return None
    return proof.of(node.inputs[0])


def integer(node: ir.Node, name: str, default: int) -> int:
    """A whole number among the node's attributes."""
    held = node.attributes.get(name)
    return default if held is None else held.as_int()
