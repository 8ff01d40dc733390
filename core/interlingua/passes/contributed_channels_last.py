"""onnxruntime's operators for diffusion models, which have the channels last."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from interlingua.ir.facts import known, shape_of
from interlingua.passes.contributed_made import Made, Outputs

_FIRST, _LAST = [0, 3, 1, 2], [0, 2, 3, 1]


def _convolution(made: Made) -> Outputs | None:
    """`NhwcConv(X, W, b)` → `Conv` between transposes; the weight has its channels last too."""
    names = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
    kept = {name: made.attribute(name, None) for name in names}
    x, weight = (made.op("Transpose", made.input(index), perm=_FIRST) for index in (0, 1))
    result = made.op("Conv", x, weight, made.input(2), **kept)
    return [made.op("Transpose", result, perm=_LAST)]


def _normalization(made: Made) -> Outputs | None:
    """`GroupNorm(X, gamma, beta)` → `GroupNormalization`, and SiLU where `activation` is 1."""
    result = _normalized(made, made.input(0))
    return None if result is None else [result]


def _skip_normalization(made: Made) -> Outputs | None:
    """`SkipGroupNorm(X, gamma, beta, skip, b)` → `GroupNorm(X + skip + b, gamma, beta)`."""
    skip = made.input(3)
    if skip is not None and len(shape_of(skip) or ()) == 2:
        skip = made.op("Unsqueeze", skip, made.number([1, 2], ir.DataType.INT64))
    total = made.plus(made.input(0), skip, made.input(4))
    result = _normalized(made, total)
    return None if result is None else [result, total]


def _normalized(made: Made, x: ir.Value | None) -> ir.Value | None:
    last, activation = made.attribute("channels_last", 1), made.attribute("activation", 0)
    groups, epsilon = int(made.attribute("groups", 0)), float(made.attribute("epsilon", 1e-5))
    if x is None or activation not in (0, 1):
        return None
    moved = made.op("Transpose", x, perm=_FIRST) if last else x
    result = made.op("GroupNormalization", moved, made.input(1), made.input(2), num_groups=groups, epsilon=epsilon)
    if activation:
        result = made.op("Mul", result, made.op("Sigmoid", result))
    return made.op("Transpose", result, perm=_LAST) if last else result


def _gate(made: Made) -> Outputs | None:
    """`BiasSplitGelu(X, b)` → the first half of `X + b` times `Gelu` of the second."""
    shape = known(shape_of(made.input(1)))
    if shape is None or shape[0] % 2:
        return None
    total = made.plus(made.input(0), made.input(1))
    kept, gate = made.parts(total, [shape[0] // 2] * 2, axis=-1)
    return [made.op("Mul", kept, made.op("Gelu", gate))]


def _sum(made: Made) -> Outputs | None:
    """`BiasAdd(X, b, skip)` → `X + b + skip`."""
    return [made.plus(*(made.input(index) for index in range(3)))]


CHANNELS_LAST: dict[str, Callable[[Made], Outputs | None]] = {
    "BiasAdd": _sum,
    "BiasSplitGelu": _gate,
    "GroupNorm": _normalization,
    "NhwcConv": _convolution,
    "SkipGroupNorm": _skip_normalization,
}
"""What rules for onnxruntime's operators of diffusion models make."""
