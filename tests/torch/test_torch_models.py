"""Small whole models as PyTorch says them: ties, several inputs and outputs, constants, unknown axes, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

pytestmark = pytest.mark.slow


def dense(sketch: Any, x: ir.Value, layer: str, weight: ir.Value, bias: ir.Value | None = None) -> ir.Value:
    inputs = {"A": [x], "B": [weight]} | ({"C": [bias]} if bias is not None else {})
    return sketch.record("Gemm", inputs, {}, layer=layer)


def test_a_weight_of_two_layers_stays_one_parameter(sketch: Any) -> None:
    x = sketch.input("x", (None, 6))
    shared = sketch.parameter("encoder/weights", 6, 6)
    hidden = dense(sketch, x, "net/encoder", shared, sketch.parameter("encoder/biases", 6))
    y = dense(sketch, hidden, "net/decoder", shared, sketch.parameter("decoder/biases", 6))
    written = sketch.prove(y)
    assert written.constructor == [
        "self.encoder = nn.Linear(6, 6)",
        "self.decoder = nn.Linear(6, 6)",
        "self.decoder.weight = self.encoder.weight",
    ]
    assert sorted(load_file(written.folder / "weights.safetensors")) == [
        "decoder.bias",
        "encoder.bias",
        "encoder.weight",
    ]


def test_a_layer_called_twice_is_one_layer(sketch: Any) -> None:
    x = sketch.input("x", (None, 6))
    weight, bias = sketch.parameter("fc/weights", 6, 6), sketch.parameter("fc/biases", 6)
    hidden = sketch.record("Relu", {"X": [dense(sketch, x, "fc", weight, bias)]}, {}, layer="relu")
    written = sketch.prove(dense(sketch, hidden, "fc again", weight, bias))
    assert written.constructor == ["self.fc = nn.Linear(6, 6)"]
    assert written.forward == ["x = F.relu(self.fc(x))", "return self.fc(x)"]


def test_a_weight_of_a_layer_used_by_itself_too(sketch: Any) -> None:
    x = sketch.input("x", (None, 6))
    weight = sketch.parameter("fc/weights", 6, 6)
    hidden = dense(sketch, x, "fc", weight)
    scale = sketch.parameter("scale", 6)
    hidden = sketch.node("Mul", [hidden, scale], layer="scaled")
    norm = {"input_mean": [sketch.parameter("mean", 6)], "input_var": [sketch.parameter("variance", 6, positive=True)]}
    y = sketch.record("BatchNormalization", {"X": [hidden], "scale": [scale], "B": [scale], **norm}, {}, layer="bn")
    written = sketch.prove(y)
    assert "self.scale = self.bn.weight" in written.constructor
    assert "self.bn.bias = self.bn.weight" in written.constructor


def test_biases_of_equal_numbers_are_not_tied(sketch: Any) -> None:
    x = sketch.input("x", (None, 6))
    zeros = [sketch.weight(f"fc{i}/biases", ir.tensor(np.zeros(6, np.float32))) for i in (1, 2)]
    hidden = dense(sketch, x, "fc1", sketch.parameter("fc1/weights", 6, 6), zeros[0])
    written = sketch.prove(dense(sketch, hidden, "fc2", sketch.parameter("fc2/weights", 6, 6), zeros[1]))
    assert len(load_file(written.folder / "weights.safetensors")) == 4


def test_batch_normalization_counts_from_nought(sketch: Any) -> None:
    """The count of batches is training's own: PyTorch starts it at 0, strictly loaded, and it is not in the file."""
    x = sketch.input("x", (None, 4, 5, 5))
    weights = {name: [sketch.parameter(name, 4, positive=True)] for name in ("scale", "B", "input_mean", "input_var")}
    written = sketch.prove(sketch.record("BatchNormalization", {"X": [x], **weights}, {}, layer="bn1"))
    assert sorted(load_file(written.folder / "weights.safetensors")) == [
        "bn1.bias",
        "bn1.running_mean",
        "bn1.running_var",
        "bn1.weight",
    ]


def test_names_of_the_source_stand_beside_the_weights(sketch: Any) -> None:
    x = sketch.input("images", (None, 3, 8, 8))
    for scope in ("vgg/conv1/conv1_1", "vgg/conv2/conv2_1"):
        weights = {
            "W": [sketch.parameter(f"{scope}/weights", 3, 3, 3, 3)],
            "B": [sketch.parameter(f"{scope}/biases", 3)],
        }
        x = sketch.record("Conv", {"X": [x], **weights}, {}, layer=scope)
    written = sketch.prove(x)
    assert written.forward == ["x = self.conv1_1(images)", "return self.conv2_1(x)"]
    with safe_open(written.folder / "weights.safetensors", "numpy") as file:
        assert '"conv1_1.bias": "vgg/conv1/conv1_1/biases"' in file.metadata()["interlingua.names"]
    assert written.package.layers["conv2_1"] == "vgg/conv2/conv2_1"


@pytest.mark.parametrize(
    ("layers", "attributes"),
    [
        (["vgg/conv1/conv1_1", "vgg/fc6"], ["conv1_1", "fc6"]),
        (["layer1.0.conv1", "layer1.1.conv1", "conv1"], ["layer1_0_conv1", "layer1_1_conv1", "conv1"]),
        (["features.0", "features.3"], ["features_0", "features_3"]),
        (["a/b", "a.b"], ["a_b", "a_b_2"]),
        (
            ["train", "type", "forward", "F", "class", "3d"],
            ["train_2", "type_2", "forward_2", "F", "class_2", "layer_3d"],
        ),
    ],
)
def test_attributes_are_short_and_never_clash(sketch: Any, layers: list[str], attributes: list[str]) -> None:
    x = sketch.input("x", (None, 4))
    for number, layer in enumerate(layers):
        x = dense(sketch, x, layer, sketch.parameter(f"w{number}", 4, 4))
    written = sketch.prove(x)
    assert [line.partition(" ")[0].removeprefix("self.") for line in written.constructor] == attributes
    assert [written.package.layers[name] for name in attributes] == layers


def test_several_inputs_and_outputs_one_of_them_used_inside(sketch: Any) -> None:
    left, right = sketch.input("left/image", (None, 4)), sketch.input("right image", ("N", 4))
    total = sketch.node("Add", [left, right], layer="total")
    doubled = sketch.node("Mul", [total, sketch.constant("two", np.float32(2))], layer="doubled")
    written = sketch.prove(doubled, total)
    assert [port.identifier for port in written.package.inputs] == ["left_image", "right_image"]
    assert [port.name for port in written.package.inputs] == ["left/image", "right image"]
    assert written.forward == ["x = left_image + right_image", "doubled = x * 2.0", "return doubled, x"]


def test_an_input_returned_unchanged(sketch: Any) -> None:
    x = sketch.input("x", (None, 4))
    y = sketch.record("Relu", {"X": [x]}, {}, layer="relu")
    written = sketch.prove(x, y)
    assert written.forward == ["relu = F.relu(x)", "return x, relu"]


def test_one_value_as_two_outputs(sketch: Any) -> None:
    x = sketch.input("x", (None, 4))
    y = sketch.record("Relu", {"X": [x]}, {}, layer="relu")
    written = sketch.prove(
        y, sketch.node("Identity", [y], layer="again"), sketch.record("Abs", {"X": [y]}, {}, layer="z")
    )
    assert written.forward[-1].startswith("return ")


def test_constants_are_numbers_or_buffers_and_parameters_are_parameters(sketch: Any) -> None:
    x = sketch.input("x", (None, 3, 4, 4))
    mean = sketch.constant("mean", np.array([1, 2, 3], np.float32).reshape(3, 1, 1))
    x = sketch.node("Sub", [x, mean], layer="centre")
    x = sketch.node("Div", [x, sketch.constant("scale", np.float32(0.1))], layer="scale")
    written = sketch.prove(sketch.node("Mul", [x, sketch.parameter("gain", 3, 1, 1)], layer="gained"))
    assert written.constructor == [
        'self.register_buffer("mean", torch.empty(3, 1, 1))',
        "self.gain = nn.Parameter(torch.empty(3, 1, 1))",
    ]
    assert written.forward == ["x = x - self.mean", "x = x / 0.1", "return x * self.gain"]


def test_a_dense_layer_of_three_axes_takes_its_bias_in(sketch: Any) -> None:
    x = sketch.input("x", (None, 5, 4))
    product = sketch.node("MatMul", [x, sketch.parameter("proj/kernel", 4, 6)], layer="proj")
    total = sketch.node("Add", [sketch.parameter("proj/bias", 6), product], layer="proj")
    written = sketch.prove(sketch.record("Relu", {"X": [total]}, {}, layer="relu"))
    assert written.constructor == ["self.proj = nn.Linear(4, 6)"]
    assert written.forward == ["return F.relu(self.proj(x))"]


def test_whole_numbers_divide_toward_zero(sketch: Any) -> None:
    a, b = (sketch.input(name, (None, 4), ir.DataType.INT64) for name in "ab")
    y = sketch.node("Div", [a, b], layer="half", dtype=ir.DataType.INT64)
    arrays = {"a": np.array([[-7, 7, 9, -9]]), "b": np.array([[2, -2, 4, -4]])}
    assert sketch.prove(y, arrays=arrays).forward == ['return torch.div(a, b, rounding_mode="trunc")']


def test_unknown_axes_beyond_the_first(sketch: Any) -> None:
    x = sketch.input("x", (None, None, 4))
    y = sketch.record("Reshape", {"data": [x]}, {"shape": [0, -1, 2]}, layer="halves")
    y = sketch.record("Unsqueeze", {"data": [y]}, {"axes": [1, -1]}, layer="wider")
    arrays = {"x": np.random.default_rng(0).normal(0, 1, (3, 5, 4)).astype(np.float32)}
    assert sketch.prove(y, arrays=arrays).forward == [
        "batch = x.shape[0]",
        "x = x.reshape(batch, -1, 2)",
        "return x.unsqueeze(1).unsqueeze(4)",
    ]


def test_reversed_axes_need_no_list(sketch: Any) -> None:
    x = sketch.input("x", (None, 3, 4))
    assert sketch.prove(sketch.node("Transpose", [x], layer="t")).forward == ["return x.transpose(0, 2)"]


def test_the_mean_of_everything(sketch: Any) -> None:
    x = sketch.input("x", (None, 3, 4))
    kept = sketch.record("ReduceMean", {"data": [x]}, {"keepdims": 1}, layer="kept")
    gone = sketch.record("ReduceMean", {"data": [x]}, {"keepdims": 0}, layer="gone")
    written = sketch.prove(kept, gone)
    assert "x.mean(dim=(0, 1, 2), keepdim=True)" in written.source
    assert "x.mean()" in written.source


def test_a_kernel_that_the_model_computes(sketch: Any) -> None:
    x, kernel = sketch.input("x", (None, 4, 8, 8)), sketch.input("kernel", (6, 4, 3, 3))
    y = sketch.record("Conv", {"X": [x], "W": [kernel]}, {"strides": [2, 2]}, layer="conv")
    assert sketch.prove(y).forward == ["return F.conv2d(x, kernel, stride=2)"]


def test_padding_that_differs_at_the_ends_is_a_pad(sketch: Any) -> None:
    x = sketch.input("x", (None, 4, 8, 8))
    weights = {"W": [sketch.parameter("W", 6, 4, 3, 3)]}
    y = sketch.record("Conv", {"X": [x], **weights}, {"pads": [0, 0, 1, 1], "strides": [2, 2]}, layer="conv")
    assert sketch.prove(y).forward == ["x = F.pad(x, (0, 1, 0, 1))", "return self.conv(x)"]


def test_padding_beyond_half_of_a_window_is_a_pad_of_minus_infinity(sketch: Any) -> None:
    x = sketch.input("x", (None, 4, 8, 8))
    values = {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0, 0, 1, 1]}
    y = sketch.record("MaxPool", {"X": [x]}, values, layer="pool")
    assert sketch.prove(y).forward == ['x = F.pad(x, (0, 1, 0, 1), value=float("-inf"))', "return F.max_pool2d(x, 2)"]


def test_a_mean_that_leaves_uneven_padding_out(sketch: Any) -> None:
    x = sketch.input("x", (None, 4, 8, 9))
    values = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 2]}
    y = sketch.record("AveragePool", {"X": [x]}, values, layer="pool")
    assert sketch.prove(y).forward == ["return average_pool(x, [3, 3], [2, 2], [0, 0, 1, 2], [1, 1])"]


def test_a_transposed_convolution_cut_at_one_end(sketch: Any) -> None:
    x = sketch.input("x", (None, 4, 5, 5))
    weights = {"W": [sketch.parameter("W", 4, 6, 3, 3)]}
    values = {"strides": [2, 2], "pads": [0, 0, 1, 1]}
    y = sketch.record("ConvTranspose", {"X": [x], **weights}, values, layer="up")
    assert sketch.prove(y).forward == ["x = self.up(x)", "return F.pad(x, (0, -1, 0, -1))"]


def test_a_slope_for_each_element(sketch: Any) -> None:
    x = sketch.input("x", (None, 4, 5))
    y = sketch.record("PRelu", {"X": [x], "slope": [sketch.parameter("slope", 4, 5)]}, {}, layer="prelu")
    written = sketch.prove(y)
    assert written.constructor == ["self.slope = nn.Parameter(torch.empty(4, 5))"]
