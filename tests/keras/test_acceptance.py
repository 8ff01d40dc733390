"""LeNet-4 and a narrow VGG, from Keras and to Keras: names, code, weights to the bit, proof in both frameworks."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import helper, numpy_helper
from safetensors.numpy import load_file

from interlingua import passes, pipeline, plugin
from interlingua.artifact import WriteOptions
from interlingua.codegen.weights import NAMES
from interlingua.ir import metadata
from interlingua.ir.origin import evaluate, parse
from interlingua.notes import Notes
from interlingua.pipeline import ConvertOptions, convert
from interlingua.worker import Worker

KERAS_LENET = '''
def build():
    """The model, freshly initialised."""
    image = keras.Input((28, 28, 1), name="image")
    x = layers.Conv2D(6, 5, padding="same", activation="relu", name="block1_conv1")(image)
    x = layers.MaxPooling2D(name="block1_pool1")(x)
    x = layers.Conv2D(16, 5, padding="same", activation="relu", name="block2_conv1")(x)
    x = layers.MaxPooling2D(name="block2_pool1")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(84, activation="relu", name="fc1")(x)
    x = layers.Dense(10, name="before_softmax")(x)
    x = layers.Softmax(name="predictions")(x)
    return keras.Model(image, x, name="lenet4")
'''


def keras_weights(folder: Path) -> dict[str, Any]:
    return dict(load_file(folder / "weights.safetensors"))


@pytest.fixture(scope="session")
def vgg(model_maker: Worker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vgg")
    model_maker.call("save", phase="saving", folder=str(folder), models=["vgg"])
    return folder / "vgg.keras"


@pytest.mark.slow
def test_lenet_comes_back_as_it_was_written(saved: Path, tmp_path: Path) -> None:
    report = convert(saved / "lenet.keras", "keras", tmp_path / "out")
    assert KERAS_LENET in (tmp_path / "out" / "model.py").read_text()
    assert report.transposes == {"leftover": 0, "native": 0}
    assert [(proof.what, proof.verdict) for proof in report.proofs] == [
        ("IR in onnxruntime", "proved"),
        ("keras artifact", "proved"),
        ("model.py", "proved"),
    ]
    again = pipeline.read(tmp_path / "out" / "model.keras")
    source = pipeline.read(saved / "lenet.keras")
    assert list(again.model.graph.initializers) == list(source.model.graph.initializers)
    for name, value in source.model.graph.initializers.items():
        other = again.model.graph.initializers[name]
        assert value.const_value is not None and other.const_value is not None
        np.testing.assert_array_equal(value.const_value.numpy(), other.const_value.numpy())


def test_lenet_to_torch_moves_weights_to_the_bit(saved: Path, tmp_path: Path) -> None:
    """The kernels by transpose (3, 2, 0, 1), the first dense layer by the permutation of the Flatten."""
    convert(saved / "lenet.keras", "torch", tmp_path / "out", ConvertOptions(layout="native"))
    convert(saved / "lenet.keras", "keras", tmp_path / "same")
    ours, theirs = keras_weights(tmp_path / "out"), keras_weights(tmp_path / "same")
    for name in ("block1_conv1", "block2_conv1"):
        np.testing.assert_array_equal(ours[f"{name}.weight"], theirs[f"{name}/kernel"].transpose(3, 2, 0, 1))
        np.testing.assert_array_equal(ours[f"{name}.bias"], theirs[f"{name}/bias"])
    moved = theirs["fc1/kernel"].reshape(7, 7, 16, 84).transpose(2, 0, 1, 3).reshape(784, 84).T
    np.testing.assert_array_equal(ours["fc1.weight"], moved)
    np.testing.assert_array_equal(ours["before_softmax.weight"], theirs["before_softmax/kernel"].T)
    np.testing.assert_array_equal(ours["before_softmax.bias"], theirs["before_softmax/bias"])


def lenet_with_channels_first() -> onnx.ModelProto:
    random = np.random.default_rng(2)
    weights = {
        "block1_conv1/w": (6, 1, 5, 5),
        "block1_conv1/b": (6,),
        "block2_conv1/w": (16, 6, 5, 5),
        "block2_conv1/b": (16,),
        "fc1/w": (84, 784),
        "fc1/b": (84,),
        "before_softmax/w": (10, 84),
        "before_softmax/b": (10,),
    }
    pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
    rows: list[tuple[str, str, list[str], dict[str, Any]]] = [
        ("Conv", "block1_conv1", ["image", "block1_conv1/w", "block1_conv1/b"], {"pads": [2] * 4}),
        ("Relu", "relu1", [], {}),
        ("MaxPool", "block1_pool1", [], pool),
        ("Conv", "block2_conv1", ["", "block2_conv1/w", "block2_conv1/b"], {"pads": [2] * 4}),
        ("Relu", "relu2", [], {}),
        ("MaxPool", "block2_pool1", [], pool),
        ("Flatten", "flatten", [], {}),
        ("Gemm", "fc1", ["", "fc1/w", "fc1/b"], {"transB": 1}),
        ("Relu", "relu3", [], {}),
        ("Gemm", "before_softmax", ["", "before_softmax/w", "before_softmax/b"], {"transB": 1}),
        ("Softmax", "predictions", [], {"axis": 1}),
    ]
    nodes, before = [], "image"
    for op, name, inputs, attributes in rows:
        given = [before, *inputs[1:]]
        nodes.append(helper.make_node(op, given, [f"{name}:0"], name, **attributes))
        before = f"{name}:0"
    graph = helper.make_graph(
        nodes,
        "lenet4",
        [helper.make_tensor_value_info("image", 1, ["n", 1, 28, 28])],
        [helper.make_tensor_value_info(before, 1, ["n", 10])],
        [numpy_helper.from_array(random.normal(0, 0.2, s).astype(np.float32), n) for n, s in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 26)], ir_version=10)


def test_lenet_with_channels_first_becomes_the_same_code(tmp_path: Path) -> None:
    """Weights are permutations of the source's to the bit, and their recorded expressions say which."""
    proto = lenet_with_channels_first()
    source = {row.name: numpy_helper.to_array(row) for row in proto.graph.initializer}
    onnx.save(proto, tmp_path / "lenet.onnx")
    report = convert(tmp_path / "lenet.onnx", "keras", tmp_path / "out", ConvertOptions(layout="native"))
    assert KERAS_LENET in (tmp_path / "out" / "model.py").read_text()
    assert report.transposes == {"leftover": 0, "native": 0}
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    written = keras_weights(tmp_path / "out")
    np.testing.assert_array_equal(written["block2_conv1/kernel"], source["block2_conv1/w"].transpose(2, 3, 1, 0))
    moved = source["fc1/w"].T.reshape(16, 7, 7, 84).transpose(1, 2, 0, 3).reshape(784, 84)
    np.testing.assert_array_equal(written["fc1/kernel"], moved)
    from safetensors import safe_open

    with safe_open(tmp_path / "out" / "weights.safetensors", "numpy") as file:
        origins = json.loads(file.metadata()[NAMES])
    assert origins.keys() == written.keys()
    for name, text in origins.items():
        np.testing.assert_array_equal(written[name], evaluate(parse(text), source))


@pytest.mark.slow
def test_vgg_both_ways(vgg: Path, tmp_path: Path) -> None:
    there = convert(vgg, "torch", tmp_path / "torch")
    assert {proof.verdict for proof in there.proofs} == {"proved"}
    assert there.transposes["leftover"] == 0
    back = convert(tmp_path / "torch" / "model.pt2", "keras", tmp_path / "keras")
    assert {proof.verdict for proof in back.proofs} == {"proved"}
    assert back.transposes == {"leftover": 0, "native": 0}
    text = (tmp_path / "keras" / "model.py").read_text()
    assert text.count("layers.Conv2D(") == 13 and text.count('activation="relu"') == 15
    assert "Permute" not in text and "ZeroPadding" not in text and "Parameter" not in text
    ours, first = keras_weights(tmp_path / "keras"), pipeline.read(vgg)
    kernels = [array for name, array in ours.items() if name.endswith("kernel")]
    assert len(kernels) == 16 and len(list(first.model.graph.initializers)) == 32


def test_layouts_of_the_outside(saved: Path, tmp_path: Path) -> None:
    found = pipeline.read(saved / "lenet.keras").model
    for layout, shape in (("source", (28, 28, 1)), ("native", (28, 28, 1)), ("channels_first", (1, 28, 28))):
        folder = tmp_path / layout
        folder.mkdir()
        package, prepared = pipeline.write(found, plugin.framework("keras"), folder, WriteOptions(layout=layout))
        text = (folder / "model.py").read_text()
        if layout == "channels_first":
            assert text.count('data_format="channels_first"') == 4
        else:
            assert f"keras.Input({shape}" in text and metadata.permutation(prepared.graph.inputs[0]) is None
        assert len(package.inputs) == 1


def test_nothing_heavy_is_imported() -> None:
    """Reading an archive and writing code need no Keras, TensorFlow or any other framework."""
    import subprocess

    code = (
        "import sys, interlingua_keras.frontend.reader, interlingua_keras.backend, interlingua_keras.plugin\n"
        "from interlingua import cards\n"
        "cards.cards('keras')\n"
        "bad = {'keras', 'tensorflow', 'torch', 'paddle', 'cv2'} & sys.modules.keys()\n"
        "sys.exit(', '.join(bad) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_canonical_form_holds(saved: Path) -> None:
    for name in ("lenet", "several", "trained"):
        source = pipeline.read(saved / f"{name}.keras", debug=True)
        assert isinstance(source.model, ir.Model)
        passes.run(source.model, notes=Notes(), debug=True)
