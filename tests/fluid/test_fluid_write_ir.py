"""Models of the IR that no Fluid program gives: what is written for them, and that it computes the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from interlingua import passes, pipeline, plugin
from interlingua.artifact import WriteOptions
from interlingua.errors import UnsupportedModel
from interlingua.ir.build import Builder
from interlingua.notes import Notes
from interlingua.proof import execute

Make = Callable[[Builder, ir.Value], ir.Value]
RANDOM = np.random.default_rng(5)


def numbers(*shape: int) -> np.ndarray:
    return RANDOM.uniform(-0.5, 0.5, shape).astype(np.float32)


def weight(builder: Builder, name: str, *shape: int) -> ir.Value:
    return builder.weight(name, ir.tensor(numbers(*shape), name=name))


def convolution_of_signals(b: Builder, x: ir.Value) -> ir.Value:
    inputs = {"X": [x], "W": [weight(b, "conv/w", 6, 2, 3)], "B": [weight(b, "conv/b", 6)]}
    values = {"pads": [2, 1], "strides": [2], "group": 2, "dilations": [2]}
    return b.record("Conv", inputs, values, layer="conv")


def transposed_with_output_padding(b: Builder, x: ir.Value) -> ir.Value:
    inputs = {"X": [x], "W": [weight(b, "up/w", 4, 3, 3, 3)]}
    values = {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}
    return b.record("ConvTranspose", inputs, values, layer="up")


def transposed_signals(b: Builder, x: ir.Value) -> ir.Value:
    inputs = {"X": [x], "W": [weight(b, "up/w", 4, 3, 3)]}
    return b.record("ConvTranspose", inputs, {"strides": [2], "pads": [1, 1], "output_padding": [1]}, layer="up")


def pooling_of_signals(b: Builder, x: ir.Value) -> ir.Value:
    y = b.record("MaxPool", {"X": [x]}, {"kernel_shape": [3], "strides": [2], "pads": [1, 0]}, layer="max")
    return b.record("AveragePool", {"X": [y]}, {"kernel_shape": [2]}, layer="mean")


def mean_of_signals(b: Builder, x: ir.Value) -> ir.Value:
    return b.record("GlobalAveragePool", {"X": [x]}, {}, layer="mean")


def dense_with_turned_kernel(b: Builder, x: ir.Value) -> ir.Value:
    inputs = {"A": [x], "B": [weight(b, "fc.weight", 7, 6)], "C": [weight(b, "fc.bias", 7)]}
    return b.record("Gemm", inputs, {"transB": 1}, layer="fc")


def dense_over_sequences(b: Builder, x: ir.Value) -> ir.Value:
    y = b.record("MatMul", {"A": [x], "B": [weight(b, "w", 8, 5)]}, {}, layer="project")
    return b.record("Add", {"A": [weight(b, "bias", 5)], "B": [y]}, {}, layer="project")


def a_dense_layer_used_twice(b: Builder, x: ir.Value) -> ir.Value:
    shared = weight(b, "shared", 6, 6)
    y = b.record("Relu", {"X": [b.record("MatMul", {"A": [x], "B": [shared]}, {}, layer="one")]}, {}, layer="one")
    return b.record("MatMul", {"A": [y], "B": [shared]}, {}, layer="two")


def numbers_on_the_left(b: Builder, x: ir.Value) -> ir.Value:
    one, two = b.constant("one", np.float32(1.0).reshape(())), b.constant("two", np.float32(2.0).reshape(()))
    y = b.record("Sub", {"A": [one], "B": [b.record("Abs", {"X": [x]}, {})]}, {})
    return b.record("Pow", {"X": [two], "Y": [b.record("Div", {"A": [y], "B": [two]}, {})]}, {})


def constants_and_trained_tensors(b: Builder, x: ir.Value) -> ir.Value:
    mean = b.constant("mean", numbers(4, 1, 1))
    y = b.record("Sub", {"A": [x], "B": [mean]}, {}, layer="normalise")
    y = b.record("Mul", {"A": [y], "B": [weight(b, "gain", 1, 4, 1, 1)]}, {}, layer="gain")
    return b.record("Add", {"A": [y], "B": [weight(b, "gain/offset", 9, 8)]}, {}, layer="gain")


def one_sided_bounds(b: Builder, x: ir.Value) -> ir.Value:
    y = b.record("Tanh", {"input": [b.record("Clip", {"input": [x]}, {"min": -0.5})]}, {})
    return b.record("Clip", {"input": [y]}, {"max": 0.25})


def slopes_behind_the_channels(b: Builder, x: ir.Value) -> ir.Value:
    return b.record("PRelu", {"X": [x], "slope": [weight(b, "slope", 4, 1, 1)]}, {}, layer="act")


def slopes_of_one_axis_less(b: Builder, x: ir.Value) -> ir.Value:
    return b.record("PRelu", {"X": [x], "slope": [weight(b, "slope", 4, 1)]}, {}, layer="act")


def flattening_in_the_middle(b: Builder, x: ir.Value) -> ir.Value:
    return b.record("Flatten", {"input": [x]}, {"axis": 2}, layer="flat")


def padding_reflected(b: Builder, x: ir.Value) -> ir.Value:
    return b.record("Pad", {"data": [x]}, {"pads": [0, 0, 2, 1, 0, 0, 0, 3], "mode": "reflect"}, layer="pad")


def normalisation_in_channels(b: Builder, x: ir.Value) -> ir.Value:
    values = {"size": 5, "alpha": 0.5, "beta": 0.6, "bias": 2.0}
    return b.record("LRN", {"X": [x]}, values, layer="norm")


def padding_that_cuts_off(b: Builder, x: ir.Value) -> ir.Value:
    values = {"pads": [0, 0, -1, 2, 0, 0, -3, -2], "constant_value": 0.5}
    return b.record("Pad", {"data": [x]}, values, layer="crop")


def normalisation_with_a_large_epsilon(b: Builder, x: ir.Value) -> ir.Value:
    names = {"scale": "bn/gamma", "B": "bn/beta", "input_mean": "bn/mean"}
    inputs = {"X": [x], **{name: [weight(b, source, 4)] for name, source in names.items()}}
    inputs["input_var"] = [b.weight("bn/variance", ir.tensor(np.abs(numbers(4)) + 0.5, name="bn/variance"))]
    return b.record("BatchNormalization", inputs, {"epsilon": 0.1}, layer="bn")


def two_branches(b: Builder, x: ir.Value) -> ir.Value:
    left = b.record("Sigmoid", {"X": [x]}, {}, layer="left")
    right = b.record("Relu", {"X": [x]}, {}, layer="right")
    return b.record("Concat", {"inputs": [left, right, x]}, {"axis": 1}, layer="join")


def layers_alike(b: Builder, x: ir.Value) -> ir.Value:
    for number, (inputs, outputs) in enumerate(((4, 5), (5, 6), (6, 4), (4, 3))):
        name = f"block{number}"
        given = {"X": [x], "W": [weight(b, f"{name}/w", outputs, inputs, 3, 3)], "B": [weight(b, f"{name}/b", outputs)]}
        x = b.record("Conv", given, {"pads": [1, 1, 1, 1]}, layer=name)
        x = b.record("Relu", {"X": [x]}, {}, layer=name) if number < 3 else x
    return x


IMAGE, SIGNAL, ROWS = (4, 9, 8), (4, 9), (6,)
CASES: dict[Make, tuple[tuple[int, ...], str]] = {
    convolution_of_signals: (SIGNAL, "squeeze(fluid.layers.conv2d("),
    transposed_with_output_padding: (IMAGE, "output_size=[18, 16]"),
    transposed_signals: (SIGNAL, "output_size=[1, 18]"),
    pooling_of_signals: (SIGNAL, 'pool_type="avg"'),
    mean_of_signals: (SIGNAL, "reduce_mean(x, dim=2, keep_dim=True)"),
    dense_with_turned_kernel: (ROWS, 'param_attr="fc.weight", bias_attr="fc.bias"'),
    dense_over_sequences: ((3, 8), 'num_flatten_dims=2, param_attr="w", bias_attr="bias"'),
    a_dense_layer_used_twice: (ROWS, 'param_attr="shared"'),
    numbers_on_the_left: (IMAGE, "1.0 - x"),
    constants_and_trained_tensors: (IMAGE, 'create_parameter([9, 8], "float32", name="gain%2Foffset")'),
    one_sided_bounds: (IMAGE, 'fluid.layers.clip(x, -0.5, float("inf"))'),
    slopes_behind_the_channels: (IMAGE, 'prelu(x, mode="channel", param_attr="slope"'),
    slopes_of_one_axis_less: (SIGNAL, 'prelu(x, mode="channel", param_attr="slope"'),
    flattening_in_the_middle: (IMAGE, "flatten(x, axis=2)"),
    padding_reflected: (IMAGE, 'pad2d(x, paddings=[2, 0, 1, 3], mode="reflect")'),
    normalisation_in_channels: ((7, 5, 4), "lrn(x, k=2.0, alpha=0.1, beta=0.6)"),
    padding_that_cuts_off: (IMAGE, "slice(x, axes=[2, 3], starts=[1, 0], ends=[-3, -2])"),
    normalisation_with_a_large_epsilon: (IMAGE, "/ fluid.layers.sqrt("),
    layers_alike: (IMAGE, 'x = convolution(x, 6, "block1")'),
    two_branches: (IMAGE, "concat([left, right, x], axis=1)"),
}


def built(make: Make, shape: tuple[int, ...]) -> ir.Model:
    builder = Builder("test")
    x = builder.input("x", [None, *shape])
    return passes.run(builder.model([("y", make(builder, x))]), notes=Notes(), debug=True)


@pytest.mark.legacy
@pytest.mark.usefixtures("fluid_python")
@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_what_is_written_computes_the_same(make: Make, tmp_path: Path) -> None:
    shape, said = CASES[make]
    model, framework = built(make, shape), plugin.framework("fluid")
    package, _ = pipeline.write(model, framework, tmp_path)
    text = " ".join((tmp_path / "model.py").read_text().split())
    assert said in text.replace("( ", "(").replace(" )", ")")
    arrays = {"x": numbers(2, *shape)}
    (expected,) = execute.run_ir(model, arrays)
    runs: list[dict[str, str]] = [{"path": str(tmp_path), "format": "python"}]
    for native in ("fluid", "fluid-combined"):
        made = pipeline.materialise(package, framework, tmp_path, WriteOptions(native=native))
        (tmp_path / made["path"]).rename(tmp_path / native)
        runs.append({"path": str(tmp_path / native), "format": native})
    for arguments in runs:
        (received,) = execute.run("fluid", arrays, arguments, phase="test")
        assert received.shape == expected.shape
        assert np.abs(received - expected).max() <= 3e-6 * np.abs(expected).max()


def dilated_pooling(b: Builder, x: ir.Value) -> ir.Value:
    return b.record("MaxPool", {"X": [x]}, {"kernel_shape": [2, 2], "dilations": [2, 2]}, layer="pool")


def even_window(b: Builder, x: ir.Value) -> ir.Value:
    return b.record("LRN", {"X": [x]}, {"size": 4}, layer="norm")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (dilated_pooling, r"MaxPool pool: .*dilations"),
        (even_window, "LRN norm: .*does not cover this case"),
    ],
)
def test_what_fluid_cannot_say_is_refused_before_anything_is_written(make: Make, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=reason):
        pipeline.write(built(make, IMAGE), plugin.framework("fluid"), tmp_path)
    assert not list(tmp_path.iterdir())
