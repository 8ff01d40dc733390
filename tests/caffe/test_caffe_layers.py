"""Layers with fields of their own, read into the IR: against OpenCV where it computes what Caffe does, and numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from interlingua.errors import InvalidSource, UnsupportedModel
from interlingua.proof import execute
from interlingua_caffe import oracle
from interlingua_caffe.proto.scan import flat, outline

Array = np.ndarray[Any, Any]

INPUT = 'layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ {} }} }} }}\n'


def one(kind: str, fields: str = "", shape: tuple[int, ...] = (1, 4, 7, 9), *, second: bool = False) -> str:
    """A network of one layer (named `op`) of one or two inputs."""
    dims = " ".join(f"dim: {size}" for size in shape)
    text = INPUT.format(dims)
    bottoms = 'bottom: "x"'
    if second:
        text += 'layer { name: "gate" type: "Sigmoid" bottom: "x" top: "gate" }\n'
        bottoms += ' bottom: "gate"'
    return text + f'layer {{ name: "op" type: "{kind}" {bottoms} top: "op" {fields} }}\n'


def x4(nets: Any, *shape: int, positive: bool = False) -> Array:
    array: Array = nets.array(*(shape or (3, 4, 7, 9)), positive=positive)
    return array


@pytest.mark.parametrize(
    ("kind", "fields", "ops"),
    [
        ("Pooling", "pooling_param { kernel_size: 3 stride: 2 }", ["MaxPool"]),
        ("Pooling", "pooling_param { kernel_size: 2 stride: 2 }", ["MaxPool"]),
        ("Pooling", "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }", ["AveragePool"]),
        ("Pooling", "pooling_param { pool: AVE kernel_size: 2 stride: 2 }", ["AveragePool"]),
        ("Pooling", "pooling_param { pool: AVE kernel_h: 3 kernel_w: 2 stride: 2 pad_h: 1 pad_w: 0 }", ["AveragePool"]),
        ("Pooling", "pooling_param { pool: AVE kernel_size: 4 stride: 3 pad: 2 }", ["AveragePool"]),
        ("Pooling", "pooling_param { kernel_size: 3 stride: 2 pad: 1 round_mode: FLOOR }", ["MaxPool"]),
        ("Pooling", "pooling_param { kernel_size: 3 stride: 2 round_mode: 1 }", ["MaxPool"]),
        ("Pooling", "pooling_param { kernel_size: 2 stride: 2 ceil_mode: false }", ["MaxPool"]),
        ("Pooling", "pooling_param { pool: MAX global_pooling: true }", ["GlobalMaxPool"]),
        ("Pooling", "pooling_param { pool: AVE global_pooling: true stride: 1 }", ["GlobalAveragePool"]),
        ("ReLU", "relu_param { negative_slope: 0.1 }", ["LeakyRelu"]),
        ("ReLU", "relu_param { negative_slope: 0 engine: CAFFE }", ["Relu"]),
        ("Power", "power_param { power: 2 scale: 0.5 shift: 3 }", ["Mul", "Add", "Pow"]),
        ("Power", "power_param { scale: 0.5 }", ["Mul"]),
        ("Exp", "exp_param { base: 2 scale: 0.5 shift: 0.25 }", ["Mul", "Add", "Exp"]),
        ("Exp", "", ["Exp"]),
        ("ELU", "elu_param { alpha: 0.5 }", ["Elu"]),
        ("TanH", "", ["Tanh"]),
        ("AbsVal", "", ["Abs"]),
        ("Softmax", "softmax_param { axis: 3 }", ["Softmax"]),
        ("Softmax", "softmax_param { axis: -1 }", ["Softmax"]),
        ("Softmax", "", ["Softmax"]),
        ("Dropout", "dropout_param { dropout_ratio: 0.3 }", ["Dropout"]),
        ("Dropout", "dropout_param { dropout_ratio: 0.3 scale_train: false }", ["Mul"]),
        ("LRN", "lrn_param { local_size: 3 alpha: 0.5 beta: 0.6 }", ["LRN"]),
        ("LRN", "", ["LRN"]),
        ("Permute", "permute_param { order: 0 order: 3 order: 1 order: 2 }", ["Transpose"]),
        ("Flatten", "", ["Flatten"]),
        ("Flatten", "flatten_param { axis: 2 }", ["Reshape"]),
        ("Flatten", "flatten_param { axis: 1 end_axis: 2 }", ["Reshape"]),
        ("Reshape", "reshape_param { shape { dim: 0 dim: 2 dim: -1 } }", ["Reshape"]),
        ("Reshape", "reshape_param { shape { dim: 2 dim: -1 } axis: 1 num_axes: 2 }", ["Reshape"]),
        ("Reshape", "reshape_param { shape { dim: 9 dim: -1 } axis: 2 }", ["Reshape"]),
    ],
)
def test_a_layer_without_weights(nets: Any, kind: str, fields: str, ops: list[str]) -> None:
    source = nets.read(nets.net(one(kind, fields)))
    assert [node.op_type for node in source.model.graph] == ops
    assert source.runtime == "caffe"
    nets.agree(source, x4(nets))


@pytest.mark.parametrize(
    ("fields", "op"),
    [
        ("", "Add"),
        ("eltwise_param { operation: PROD }", "Swish"),
        ("eltwise_param { operation: MAX }", "Max"),
        ("eltwise_param { operation: SUM coeff: 1 coeff: -1 }", "Sub"),
        ("eltwise_param { coeff: 0.5 coeff: -2 }", "Add"),
        ("eltwise_param { operation: 1 coeff: 1 coeff: 1 }", "Add"),
    ],
)
def test_eltwise(nets: Any, fields: str, op: str) -> None:
    source = nets.read(nets.net(one("Eltwise", fields, second=True)))
    assert next(iter(reversed(source.model.graph))).op_type == op
    nets.agree(source, x4(nets))


def test_eltwise_of_three(nets: Any) -> None:
    text = one("Eltwise", 'bottom: "gate" eltwise_param { coeff: 1 coeff: 0.5 coeff: -1 }', second=True)
    nets.agree(nets.read(nets.net(text)), x4(nets))


@pytest.mark.parametrize("fields", ["", "num_axes: 2", "axis: 2 num_axes: -1", "axis: 3"])
def test_scale_takes_axes(nets: Any, fields: str) -> None:
    shapes = {"": (4,), "num_axes: 2": (4, 7), "axis: 2 num_axes: -1": (7, 9), "axis: 3": (9,)}
    blobs = [nets.array(*shapes[fields]), nets.array(*shapes[fields])]
    source = nets.read(nets.net(one("Scale", f"scale_param {{ {fields} bias_term: true }}"), op=blobs))
    assert [node.op_type for node in source.model.graph] == ["Mul", "Add"]
    nets.agree(source, x4(nets))


def test_what_opencv_does_not_count_from_the_end_we_do(nets: Any) -> None:
    """Negative axes of Scale and a Permute that names some axes only are Caffe's, not OpenCV's."""
    factor, x = nets.array(4, 7), x4(nets)
    scaled = nets.read(nets.net(one("Scale", "scale_param { axis: -3 num_axes: 2 }"), op=[factor]))
    nets.close(x * factor[..., None], execute.run_ir(scaled.model, {"x": x})[0])
    turned = nets.read(nets.net(one("Permute", "permute_param { order: 0 order: 3 }")))
    nets.close(x.transpose(0, 3, 1, 2), execute.run_ir(turned.model, {"x": x})[0])


def test_a_reshape_that_does_not_fit_is_named(nets: Any) -> None:
    with pytest.raises(InvalidSource, match=r"Expected shapes that Reshape takes\..*layer 'op'"):
        nets.read(nets.net(one("Reshape", "reshape_param { shape { dim: 0 dim: 5 dim: -1 } }")))


def test_scale_by_a_second_bottom(nets: Any) -> None:
    """Squeeze and excitation: a factor for each channel of each sample."""
    text = (
        INPUT.format("dim: 1 dim: 4 dim: 7 dim: 9")
        + """
    layer { name: "squeeze" type: "Pooling" bottom: "x" top: "squeeze"
      pooling_param { pool: AVE global_pooling: true } }
    layer { name: "flat" type: "Flatten" bottom: "squeeze" top: "flat" }
    layer { name: "op" type: "Scale" bottom: "x" bottom: "flat" top: "op" scale_param { axis: 0 } }
    """
    )
    nets.agree(nets.read(nets.net(text)), x4(nets))


@pytest.mark.parametrize("shape", [(4,), (1,)])
def test_prelu(nets: Any, shape: tuple[int, ...]) -> None:
    fields = "prelu_param { channel_shared: true filler { value: 0.2 } }" if shape == (1,) else ""
    nets.agree(nets.read(nets.net(one("PReLU", fields), op=[nets.array(*shape)])), x4(nets))


@pytest.mark.parametrize("factor", [1.0, 999.25, 0.0])
@pytest.mark.parametrize("scaled", [True, False])
def test_batch_norm_weighs_its_statistics(nets: Any, factor: float, scaled: bool) -> None:
    text = one("BatchNorm", "batch_norm_param { eps: 0.01 }")
    mean, variance = nets.array(4) * max(factor, 1), nets.array(4, positive=True) * max(factor, 1)
    blobs = {"op": [mean, variance, np.array([factor], np.float32)]}
    if scaled:
        text += 'layer { name: "scale" type: "Scale" bottom: "op" top: "op" scale_param { bias_term: true } }'
        blobs["scale"] = [nets.array(4), nets.array(4)]
    source = nets.read(nets.net(text, **blobs))
    (node,) = source.model.graph
    assert node.op_type == "BatchNormalization"
    x = x4(nets)
    given = {"x": x}
    (ours,) = execute.run_ir(source.model, given)
    inverse = np.float32(1 / factor) if factor else np.float32(0)
    m, v = (mean * inverse)[:, None, None], (variance * inverse)[:, None, None]
    expected = (x - m) / np.sqrt(v + np.float32(0.01))
    if scaled:
        gamma, beta = blobs["scale"]
        expected = expected * gamma[:, None, None] + beta[:, None, None]
    nets.close(expected, ours)
    if factor:
        nets.agree(source, x)


def test_a_batch_norm_whose_result_is_taken_twice_keeps_its_scale_apart(nets: Any) -> None:
    text = (
        one("BatchNorm")
        + """
    layer { name: "scale" type: "Scale" bottom: "op" top: "scaled" }
    layer { name: "sum" type: "Eltwise" bottom: "op" bottom: "scaled" top: "sum" }
    """
    )
    statistics = [nets.array(4), nets.array(4, positive=True), np.ones(1, np.float32)]
    source = nets.read(nets.net(text, op=statistics, scale=[nets.array(4)]))
    assert [node.op_type for node in source.model.graph] == ["BatchNormalization", "Mul", "Add"]
    nets.agree(source, x4(nets))


@pytest.mark.parametrize(
    ("kind", "fields", "shape"),
    [
        ("Convolution", "num_output: 6 kernel_size: 3 group: 2 bias_term: false", (6, 2, 3, 3)),
        (
            "Convolution",
            "num_output: 6 kernel_h: 3 kernel_w: 1 stride_h: 2 stride_w: 1 pad_h: 1 pad_w: 0",
            (6, 4, 3, 1),
        ),
        ("Convolution", "num_output: 6 kernel_size: 3 kernel_size: 2 pad: 1 pad: 0 stride: 1 stride: 2", (6, 4, 3, 2)),
        ("Convolution", "num_output: 6 kernel_size: 3 dilation: 2 pad: 2 axis: 1", (6, 4, 3, 3)),
        ("Deconvolution", "num_output: 6 kernel_size: 4 stride: 2 pad: 1", (4, 6, 4, 4)),
        ("Deconvolution", "num_output: 4 kernel_size: 2 stride: 2 group: 4", (4, 1, 2, 2)),
        ("ConvolutionDepthwise", "num_output: 4 kernel_size: 3 pad: 1", (4, 1, 3, 3)),
    ],
)
def test_convolutions(nets: Any, kind: str, fields: str, shape: tuple[int, ...]) -> None:
    outputs = int(fields.split()[1])
    bias = [] if "bias_term: false" in fields else [nets.array(outputs)]
    source = nets.read(nets.net(one(kind, f"convolution_param {{ {fields} }}"), op=[nets.array(*shape), *bias]))
    nets.agree(source, x4(nets))


@pytest.mark.parametrize(
    ("fields", "shape", "x"),
    [
        ("num_output: 5", (5, 252), (3, 4, 7, 9)),
        ("num_output: 5 transpose: true", (252, 5), (3, 4, 7, 9)),
        ("num_output: 5 axis: 2", (5, 63), (3, 4, 7, 9)),
        ("num_output: 5 axis: -1 bias_term: false", (5, 9), (3, 4, 7, 9)),
    ],
)
def test_inner_product(nets: Any, fields: str, shape: tuple[int, ...], x: tuple[int, ...]) -> None:
    bias = [] if "bias_term" in fields else [nets.array(5)]
    weight = nets.array(*shape)
    source = nets.read(nets.net(one("InnerProduct", f"inner_product_param {{ {fields} }}"), op=[weight, *bias]))
    data = x4(nets, *x)
    (ours,) = execute.run_ir(source.model, {"x": data})
    axis = 2 if "axis: 2" in fields else 3 if "axis" in fields else 1
    rows = data.reshape(*data.shape[:axis], -1)
    matrix = weight if "transpose" in fields else weight.T
    nets.close(rows @ matrix + (bias[0] if bias else 0), ours, 1e-5)


def test_concat_and_old_spelling(nets: Any) -> None:
    for fields in ("", "concat_param { axis: 2 }", "concat_param { concat_dim: 1 }"):
        nets.agree(nets.read(nets.net(one("Concat", fields, second=True))), x4(nets))


def test_split_and_shared_convolution(nets: Any) -> None:
    """Snapshots hold Split layers; a Convolution of two bottoms has two tops and one weight."""
    text = (
        INPUT.format("dim: 1 dim: 4 dim: 7 dim: 9")
        + """
    layer { name: "split" type: "Split" bottom: "x" top: "x_0" top: "x_1" }
    layer { name: "s" type: "Sigmoid" bottom: "x_1" top: "x_1" }
    layer { name: "conv" type: "Convolution" bottom: "x_0" bottom: "x_1" top: "a" top: "b"
      convolution_param { num_output: 2 kernel_size: 3 } }
    layer { name: "op" type: "Eltwise" bottom: "a" bottom: "b" top: "op" }
    """
    )
    source = nets.read(nets.net(text, conv=[nets.array(2, 4, 3, 3), nets.array(2)]))
    assert len(source.model.graph.initializers) == 2
    x = x4(nets)
    (ours,) = execute.run_ir(source.model, {"x": x})
    assert ours.shape == (3, 2, 5, 7)


UNPROVED = [
    ("LRN", "lrn_param { k: 2 }", lambda x: _lrn(x, 5, 1.0, 0.75, 2.0)),
    ("Log", "log_param { base: 2 }", lambda x: np.log2(x)),
    ("Log", "log_param { scale: 2 shift: 1 }", lambda x: np.log(1 + 2 * x)),
]


def _lrn(x: Array, size: int, alpha: float, beta: float, k: float) -> Array:
    squares = np.pad(x.astype(np.float64) ** 2, ((0, 0), (size // 2, size // 2), (0, 0), (0, 0)))
    total = sum(squares[:, i : i + x.shape[1]] for i in range(size))
    return (x / (k + alpha / size * total) ** beta).astype(np.float32)


@pytest.mark.parametrize(("kind", "fields", "formula"), UNPROVED)
def test_where_opencv_deviates_we_follow_caffe_and_say_so(nets: Any, kind: str, fields: str, formula: Any) -> None:
    source = nets.read(nets.net(one(kind, fields)))
    x = x4(nets, positive=True)
    (ours,) = execute.run_ir(source.model, {"x": x})
    nets.close(formula(x), ours, 1e-5)
    assert source.runtime == ""
    told = [note for note in source.notes if note.kind == "Skipped"]
    assert told and all(note.place == "op" and "OpenCV does not honour" in note.text for note in told)


def test_opencv_deconvolves_neither_one_axis_nor_with_dilation(nets: Any) -> None:
    text = one("Deconvolution", "convolution_param { num_output: 2 kernel_size: 3 }", (1, 4, 7))
    source = nets.read(nets.net(text, op=[nets.array(4, 2, 3), nets.array(2)]))
    assert source.runtime == "" and any("of 1 spatial axes" in note.text for note in source.notes)
    text = one("Deconvolution", "convolution_param { num_output: 2 kernel_size: 3 dilation: 2 }")
    weights = nets.save_weights(nets.folder / "w.caffemodel", {"op": [nets.array(4, 2, 3, 3), nets.array(2)]})
    found = _opencv(text, weights.read_bytes(), np.ones((1, 4, 7, 9), np.float32))
    assert found.shape != (1, 2, 11, 13), "the day this fails, the row of `oracle.DEVIATIONS` is to go"


REFUSED = (
    "Bias",
    "Clip",
    "Reduction",
    "LogSoftmax",
    "ArgMax",
    "Tile",
    "Embed",
    "LSTM",
    "Upsample",
    "Python",
    "Accuracy",
)


def test_the_oracle_names_what_it_cannot_prove() -> None:
    for kind in REFUSED:
        (said,) = oracle.unproved([("op", kind, {})])
        assert said == f"op: OpenCV has no layer {kind}."
    fields = flat(outline("lrn_param { k: 2.0 alpha: 1 } pooling_param { pool: STOCHASTIC }"))
    assert len(oracle.unproved([("n", "LRN", fields), ("p", "Pooling", fields), ("c", "Concat", fields)])) == 2
    assert not oracle.unproved([("n", "LRN", flat(outline("lrn_param { k: 1.0 alpha: 0.1 }")))])


def _opencv(text: str, weights: bytes, x: Array) -> Array:
    import cv2

    buffers = [np.frombuffer(part, np.uint8) for part in (text.encode(), weights) if part]
    net = cv2.dnn.readNetFromCaffe(*buffers)
    net.setInput(x, "x")
    return np.asarray(net.forward())


@pytest.mark.parametrize(("kind", "fields", "formula"), UNPROVED)
def test_opencv_does_deviate(kind: str, fields: str, formula: Any) -> None:
    """The day this fails, the row of `oracle.DEVIATIONS` is to go."""
    x = np.random.default_rng(0).uniform(0.5, 2, (1, 4, 7, 9)).astype(np.float32)
    found = _opencv(one(kind, fields), b"", x)
    assert np.abs(found - formula(x)).max() > 1e-2


@pytest.mark.parametrize("kind", ["Bias", "Clip", "Reduction", "LogSoftmax", "ArgMax", "Tile"])
def test_opencv_does_refuse(kind: str) -> None:
    import cv2

    with pytest.raises(cv2.error):
        _opencv(one(kind), b"", np.zeros((1, 4, 7, 9), np.float32))


def test_the_runtime_refuses_what_it_would_compute_wrongly(nets: Any) -> None:
    from interlingua.worker.failures import WorkerRaised

    path = nets.net(one("LRN", "lrn_param { k: 2 }"))
    with pytest.raises(WorkerRaised, match="OpenCV would not compute what Caffe does"):
        execute.run("caffe", {"x": x4(nets)}, {"path": str(path), "format": "caffe"}, phase="run")


@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        ("Mish", "", "no card of caffe knows Mish"),
        ("Pooling", "pooling_param { pool: STOCHASTIC kernel_size: 2 }", "no card of Pooling fits"),
        ("LRN", "lrn_param { norm_region: WITHIN_CHANNEL }", "no card of LRN fits"),
        ("Pooling", "pooling_param { kernel_size: 1 stride: 4 }", "a last window that lies wholly beyond the image"),
        ("ReLU", "relu6_param { top: 6 }", "fields that no schema of ours knows: relu6_param"),
        ("Pooling", "pooling_param { kernel_size: 2 avg_include_pad: false }", "pooling_param.avg_include_pad"),
    ],
)
def test_what_nobody_reads_is_an_opaque_node(nets: Any, kind: str, fields: str, reason: str) -> None:
    from interlingua import pipeline, plugin
    from interlingua.artifact import WriteOptions

    source = nets.read(nets.net(one(kind, fields, (1, 4, 7, 10))))
    (node,) = source.model.graph
    assert (node.domain, node.op_type) == ("caffe", kind)
    (note,) = (note for note in source.notes if note.kind == "Changed")
    assert note.place == "op" and reason in note.text
    with pytest.raises(UnsupportedModel):
        pipeline.write(source.model, plugin.framework("torch"), nets.folder, WriteOptions())


def test_what_follows_an_opaque_layer_is_read_where_its_shape_does_not_matter(nets: Any) -> None:
    text = (
        one("Mish")
        + """
    layer { name: "conv" type: "Convolution" bottom: "op" top: "conv"
      convolution_param { num_output: 2 kernel_size: 3 } }
    layer { name: "prelu" type: "PReLU" bottom: "conv" top: "conv" }
    layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { kernel_size: 2 stride: 2 } }
    layer { name: "ip" type: "InnerProduct" bottom: "pool" top: "ip" inner_product_param { num_output: 3 } }
    """
    )
    blobs = {"conv": [nets.array(2, 4, 3, 3), nets.array(2)], "prelu": [nets.array(2)]}
    blobs["ip"] = [nets.array(3, 8), nets.array(3)]
    source = nets.read(nets.net(text, **blobs))
    assert [node.op_type for node in source.model.graph if not node.domain] == ["Conv", "MaxPool", "Flatten", "Gemm"]
    assert [node.op_type for node in source.model.graph if node.domain] == ["Mish", "PReLU"]


def test_an_opaque_layer_is_written_to_caffe_as_it_was(nets: Any, tmp_path: Any) -> None:
    from interlingua import pipeline, plugin
    from interlingua.artifact import WriteOptions

    text = one("Normalize", "norm_param { across_spatial: false channel_shared: false }")
    text += 'layer { name: "relu" type: "ReLU" bottom: "op" top: "op" }'
    source = nets.read(nets.net(text, op=[nets.array(4)]))
    out = tmp_path / "out"
    out.mkdir()
    package, _ = pipeline.write(source.model, plugin.framework("caffe"), out, WriteOptions())
    x = {"x": x4(nets)}
    run = {"path": str(out), "format": "caffe", "outputs": [port.identifier for port in package.outputs]}
    (written,) = execute.run("caffe", x, run, phase="run")
    (original,) = execute.run("caffe", x, source.run, phase="run")
    assert np.array_equal(written, original)


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("Flatten", "flatten_param { axis: 4 }", "Received axis 4."),
        ("Flatten", "flatten_param { end_axis: -5 }", "Received axis -5."),
        ("Scale", "scale_param { axis: 7 }", "Received axis 7."),
        ("InnerProduct", "inner_product_param { num_output: 2 axis: -9 }", "Received axis -9."),
        ("Softmax", "softmax_param { axis: 9 }", "Expected shapes that Softmax takes."),
        ("Reshape", "reshape_param { shape { dim: 0 } axis: 4 num_axes: 1 }", "Received 4 and 1 axes."),
        ("Exp", "exp_param { base: -2 }", "Expected a base above 0"),
        ("Log", "log_param { base: 1 }", "Expected a base above 0 and not 1"),
    ],
)
def test_numbers_that_mean_nothing_are_named(nets: Any, kind: str, fields: str, said: str) -> None:
    with pytest.raises(InvalidSource) as raised:
        nets.read(nets.net(one(kind, fields), op=[nets.array(4)]))
    assert said in str(raised.value) and "'op'" in str(raised.value)


def test_a_bottom_that_nobody_computes_is_named(nets: Any) -> None:
    with pytest.raises(InvalidSource, match="Received 'ghost'"):
        nets.read(nets.net(one("Eltwise", 'bottom: "ghost"')))
