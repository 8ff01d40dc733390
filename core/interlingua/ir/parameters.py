"""The source's parameters by name: what an expression over them needs to know to be recognised as one of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.origin import Array, Call, Constant, Origin, OriginError, Parameter, evaluate, leaves, parameters
from interlingua.ir.weights import lazy

_KEY = "interlingua.parameters"
_VALUES = "interlingua.parameters.values"
_CONSTANT = -(1 << 40)
"""The number of every element of a constant, far from those of parameters with something added."""
_WITHOUT_GRADIENT = {
    "BatchNormalization": (3, 4),
    "NegativeLogLikelihoodLoss": (2,),
    "SoftmaxCrossEntropyLoss": (2,),
}
"""Operators' inputs that nothing may ask a gradient of: running means and variances, weights of classes."""


@dataclasses.dataclass(frozen=True)
class Known:
    """A parameter's shape, what the source's state dict has it as (see `metadata.role`), and what it holds."""

    shape: tuple[int, ...]
    role: str = ""
    tensor: ir.TensorProtocol | None = None


def is_trained(value: ir.Value) -> bool:
    """Whether an initializer is a parameter of the source that training would move by its gradient."""
    floating = value.dtype is not None and value.dtype.is_floating_point()
    fixed = any(use.idx in _WITHOUT_GRADIENT.get(use.node.op_type, ()) for use in value.uses())
    return floating and not fixed and not isinstance(metadata.origin(value), Constant)


def remember(graph: ir.Graph) -> None:
    """Takes down the parameters among a graph's initializers, before any of them is rearranged.

    One that the graph holds transposed alone is taken down as the source has it.
    """
    found: dict[str, Known] = {}
    for value in graph.initializers.values():
        expression, tensor = metadata.origin(value), value.const_value
        if isinstance(expression, Call) and expression.function == "transpose" and tensor is not None:
            back = tuple(int(axis) for axis in np.argsort(expression.numbers))
            expression, tensor = expression.operands[0], lazy(tensor, [("transpose", back)])
        if isinstance(expression, Parameter) and tensor is not None and expression.name not in found:
            shape = tuple(int(size) for size in tensor.shape.numpy())
            found[expression.name] = Known(shape, metadata.role(value), tensor)
    graph.meta[_KEY] = found


def remembered(graph: ir.Graph) -> Mapping[str, Known]:
    """The parameters that were taken down, by name."""
    held: Mapping[str, Known] = graph.meta.get(_KEY, {})
    return held


def is_of_state(origin: Origin, graph: ir.Graph) -> bool:
    """Whether nothing but parameters that the source's state dict has is in an expression."""
    known = remembered(graph)
    return all(
        isinstance(leaf, Parameter) and leaf.name in known and known[leaf.name].role != "" for leaf in leaves(origin)
    )


def held(graph: ir.Graph) -> Mapping[str, frozenset[str]]:
    """By path of a module: the names, below it, of what the model reads of the source's state."""
    found: dict[str, set[str]] = {}
    for value in graph.initializers.values():
        for leaf in leaves(metadata.origin(value)):
            if metadata.is_state(value) or is_of_state(leaf, graph):
                parts = leaf.name.split(".")
                for end in range(len(parts)):
                    found.setdefault(".".join(parts[:end]), set()).add(".".join(parts[end:]))
    return {path: frozenset(names) for path, names in found.items()}


def value_of(name: str, graph: ir.Graph) -> ir.Value:
    """The initializer that holds a remembered parameter as the source has it, also where only moved forms are left.

    It is the same object each time, so that a program that reads the parameter in several forms owns it once.
    """
    held: dict[str, ir.Value] = graph.meta.setdefault(_VALUES, {})
    if name not in held:
        known = remembered(graph)[name]
        tensor = known.tensor
        assert tensor is not None
        whole = (value for value in graph.initializers.values() if metadata.origin(value) == Parameter(name))
        value = next(whole, None)
        if value is None:
            shape, kind = ir.Shape(known.shape), ir.TensorType(tensor.dtype)
            value = ir.Value(name=name, shape=shape, type=kind, const_value=tensor)
            metadata.set_role(metadata.set_origin(value, name), known.role)
        held[name] = value
    return held[name]


def add_constant(graph: ir.Graph, name: str, shape: tuple[int, ...]) -> None:
    """Takes down a constant that stands for what the source does not have."""
    graph.meta.setdefault(_KEY, {})[name] = Known(shape)


def same_as(expression: Origin, shape: tuple[int, ...], graph: ir.Graph) -> str | None:
    """The name of the parameter that an expression is, however often taken apart and put together again.

    The expression is evaluated over the numbers of the elements: it is the parameter when they come out in order.
    """
    arrays = _numbered(expression, graph)
    found = None if arrays is None else _evaluated(expression, arrays)
    if arrays is None or found is None:
        return None
    known = remembered(graph)
    names = parameters(expression)
    same = (name for name in names if known[name].shape == shape and np.array_equal(found, arrays[name]))
    return next(same, None)


def rows_of(expression: Origin, graph: ir.Graph) -> tuple[str, int, int] | None:
    """The parameter of which an expression is some successive rows, the first of them and the one behind the last.

    A row is what stands at one index of the parameter's first axis.
    """
    names = parameters(expression)
    arrays = _numbered(expression, graph) if len(names) == 1 else None
    found = None if arrays is None else _evaluated(expression, arrays)
    if arrays is None or found is None or not found.ndim or not found.size:
        return None
    whole = arrays[names[0]]
    if found.shape[1:] != whole.shape[1:] or not whole.ndim:
        return None
    start = int(found.reshape(-1)[0]) * len(whole) // whole.size
    return (names[0], start, start + len(found)) if np.array_equal(found, whole[start : start + len(found)]) else None


def is_absent(expression: Origin, graph: ir.Graph) -> bool:
    """Whether all elements of an expression over parameters are known to be of constants."""
    arrays = _numbered(expression, graph)
    found = None if arrays is None else _evaluated(expression, arrays)
    return found is not None and bool((found == _CONSTANT).all())


def _numbered(expression: Origin, graph: ir.Graph) -> dict[str, Array] | None:
    """An array of numbers for each parameter, of `_CONSTANT` for each constant; None where a shape is not known."""
    known = remembered(graph)
    arrays: dict[str, Array] = {}
    first = 0
    for leaf in leaves(expression):
        if leaf.name not in known:
            return None
        size = int(np.prod(known[leaf.name].shape, dtype=np.int64))
        if isinstance(leaf, Parameter):
            numbers = np.arange(first, first + size, dtype=np.int64)
            first += 0 if leaf.name in arrays else size
        else:
            numbers = np.full(size, _CONSTANT, np.int64)
        arrays.setdefault(leaf.name, numbers.reshape(known[leaf.name].shape))
    return arrays


def _evaluated(expression: Origin, arrays: Mapping[str, Array]) -> Array | None:
    try:
        return evaluate(expression, arrays)
    except (OriginError, ValueError, IndexError):  # a cast, or a number out of its bounds
        return None
