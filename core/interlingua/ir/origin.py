"""What an initializer is, as an expression over the source's parameters: `transpose(conv1/weights, 3, 2, 0, 1)`.

Expressions are immutable trees with a text form. Names, ties, reports and bit-exact checks read them.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]


class OriginError(ValueError):
    """A text that is no expression, or an expression that cannot be evaluated."""


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A parameter of the source, by its own name, which may hold any character."""

    name: str

    def __str__(self) -> str:
        return self.name if _PLAIN.fullmatch(self.name) and not _NUMBER.fullmatch(self.name) else json.dumps(self.name)


@dataclasses.dataclass(frozen=True)
class Constant:
    """A constant array that the source's code states; no trained parameter."""

    name: str

    def __str__(self) -> str:
        return f"constant({Parameter(self.name)})"


@dataclasses.dataclass(frozen=True)
class Call:
    """`function(operands…, numbers…)`; see `FUNCTIONS` for what the numbers mean."""

    function: str
    operands: tuple[Origin, ...]
    numbers: tuple[int | float, ...] = ()

    def __str__(self) -> str:
        return f"{self.function}({', '.join([*map(str, self.operands), *map(repr, self.numbers)])})"


Origin = Parameter | Constant | Call

_PLAIN = re.compile(r"[A-Za-z0-9_./:\-]+")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf|nan)")
_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[A-Za-z0-9_./:+\-]+|[(),])')


def _slice(array: Array, axis: int, start: int, stop: int, step: int = 1) -> Array:
    index: list[slice] = [slice(None)] * array.ndim
    index[axis] = slice(start, stop if stop >= 0 or step > 0 else None, step)
    return array[tuple(index)]


def _binary(function: Callable[..., Array]) -> Callable[..., Array]:
    def run(*terms: Array | int | float) -> Array:
        array = next(term for term in terms if isinstance(term, np.ndarray))
        return function(*(np.asarray(term, dtype=array.dtype) for term in terms))

    return run


def _cast(name: str) -> Callable[[Array], Array]:
    return lambda array: array.astype(np.dtype(name))


CASTS = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")

FUNCTIONS: dict[str, Callable[..., Array]] = {
    "transpose": lambda array, *order: np.transpose(array, order),
    "reshape": lambda array, *shape: np.reshape(array, shape),
    "flip": lambda array, *axes: np.flip(array, axes),
    "slice": _slice,
    "take": lambda array, axis, *indices: np.take(array, indices, axis),
    "broadcast": lambda array, *shape: np.broadcast_to(array, shape),
    "concat": lambda *terms: np.concatenate(terms[:-1], axis=terms[-1]),
    "add": _binary(np.add),
    "subtract": _binary(np.subtract),
    "multiply": _binary(np.multiply),
    "divide": _binary(np.divide),
    "negative": np.negative,
    "sqrt": np.sqrt,
    **{f"to_{name}": _cast(name) for name in CASTS},
}
MOVES = frozenset({"transpose", "reshape", "flip"})
_SHAPING = frozenset({"transpose", "reshape", "broadcast", "slice", "take", "concat"})


def transpose(expression: Origin, *order: int) -> Origin:
    """`transpose(expression, *order)`, simplified."""
    return simplified(Call("transpose", (expression,), tuple(order)))


def reshape(expression: Origin, *shape: int) -> Origin:
    """`reshape(expression, *shape)`, simplified."""
    return simplified(Call("reshape", (expression,), tuple(shape)))


def evaluate(expression: Origin, arrays: Mapping[str, Array]) -> Array:
    """The array that the expression describes, given the source's parameters by name.

    Raises:
        OriginError: a parameter is not among `arrays`.
    """
    if isinstance(expression, Call):
        operands = [evaluate(operand, arrays) for operand in expression.operands]
        return np.asarray(FUNCTIONS[expression.function](*operands, *expression.numbers))
    if expression.name not in arrays:
        raise OriginError(f"no array for the parameter {expression.name!r}")
    return arrays[expression.name]


def parameters(expression: Origin) -> tuple[str, ...]:
    """The source parameters of the expression, each once, in the order they stand."""
    return tuple(dict.fromkeys(leaf.name for leaf in leaves(expression) if isinstance(leaf, Parameter)))


def leaves(expression: Origin) -> Iterator[Parameter | Constant]:
    """The parameters and constants of the expression, as often as they stand in it."""
    if not isinstance(expression, Call):
        yield expression
        return
    for operand in expression.operands:
        yield from leaves(operand)


def functions(expression: Origin) -> frozenset[str]:
    """The functions that an expression calls."""
    if not isinstance(expression, Call):
        return frozenset()
    return frozenset({expression.function}).union(*map(functions, expression.operands))


def shape_after(function: str, shapes: Sequence[tuple[int, ...]], numbers: Sequence[int | float]) -> tuple[int, ...]:
    """The shape of a function's value, from those of its operands."""
    shape = shapes[0]
    whole = tuple(int(number) for number in numbers) if function in _SHAPING else ()
    if function == "transpose":
        return tuple(shape[axis] for axis in whole)
    if function == "reshape":
        rest = math.prod(size for size in whole if size != -1)
        return tuple(math.prod(shape) // rest if size == -1 else size for size in whole)
    if function == "broadcast":
        return whole
    axis = (whole[-1] if function == "concat" else whole[0] if whole else 0) % max(len(shape), 1)
    if function == "slice":
        stop = None if whole[2] < 0 and len(whole) > 3 and whole[3] < 0 else whole[2]
        size = len(range(shape[axis])[slice(whole[1], stop, *whole[3:])])
    elif function == "take":
        size = len(whole) - 1
    elif function == "concat":
        size = sum(each[axis] for each in shapes)
    else:
        return np.broadcast_shapes(*shapes)
    return (*shape[:axis], size, *shape[axis + 1 :])


def is_permutation(expression: Origin) -> bool:
    """Whether the expression only moves the values of one parameter: it is then exact to the bit."""
    while isinstance(expression, Call):
        if expression.function not in MOVES:
            return False
        (expression,) = expression.operands
    return isinstance(expression, Parameter)


def simplified(expression: Origin) -> Origin:
    """The same expression with transposes and reshapes of each other joined and identities left out."""
    if not isinstance(expression, Call):
        return expression
    operands = tuple(simplified(operand) for operand in expression.operands)
    inner = operands[0] if operands else None
    numbers = expression.numbers
    if expression.function == "transpose":
        if isinstance(inner, Call) and inner.function == "transpose":
            numbers = tuple(inner.numbers[int(axis)] for axis in numbers)
            operands = inner.operands
        if numbers == tuple(range(len(numbers))):
            return operands[0]
    elif expression.function == "reshape" and isinstance(inner, Call) and inner.function == "reshape":
        operands = inner.operands
    return Call(expression.function, operands, numbers)


def parse(text: str) -> Origin:
    """The expression that `str` wrote.

    Raises:
        OriginError: the text is no expression.
    """
    tokens, position = [], 0
    stripped = text.rstrip()
    while position < len(stripped):
        match = _TOKEN.match(stripped, position)
        if match is None:
            raise OriginError(f"unexpected {stripped[position]!r} in {text!r}")
        tokens.append(match.group(1))
        position = match.end()
    expression, end = _expression(tokens, 0, text)
    if end != len(tokens):
        raise OriginError(f"unexpected {tokens[end]!r} in {text!r}")
    if isinstance(expression, int | float):
        raise OriginError(f"a number is no origin: {text!r}")
    return expression


def _expression(tokens: list[str], position: int, text: str) -> tuple[Origin | int | float, int]:
    if position >= len(tokens) or tokens[position] in "(),":
        raise OriginError(f"a name or number is missing in {text!r}")
    token, position = tokens[position], position + 1
    if token.startswith('"'):
        try:
            return Parameter(json.loads(token)), position
        except ValueError:
            raise OriginError(f"malformed quotes in {text!r}") from None
    if position < len(tokens) and tokens[position] == "(":
        return _call(token, tokens, position + 1, text)
    if _NUMBER.fullmatch(token):
        return (int(token) if re.fullmatch(r"[+-]?\d+", token) else float(token)), position
    return Parameter(token), position


def _call(function: str, tokens: list[str], position: int, text: str) -> tuple[Origin, int]:
    if function not in FUNCTIONS and function != "constant":
        raise OriginError(f"the function {function!r} is unknown in {text!r}")
    operands: list[Origin] = []
    numbers: list[int | float] = []
    while True:
        term, position = _expression(tokens, position, text)
        if isinstance(term, int | float):
            numbers.append(term)
        elif numbers:
            raise OriginError(f"a name after a number in {text!r}")
        else:
            operands.append(term)
        if position >= len(tokens) or tokens[position] not in ",)":
            raise OriginError(f"a bracket is not closed in {text!r}")
        position += 1
        if tokens[position - 1] == ")":
            break
    if not operands:
        raise OriginError(f"{function} of nothing in {text!r}")
    if function != "constant":
        return Call(function, tuple(operands), tuple(numbers)), position
    if len(operands) != 1 or numbers or not isinstance(operands[0], Parameter):
        raise OriginError(f"constant takes one name in {text!r}")
    return Constant(operands[0].name), position
