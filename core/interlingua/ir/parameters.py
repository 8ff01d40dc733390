"""The source's parameters by name: what an expression over them needs to know to be recognised as one of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.origin import Origin, OriginError, Parameter, evaluate, parameters

_KEY = "interlingua.parameters"
_VALUES = "interlingua.parameters.values"


@dataclasses.dataclass(frozen=True)
class Known:
    """A parameter's shape, what the source's state dict has it as (see `metadata.role`), and what it holds."""

    shape: tuple[int, ...]
    role: str = ""
    tensor: ir.TensorProtocol | None = None


def remember(graph: ir.Graph) -> None:
    """Takes down the parameters among a graph's initializers, before any of them is rearranged."""
    found: dict[str, Known] = {}
    for value in graph.initializers.values():
        expression = metadata.origin(value)
        if isinstance(expression, Parameter) and value.const_value is not None:
            shape = tuple(int(size) for size in value.const_value.shape.numpy())
            found[expression.name] = Known(shape, metadata.role(value), value.const_value)
    graph.meta[_KEY] = found


def remembered(graph: ir.Graph) -> Mapping[str, Known]:
    """The parameters that were taken down, by name."""
    held: Mapping[str, Known] = graph.meta.get(_KEY, {})
    return held


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


def same_as(expression: Origin, shape: tuple[int, ...], graph: ir.Graph) -> str | None:
    """The name of the parameter that an expression is, however often taken apart and put together again.

    The expression is evaluated over the numbers of the elements: it is the parameter when they come out in order.
    """
    known = remembered(graph)
    names = parameters(expression)
    if not names or any(name not in known for name in names):
        return None
    arrays, first = {}, 0
    for name in names:
        size = int(np.prod(known[name].shape, dtype=np.int64))
        arrays[name] = np.arange(first, first + size, dtype=np.int64).reshape(known[name].shape)
        first += size
    try:
        found = evaluate(expression, arrays)
    except (OriginError, ValueError, IndexError):  # a constant is part of it, or a cast
        return None
    same = (name for name in names if known[name].shape == shape and np.array_equal(found, arrays[name]))
    return next(same, None)
