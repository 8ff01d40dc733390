"""Dimensions as expressions over named ones: `2*N`, `H // 2 + 1`.

An expression is a polynomial over atoms: names of symbolic dimensions, and quotients, remainders, extremes of
expressions. The normal form makes equality decidable wherever no quotient stands in the way.
"""

from __future__ import annotations

import ast
import dataclasses
import json
from collections.abc import Callable, Mapping

import onnx_ir as ir

FLOOR, REMAINDER, MAXIMUM, MINIMUM = "//", "%", "max", "min"


class DimensionError(ValueError):
    """A text that is no dimension expression, or one that cannot be evaluated."""


@dataclasses.dataclass(frozen=True, order=True)
class Symbol:
    """A named dimension."""

    name: str


@dataclasses.dataclass(frozen=True)
class Operation:
    """`left // right`, `left % right`, `max(left, right)` or `min(left, right)`."""

    operator: str
    left: Dimension
    right: Dimension


Atom = Symbol | Operation
Monomial = tuple[Atom, ...]


@dataclasses.dataclass(frozen=True)
class Dimension:
    """A sum of products: each monomial, a sorted tuple of atoms, with its coefficient."""

    terms: tuple[tuple[Monomial, int], ...]

    def __add__(self, other: Dimension | int) -> Dimension:
        return _sum([*self.terms, *dimension(other).terms])

    def __sub__(self, other: Dimension | int) -> Dimension:
        return self + dimension(other) * -1

    def __mul__(self, other: Dimension | int) -> Dimension:
        return _sum(
            [
                (tuple(sorted((*left, *right), key=_key)), first * second)
                for left, first in self.terms
                for right, second in dimension(other).terms
            ]
        )

    def __floordiv__(self, other: Dimension | int) -> Dimension:
        divisor = dimension(other)
        if divisor.number is not None and divisor.number != 0:
            if all(coefficient % divisor.number == 0 for _, coefficient in self.terms):
                return _sum([(monomial, coefficient // divisor.number) for monomial, coefficient in self.terms])
            if self.number is not None:
                return dimension(self.number // divisor.number)
        if self == divisor:
            return dimension(1)
        whole = _without(self, divisor)
        return whole if whole is not None else _atom(Operation(FLOOR, self, divisor))

    def __mod__(self, other: Dimension | int) -> Dimension:
        divisor = dimension(other)
        if self.number is not None and divisor.number:
            return dimension(self.number % divisor.number)
        return _atom(Operation(REMAINDER, self, divisor))

    def extreme(self, other: Dimension | int, operator: str) -> Dimension:
        """The larger (`MAXIMUM`) or smaller (`MINIMUM`) of the two."""
        right = dimension(other)
        if self == right:
            return self
        if self.number is not None and right.number is not None:
            return dimension((max if operator == MAXIMUM else min)(self.number, right.number))
        return _atom(Operation(operator, self, right))

    @property
    def number(self) -> int | None:
        """The value where no named dimension stands in it."""
        if not self.terms:
            return 0
        (monomial, coefficient), *rest = self.terms
        return coefficient if not monomial and not rest else None

    @property
    def is_size(self) -> bool:
        """Whether it is sure not to be negative, as named dimensions are not."""
        return all(coefficient > 0 and all(map(_is_size, monomial)) for monomial, coefficient in self.terms)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The names in it, each once, in the order they are printed."""
        found: dict[str, None] = {}
        self.text(lambda name: found.setdefault(name) or name)
        return tuple(found)

    def evaluate(self, sizes: Mapping[str, int]) -> int:
        """The value, given the named sizes.

        Raises:
            DimensionError: a name is missing.
        """
        total = 0
        for monomial, coefficient in self.terms:
            product = coefficient
            for atom in monomial:
                product *= _evaluate(atom, sizes)
            total += product
        return total

    def text(self, spell: Callable[[str], str]) -> str:
        """The expression in Python's notation, each name spelled by `spell`: `x.shape[0] // 2 + 1`."""
        printed = ""
        for monomial, coefficient in sorted(self.terms, key=lambda term: not term[0]):
            factors = [_spelled(atom, spell, len(monomial) > 1 or coefficient != 1) for atom in monomial]
            if abs(coefficient) != 1 or not factors:
                factors.insert(0, str(abs(coefficient)))
            sign = "-" if coefficient < 0 else "+"
            joined = " * ".join(factors)
            printed = f"{printed} {sign} {joined}" if printed else (f"-{joined}" if sign == "-" else joined)
        return printed or "0"

    def __str__(self) -> str:
        return self.text(lambda name: name if name.isidentifier() else f"dimension({json.dumps(name)})")


def _is_size(atom: Atom) -> bool:
    if isinstance(atom, Symbol):
        return True
    sides = (atom.left.is_size, atom.right.is_size)
    return any(sides) if atom.operator == MAXIMUM else all(sides)


def _key(atom: Atom) -> str:
    return atom.name if isinstance(atom, Symbol) else str(_atom(atom))


def _spelled(atom: Atom, spell: Callable[[str], str], bracketed: bool) -> str:
    if isinstance(atom, Symbol):
        return spell(atom.name)
    left, right = atom.left.text(spell), atom.right.text(spell)
    if atom.operator in (MAXIMUM, MINIMUM):
        return f"{atom.operator}({left}, {right})"
    left, right = (_bracketed(text, side) for text, side in ((left, atom.left), (right, atom.right)))
    both = f"{left} {atom.operator} {right}"
    return f"({both})" if bracketed else both


def _bracketed(text: str, side: Dimension) -> str:
    return f"({text})" if len(side.terms) > 1 or text.startswith("-") or " " in text else text


def _sum(terms: list[tuple[Monomial, int]]) -> Dimension:
    total: dict[Monomial, int] = {}
    for monomial, coefficient in terms:
        total[monomial] = total.get(monomial, 0) + coefficient
    kept = [(monomial, coefficient) for monomial, coefficient in total.items() if coefficient]
    return Dimension(tuple(sorted(kept, key=lambda term: [_key(atom) for atom in term[0]])))


def _atom(atom: Atom) -> Dimension:
    return Dimension((((atom,), 1),))


def _without(product: Dimension, divisor: Dimension) -> Dimension | None:
    """The quotient where one monomial divides every other exactly."""
    if len(divisor.terms) != 1:
        return None
    (wanted, by), *_ = divisor.terms
    found = []
    for monomial, coefficient in product.terms:
        rest = list(monomial)
        for atom in wanted:
            if atom not in rest:
                return None
            rest.remove(atom)
        if by == 0 or coefficient % by:
            return None
        found.append((tuple(rest), coefficient // by))
    return _sum(found)


def _evaluate(atom: Atom, sizes: Mapping[str, int]) -> int:
    if isinstance(atom, Symbol):
        if atom.name not in sizes:
            raise DimensionError(f"no size for the dimension {atom.name!r}")
        return sizes[atom.name]
    left, right = atom.left.evaluate(sizes), atom.right.evaluate(sizes)
    if atom.operator == FLOOR:
        return left // right
    if atom.operator == REMAINDER:
        return left % right
    return max(left, right) if atom.operator == MAXIMUM else min(left, right)


def dimension(value: Dimension | int | str) -> Dimension:
    """A dimension from a number, the name of a symbolic one, or itself."""
    if isinstance(value, Dimension):
        return value
    if isinstance(value, str):
        return _atom(Symbol(value))
    return Dimension((((), int(value)),)) if value else Dimension(())


def of_shape(size: int | ir.SymbolicDim) -> Dimension | None:
    """The dimension that a shape of the IR states; None where it is unknown."""
    if isinstance(size, int):
        return dimension(size)
    if size.value is None:
        return None
    try:
        return parse(size.value)
    except DimensionError:
        return dimension(size.value)


def to_shape(value: Dimension | None) -> int | ir.SymbolicDim:
    """The dimension as a shape of the IR holds it."""
    if value is None:
        return ir.SymbolicDim(None)
    return value.number if value.number is not None else ir.SymbolicDim(str(value))


def parse(text: str) -> Dimension:
    """The expression that `str` wrote.

    Raises:
        DimensionError: the text is no dimension expression.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError) as error:
        raise DimensionError(f"{text!r} is no dimension expression") from error
    return _parsed(tree.body, text)


def _parsed(tree: ast.expr, text: str) -> Dimension:
    if isinstance(tree, ast.Constant) and type(tree.value) is int:
        return dimension(tree.value)
    if isinstance(tree, ast.Name):
        return dimension(tree.id)
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        return _parsed(tree.operand, text) * -1
    if isinstance(tree, ast.BinOp):
        left, right = _parsed(tree.left, text), _parsed(tree.right, text)
        for kind, operate in _BINARY.items():
            if isinstance(tree.op, kind):
                return operate(left, right)
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and not tree.keywords:
        if tree.func.id in (MAXIMUM, MINIMUM) and len(tree.args) == 2:
            return _parsed(tree.args[0], text).extreme(_parsed(tree.args[1], text), tree.func.id)
        named = tree.args[0] if len(tree.args) == 1 else None
        if tree.func.id == "dimension" and isinstance(named, ast.Constant) and isinstance(named.value, str):
            return dimension(named.value)
    raise DimensionError(f"{text!r} is no dimension expression")


_BINARY: dict[type[ast.operator], Callable[[Dimension, Dimension], Dimension]] = {
    ast.Add: Dimension.__add__,
    ast.Sub: Dimension.__sub__,
    ast.Mult: Dimension.__mul__,
    ast.FloorDiv: Dimension.__floordiv__,
    ast.Mod: Dimension.__mod__,
}
