"""onnxruntime's products: fused with turns, numbers and activations, and of whole numbers with scales."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ml_dtypes
import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from interlingua.ir.edit import constant
from interlingua.ir.facts import shape_of
from interlingua.passes.contributed_made import Made, Outputs

_ANY_SIZE = 1 << 62


def _turned(made: Made, value: ir.Value | None, turn: bool, outward: bool) -> ir.Value | None:
    """The value with its last two axes exchanged, after the first axis has moved behind those of the batch."""
    shape = shape_of(value)
    if not (turn or outward) or value is None:
        return value
    if shape is None or len(shape) < 2:
        return None
    axes = list(range(len(shape)))
    order = [*axes[1:-1], axes[0], axes[-1]] if outward else axes
    order = [*order[:-2], order[-1], order[-2]] if turn else order
    return value if order == axes else made.op("Transpose", value, perm=order)


def _fused(made: Made) -> Outputs | None:
    """`FusedMatMul(A, B, alpha, transA, transB, transBatchA, transBatchB)` → `alpha * (A' @ B')`."""
    sides = [
        _turned(
            made,
            made.input(index),
            bool(made.attribute(f"trans{name}", 0)),
            bool(made.attribute(f"transBatch{name}", 0)),
        )
        for index, name in enumerate("AB")
    ]
    if any(side is None for side in sides):
        return None
    result = made.op("MatMul", *sides)
    alpha = made.attribute("alpha", 1.0)
    return [result if alpha == 1 else made.op("Mul", result, made.number(alpha))]


def _gemm(made: Made) -> Outputs | None:
    """`FusedGemm(A, B, C, activation)` → `activation(Gemm(A, B, C))`."""
    kept = {name: made.attribute(name, None) for name in ("alpha", "beta", "transA", "transB")}
    result = made.op("Gemm", *(made.input(index) for index in range(3)), **kept)
    names = ("activation_alpha", "activation_beta", "activation_gamma")
    parameters = [float(made.attribute(name, 0)) for name in names if name in made.node.attributes]
    activated = activated_by(made, result, made.attribute("activation", ""), parameters)
    return None if activated is None else [activated]


def activated_by(made: Made, value: ir.Value, name: str, parameters: Sequence[float]) -> ir.Value | None:
    """The value behind the activation of that name; None where nobody knows it."""
    if name in ("Relu", "Sigmoid", "Tanh"):
        return made.op(name, value)
    if name == "LeakyRelu" and len(parameters) == 1:
        return made.op(name, value, alpha=float(parameters[0]))
    if name == "HardSigmoid" and len(parameters) == 2:
        return made.op(name, value, alpha=float(parameters[0]), beta=float(parameters[1]))
    if name == "Clip" and len(parameters) == 2:
        return made.op(name, value, made.number(parameters[0]), made.number(parameters[1]))
    return value if not name else None


def _gelu_of_product(made: Made) -> Outputs | None:
    """`GemmFastGelu(X, W, b)` → `Gelu(X @ W + b, approximate="tanh")`."""
    total = made.plus(made.op("MatMul", made.input(0), made.input(1)), made.input(2))
    return [made.op("Gelu", total, approximate="tanh")]


def _whole(made: Made) -> Outputs | None:
    """`MatMulIntegerToFloat(A, B, sA, sB, zA, zB, b)` → `(A - zA) @ (B - zB) * (sA * sB) + b`."""
    a, b, scale, other = (made.input(index) for index in range(4))
    if a is None or b is None or scale is None or other is None:
        return None
    result = _by_scales(made, a, b, made.input(4), made.input(5), made.op("Mul", scale, other))
    return [made.plus(result, made.input(6))]


def _dynamic(made: Made) -> Outputs | None:
    """`DynamicQuantizeMatMul(A, B, sB, zB, b)` → the same of `DynamicQuantizeLinear(A)`."""
    a, b, other = made.input(0), made.input(1), made.input(2)
    if a is None or b is None or other is None:
        return None
    whole, scale, point = made.several("DynamicQuantizeLinear", 3, a)
    whole.type = point.type = ir.TensorType(ir.DataType.UINT8)
    result = _by_scales(made, whole, b, point, made.input(3), made.op("Mul", scale, other))
    return [made.plus(result, made.input(4))]


def _by_scales(
    made: Made, a: ir.Value, b: ir.Value, point: ir.Value | None, other: ir.Value | None, scale: ir.Value
) -> ir.Value:
    product = made.op("MatMulInteger", a, b, point, other)
    product.type = ir.TensorType(ir.DataType.INT32)
    return made.op("Mul", made.cast(product, scale), scale)


def _in_blocks(made: Made) -> Outputs | None:
    """`MatMulNBits(A, B, scales, zero_points, bias)` → `A @ DequantizeLinear(B', scales, zero_points')' + bias`.

    Numbers of two and four bits stand in bytes, the lowest first; without zero points they are around their middle.
    """
    bits, block = int(made.attribute("bits", 4)), int(made.attribute("block_size", 0))
    width, rows = int(made.attribute("K", 0)), int(made.attribute("N", 0))
    packed, scales = constant(made.input(1), _ANY_SIZE), made.input(2)
    points = constant(made.input(3), _ANY_SIZE)
    if bits not in (2, 4, 8) or packed is None or scales is None or made.input(4) is not None:
        return None
    if made.input(3) is not None and (points is None or points.dtype != np.uint8):
        return None  # zero points that are no whole numbers
    blocks = -(-width // block)
    kind = ir.DataType.UINT8 if bits == 8 else ir.DataType.UINT4
    numbers = _unpacked(packed.reshape(rows, -1), bits)[:, :width]
    if points is None:
        zeros = np.full((rows, blocks), 1 << (bits - 1), np.uint8)
    else:
        zeros = _unpacked(points.reshape(rows, -1), bits)[:, :blocks]
    element = np.uint8 if bits == 8 else ml_dtypes.uint4
    shape = made.number([rows, blocks], ir.DataType.INT64)
    weight = made.op(
        "DequantizeLinear",
        made.number(numbers.astype(element), kind),
        made.op("Reshape", scales, shape),
        made.number(zeros.astype(element), kind),
        axis=1,
        block_size=block,
    )
    weight.type = scales.type
    product = made.op("MatMul", made.input(0), made.op("Transpose", weight, perm=[1, 0]))
    return [made.plus(product, made.input(5))]


def _unpacked(array: NDArray[np.generic], bits: int) -> NDArray[np.uint8]:
    """The numbers of so many bits in each row of bytes."""
    parts = np.stack([array.astype(np.uint8) >> shift & (1 << bits) - 1 for shift in range(0, 8, bits)], -1)
    return parts.reshape(len(array), -1)


PRODUCTS: dict[str, Callable[[Made], Outputs | None]] = {
    "DynamicQuantizeMatMul": _dynamic,
    "FusedGemm": _gemm,
    "FusedMatMul": _fused,
    "GemmFastGelu": _gelu_of_product,
    "MatMulIntegerToFloat": _whole,
    "MatMulNBits": _in_blocks,
    "TransposeMatMul": _fused,
}
"""What rules for onnxruntime's products make."""
