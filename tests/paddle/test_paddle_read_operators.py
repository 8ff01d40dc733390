"""Every operator that Paddle's APIs are saved as is read to the op a person wrote, with Paddle's own numbers."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from interlingua.artifact import ReadOptions
from interlingua.errors import UnsupportedModel
from interlingua.worker import Worker
from interlingua_paddle.frontend.read import read
from interlingua_paddle.frontend.recognise import recognise

TEXT = """
import numpy
import paddle
import paddle.nn.functional as F
from paddle import nn


class Case(nn.Layer):
    def __init__(self):
        super().__init__()
        {layer}

    def forward(self, {arguments}):
        return {expression}


def load():
    model = Case()
    random = numpy.random.default_rng(5)
    for name, tensor in model.state_dict().items():
        value = random.normal(0, 0.5, tensor.shape).astype("float32")
        tensor.set_value(abs(value) + 0.5 if name.endswith("_variance") else value)
    return model
"""


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    ops: str
    expression: str
    shapes: tuple[tuple[int | None, ...], ...]
    layer: str = ""


L, X, V = (None, 4, 9), (None, 4, 8, 10), (None, 4, 5, 6, 7)
SQUARE = (None, 4, 7, 7)


def layer(name: str, ops: str, call: str, shape: tuple[int | None, ...]) -> Case:
    return Case(name, ops, "self.op(a)", (shape,), f"self.op = {call}")


def function(name: str, ops: str, expression: str, *shapes: tuple[int | None, ...]) -> Case:
    return Case(name, ops, expression, shapes)


CASES = [
    layer("conv1d", "Conv", "nn.Conv1D(4, 6, 3, padding=[1, 2], stride=2, groups=2)", L),
    layer("conv1d same", "Conv", "nn.Conv1D(4, 6, 3, padding='same', stride=2, bias_attr=False)", L),
    layer("conv2d", "Conv", "nn.Conv2D(4, 6, (3, 5), stride=(2, 1), padding=[1, 0, 2, 1], dilation=(1, 2))", X),
    layer("conv2d depthwise", "Conv", "nn.Conv2D(4, 8, 3, padding=1, groups=4)", X),
    layer("conv2d same", "Conv", "nn.Conv2D(4, 6, 4, stride=2, padding='SAME')", SQUARE),
    layer("conv2d same, dilated", "Conv", "nn.Conv2D(4, 6, 3, dilation=2, padding='SAME')", X),
    layer("conv2d valid", "Conv", "nn.Conv2D(4, 6, 3, padding='VALID')", X),
    layer(
        "conv2d channels last",
        "Transpose Conv Transpose",
        "nn.Conv2D(10, 6, 3, padding=[1, 0, 0, 2], data_format='NHWC')",
        X,
    ),
    layer("conv3d", "Conv", "nn.Conv3D(4, 6, 3, padding=1, stride=(1, 2, 1))", V),
    layer("conv1d transposed", "ConvTranspose", "nn.Conv1DTranspose(4, 6, 3, stride=2, output_padding=1)", L),
    layer(
        "conv2d transposed",
        "ConvTranspose",
        "nn.Conv2DTranspose(4, 6, 3, stride=3, padding=1, output_padding=(1, 2))",
        X,
    ),
    layer(
        "conv2d transposed, grouped",
        "ConvTranspose",
        "nn.Conv2DTranspose(4, 6, 3, stride=2, padding=[1, 0, 0, 2], groups=2, dilation=2, bias_attr=False)",
        X,
    ),
    layer("conv2d transposed, same", "ConvTranspose", "nn.Conv2DTranspose(4, 6, 3, stride=2, padding='SAME')", SQUARE),
    layer("conv2d transposed, depthwise", "ConvTranspose", "nn.Conv2DTranspose(4, 4, 3, stride=2, groups=4)", X),
    layer("conv3d transposed", "ConvTranspose", "nn.Conv3DTranspose(4, 6, 3, stride=2, padding=1)", V),
    layer("max pool 1d", "MaxPool", "nn.MaxPool1D(3, 2, 1, ceil_mode=True)", L),
    layer("max pool 2d", "MaxPool", "nn.MaxPool2D((3, 2), 2, [1, 0, 1, 0])", X),
    layer("max pool 2d same", "MaxPool", "nn.MaxPool2D(3, 2, 'SAME')", SQUARE),
    layer("max pool 3d", "MaxPool", "nn.MaxPool3D(3, 2, 1)", V),
    layer("mean pool 1d", "AveragePool", "nn.AvgPool1D(3, 2, 1, exclusive=False)", L),
    layer("mean pool 2d", "AveragePool", "nn.AvgPool2D(3, 2, [1, 0, 2, 1])", X),
    layer("mean pool 2d, whole windows", "AveragePool", "nn.AvgPool2D(3, 2, 1, exclusive=False, ceil_mode=True)", X),
    layer(
        "mean pool 2d, own divisor",
        "AveragePool Mul Mul",
        "nn.AvgPool2D(3, 2, 1, exclusive=False, divisor_override=4)",
        X,
    ),
    layer("mean pool 3d", "AveragePool", "nn.AvgPool3D(3, 2, 1)", V),
    layer("mean of all 1d", "GlobalAveragePool", "nn.AdaptiveAvgPool1D(1)", L),
    layer("mean of all 2d", "GlobalAveragePool", "nn.AdaptiveAvgPool2D(1)", X),
    layer("mean of all 3d", "GlobalAveragePool", "nn.AdaptiveAvgPool3D(1)", V),
    layer("means of quarters", "AveragePool", "nn.AdaptiveAvgPool2D((4, 2))", X),
    layer("means of thirds", "AveragePool", "nn.AdaptiveAvgPool1D(3)", L),
    layer("largest of quarters", "MaxPool Relu", "nn.Sequential(nn.AdaptiveMaxPool2D((4, 5)), nn.ReLU())", X),
    layer("means of nothing", "Relu", "nn.Sequential(nn.AdaptiveAvgPool2D((8, 10)), nn.ReLU())", X),
    function("mean of axes", "ReduceMean", "a.mean([2, 3], keepdim=True)", X),
    function("mean of one axis", "ReduceMean", "paddle.mean(a, axis=-1)", X),
    function("mean of everything", "ReduceMean", "a.mean()", X),
    layer("linear", "Gemm", "nn.Linear(8, 5)", (None, 8)),
    layer("linear of images", "MatMul Add", "nn.Linear(10, 5)", X),
    layer("linear without bias", "MatMul", "nn.Linear(8, 5, bias_attr=False)", (None, 8)),
    Case(
        "linear of a transposed weight",
        "Transpose MatMul",
        "F.linear(a, self.op.weight.t())",
        ((None, 5),),
        "self.op = nn.Linear(8, 5)",
    ),
    function("addmm", "Gemm", "paddle.addmm(a, b, c, beta=0.5, alpha=2.0)", (3, 5), (3, 4), (4, 5)),
    function("matmul transposed", "Transpose MatMul", "paddle.matmul(a, b, transpose_y=True)", X, X),
    function("bmm", "MatMul", "paddle.bmm(a, b)", (3, 4, 5), (3, 5, 6)),
    function("add", "Add", "a + b", X, (10,)),
    function("add a number", "Abs Add", "a.abs() + 2.5", X),
    function("subtract", "Sub", "a - b", X, X),
    function("subtract from a number", "Mul Add", "1 - a", X),
    function("multiply", "Mul", "a * b", X, (4, 1, 1)),
    function("divide", "Div", "a / b", X, X),
    function("divide a number", "Mul Add Div", "1 / a", X),
    function("power of a number", "Abs Pow", "paddle.pow(a.abs(), 1.5)", X),
    function("power of a tensor", "Abs Pow", "a.abs() ** b", X, X),
    function("square", "Mul", "paddle.square(a)", X),
    function("root", "Abs Sqrt", "paddle.sqrt(a.abs())", X),
    function("reciprocal root", "Abs Sqrt Div", "paddle.rsqrt(a.abs())", X),
    function("exp", "Exp", "paddle.exp(a)", X),
    function("log", "Abs Log", "paddle.log(a.abs())", X),
    function("relu", "Relu", "F.relu(a)", X),
    function("relu6", "Clip", "F.relu6(3 * a)".replace("3 * ", ""), X),
    function("leaky relu", "LeakyRelu", "F.leaky_relu(a, 0.2)", X),
    layer("elu", "Elu", "nn.ELU(0.7)", X),
    function("sigmoid", "Sigmoid", "F.sigmoid(a)", X),
    function("tanh", "Tanh", "paddle.tanh(a)", X),
    function("softmax", "Softmax", "F.softmax(a, axis=1)", X),
    function("clip", "Clip", "paddle.clip(a, -0.5, 0.25)", X),
    function("clip above", "Clip", "paddle.clip(a, max=0.25)", X),
    function("hardtanh", "Clip", "F.hardtanh(a, -0.5, 0.7)", X),
    layer("prelu", "PRelu", "nn.PReLU(4)", X),
    layer("prelu, one slope", "PRelu", "nn.PReLU()", X),
    layer("batch norm 1d", "BatchNormalization", "nn.BatchNorm1D(4)", L),
    layer("batch norm of vectors", "BatchNormalization", "nn.BatchNorm1D(4)", (None, 4)),
    layer("batch norm 2d", "BatchNormalization", "nn.BatchNorm2D(4, momentum=0.8, epsilon=0.125)", X),
    layer("batch norm 3d", "BatchNormalization", "nn.BatchNorm3D(4)", V),
    layer("batch norm, bare", "BatchNormalization", "nn.BatchNorm2D(4, weight_attr=False, bias_attr=False)", X),
    layer("lrn", "LRN", "nn.LocalResponseNorm(3, alpha=0.2, beta=0.6, k=2.0)", X),
    function(
        "lrn of an even window",
        "Mul Unsqueeze Reshape Pad AveragePool Squeeze Reshape Mul Add Pow Div",
        "F.local_response_norm(a, 4, alpha=0.2)",
        X,
    ),
    layer("dropout", "Dropout", "nn.Dropout(0.3)", X),
    layer("dropout that scales later", "Mul", "nn.Dropout(0.3, mode='downscale_in_infer')", X),
    layer("flatten", "Flatten", "nn.Flatten()", X),
    function("flatten the end", "Reshape", "paddle.flatten(a, 2, -1)", X),
    function("flatten the middle", "Reshape", "paddle.flatten(a, 1, 2)", X),
    function("reshape", "Reshape", "a.reshape([0, -1, 16])", X),
    function(
        "reshape by a computed shape",
        "Shape Gather Unsqueeze Unsqueeze Unsqueeze Concat Reshape",
        "a.reshape([paddle.shape(a)[0], 16, -1])",
        X,
    ),
    function("slice", "Slice Squeeze", "a[:, 1, 2:7]", X),
    function("transpose", "Transpose", "a.transpose([0, 2, 3, 1])", X),
    function("concat", "Concat", "paddle.concat([a, b], 1)", X, X),
    function("squeeze", "Squeeze", "a.squeeze([2, 3])", (None, 4, 1, 1)),
    function("squeeze all", "Squeeze", "a.squeeze()", (5, 4, 1, 1)),
    function("unsqueeze", "Unsqueeze", "a.unsqueeze([1, 3])", X),
    layer("pad 1d", "Pad", "nn.Pad1D([1, 2], mode='replicate')", L),
    layer("pad 2d", "Pad", "nn.Pad2D([1, 2, 3, 4], value=0.7)", X),
    layer("pad 2d, mirrored", "Pad", "nn.Pad2D([1, 2, 3, 4], mode='reflect')", X),
    layer("pad 2d, around", "Pad", "nn.Pad2D([1, 2, 3, 4], mode='circular')", X),
    layer("pad 3d", "Pad", "nn.Pad3D([1, 2, 0, 1, 2, 1])", V),
    function("pad every axis", "Pad", "F.pad(a, [1, 1, 0, 0, 2, 1, 1, 2], value=0.5)", X),
    function("a constant", "Add", "a + paddle.to_tensor([1., 2., 3., 4., 5., 6., 7., 8., 9., float('-inf')])", X),
]
A_BATCH = 3
LARGEST = 2e-5


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_an_operator_is_read_as_written_with_the_same_numbers(
    case: Case, paddle_worker: Worker, onnxruntime: Callable[..., list[np.ndarray]], tmp_path: Path
) -> None:
    names = [chr(ord("a") + i) for i in range(len(case.shapes))]
    text = TEXT.format(layer=case.layer or "pass", arguments=", ".join(names), expression=case.expression)
    (tmp_path / "model.py").write_text(text)
    ports = [{"name": n, "shape": s, "dtype": "float32"} for n, s in zip(names, case.shapes, strict=True)]
    paddle_worker.call("materialise", phase="saving", folder=str(tmp_path), native="paddle", inputs=ports)
    artifact = recognise(tmp_path)
    assert artifact is not None
    source = read(artifact, ReadOptions())
    assert [node.op_type for node in source.model.graph] == case.ops.split()
    random = np.random.default_rng(3)
    arrays = {
        name: random.normal(0, 1, [size or A_BATCH for size in shape]).astype(np.float32)
        for name, shape in zip(names, case.shapes, strict=True)
    }
    expected = paddle_worker.call("run", arrays, phase="running", **source.run).arrays
    (received,) = onnxruntime(source.model, arrays)
    (reference,) = expected.values()
    assert reference.shape == received.shape
    finite = np.isfinite(reference)
    np.testing.assert_array_equal(finite, np.isfinite(received))
    scale = max(1.0, float(np.abs(reference[finite]).max()))
    np.testing.assert_allclose(received[finite] / scale, reference[finite] / scale, rtol=0, atol=LARGEST)


def test_an_input_that_is_an_output_too_keeps_its_name_as_input(
    paddle_worker: Worker, onnxruntime: Callable[..., list[np.ndarray]], tmp_path: Path
) -> None:
    (tmp_path / "model.py").write_text(TEXT.format(layer="pass", arguments="a", expression="[paddle.exp(a), a]"))
    ports = [{"name": "a", "shape": [None, 4], "dtype": "float32"}]
    paddle_worker.call("materialise", phase="saving", folder=str(tmp_path), native="paddle", inputs=ports)
    artifact = recognise(tmp_path)
    assert artifact is not None
    source = read(artifact, ReadOptions())
    assert [value.name for value in source.model.graph.outputs] == ["fetch_name_0", "a_output"]
    arrays = {"a": np.ones((2, 4), np.float32)}
    np.testing.assert_allclose(onnxruntime(source.model, arrays), [np.exp(arrays["a"]), arrays["a"]], rtol=1e-6)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("F.adaptive_avg_pool2d(a, (3, 3))", "no divisor"),
        ("F.avg_pool2d(a, 2, 3, 1, ceil_mode=True)", "a last window that lies in the padding"),
        ("F.avg_pool2d(a, 3, 1, [2, 0, 1, 2], exclusive=False)", "differ at the two ends"),
        ("paddle.cumsum(a, 1)", "cumsum"),
    ],
)
def test_what_onnx_cannot_say_is_refused_or_kept_apart(
    expression: str, reason: str, paddle_worker: Worker, tmp_path: Path
) -> None:
    (tmp_path / "model.py").write_text(TEXT.format(layer="pass", arguments="a", expression=expression))
    ports = [{"name": "a", "shape": [None, 4, 7, 9], "dtype": "float32"}]
    paddle_worker.call("materialise", phase="saving", folder=str(tmp_path), native="paddle", inputs=ports)
    artifact = recognise(tmp_path)
    assert artifact is not None
    if reason == "cumsum":
        (node,) = read(artifact, ReadOptions()).model.graph
        assert (node.domain, node.op_type) == ("paddle", "pd_op.cumsum")
        return
    with pytest.raises(UnsupportedModel, match=reason):
        read(artifact, ReadOptions())
