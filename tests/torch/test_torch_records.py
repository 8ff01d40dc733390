"""Every record as PyTorch says it: the line of code, and the numbers of both forms against onnxruntime."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

Shape = tuple[int | str | None, ...]


@dataclasses.dataclass(frozen=True)
class Case:
    """One node: its inputs' shapes, its weights' shapes, its parameters, and the code they become."""

    op: str
    inputs: Mapping[str, Shape]
    said: str
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    weights: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    layer: str = ""
    positive: bool = False

    def __str__(self) -> str:
        return f"{self.op} {self.layer or self.said}"


L, X, V = (None, 4, 9), (None, 4, 8, 10), (None, 4, 5, 6, 7)


def conv(x: Shape, weight: tuple[int, ...], layer: str, *, bias: bool = True, op: str = "Conv", **values: Any) -> Case:
    out = weight[0] if op == "Conv" else weight[1] * values.get("group", 1)
    weights = {"W": weight} | ({"B": (out,)} if bias else {})
    return Case(op, {"X": x}, "return self.op(x)", values, weights, layer)


def turned(x: Shape, weight: tuple[int, ...], layer: str, *, bias: bool = True, **values: Any) -> Case:
    return conv(x, weight, layer, bias=bias, op="ConvTranspose", **values)


def unary(op: str, said: str, x: Shape = X, *, name: str = "X", positive: bool = False, **values: Any) -> Case:
    return Case(op, {name: x}, f"return {said}", values, positive=positive)


def pool(op: str, x: Shape, said: str, **values: Any) -> Case:
    return Case(op, {"X": x}, f"return {said}", values)


def norm(x: Shape, layer: str, **values: Any) -> Case:
    weights = dict.fromkeys(("scale", "B", "input_mean", "input_var"), (4,))
    return Case("BatchNormalization", {"X": x}, "return self.op(x)", values, weights, layer, positive=True)


CASES = [
    conv(L, (6, 4, 3), "nn.Conv1d(4, 6, 3)"),
    conv(L, (6, 2, 3), "nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2)", strides=[2], pads=[1, 1], group=2),
    conv(X, (6, 4, 3, 3), "nn.Conv2d(4, 6, 3, bias=False)", bias=False),
    conv(
        X,
        (6, 4, 3, 5),
        "nn.Conv2d(4, 6, (3, 5), stride=(2, 1), padding=(1, 2), dilation=(1, 2))",
        strides=[2, 1],
        pads=[1, 2, 1, 2],
        dilations=[1, 2],
    ),
    conv(X, (8, 1, 3, 3), "nn.Conv2d(4, 8, 3, padding=1, groups=4)", pads=[1, 1, 1, 1], group=4),
    conv(V, (6, 4, 3, 2, 1), "nn.Conv3d(4, 6, (3, 2, 1), stride=(1, 2, 1))", strides=[1, 2, 1]),
    turned(
        L,
        (4, 6, 3),
        "nn.ConvTranspose1d(4, 6, 3, stride=2, padding=1, output_padding=1)",
        strides=[2],
        pads=[1, 1],
        output_padding=[1],
    ),
    turned(X, (4, 3, 3, 3), "nn.ConvTranspose2d(4, 6, 3, groups=2, bias=False)", bias=False, group=2),
    turned(X, (4, 6, 3, 3), "nn.ConvTranspose2d(4, 6, 3, stride=(2, 3), dilation=2)", strides=[2, 3], dilations=[2, 2]),
    turned(V, (4, 6, 2, 3, 2), "nn.ConvTranspose3d(4, 6, (2, 3, 2), stride=2)", strides=[2, 2, 2]),
    pool("MaxPool", L, "F.max_pool1d(x, 3, stride=1, padding=1)", kernel_shape=[3], pads=[1, 1]),
    pool("MaxPool", X, "F.max_pool2d(x, 2)", kernel_shape=[2, 2], strides=[2, 2]),
    pool(
        "MaxPool",
        X,
        "F.max_pool2d(x, (3, 2), stride=2, padding=(1, 0), dilation=(1, 2))",
        kernel_shape=[3, 2],
        strides=[2, 2],
        pads=[1, 0, 1, 0],
        dilations=[1, 2],
    ),
    pool(
        "MaxPool",
        (None, 4, 8, 9),
        "F.max_pool2d(x, 3, stride=2, ceil_mode=True)",
        kernel_shape=[3, 3],
        strides=[2, 2],
        ceil_mode=1,
    ),
    pool("MaxPool", V, "F.max_pool3d(x, 2, stride=1)", kernel_shape=[2, 2, 2]),
    pool("AveragePool", L, "F.avg_pool1d(x, 3)", kernel_shape=[3], strides=[3], count_include_pad=1),
    pool(
        "AveragePool",
        X,
        "F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)",
        kernel_shape=[3, 3],
        strides=[2, 2],
        pads=[1, 1, 1, 1],
    ),
    pool(
        "AveragePool",
        X,
        "F.avg_pool2d(x, 3, padding=1)",
        kernel_shape=[3, 3],
        strides=[3, 3],
        pads=[1, 1, 1, 1],
        count_include_pad=1,
    ),
    pool(
        "AveragePool",
        (None, 4, 8, 9),
        "F.avg_pool2d(x, 3, stride=2, ceil_mode=True)",
        kernel_shape=[3, 3],
        strides=[2, 2],
        ceil_mode=1,
    ),
    pool(
        "AveragePool",
        V,
        "F.avg_pool3d(x, (2, 3, 2))",
        kernel_shape=[2, 3, 2],
        strides=[2, 3, 2],
    ),
    pool("GlobalAveragePool", L, "F.adaptive_avg_pool1d(x, output_size=1)"),
    pool("GlobalAveragePool", X, "F.adaptive_avg_pool2d(x, output_size=1)"),
    pool("GlobalAveragePool", V, "F.adaptive_avg_pool3d(x, output_size=1)"),
    Case("Gemm", {"A": (None, 6)}, "return self.op(x)", {}, {"B": (6, 5), "C": (5,)}, "nn.Linear(6, 5)"),
    Case("Gemm", {"A": (None, 6)}, "return self.op(x)", {"transB": 1}, {"B": (5, 6)}, "nn.Linear(6, 5, bias=False)"),
    Case("MatMul", {"A": (None, 3, 6), "B": (None, 6, 4)}, "return a @ b"),
    Case("MatMul", {"A": (None, 3, 6)}, "return self.op(x)", {}, {"B": (6, 4)}, "nn.Linear(6, 4, bias=False)"),
    Case("Add", {"A": X, "B": X}, "return a + b"),
    Case(
        "Add", {"A": X}, "return x + self.op_B", {}, {"B": (4, 1, 1)}, "self.op_B = nn.Parameter(torch.empty(4, 1, 1))"
    ),
    Case("Sub", {"A": X, "B": (1, 4, 1, 10)}, "return a - b"),
    Case("Mul", {"A": X, "B": (10,)}, "return a * b"),
    Case("Div", {"A": X, "B": X}, "return a / b", positive=True),
    Case("Pow", {"X": X, "Y": (10,)}, "return a**b", positive=True),
    unary("Sqrt", "torch.sqrt(x)", positive=True),
    unary("Exp", "torch.exp(x)"),
    unary("Log", "torch.log(x)", positive=True),
    unary("Abs", "torch.abs(x)"),
    unary("Relu", "F.relu(x)"),
    unary("LeakyRelu", "F.leaky_relu(x)"),
    unary("LeakyRelu", "F.leaky_relu(x, negative_slope=0.3)", alpha=0.3),
    Case("PRelu", {"X": X}, "return self.op(x)", {}, {"slope": (4, 1, 1)}, "nn.PReLU(4)"),
    Case("PRelu", {"X": L}, "return self.op(x)", {}, {"slope": (4, 1)}, "nn.PReLU(4)"),
    Case("PRelu", {"X": X}, "return self.op(x)", {}, {"slope": (1,)}, "nn.PReLU()"),
    unary("Elu", "F.elu(x)"),
    unary("Elu", "F.elu(x, alpha=0.7)", alpha=0.7),
    unary("Sigmoid", "torch.sigmoid(x)"),
    unary("Tanh", "torch.tanh(x)", name="input"),
    unary("Softmax", "F.softmax(x, dim=1)", name="input", axis=1),
    unary("Softmax", "F.softmax(x, dim=-1)", name="input"),
    unary("Clip", "F.relu6(x)", name="input", min=0.0, max=6.0),
    unary("Clip", "torch.clamp(x, min=0.0, max=5.0)", name="input", min=0.0, max=5.0),
    unary("Clip", "torch.clamp(x, max=0.5)", name="input", max=0.5),
    norm((None, 4), "nn.BatchNorm1d(4)"),
    norm(L, "nn.BatchNorm1d(4, eps=0.001)", epsilon=0.001),
    norm(X, "nn.BatchNorm2d(4, momentum=0.01)", momentum=0.99),
    norm(V, "nn.BatchNorm3d(4)"),
    unary("LRN", "F.local_response_norm(x, 3)", size=3),
    unary("LRN", "F.local_response_norm(x, 5, alpha=0.01, beta=0.5, k=2.0)", size=5, alpha=0.01, beta=0.5, bias=2.0),
    Case("Dropout", {"data": X}, "return self.op(x)", {}, {}, "nn.Dropout()"),
    Case("Dropout", {"data": X}, "return self.op(x)", {"ratio": 0.3}, {}, "nn.Dropout(0.3)"),
    unary("Flatten", "x.flatten(1)", name="input"),
    unary("Reshape", "x.reshape(-1, 8, 40)", name="data", shape=[-1, 8, 40]),
    unary("Transpose", "x.permute(0, 2, 3, 1)", name="data", perm=[0, 2, 3, 1]),
    Case("Concat", {"inputs": (None, 4, 6)}, "return torch.cat([x, x], dim=1)", {"axis": 1}),
    Case("Concat", {"inputs": (None, 4, 6)}, "return torch.cat([x, x])", {"axis": 0}),
    unary("Squeeze", "x.squeeze(2)", (None, 4, 1, 3), name="data", axes=[2]),
    unary("Squeeze", "x.squeeze((1, 3))", (None, 1, 5, 1), name="data", axes=[1, 3]),
    unary("Unsqueeze", "x.unsqueeze(1)", name="data", axes=[1]),
    unary("Pad", "F.pad(x, (1, 2))", L, name="data", pads=[0, 0, 1, 0, 0, 2]),
    unary("Pad", "F.pad(x, (1, 2, 0, 3), value=0.5)", name="data", pads=[0, 0, 0, 1, 0, 0, 3, 2], constant_value=0.5),
    unary("Pad", "F.pad(x, (0, 0, 0, 0, 1, 1))", name="data", pads=[0, 1, 0, 0, 0, 1, 0, 0]),
    unary("Pad", "F.pad(x, (1, 2, 3, 0), mode='reflect')", name="data", pads=[0, 0, 3, 1, 0, 0, 0, 2], mode="reflect"),
    unary("Pad", "F.pad(x, (1, 2, 3, 0), mode='replicate')", name="data", pads=[0, 0, 3, 1, 0, 0, 0, 2], mode="edge"),
    unary("Pad", "F.pad(x, (1, 2, 3, 0), mode='circular')", name="data", pads=[0, 0, 3, 1, 0, 0, 0, 2], mode="wrap"),
    unary("Pad", "F.pad(x, (2, 1))", name="data", pads=[2, 1], axes=[3]),
    unary("ReduceMean", "x.mean(dim=(2, 3), keepdim=True)", name="data", axes=[2, 3]),
    unary("ReduceMean", "x.mean(dim=1)", name="data", axes=[1], keepdims=0),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_record_is_said_and_proved(case: Case, sketch: Any) -> None:
    names = ["x"] if len(case.inputs) == 1 else ["a", "b"]
    given = {key: [sketch.input(name, shape)] for name, (key, shape) in zip(names, case.inputs.items(), strict=True)}
    if case.op == "Concat":
        given["inputs"] *= 2
    for key, shape in case.weights.items():
        given[key] = [sketch.parameter(f"op/{key}", *shape, positive=case.positive)]
    value = sketch.record(case.op, given, case.values, layer="op")
    arrays = None
    if case.positive:
        random = np.random.default_rng(3)
        shapes = [[3 if size is None else size for size in shape] for shape in case.inputs.values()]
        arrays = {
            name: random.uniform(0.5, 2, shape).astype(np.float32) for name, shape in zip(names, shapes, strict=True)
        }
    written = sketch.prove(value, arrays=arrays)
    assert written.forward == [case.said.replace("'", '"')]
    if case.layer:
        assert [line.removeprefix("self.op = ") for line in written.constructor] == [case.layer]
    assert written.native["transposes"] == (1 if case.op == "Transpose" else 0)
