"""What the masks of attention are: finite, causal, or such that no row is masked whole."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from interlingua.ir.edit import constant, is_initializer
from interlingua.ir.facts import shape_of
from interlingua.passes.raising.reading import Reading, maker, number

LARGEST = 1 << 22
"""Elements up to which a constant mask is looked at."""

NEVER = -1e9
"""Added to a score, at or below this, a number leaves no weight beside a score that is not masked."""

_MOVES = (
    *("Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Identity", "Reshape", "Slice", "Split", "Squeeze"),
    *("Tile", "Transpose", "Unsqueeze"),
)
_SUMS = ("Add", "Sub", "Mul", "Neg", "Where", "Concat", "Min", "Max", "Clip", "Relu")
_HELD = ("Sigmoid", "Tanh", "Sin", "Cos", "Softmax")


def is_finite(value: ir.Value | None, depth: int = 32) -> bool:
    """Whether the value can be shown to hold neither infinities nor NaN, as long as the weights do not.

    Numbers of whole types and Booleans are finite however they come about.
    """
    if value is None or depth == 0:
        return False
    if value.dtype is not None and not value.dtype.is_floating_point():
        return True
    if is_initializer(value):
        array = constant(value, LARGEST)
        return array is None or bool(np.isfinite(array.astype(np.float64)).all())
    node = maker(value, *_MOVES, *_SUMS, *_HELD, "Cast")
    if node is None:
        return False
    if node.op_type in _HELD:
        return True
    if node.op_type in _MOVES or node.op_type == "Cast":
        return is_finite(node.inputs[0], depth - 1)
    return all(is_finite(each, depth - 1) for each in node.inputs if each is not None)


def may_be_lowest(value: ir.Value | None, depth: int = 32) -> bool:
    """Whether the lowest number of its type is among the constants that the value is made of."""
    if value is None or depth == 0:
        return False
    array = constant(value, LARGEST)
    if array is not None:
        dtype = value.dtype
        floating = dtype is not None and dtype.is_floating_point() and array.size
        return bool(floating and array.astype(np.float64).min() <= float(dtype.min))  # type: ignore[union-attr]
    node = maker(value, *_MOVES, *_SUMS, "Cast")
    if node is None:
        return False
    read = node.inputs[:1] if node.op_type in _MOVES or node.op_type == "Cast" else node.inputs
    return any(may_be_lowest(each, depth - 1) for each in read)


def masks_no_row(value: ir.Value | None) -> bool:
    """Whether a constant additive mask leaves something in each row."""
    array = constant(value, LARGEST)
    if array is None or array.dtype.kind != "f" or array.ndim == 0:
        return False
    return bool((np.isfinite(array).any(axis=-1) & ~np.isnan(array).any(axis=-1)).all())


def is_causal(value: ir.Value | None) -> bool:
    """Whether a constant additive mask is zero on and below the diagonal of a square, and masks all above it."""
    shape = shape_of(value)
    if shape is None or len(shape) < 2 or shape[-1] != shape[-2] or any(size != 1 for size in shape[:-2]):
        return False
    array = constant(value, LARGEST)
    if array is None or array.dtype.kind != "f" or shape[-1] == 1:
        return False
    square = array.reshape(array.shape[-2:]).astype(np.float64)
    below = np.tril(np.ones(square.shape, bool))
    return bool((square[below] == 0).all() and never(square[~below], array.dtype).all())


def never(
    numbers: np.ndarray[tuple[int, ...], np.dtype[np.float64]], dtype: np.dtype[np.generic]
) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Where a number, added to a score of that type, leaves it no weight."""
    return numbers <= (float(np.finfo(np.float16).min) if dtype == np.float16 else NEVER)


def is_grown_causal(reading: Reading, value: ir.Value | None) -> bool:
    """Whether the mask is `Trilu(-inf, k=1, upper)` of a square whose size is known when the model runs."""
    node = reading.made(value, "Trilu")
    shape = shape_of(value)
    if node is None or shape is None or len(shape) < 2 or shape[-1] != shape[-2] or shape[-1] is None:
        return False
    if any(size != 1 for size in shape[:-2]) or number(node.inputs[1] if len(node.inputs) > 1 else None) != 1:
        return False
    upper = node.attributes.get("upper")
    if upper is not None and not upper.as_int():
        return False
    filled = reading.made(node.inputs[0], "Expand", "ConstantOfShape")
    if filled is None:
        return False
    if filled.op_type == "Expand":
        held = number(filled.inputs[0])
    else:
        stated = filled.attributes.get("value")
        held = None if stated is None else float(stated.as_tensor().numpy().reshape(-1)[0])
    return held is not None and held <= NEVER
