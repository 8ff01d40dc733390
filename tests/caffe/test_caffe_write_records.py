"""Every record as Caffe says it: the layers, the numbers in OpenCV, and the numbers when it is read back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from interlingua import passes
from interlingua.artifact import ReadOptions
from interlingua.errors import UnsupportedModel
from interlingua.notes import Notes
from interlingua.proof import execute
from interlingua_caffe.caffemodel import check_size
from interlingua_caffe.frontend.read import read
from interlingua_caffe.frontend.recognise import recognise
from interlingua_caffe.lowering.network import Learned
from interlingua_caffe.proto.wire import stored_layers

Shape = tuple[int | str | None, ...]


@dataclasses.dataclass(frozen=True)
class Case:
    """One node: its inputs' and weights' shapes, its parameters, the layers it becomes or why it cannot be said."""

    op: str
    inputs: Mapping[str, Shape]
    said: tuple[str, ...]
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    weights: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    numbers: Mapping[str, float] = dataclasses.field(default_factory=dict)
    positive: bool = False
    unproved: bool = False

    def __str__(self) -> str:
        return f"{self.op} {' '.join(self.said)[:60]}"


L, X, V = (None, 4, 9), (None, 4, 8, 10), (None, 4, 5, 6, 7)


def node(op: str, *said: str, x: Any = None, weights: Any = None, numbers: Any = None, **values: Any) -> Case:
    flags = {name: values.pop(name) for name in ("positive", "unproved") if name in values}
    inputs = x if isinstance(x, dict) else {"X": x or X}
    return Case(op, inputs, said, values, weights or {}, numbers or {}, **flags)


def conv(said: str, x: Shape, weight: tuple[int, ...], *, op: str = "Conv", bias: bool = True, **values: Any) -> Case:
    out = weight[0] if op == "Conv" else weight[1] * values.get("group", 1)
    kind = "Convolution" if op == "Conv" else "Deconvolution"
    weights = {"W": weight} | ({"B": (out,)} if bias else {})
    return node(op, f'"{kind}" convolution_param {{ {said} }}', x=x, weights=weights, **values)


def pool(said: str, *, op: str = "MaxPool", x: Shape = X, **values: Any) -> Case:
    word = "MAX" if op == "MaxPool" else "AVE"
    return node(op, f'"Pooling" pooling_param {{ pool: {word} {said} }}', x=x, **values)


def data(op: str, *said: str, x: Shape = X, **values: Any) -> Case:
    return node(op, *said, x={"data": x}, **values)


STATISTICS = dict.fromkeys(("scale", "B", "input_mean", "input_var"), (4,))
CASES = [
    conv("num_output: 6 kernel_size: 3", X, (6, 4, 3, 3)),
    conv("num_output: 6 bias_term: false kernel_size: 3", X, (6, 4, 3, 3), bias=False),
    conv(
        "num_output: 6 pad_h: 1 pad_w: 2 kernel_h: 3 kernel_w: 5 stride_h: 2 stride_w: 1 dilation: 1 dilation: 2",
        X,
        (6, 4, 3, 5),
        strides=[2, 1],
        pads=[1, 2, 1, 2],
        dilations=[1, 2],
    ),
    conv("num_output: 8 pad: 1 kernel_size: 3 group: 4", X, (8, 1, 3, 3), pads=[1] * 4, group=4),
    conv("num_output: 6 kernel_size: 3 stride: 2 dilation: 2", X, (6, 4, 3, 3), strides=[2, 2], dilations=[2, 2]),
    conv("num_output: 6 pad: 1 kernel_size: 3 stride: 2", L, (6, 4, 3), pads=[1, 1], strides=[2]),
    conv(
        "num_output: 6 pad: 1 pad: 1 pad: 1 kernel_size: 3 kernel_size: 2 kernel_size: 1",
        V,
        (6, 4, 3, 2, 1),
        pads=[1] * 6,
    ),
    conv(
        "num_output: 6 bias_term: false kernel_size: 3 group: 2",
        X,
        (4, 3, 3, 3),
        op="ConvTranspose",
        bias=False,
        group=2,
    ),
    conv(
        "num_output: 6 pad: 1 kernel_size: 4 stride: 2",
        X,
        (4, 6, 4, 4),
        op="ConvTranspose",
        strides=[2, 2],
        pads=[1] * 4,
    ),
    conv("num_output: 6 kernel_size: 3 stride: 2", L, (4, 6, 3), op="ConvTranspose", strides=[2], unproved=True),
    conv(
        "num_output: 6 kernel_size: 3 dilation: 2", X, (4, 6, 3, 3), op="ConvTranspose", dilations=[2, 2], unproved=True
    ),
    pool("kernel_size: 2 stride: 2", kernel_shape=[2, 2], strides=[2, 2]),
    pool("kernel_size: 3", kernel_shape=[3, 3]),
    pool(
        "kernel_h: 3 kernel_w: 2 stride_h: 1 stride_w: 2 pad_h: 1 pad_w: 0",
        kernel_shape=[3, 2],
        strides=[1, 2],
        pads=[1, 0, 1, 0],
    ),
    pool("kernel_size: 3 stride: 2 round_mode: FLOOR", kernel_shape=[3, 3], strides=[2, 2]),
    pool("kernel_size: 3 stride: 2", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    pool("kernel_size: 3 stride: 2 pad: 1", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, ceil_mode=1),
    pool("kernel_size: 3 stride: 2", op="AveragePool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    pool("kernel_size: 2 stride: 2", op="AveragePool", kernel_shape=[2, 2], strides=[2, 2]),
    pool(
        "kernel_size: 3 stride: 2 pad: 1 round_mode: FLOOR",
        op="AveragePool",
        kernel_shape=[3, 3],
        strides=[2, 2],
        pads=[1] * 4,
        count_include_pad=1,
    ),
    pool("kernel_size: 3 stride: 2", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1]),
    pool(
        "kernel_size: 3 stride: 2 pad: 1",
        op="AveragePool",
        kernel_shape=[3, 3],
        strides=[2, 2],
        pads=[1] * 4,
        ceil_mode=1,
        count_include_pad=1,
    ),
    pool(
        "kernel_size: 2 stride: 2",
        op="AveragePool",
        x=(None, 4, 7, 9),
        kernel_shape=[2, 2],
        strides=[2, 2],
        pads=[0, 0, 1, 1],
    ),
    node(
        "AveragePool",
        '"Pooling" pooling_param { pool: AVE kernel_size: 3 pad: 1 }',
        '"Scale" scale_param { axis: 2 num_axes: 2 }',
        kernel_shape=[3, 3],
        pads=[1] * 4,
    ),
    node(
        "AveragePool",
        '"Pooling" pooling_param { pool: AVE stride: 2 kernel_h: 3 kernel_w: 5 pad_h: 1 pad_w: 2 }',
        '"Scale" scale_param { axis: 2 num_axes: 2 }',
        x=(None, 4, 7, 9),
        kernel_shape=[3, 5],
        strides=[2, 2],
        pads=[1, 2, 1, 2],
    ),
    node("GlobalAveragePool", '"Pooling" pooling_param { pool: AVE global_pooling: true }'),
    node(
        "Gemm",
        '"InnerProduct" inner_product_param { num_output: 5 }',
        x={"A": (None, 6)},
        weights={"B": (6, 5), "C": (5,)},
    ),
    node(
        "Gemm",
        '"InnerProduct" inner_product_param { num_output: 5 bias_term: false }',
        x={"A": (None, 6)},
        weights={"B": (5, 6)},
        transB=1,
    ),
    node(
        "MatMul",
        '"InnerProduct" inner_product_param { num_output: 4 bias_term: false axis: 2 }',
        x={"A": (None, 3, 6)},
        weights={"B": (6, 4)},
    ),
    node("Add", '"Eltwise" eltwise_param { operation: SUM }', x={"A": X, "B": X}),
    node("Add", '"Power" power_param { shift: 0.7 }', x={"A": X}, numbers={"B": 0.7}),
    node("Add", '"Bias"', x={"A": X}, weights={"B": (4, 1, 1)}, unproved=True),
    node("Sub", '"Eltwise" eltwise_param { operation: SUM coeff: 1 coeff: -1 }', x={"A": X, "B": X}),
    node("Sub", '"Power" power_param { shift: -0.7 }', x={"A": X}, numbers={"B": 0.7}),
    node("Sub", '"Bias"', x={"A": X}, weights={"B": (4, 1, 1)}, unproved=True),
    node("Mul", '"Eltwise" eltwise_param { operation: PROD }', x={"A": X, "B": X}),
    node("Mul", '"Power" power_param { scale: 3 }', x={"A": X}, numbers={"B": 3.0}),
    node("Mul", '"Scale"', x={"A": X}, weights={"B": (1, 4, 1, 1)}),
    node("Mul", '"Scale" scale_param { axis: 3 }', x={"A": X}, weights={"B": (10,)}),
    node("Mul", '"Flatten"', '"Scale" scale_param { axis: 0 }', x={"A": X, "B": (None, 4, 1, 1)}),
    node("Div", '"Power" power_param { scale: 0.25 }', x={"A": X}, numbers={"B": 4.0}),
    node("Pow", '"Power" power_param { power: 3 }', numbers={"Y": 3.0}),
    node("Sqrt", '"Power" power_param { power: 0.5 }', positive=True),
    node("Exp", '"Exp"'),
    node("Log", '"Log"', positive=True),
    node("Abs", '"AbsVal"'),
    node("Relu", '"ReLU"'),
    node("LeakyRelu", '"ReLU" relu_param { negative_slope: 0.01 }'),
    node("LeakyRelu", '"ReLU" relu_param { negative_slope: 0.3 }', alpha=0.3),
    node("PRelu", '"PReLU"', weights={"slope": (4, 1, 1)}),
    node("PRelu", '"PReLU" prelu_param { channel_shared: true }', weights={"slope": (1,)}),
    node("Elu", '"ELU"'),
    node("Elu", '"ELU" elu_param { alpha: 0.7 }', alpha=0.7),
    node("Sigmoid", '"Sigmoid"'),
    node("Tanh", '"TanH"', x={"input": X}),
    node("Softmax", '"Softmax"', x={"input": X}, axis=1),
    node("Softmax", '"Softmax" softmax_param { axis: 3 }', x={"input": X}),
    node("Softmax", '"Softmax"', x={"input": (None, 6)}),
    node("Clip", '"Clip" clip_param { min: 0 max: 6 }', x={"input": X}, min=0.0, max=6.0, unproved=True),
    node(
        "BatchNormalization",
        '"BatchNorm"',
        '"Scale" scale_param { bias_term: true }',
        weights=STATISTICS,
        positive=True,
        momentum=0.999,
    ),
    node(
        "BatchNormalization",
        '"BatchNorm" batch_norm_param { moving_average_fraction: 0.9 eps: 0.001 }',
        '"Scale" scale_param { bias_term: true }',
        weights=STATISTICS,
        positive=True,
        epsilon=1e-3,
        momentum=0.9,
    ),
    node("LRN", '"LRN" lrn_param { local_size: 3 alpha: 0.0001 }', size=3),
    node("LRN", '"LRN" lrn_param { alpha: 1 }', size=5, alpha=1.0),
    node("LRN", '"LRN" lrn_param { alpha: 0.02 beta: 0.5 }', size=5, alpha=0.02, beta=0.5),
    node("LRN", '"LRN" lrn_param { alpha: 0.02 k: 2 }', size=5, alpha=0.02, bias=2.0, unproved=True),
    data("Dropout", '"Dropout"'),
    data("Dropout", '"Dropout" dropout_param { dropout_ratio: 0.3 }', ratio=0.3),
    node("Flatten", '"Flatten"', x={"input": X}),
    data("Reshape", '"Reshape" reshape_param { shape { dim: -1 dim: 8 dim: 40 } }', shape=[-1, 8, 40]),
    data("Reshape", '"Flatten"', shape=[-1, 320]),
    data("Transpose", '"Permute" permute_param { order: 0 order: 2 order: 3 order: 1 }', perm=[0, 2, 3, 1]),
    node("Concat", '"Concat"', x={"inputs": (None, 4, 6)}, axis=1),
    node("Concat", '"Concat" concat_param { axis: 2 }', x={"inputs": (None, 4, 6)}, axis=2),
    data("Squeeze", '"Flatten"', x=(None, 4, 1, 1), axes=[2, 3]),
    data("Squeeze", '"Reshape" reshape_param { shape { dim: -1 dim: 4 dim: 3 } }', x=(None, 4, 1, 3), axes=[2]),
    data("Unsqueeze", '"Reshape" reshape_param { shape { dim: -1 dim: 1 dim: 6 } }', x=(None, 6), axes=[1]),
    data("ReduceMean", '"Pooling" pooling_param { pool: AVE global_pooling: true }', axes=[2, 3]),
    data(
        "ReduceMean", '"Pooling" pooling_param { pool: AVE global_pooling: true }', '"Flatten"', axes=[2, 3], keepdims=0
    ),
    data(
        "ReduceMean",
        '"Reduction" reduction_param { operation: MEAN axis: 1 }',
        axes=[1, 2, 3],
        keepdims=0,
        unproved=True,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_record_is_said_and_proved(case: Case, sketch: Any) -> None:
    names = ["x"] if len(case.inputs) == 1 else ["a", "b"]
    given = {key: [sketch.input(name, shape)] for name, (key, shape) in zip(names, case.inputs.items(), strict=True)}
    if case.op == "Concat":
        given["inputs"].append(sketch.record("Sigmoid", {"X": given["inputs"]}, {}, layer="gate"))
    for key, shape in case.weights.items():
        given[key] = [sketch.parameter(f"op/{key}", *shape, positive=case.positive)]
    for key, number in case.numbers.items():
        given[key] = [sketch.constant(f"op.{key}", np.asarray(number, np.float32))]
    model = sketch.canonical(sketch.record(case.op, given, case.values, layer="op"))
    package = sketch.write(model)
    assert [layer for layer in sketch.layers() if layer != '"Sigmoid"' or case.op == "Sigmoid"] == list(case.said)

    random = np.random.default_rng(3)
    shapes = [[3 if size is None else size for size in shape] for shape in case.inputs.values()]
    drawn = [random.uniform(0.5, 2, s) if case.positive else random.normal(0, 1, s) for s in shapes]
    arrays = dict(zip(names, (array.astype(np.float32) for array in drawn), strict=True))
    reference = execute.run_ir(model, arrays)
    skipped = [note for note in sketch.notes if note.kind == "Skipped"]
    assert bool(skipped) is case.unproved
    if not case.unproved:
        outputs = [port.identifier for port in package.outputs]
        run = {"path": str(sketch.folder), "format": "caffe", "outputs": outputs}
        for left, right in zip(reference, execute.run("caffe", arrays, run, phase="run"), strict=True):
            sketch.close(left, right)
    _read_back(sketch, arrays, reference)


def _read_back(sketch: Any, arrays: Mapping[str, Any], reference: list[Any]) -> None:
    artifact = recognise(sketch.folder)
    assert artifact is not None
    model = passes.run(read(artifact, ReadOptions()).model, notes=Notes())
    for left, right in zip(reference, execute.run_ir(model, arrays), strict=True):
        sketch.close(left, right)


REFUSED = [
    (node("Conv", "no multiple of the dilation", weights={"W": (6, 4, 3, 3)}, pads=[0, 0, 1, 1], dilations=[2, 2])),
    (node("MaxPool", "differ at the two ends", kernel_shape=[3, 3], pads=[0, 0, 2, 2])),
    (node("AveragePool", "differ at the two ends", kernel_shape=[3, 3], pads=[1, 1, 2, 2])),
    (node("MaxPool", "no form for 1 spatial axes", x=L, kernel_shape=[2])),
    (node("MaxPool", "no form for 3 spatial axes", x=V, kernel_shape=[2, 2, 2])),
    (node("MaxPool", "cannot say dilations", kernel_shape=[2, 2], dilations=[2, 2])),
    (node("Add", "does not broadcast", x={"A": X, "B": (1, 4, 1, 10)})),
    (node("Div", "no layer divides", x={"A": X, "B": X})),
    (node("MatMul", "no layer multiplies", x={"A": (None, 3, 6), "B": (None, 6, 4)})),
    (node("LRN", "a window of even size", size=4)),
    (node("Clip", "does not cover this case", x={"input": X}, max=6.0)),
    (data("Pad", "no card for Pad", pads=[0, 0, 1, 1, 0, 0, 1, 1])),
    (data("ReduceMean", "all from one on", axes=[1], keepdims=0)),
    (conv("cannot say output_padding", X, (4, 6, 3, 3), op="ConvTranspose", strides=[2, 2], output_padding=[1, 1])),
]


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_caffe_cannot_say_is_refused_with_the_reason(case: Case, sketch: Any) -> None:
    names = ["x"] if len(case.inputs) == 1 else ["a", "b"]
    given = {key: [sketch.input(name, shape)] for name, (key, shape) in zip(names, case.inputs.items(), strict=True)}
    for key, shape in case.weights.items():
        given[key] = [sketch.parameter(f"op/{key}", *shape)]
    model = sketch.canonical(sketch.record(case.op, given, case.values, layer="the layer"))
    with pytest.raises(UnsupportedModel) as raised:
        sketch.write(model)
    (refusal,) = raised.value.refusals
    assert refusal.startswith(f"{case.op} the layer: ")
    reason = case.said[0] if "{" not in case.said[0] else case.said[0].partition("{ ")[2].partition(" }")[0]
    assert reason in refusal
    assert not list(sketch.folder.iterdir())


def test_a_mean_without_padding_needs_the_size_of_the_image(sketch: Any) -> None:
    x = sketch.input("x", (None, 4, "height", "width"))
    y = sketch.record("AveragePool", {"X": [x]}, {"kernel_shape": [3, 3], "pads": [1] * 4}, layer="mean")
    with pytest.raises(UnsupportedModel) as raised:
        sketch.write(sketch.canonical(y))
    assert "for an image whose size is not known" in raised.value.refusals[1]


def test_all_refusals_come_at_once(sketch: Any) -> None:
    x = sketch.input("x", (None, 4, "height", 8))
    padded = sketch.record("Pad", {"data": [x]}, {"pads": [0, 0, 1, 1, 0, 0, 1, 1]}, layer="pad")
    y = sketch.record("Div", {"A": [padded], "B": [padded]}, {}, layer="quotient")
    with pytest.raises(UnsupportedModel) as raised:
        sketch.write(sketch.canonical(y))
    assert [line.partition(":")[0] for line in raised.value.refusals] == ["input x", "Pad pad", "Div quotient"]


def test_inputs_that_are_no_floats_and_weights_beyond_what_caffe_reads_are_refused(sketch: Any) -> None:
    labels = sketch.input("labels", (1, 4), ir.DataType.INT64)
    with pytest.raises(UnsupportedModel, match="input labels: Caffe's blobs are float32, not int64"):
        sketch.write(sketch.canonical(sketch.record("Abs", {"X": [labels]}, {}, layer="abs")))
    huge = Learned(np.broadcast_to(np.float32(0), (1 << 15, 1 << 15)))
    with pytest.raises(UnsupportedModel, match="at most 2147483647 bytes"):
        check_size({"fc": [huge]})


def test_float64_weights_are_written_as_float32_and_told(sketch: Any) -> None:
    x = sketch.input("x", (None, 3))
    numbers = np.arange(6, dtype=np.float64).reshape(2, 3) / 7
    weight = sketch.weight("w", ir.tensor(numbers, name="w"))
    sketch.write(sketch.canonical(sketch.record("Gemm", {"A": [x], "B": [weight]}, {"transB": 1}, layer="fc")))
    (layer,) = (layer for layer in stored_layers(sketch.folder / "deploy.caffemodel") if layer.blobs)
    assert np.array_equal(layer.blobs[0].array, numbers.astype(np.float32))
    assert [note.place for note in sketch.notes if note.kind == "Approximated"] == ["fc"]
