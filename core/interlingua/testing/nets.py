"""Small nets with seeded weights, in the IR."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from interlingua import passes
from interlingua.ir.build import Builder
from interlingua.notes import Notes


class _Weights:
    def __init__(self, builder: Builder, seed: int) -> None:
        self._builder = builder
        self._random = np.random.default_rng(seed)

    def __call__(self, name: str, *shape: int) -> ir.Value:
        scale = (2 / np.prod(shape[1:])) ** 0.5 if len(shape) > 1 else 0.1
        array = (self._random.standard_normal(shape) * scale).astype(np.float32)
        return self._builder.weight(name, ir.tensor(array, name=name))


def lenet(seed: int = 0, batch: str | int = "N") -> ir.Model:
    """LeNet-4: two convolutions with pooling, two dense layers, a softmax; input [N, 1, 28, 28], output [N, 10]."""
    builder = Builder("lenet")
    weight = _Weights(builder, seed)
    x = builder.input("x", [batch, 1, 28, 28])
    for block, (inputs, outputs) in enumerate(((1, 6), (6, 16)), 1):
        name = f"block{block}_conv1"
        kernel = {"W": [weight(f"{name}.weight", outputs, inputs, 5, 5)], "B": [weight(f"{name}.bias", outputs)]}
        x = builder.record("Conv", {"X": [x], **kernel}, {"kernel_shape": [5, 5], "pads": [2] * 4}, layer=name)
        x = builder.record("Relu", {"X": [x]}, {}, layer=f"{name}.relu")
        pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
        x = builder.record("MaxPool", {"X": [x]}, pool, layer=f"block{block}_pool1")
    x = builder.record("Flatten", {"input": [x]}, {"axis": 1}, layer="flatten")
    x = _dense(builder, weight, x, "fc1", 784, 84)
    x = builder.record("Relu", {"X": [x]}, {}, layer="fc1.relu")
    x = _dense(builder, weight, x, "before_softmax", 84, 10)
    y = builder.record("Softmax", {"input": [x]}, {"axis": -1}, layer="predictions")
    return builder.model([("y", y)])


def _dense(builder: Builder, weight: _Weights, x: ir.Value, name: str, inputs: int, outputs: int) -> ir.Value:
    values = {"A": [x], "B": [weight(f"{name}.weight", outputs, inputs)], "C": [weight(f"{name}.bias", outputs)]}
    return builder.record("Gemm", values, {"transB": 1}, layer=name)


def vgg(width: int = 4, depths: Sequence[int] = (2, 2, 3, 3, 3), size: int = 32, seed: int = 0) -> ir.Model:
    """VGG as a fully convolutional net of that width; input [N, 3, size, size], output [N, 10]."""
    builder = Builder("vgg")
    weight = _Weights(builder, seed)
    x, channels = builder.input("inputs", ["N", 3, size, size]), 3
    for block, depth in enumerate(depths, 1):
        for layer in range(1, depth + 1):
            outputs = width * min(2 ** (block - 1), 8)
            x = _convolution(builder, weight, x, f"conv{block}/conv{block}_{layer}", channels, outputs, 3, 1)
            channels = outputs
        x = builder.record("MaxPool", {"X": [x]}, {"kernel_shape": [2, 2], "strides": [2, 2]}, layer=f"pool{block}")
    left = size // 2 ** len(depths)
    x = _convolution(builder, weight, x, "fc6", channels, 8 * width, left, 0)
    x = _convolution(builder, weight, x, "fc8", 8 * width, 10, 1, 0, relu=False)
    return builder.model(
        [("fc8/squeezed", builder.record("Squeeze", {"data": [x]}, {"axes": [2, 3]}, layer="squeezed"))]
    )


def _convolution(
    builder: Builder,
    weight: _Weights,
    x: ir.Value,
    name: str,
    inputs: int,
    outputs: int,
    size: int,
    pad: int,
    relu: bool = True,
) -> ir.Value:
    kernel = {"W": [weight(f"{name}/weights", outputs, inputs, size, size)], "B": [weight(f"{name}/biases", outputs)]}
    said: dict[str, Any] = {"kernel_shape": [size, size], "pads": [pad] * 4}
    x = builder.record("Conv", {"X": [x], **kernel}, said, layer=name)
    return builder.record("Relu", {"X": [x]}, {}, layer=f"{name}/relu") if relu else x


def saved(model: ir.Model, path: Path) -> Path:
    """The model as an ONNX file with its shapes inferred."""
    ir.save(passes.run(model, notes=Notes()), path)
    return path
