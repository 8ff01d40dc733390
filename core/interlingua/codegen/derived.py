"""Arguments of a class that follow from others: `4 * features`, `channels // 2`, `self.windows * self.num_heads`."""

from __future__ import annotations

import ast
import dataclasses
import itertools
from collections.abc import Mapping, Sequence

from interlingua.codegen.expressions import operator
from interlingua.codegen.steps import Step
from interlingua.codegen.unify import Hole

_FEW = 2


@dataclasses.dataclass(frozen=True)
class Derived:
    """An argument as a multiple or part of another; `factor` is a number, or the other argument of a product."""

    sign: str
    base: int
    factor: ast.Constant | int

    @property
    def needs(self) -> set[int]:
        """The arguments it is made of."""
        return {self.base, self.factor} if isinstance(self.factor, int) else {self.base}

    def said(self, names: Mapping[int, ast.expr]) -> ast.expr:
        """The expression, by what stands for the other arguments."""
        base = names[self.base]
        if isinstance(self.factor, int):
            return operator("*", base, names[self.factor])
        return operator("*", self.factor, base) if self.sign == "*" else ast.BinOp(base, ast.FloorDiv(), self.factor)


def derived(
    holes: Sequence[Hole],
    whole: Sequence[int],
    widths: set[int],
    sizes: set[int],
    heads: set[int],
    steps: Sequence[Step],
    paddings: Mapping[int, int],
) -> dict[int, Derived]:
    """The arguments that are always the same multiple or part of an earlier one, by their numbers.

    Widths are of widths. `sizes` are read by the forward method alone: a factor must be a number that it states, or, of
    three values at least, another argument; numbers of `heads` are arguments of their own, or such products.
    `paddings` are those of kernels: they may be half of these, rounded down.
    """
    found: dict[int, Derived] = {}
    for index, kernel in paddings.items():
        halves = list(zip(_numbers(holes[index], 0), _numbers(holes[kernel]), strict=False))
        if len({size for _, size in halves}) >= _FEW and all(size % 2 and size // 2 == pad for pad, size in halves):
            found[index] = Derived("//", kernel, ast.Constant(2))
    stated = {node.value for step in steps for tree in step.tree for node in ast.walk(tree)
              if isinstance(node, ast.Constant) and isinstance(node.value, int)}  # fmt: skip
    numbers = {index: _numbers(holes[index]) for index in whole}
    for position, index in enumerate(whole):
        mine = numbers[index]
        if len(set(mine)) < _FEW or index not in widths | sizes:
            continue
        before = [other for other in whole[:position] if other not in found and numbers[other]]
        for other in before:
            theirs = numbers[other]
            if other not in widths | sizes or {index, other} & heads:
                continue
            for sign, large, small in (("*", mine, theirs), ("//", theirs, mine)):
                factor = large[0] // small[0]
                fits = factor > 1 and all(big == factor * little for big, little in zip(large, small, strict=True))
                if fits and (index in widths or factor in stated):
                    found.setdefault(index, Derived(sign, other, ast.Constant(factor)))
        if index in sizes and index not in found and len(set(mine)) > _FEW:
            for one, other in itertools.combinations(before, 2):
                pairs = zip(mine, numbers[one], numbers[other], strict=True)
                if all(left * right == product for product, left, right in pairs):
                    found.setdefault(index, Derived("*", one, other))
    return found


def _numbers(hole: Hole, least: int = 1) -> list[int]:
    """The values, where all are positive whole numbers, or at least as large as the `least`."""
    values = [each.value if isinstance(each, ast.Constant) else None for each in hole.values]
    found = [value for value in values if isinstance(value, int) and not isinstance(value, bool) and value >= least]
    return found if len(found) == len(values) else []
