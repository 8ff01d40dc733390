"""Each canonical op is written as a person would write it, and computes in real Paddle what onnxruntime does."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from interlingua import passes, pipeline, plugin
from interlingua.errors import UnsupportedModel
from interlingua.ir.build import Builder
from interlingua.notes import Notes
from interlingua.worker import Worker

Shape = tuple[int | None, ...]


@dataclasses.dataclass(frozen=True)
class Case:
    """`weights` are trained parameters by shape, or constants (arrays); `line` must stand in model.py."""

    name: str
    op: str
    line: str
    inputs: tuple[Shape, ...]
    weights: tuple[Any, ...] = ()
    attributes: dict[str, Any] = dataclasses.field(default_factory=dict)


L, X, V, M = (None, 4, 9), (None, 4, 8, 10), (None, 4, 5, 6, 7), (None, 6)


def ints(*numbers: int) -> np.ndarray:
    return np.asarray(numbers, np.int64)


def number(value: float) -> np.ndarray:
    return np.asarray(value, np.float32)


def op(name: str, kind: str, line: str, inputs: Any, *weights: Any, **attributes: Any) -> Case:
    return Case(name, kind, line, inputs if isinstance(inputs, list) else (inputs,), weights, attributes)


C4 = ((4,),) * 4
CASES = [
    op("conv 1d", "Conv", "nn.Conv1D(4, 6, 3, padding=[1, 2])", L, (6, 4, 3), (6,), pads=[1, 2]),
    op(
        "conv 2d",
        "Conv",
        "(4, 6, (3, 5), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2, bias_attr=False)",
        X,
        (6, 2, 3, 5),
        strides=[2, 1],
        dilations=[1, 2],
        pads=[1, 0, 1, 0],
        group=2,
    ),
    op("conv 2d uneven", "Conv", "nn.Conv2D(4, 6, 3, padding=[1, 0, 0, 2])", X, (6, 4, 3, 3), (6,), pads=[1, 0, 0, 2]),
    op("conv 2d depthwise", "Conv", "nn.Conv2D(4, 8, 3, groups=4)", X, (8, 1, 3, 3), (8,), group=4),
    op("conv 3d", "Conv", "nn.Conv3D(4, 6, 3, padding=1)", V, (6, 4, 3, 3, 3), (6,), pads=[1] * 6),
    op("conv of a computed kernel", "Conv", "F.conv2d(x, w, padding=1)", [X, (6, 4, 3, 3)], pads=[1] * 4),
    op("conv transposed 1d", "ConvTranspose", "nn.Conv1DTranspose(4, 6, 3)", L, (4, 6, 3), (6,)),
    op(
        "conv transposed 2d",
        "ConvTranspose",
        "(4, 6, 3, stride=3, padding=[1, 0, 0, 2], output_padding=(1, 2), groups=2)",
        X,
        (4, 3, 3, 3),
        (6,),
        strides=[3, 3],
        pads=[1, 0, 0, 2],
        output_padding=[1, 2],
        group=2,
    ),
    op(
        "conv transposed 3d",
        "ConvTranspose",
        "nn.Conv3DTranspose(4, 6, 3, stride=2, dilation=2, bias_attr=False)",
        V,
        (4, 6, 3, 3, 3),
        strides=[2] * 3,
        dilations=[2] * 3,
    ),
    op("max pool 1d", "MaxPool", "F.max_pool1d(x, 2)", L, kernel_shape=[2], strides=[2]),
    op(
        "max pool 2d",
        "MaxPool",
        "F.max_pool2d(x, (3, 2), stride=1, padding=[1, 2, 0, 1])",
        X,
        kernel_shape=[3, 2],
        pads=[1, 0, 2, 1],
    ),
    op(
        "max pool 2d rounded up",
        "MaxPool",
        "F.max_pool2d(x, 3, stride=2, ceil_mode=True)",
        X,
        kernel_shape=[3, 3],
        strides=[2, 2],
        ceil_mode=1,
    ),
    op(
        "max pool 2d without a window in the padding",
        "MaxPool",
        "F.max_pool2d(x, 2, stride=3, padding=[1, 0, 1, 1])",
        (None, 4, 7, 9),
        kernel_shape=[2, 2],
        strides=[3, 3],
        pads=[1] * 4,
        ceil_mode=1,
    ),
    op(
        "mean pool 2d of every second",
        "AveragePool",
        "F.avg_pool2d(x, 1, stride=2)",
        X,
        kernel_shape=[1, 1],
        strides=[2, 2],
        ceil_mode=1,
    ),
    op("max pool 3d", "MaxPool", "F.max_pool3d(x, 2, stride=1)", V, kernel_shape=[2, 2, 2]),
    op("mean pool 1d", "AveragePool", "F.avg_pool1d(x, 2)", L, kernel_shape=[2], strides=[2]),
    op(
        "mean pool 2d",
        "AveragePool",
        "F.avg_pool2d(x, 3, stride=2, padding=1)",
        X,
        kernel_shape=[3, 3],
        strides=[2, 2],
        pads=[1] * 4,
    ),
    op(
        "mean pool 2d with its padding",
        "AveragePool",
        "F.avg_pool2d(x, 3, stride=2, padding=1, exclusive=False)",
        X,
        kernel_shape=[3, 3],
        strides=[2, 2],
        pads=[1] * 4,
        count_include_pad=1,
    ),
    op(
        "mean pool 2d with uneven padding",
        "AveragePool",
        "F.pad(x, [2, 0, 0, 1])",
        X,
        kernel_shape=[3, 3],
        pads=[0, 2, 1, 0],
        count_include_pad=1,
    ),
    op("mean pool 3d", "AveragePool", "F.avg_pool3d(x, 2, stride=1)", V, kernel_shape=[2, 2, 2]),
    op("mean of all 1d", "GlobalAveragePool", "F.adaptive_avg_pool1d(x, output_size=1)", L),
    op("mean of all 2d", "GlobalAveragePool", "F.adaptive_avg_pool2d(x, output_size=1)", X),
    op("mean of all 3d", "GlobalAveragePool", "F.adaptive_avg_pool3d(x, output_size=1)", V),
    op("dense", "Gemm", "nn.Linear(6, 5)", M, (6, 5), (5,)),
    op("dense, kept turned", "Gemm", "nn.Linear(6, 5, bias_attr=False)", M, (5, 6), transB=1),
    op("dense, scaled", "Gemm", "x @ self.", M, (6, 5), (5,), alpha=0.5, beta=2.0),
    op("matrix product", "MatMul", "x @ w", [(None, 3, 4), (None, 4, 5)]),
    op("matrix product with a weight", "MatMul", "nn.Linear(6, 5, bias_attr=False)", M, (6, 5)),
    op("add", "Add", "x + w", [X, X]),
    op("add a number", "Add", "x + 2.5", X, number(2.5)),
    op("add a weight", "Add", "x + self.w", X, (10,)),
    op("subtract", "Sub", "x - w", [X, (10,)]),
    op("multiply", "Mul", "x * w", [X, X]),
    op("divide", "Div", "x / w", [X, X]),
    op("power", "Pow", "x**2.0", X, number(2)),
    op("root", "Sqrt", "paddle.sqrt(x)", X),
    op("exp", "Exp", "paddle.exp(x)", X),
    op("log", "Log", "paddle.log(x)", X),
    op("abs", "Abs", "paddle.abs(x)", X),
    op("relu", "Relu", "F.relu(x)", X),
    op("leaky relu", "LeakyRelu", "F.leaky_relu(x, negative_slope=0.2)", X, alpha=0.2),
    op("leaky relu by default", "LeakyRelu", "F.leaky_relu(x)", X),
    op("prelu", "PRelu", "nn.PReLU(num_parameters=4)", X, (4, 1, 1)),
    op("prelu, one slope", "PRelu", "nn.PReLU()", X, (1,)),
    op("prelu along the width", "PRelu", "F.relu(x) - self.", X, (10,)),
    op("prelu of a computed slope", "PRelu", "F.relu(x) - w * F.relu(-x)", [X, (4, 1, 1)]),
    op("elu", "Elu", "F.elu(x, alpha=0.3)", X, alpha=0.3),
    op("sigmoid", "Sigmoid", "F.sigmoid(x)", X),
    op("tanh", "Tanh", "paddle.tanh(x)", X),
    op("softmax", "Softmax", "F.softmax(x, axis=1)", X, axis=1),
    op("softmax by default", "Softmax", "F.softmax(x)", X),
    op("clip", "Clip", "paddle.clip(x, min=-0.5, max=0.25)", X, number(-0.5), number(0.25)),
    op("clip below", "Clip", "paddle.clip(x, min=0.25)", X, number(0.25)),
    op("batch norm 1d", "BatchNormalization", "nn.BatchNorm1D(4)", L, *C4),
    op("batch norm of vectors", "BatchNormalization", "nn.BatchNorm1D(4)", (None, 4), *C4),
    op(
        "batch norm 2d",
        "BatchNormalization",
        "nn.BatchNorm2D(4, momentum=0.8, epsilon=0.125)",
        X,
        *C4,
        momentum=0.8,
        epsilon=0.125,
    ),
    op(
        "batch norm of computed statistics",
        "BatchNormalization",
        "F.batch_norm(x, w, v, s, b)",
        [X, (4,), (4,), (4,), (4,)],
    ),
    op("batch norm 3d", "BatchNormalization", "nn.BatchNorm3D(4)", V, *C4),
    op(
        "lrn",
        "LRN",
        "F.local_response_norm(x, 3, alpha=0.2, beta=0.6, k=2.0)",
        X,
        size=3,
        alpha=0.2,
        beta=0.6,
        bias=2.0,
    ),
    op("dropout", "Dropout", "nn.Dropout(0.3)", X, number(0.3)),
    op("flatten", "Flatten", "paddle.flatten(x, 1)", X),
    op("reshape", "Reshape", "paddle.reshape(x, [-1, 8, 40])", X, ints(-1, 8, 40)),
    op("transpose", "Transpose", "paddle.transpose(x, [0, 2, 3, 1])", X, perm=[0, 2, 3, 1]),
    op("concat", "Concat", "paddle.concat([x, w], axis=1)", [X, X], axis=1),
    op("squeeze", "Squeeze", "paddle.squeeze(x, (2, 3))", (None, 4, 1, 1), ints(2, 3)),
    op("squeeze all", "Squeeze", "paddle.squeeze(x)", (5, 4, 1, 1)),
    op("unsqueeze", "Unsqueeze", "paddle.unsqueeze(x, 1)", X, ints(1)),
    op("unsqueeze several", "Unsqueeze", "paddle.unsqueeze(x, [1, 5])", X, ints(-1, 1)),
    op("pad", "Pad", "F.pad(x, [2, 4, 1, 3], value=0.7)", X, ints(0, 0, 1, 2, 0, 0, 3, 4), number(0.7)),
    op("pad channels", "Pad", "F.pad(x, [0, 0, 1, 2, 0, 0, 0, 1])", X, ints(0, 1, 0, 0, 0, 2, 0, 1)),
    op("pad by the edge", "Pad", 'F.pad(x, [1, 2], mode="replicate")', L, ints(0, 0, 1, 0, 0, 2), mode="edge"),
    op("pad by reflection", "Pad", 'mode="reflect")', X, ints(0, 0, 1, 2, 0, 0, 3, 4), mode="reflect"),
    op("pad around", "Pad", 'mode="circular")', X, ints(0, 0, 1, 2, 0, 0, 3, 4), mode="wrap"),
    op("mean of axes", "ReduceMean", "paddle.mean(x, axis=(2, 3), keepdim=True)", X, ints(2, 3)),
    op("mean of one axis", "ReduceMean", "paddle.mean(x, axis=1)", X, ints(1), keepdims=0),
    op("mean of everything", "ReduceMean", "paddle.mean(x)", X, keepdims=0),
]
LARGEST = 5e-6


def names_of(case: Case) -> str:
    """The names of the inputs, in ONNX's order."""
    return "xsbwv" if case.op == "BatchNormalization" else "xw"


def build(case: Case) -> ir.Model:
    """A model of one node; its layer is called `op`, its second input `w`."""
    builder = Builder("case")
    random = np.random.default_rng(11)
    inputs: list[ir.Value | None] = [builder.input(n, s) for n, s in zip(names_of(case), case.inputs, strict=False)]
    for position, given in enumerate(case.weights):
        if isinstance(given, np.ndarray):
            inputs.append(builder.constant(f"constant_{position}", given))
        else:
            values = random.normal(0, 0.5, given).astype(np.float32)
            name = "w" if case.op in ("MatMul", "Add") else f"op.{position}"
            inputs.append(builder.weight(name, ir.tensor(np.abs(values) + 0.5 if position == 3 else values)))
    result = builder.node(case.op, inputs, case.attributes, layer="op")
    return passes.run(builder.model([("y", result)]), notes=Notes(), debug=True)


def arrays_for(model: ir.Model) -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    sizes = {v.name or "": [d if isinstance(d, int) else 3 for d in v.shape or ()] for v in model.graph.inputs}
    made = {name: random.normal(0, 1, shape).astype(np.float32) for name, shape in sizes.items()}
    return made | {name: np.abs(array) + 0.5 for name, array in made.items() if name == "v"}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_an_op_is_written_as_a_person_would_with_the_same_numbers(
    case: Case, paddle_worker: Worker, onnxruntime: Callable[..., list[np.ndarray]], tmp_path: Path
) -> None:
    model = build(case)
    framework = plugin.framework("paddle")
    package, _ = pipeline.write(model, framework, tmp_path)
    code = " ".join((tmp_path / "model.py").read_text().split()).replace("( ", "(").replace(" )", ")")
    assert case.line in code
    ports = [
        {"name": p.identifier, "shape": [d if isinstance(d, int) else None for d in p.shape or ()], "dtype": "float32"}
        for p in package.inputs
    ]
    made = paddle_worker.call(
        "materialise", phase="saving", folder=str(tmp_path), native="paddle", inputs=ports, **package.materialise
    )
    assert made.value["transposes"] == (1 if case.op == "Transpose" else 0)
    arrays = arrays_for(model)
    if case.op in ("Sqrt", "Log"):
        arrays = {name: np.abs(array) + 0.1 for name, array in arrays.items()}
    (expected,) = onnxruntime(model, arrays)
    scale = max(1.0, float(np.abs(expected).max()))
    if not (case.op == "Add" and case.weights and isinstance(case.weights[0], np.ndarray)):
        # Paddle 3.3 saves `input + number` as the input itself when nothing else is computed
        native = paddle_worker.call("run", arrays, phase="running", path=str(tmp_path / "model.json"), format="paddle")
        (received,) = native.arrays.values()
        np.testing.assert_allclose(received / scale, expected / scale, rtol=0, atol=LARGEST)
    module = paddle_worker.call("run", arrays, phase="running", path=str(tmp_path), format="python")
    (received,) = module.arrays.values()
    assert received.shape == expected.shape
    np.testing.assert_allclose(received / scale, expected / scale, rtol=0, atol=LARGEST)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (op("dilated", "MaxPool", "", X, kernel_shape=[2, 2], dilations=[2, 2]), "dilations"),
        (op("even", "LRN", "", X, size=4), "even size 4"),
        (
            op(
                "late",
                "AveragePool",
                "",
                (None, 4, 7, 8),
                kernel_shape=[2, 2],
                strides=[3, 3],
                pads=[1] * 4,
                ceil_mode=1,
                count_include_pad=1,
            ),
            "last window",
        ),
        (
            op("unknown", "MaxPool", "", (None, 4, None, 9), kernel_shape=[1, 1], strides=[2, 2], ceil_mode=1),
            "unknown size",
        ),
        (op("channels", "Pad", "", X, ints(0, 1, 0, 0, 0, 0, 0, 0), mode="reflect"), "channel axis"),
    ],
)
def test_what_paddle_cannot_say_is_refused_with_its_reason(case: Case, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=reason):
        pipeline.write(build(case), plugin.framework("paddle"), tmp_path)
    assert not list(tmp_path.iterdir())
