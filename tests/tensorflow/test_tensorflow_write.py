"""What is written for TensorFlow reads like a person's code, runs, and holds the weights to the bit."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import helper, numpy_helper
from safetensors.numpy import load_file

from interlingua import passes, pipeline, plugin
from interlingua.artifact import ReadOptions, WriteOptions
from interlingua.errors import UnsupportedModel
from interlingua.ir import metadata
from interlingua.ir.origin import is_permutation
from interlingua.notes import Notes
from interlingua.pipeline import ConvertOptions, convert
from interlingua.proof import execute
from interlingua.proof.compare import compare

Maker = Callable[..., Path]
NATIVES = ("tensorflow-savedmodel", "tensorflow-frozen", "tensorflow-checkpoint")


@pytest.fixture(scope="session")
def converted(lenet: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """LeNet-4, converted from its checkpoint with the given native artifact; each once."""
    kept: dict[str, Path] = {}

    def make(native: str) -> Path:
        if native not in kept:
            kept[native] = tmp_path_factory.mktemp("out") / "lenet"
            convert(lenet / "model.meta", "tensorflow", kept[native], ConvertOptions(native=native))
        return kept[native]

    return make


@pytest.mark.slow
@pytest.mark.parametrize("native", NATIVES)
def test_lenet_is_proved_in_every_native_form(converted: Callable[[str], Path], native: str) -> None:
    report = json.loads((converted(native) / "report.json").read_text())
    assert report["transposes"] == {"leftover": 0, "native": 0}
    assert [proof["verdict"] for proof in report["proofs"]] == ["proved"] * 3
    relative = [row["relative"] for proof in report["proofs"] for row in proof["outputs"]]
    assert len(relative) == 3 and max(relative) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("native", NATIVES)
def test_a_native_form_is_read_again_under_the_same_names(
    lenet: Path, converted: Callable[[str], Path], native: str
) -> None:
    told = json.loads((converted(native) / "report.json").read_text())["target"]
    source = pipeline.read(converted(native) / told["path"])
    assert [value.name for value in source.model.graph.inputs] == ["inputs"]
    assert [value.name for value in source.model.graph.outputs] == ["predictions"]
    origins = {str(metadata.origin(value)) for value in source.model.graph.initializers.values()}
    assert {"block1_conv1/bias", "transpose(block1_conv1/kernel, 3, 2, 0, 1)"} <= origins
    first = pipeline.read(lenet / "model.meta")
    kept = {str(metadata.origin(v)): v.const_value for v in first.model.graph.initializers.values()}
    for value in source.model.graph.initializers.values():
        origin = str(metadata.origin(value))
        if origin in kept and value.const_value is not None and kept[origin] is not None:
            np.testing.assert_array_equal(value.const_value.numpy(), kept[origin].numpy())  # type: ignore[union-attr]


@pytest.mark.legacy
@pytest.mark.parametrize("native", NATIVES[1:])
def test_tensorflow_1_runs_what_was_written(lenet: Path, converted: Callable[[str], Path], native: str) -> None:
    told = json.loads((converted(native) / "report.json").read_text())["target"]
    with np.load(lenet / "held_out.npz") as held:
        x, y = held["x"], held["y"]
    arguments = {"path": str(converted(native) / told["path"]), "format": native}
    outputs = execute.run("tensorflow1", {"inputs": x}, arguments, phase="run under TensorFlow 1.15")[0]
    again = execute.run("tensorflow", {"inputs": x}, arguments, phase="run under TensorFlow 2")[0]
    assert compare("", again, outputs, 1e-5).within
    assert np.mean(outputs.argmax(axis=1) == y) > 0.9


def test_the_weights_are_the_checkpoints_to_the_bit(lenet: Path, converted: Callable[[str], Path]) -> None:
    folder = converted("tensorflow-savedmodel")
    written = load_file(folder / "weights.safetensors")
    source = pipeline.read(lenet / "frozen.pb")
    assert set(written) == {
        f"{layer}/{part}"
        for layer in ("block1_conv1", "block2_conv1", "fc1", "before_softmax")
        for part in ("kernel", "bias")
    }
    for value in source.model.graph.initializers.values():
        origin = metadata.origin(value)
        if not is_permutation(origin) or value.const_value is None:
            continue
        array = value.const_value.numpy()
        if str(origin).startswith("transpose(") and array.ndim == 4:
            array = array.transpose(2, 3, 1, 0)
        name = str(origin).removeprefix("transpose(").partition(",")[0]
        theirs = written[name]
        np.testing.assert_array_equal(theirs, array if array.shape == theirs.shape else array.T)


def test_lenet_reads_like_a_persons_code(converted: Callable[[str], Path]) -> None:
    text = (converted("tensorflow-savedmodel") / "model.py").read_text()
    for line in (
        "class Model(tf.Module):",
        '        self.block1_conv1_kernel = tf.Variable(tf.zeros([5, 5, 1, 6]), name="block1_conv1/kernel")',
        "    def __call__(self, inputs):",
        '        x = tf.nn.conv2d(inputs, self.block1_conv1_kernel, strides=1, padding="SAME")',
        "        x = tf.nn.relu(x + self.block1_conv1_bias)",
        '        x = tf.nn.max_pool2d(x, ksize=2, strides=2, padding="VALID")',
        "        x = tf.reshape(x, [-1, 784])",
        "        x = tf.matmul(x, self.fc1_kernel)",
        "        x = tf.nn.relu(x + self.fc1_bias)",
    ):
        assert line in text.splitlines(), f"{line}\n{text}"
    assert "interlingua." not in text and "transpose" not in text
    ast.parse(text)


def test_the_same_input_gives_the_same_bytes(lenet: Path, converted: Callable[[str], Path], tmp_path: Path) -> None:
    convert(lenet / "model.meta", "tensorflow", tmp_path / "again")
    for name in ("model.py", "weights.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (converted("tensorflow-savedmodel") / name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("native", NATIVES)
def test_vgg_is_proved(vgg: Maker, tmp_path: Path, native: str) -> None:
    source = vgg("--resource", "--keep-dropout") / "model.meta"
    options = ConvertOptions(read=ReadOptions(outputs=("vgg_16/fc8/squeezed",)), native=native)
    report = convert(source, "tensorflow", tmp_path / "out", options)
    assert report.transposes == {"leftover": 0, "native": 0}
    assert [proof.verdict for proof in report.proofs] == ["proved"] * 3
    text = (tmp_path / "out" / "model.py").read_text()
    assert text.count("tf.nn.conv2d(") == 16 and "tf.nn.dropout(x, 0.5 if training else 0.0)" in text
    assert "def __call__(self, inputs, training=False):" in text


def small(node: onnx.NodeProto, shape: Sequence[int], arrays: dict[str, np.ndarray]) -> ir.Model:
    """The IR of one ONNX node from `x` to `y`."""
    graph = helper.make_graph(
        [node],
        "small",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = ir.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10))
    return passes.run(model, notes=Notes())


CASES: dict[str, tuple[str, dict[str, object], tuple[int, ...], dict[str, tuple[int, ...]]]] = {
    "uneven pads": ("Conv", {"pads": [1, 0, 2, 1], "strides": [2, 1]}, (2, 3, 9, 8), {"w": (4, 3, 3, 3), "b": (4,)}),
    "same, stride 2": ("Conv", {"pads": [0, 0, 1, 1], "strides": [2, 2]}, (2, 3, 8, 8), {"w": (4, 3, 3, 3)}),
    "depthwise": ("Conv", {"group": 3, "pads": [1, 1, 1, 1]}, (2, 3, 9, 8), {"w": (6, 1, 3, 3), "b": (6,)}),
    "grouped": ("Conv", {"group": 2}, (2, 4, 9, 8), {"w": (6, 2, 3, 3)}),
    "line": ("Conv", {"pads": [2, 2], "dilations": [2]}, (2, 3, 9), {"w": (4, 3, 3), "b": (4,)}),
    "volume": ("Conv", {"strides": [2, 1, 1]}, (2, 3, 5, 6, 7), {"w": (4, 3, 2, 3, 3)}),
    "transposed": (
        "ConvTranspose",
        {"strides": [2, 2], "pads": [1, 1, 1, 1]},
        (2, 3, 5, 6),
        {"w": (3, 4, 4, 4), "b": (4,)},
    ),
    "transposed line": ("ConvTranspose", {"strides": [2], "pads": [1, 0]}, (2, 3, 5), {"w": (3, 4, 4)}),
    "rounded up": ("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, (2, 3, 8, 10), {}),
    "mean without padding": ("AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, (2, 3, 8, 9), {}),
    "mean with padding": (
        "AveragePool",
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "count_include_pad": 1},
        (2, 3, 8, 9),
        {},
    ),
    "mean unevenly": (
        "AveragePool",
        {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 0, 1]},
        (2, 3, 8, 9),
        {},
    ),
    "normalization": (
        "BatchNormalization",
        {"epsilon": 1e-3},
        (2, 3, 5, 4),
        {"s": (3,), "o": (3,), "m": (3,), "v": (3,)},
    ),
    "slopes": ("PRelu", {}, (2, 3, 5, 4), {"slope": (3, 1, 1)}),
    "elu": ("Elu", {"alpha": 0.5}, (2, 3, 5, 4), {}),
}


@pytest.mark.parametrize("name", CASES)
def test_an_op_is_written_and_computes_the_same(tmp_path: Path, name: str) -> None:
    op, attributes, shape, sizes = CASES[name]
    random = np.random.RandomState(5)
    arrays = {
        key: (np.abs if key == "v" else np.asarray)(random.randn(*size)).astype(np.float32)
        for key, size in sizes.items()
    }
    model = small(helper.make_node(op, ["x", *arrays], ["y"], **attributes), shape, arrays)
    expected = random.randn(*shape).astype(np.float32)
    reference = execute.run_ir(model, {"x": expected})[0]
    framework, options = plugin.framework("tensorflow"), WriteOptions()
    package, _ = pipeline.write(model, framework, tmp_path, options)
    arguments = {"path": str(tmp_path), "format": "python"}
    ours = execute.run("tensorflow", {package.inputs[0].identifier: expected}, arguments, phase="run model.py")[0]
    difference = compare(name, reference, ours, 1e-5)
    assert difference.within, (difference, (tmp_path / "model.py").read_text())


def test_channels_first_is_refused_all_at_once(lenet: Path, tmp_path: Path) -> None:
    source = pipeline.read(lenet / "model.meta")
    with pytest.raises(UnsupportedModel) as caught:
        pipeline.write(source.model, plugin.framework("tensorflow"), tmp_path, WriteOptions(layout="channels_first"))
    assert len(caught.value.refusals) == 4
    assert not list(tmp_path.iterdir())


def test_the_first_wrong_layer_is_found(lenet: Path, converted: Callable[[str], Path]) -> None:
    folder = converted("tensorflow-savedmodel")
    with np.load(lenet / "held_out.npz") as held:
        x = held["x"][:3]
    values = execute.trace("tensorflow", {"inputs": x}, {"path": str(folder), "format": "python"})
    assert {"block1_conv1_kernel", "block2_conv1_bias", "fc1_kernel", "before_softmax_bias"} <= set(values)
    assert values["block1_conv1_kernel"].shape == (3, 28, 28, 6)
    assert values["before_softmax_bias"].shape == (3, 10)
    np.testing.assert_allclose(values["before_softmax_bias"].sum(axis=1), 1, rtol=1e-5)
