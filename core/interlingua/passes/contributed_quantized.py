"""onnxruntime's operators on quantized tensors: what they compute on the numbers meant, quantized again.

Sums and means are the same but where a number lies in the middle of two, to float rounding; `QLinearSoftmax`, which
takes its exponentials from a table, is for the scale that quantizers give it, 1/256.
"""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from interlingua.passes.contributed_made import Made, Outputs

_SINCE = 13
"""From this opset on Softmax is along one axis."""
ROUNDED = frozenset({"QGemm", "QLinearAdd", "QLinearAveragePool", "QLinearGlobalAveragePool", "QLinearSoftmax"})
"""Those whose whole numbers may be the next ones."""


def _meant(made: Made, start: int, axis: int | None = None) -> ir.Value | None:
    """The numbers that a quantized input stands for; its scale and zero point, one or one along the axis, follow it."""
    scale = made.input(start + 1)
    if scale is None:
        return None
    value = made.op("DequantizeLinear", made.input(start), scale, made.input(start + 2), axis=axis)
    value.type = scale.type
    return value


def _quantized(made: Made, value: ir.Value, start: int) -> Outputs | None:
    """The value by the scale and zero point that stand there; None without a zero point, which tells the type."""
    scale, point = made.input(start), made.input(start + 1)
    if scale is None or point is None:
        return None
    result = made.op("QuantizeLinear", value, scale, point)
    result.type = point.type
    return [result]


def _of_two(op: str) -> Callable[[Made], Outputs | None]:
    def rule(made: Made) -> Outputs | None:
        left, right = _meant(made, 0), _meant(made, 3)
        if left is None or right is None:
            return None
        return _quantized(made, made.op(op, left, right), 6)

    return rule


def _of_one(op: str, *attributes: str) -> Callable[[Made], Outputs | None]:
    def rule(made: Made) -> Outputs | None:
        value = _meant(made, 0)
        if value is None:
            return None
        said = {name: made.attribute(name, None) for name in attributes}
        return _quantized(made, made.op(op, value, **said), 3)

    return rule


def _softmax(made: Made) -> Outputs | None:
    """`QLinearSoftmax` of the standard's newer meaning; before, it flattened what came first."""
    return _of_one("Softmax", "axis")(made) if made.attribute("opset", _SINCE) >= _SINCE else None


def _pool(made: Made) -> Outputs | None:
    if made.attribute("channels_last", 0):
        return None
    names = ("auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides")
    return _of_one("AveragePool", *names)(made)


def _global_pool(made: Made) -> Outputs | None:
    return None if made.attribute("channels_last", 0) else _of_one("GlobalAveragePool")(made)


def _concat(made: Made) -> Outputs | None:
    """`QLinearConcat(y_scale, y_zero_point, x, x_scale, x_zero_point, …, axis)`."""
    values = [_meant(made, start) for start in range(2, len(made.node.inputs), 3)]
    if any(value is None for value in values):
        return None
    return _quantized(made, made.op("Concat", *values, axis=made.attribute("axis", 0)), 0)


def _gemm(made: Made) -> Outputs | None:
    """`QGemm(A, B, C)`, whose C is by the product of the scales of A and B; a float without a scale of its own."""
    turned = made.attribute("transB", 0)
    a, b = _meant(made, 0), _meant(made, 3, axis=0 if turned else 1)
    first, second, bias = made.input(1), made.input(4), made.input(6)
    if a is None or b is None or first is None or second is None or made.attribute("alpha", 1.0) != 1:
        return None
    if bias is not None:
        bias = made.op("DequantizeLinear", bias, made.op("Mul", first, second), axis=0)
        bias.type = first.type
    result = made.op("Gemm", a, b, bias, transA=made.attribute("transA", None), transB=made.attribute("transB", None))
    return [result] if made.input(7) is None else _quantized(made, result, 7)


def _same(made: Made) -> Outputs | None:
    """`QuantizeLinear` and `DequantizeLinear` of types that the standard's lacked once."""
    inputs = [made.input(index) for index in range(3)]
    scale, point = inputs[1], inputs[2]
    quantizes = made.node.op_type == "QuantizeLinear"
    if scale is None or (quantizes and point is None):
        return None
    result = made.op(made.node.op_type, *inputs, axis=made.attribute("axis", None))
    result.type = point.type if quantizes and point is not None else scale.type
    return [result]


QUANTIZED: dict[str, Callable[[Made], Outputs | None]] = {
    "DequantizeLinear": _same,
    "QGemm": _gemm,
    "QLinearAdd": _of_two("Add"),
    "QLinearAveragePool": _pool,
    "QLinearConcat": _concat,
    "QLinearGlobalAveragePool": _global_pool,
    "QLinearLeakyRelu": _of_one("LeakyRelu", "alpha"),
    "QLinearMul": _of_two("Mul"),
    "QLinearSigmoid": _of_one("Sigmoid"),
    "QLinearSoftmax": _softmax,
    "QuantizeLinear": _same,
}
