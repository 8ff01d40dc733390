"""Initializers derived from others without being computed: their values are moved when somebody asks for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import add_initializer
from interlingua.ir.origin import FUNCTIONS, Call, Constant, Origin, shape_after, simplified

Step = tuple[str, tuple[int, ...]]


def moved(graph: ir.Graph, value: ir.Value, steps: Sequence[Step], name: str = "") -> ir.Value:
    """An initializer that holds `value` after `steps`; the same steps of the same value give the same initializer.

    `steps` are functions of `interlingua.ir.origin` with their numbers: `("transpose", (1, 0))`.
    """
    tensor = value.const_value
    assert tensor is not None
    shape = tuple(int(size) for size in tensor.shape.numpy())
    needed: list[Step] = []
    for function, numbers in steps:
        after = shape_after(function, [shape], numbers)
        if (function == "reshape" and after == shape) or (
            function == "transpose" and numbers == tuple(range(len(shape)))
        ):
            continue
        needed.append((function, numbers))
        shape = after
    if not needed:
        return value
    expression: Origin = metadata.origin(value)
    if not isinstance(expression, Constant):
        for function, numbers in needed:
            expression = simplified(Call(function, (expression,), numbers))
    else:
        expression = Constant(
            f"{expression.name}{''.join(f' {function}{list(numbers)}' for function, numbers in needed)}"
        )
    text = str(expression)
    for other in graph.initializers.values():
        held = other.const_value
        if held is None or other.metadata_props.get(metadata.ORIGIN) != text:
            continue
        if held.dtype == tensor.dtype and tuple(held.shape.numpy()) == shape:
            return other
    return add_initializer(graph, name or f"{value.name}_{needed[-1][0]}", lazy(tensor, needed), expression)


def lazy(tensor: ir.TensorProtocol, steps: Sequence[Step]) -> ir.TensorProtocol:
    """The tensor after the steps, which are taken when somebody asks for its values."""
    shape = tuple(int(size) for size in tensor.shape.numpy())
    for function, numbers in steps:
        shape = shape_after(function, [shape], numbers)

    def load() -> ir.TensorProtocol:
        array = tensor.numpy()
        for function, numbers in steps:
            array = FUNCTIONS[function](array, *numbers)
        return ir.tensor(array, dtype=tensor.dtype)

    return ir.LazyTensor(load, tensor.dtype, ir.Shape(shape))


def derived(
    graph: ir.Graph,
    stem: str,
    operands: Sequence[ir.Value],
    expression: Call,
    shape: Sequence[int],
    dtype: ir.DataType,
) -> ir.Value:
    """An initializer that holds `expression` of other initializers, evaluated when somebody asks for it.

    The expression's operands are those of the initializers, in the same order.
    """
    tensors = [value.const_value for value in operands]

    def load() -> ir.TensorProtocol:
        arrays = [tensor.numpy() for tensor in tensors if tensor is not None]
        return ir.tensor(
            np.ascontiguousarray(FUNCTIONS[expression.function](*arrays, *expression.numbers)), dtype=dtype
        )

    return add_initializer(graph, stem, ir.LazyTensor(load, dtype, ir.Shape(shape)), simplified(expression))
