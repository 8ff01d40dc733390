"""The words of a framework by which arguments and values of generated classes get their names."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Words:
    """What a framework's layers call their arguments, and the calls that tell what a size is of.

    `inputs` and `outputs` are what layers call the widths that they take and give, `widths` these and other ones;
    `usual` are defaults that a person leaves out; a `padding` may be half of a `kernel`.

    `reshapes` are methods that are given whole shapes, `splits` is one that is given an axis and its parts, `turns` are
    those that are given axes; `attends` is the function of an attention, `weighs` the one of its weights. What an
    attention is given are its `operands`.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    widths: frozenset[str]
    usual: Mapping[str, object]
    kernel: str
    padding: str
    reshapes: frozenset[str]
    splits: str
    turns: tuple[str, ...]
    attends: str
    weighs: str
    operands: tuple[str, ...]
