"""What other frameworks say and Keras says otherwise: written from ONNX, run in real Keras against the IR."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import helper, numpy_helper
from safetensors import safe_open

from interlingua import passes, pipeline, plugin
from interlingua.artifact import WriteOptions
from interlingua.errors import UnsupportedModel
from interlingua.notes import Notes
from interlingua.passes import layout
from interlingua.proof import execute
from interlingua.worker import Worker

KERAS = plugin.framework("keras")
RANDOM = np.random.default_rng(3)


def model(
    nodes: str, inputs: dict[str, tuple[int | str, ...]], outputs: tuple[str, ...], **weights: tuple[int, ...]
) -> ir.Model:
    """A canonical model of ONNX nodes as text, with random weights of the given shapes."""
    signature = ", ".join(f"float[{','.join(map(str, shape))}] {name}" for name, shape in inputs.items())
    returned = ", ".join(f"float[{','.join(f'd{name}{i}' for i in range(9))}] {name}" for name in outputs)
    text = f'<ir_version: 10, opset_import: ["" : 26]> net ({signature}) => ({returned}) {{ {nodes} }}'
    proto = onnx.parser.parse_model(text)
    for output in proto.graph.output:
        output.type.tensor_type.ClearField("shape")
    for name, shape in weights.items():
        drawn = RANDOM.normal(0, 0.4, shape)
        values = (np.abs(drawn) + 0.5 if name.startswith("var") else drawn).astype(np.float32)
        proto.graph.initializer.append(numpy_helper.from_array(values, name.replace("__", "/")))
    for index, node in enumerate(proto.graph.node):
        node.name = node.name or f"{node.op_type.lower()}_{index}"
        node.input[:] = [name.replace("__", "/") for name in node.input]
    return passes.run(ir.from_proto(proto), notes=Notes(), debug=True)


def written(
    found: ir.Model, folder: Path, keras_worker: Worker, *, options: WriteOptions | None = None, transposes: int = 0
) -> str:
    """Writes, runs and compares; the text of model.py."""
    arrays = {}
    for value in found.graph.inputs:
        shape = [size if isinstance(size, int) else 3 for size in list(value.shape or ())]
        arrays[value.name or ""] = RANDOM.normal(-0.1, 0.7, shape).astype(np.float32)
    expected = execute.run_ir(found, arrays)
    package, prepared = pipeline.write(found, KERAS, folder, options)
    assert layout.leftover(prepared) == transposes
    turned = {}
    for value, port in zip(prepared.graph.inputs, package.inputs, strict=True):
        array = arrays[value.name or ""]
        order = ir_permutation(value)
        turned[port.identifier] = np.ascontiguousarray(array.transpose(order)) if order else array
    reply = keras_worker.call("run", turned, phase="run", path=str(folder), format="python")
    for value, array, wanted in zip(prepared.graph.outputs, reply.arrays.values(), expected, strict=True):
        order = ir_permutation(value)
        array = array.transpose(np.argsort(order)) if order else array
        assert wanted.std() > 1e-3
        np.testing.assert_allclose(array, wanted, rtol=0, atol=2e-6 * max(1.0, np.abs(wanted).max()))
    return (folder / "model.py").read_text()


def ir_permutation(value: ir.Value) -> tuple[int, ...] | None:
    from interlingua.ir import metadata

    return metadata.permutation(value)


NATIVE = WriteOptions(layout="native")
IMAGE: dict[str, tuple[int | str, ...]] = {"image": ("n", 4, 9, 8)}


def test_asymmetric_padding_stands_before_the_layer(tmp_path: Path, keras_worker: Worker) -> None:
    found = model(
        "[conv] y = Conv <pads = [2, 0, 1, 1], strides = [2, 2]> (image, w, b)", IMAGE, ("y",), w=(6, 4, 3, 3), b=(6,)
    )
    text = written(found, tmp_path, keras_worker, options=NATIVE)
    assert 'layers.ZeroPadding2D(((2, 1), (0, 1)), name="conv.pad")' in text
    assert 'layers.Conv2D(6, 3, strides=2, name="conv")' in text


def test_padding_of_a_maximum_never_wins(tmp_path: Path, keras_worker: Worker) -> None:
    found = model("y = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [2, 2]> (image)", IMAGE, ("y",))
    text = written(found, tmp_path, keras_worker, options=NATIVE)
    assert "constant_values=float('-inf')" in text.replace('"', "'")


def test_sizes_rounded_up(tmp_path: Path, keras_worker: Worker) -> None:
    pool = "kernel_shape = [2, 3], strides = [2, 2], ceil_mode = 1"
    found = model(f"y = MaxPool <{pool}> (image) z = AveragePool <{pool}> (image)", IMAGE, ("y", "z"))
    text = written(found, tmp_path, keras_worker, options=NATIVE)
    assert 'layers.MaxPooling2D((2, 3), strides=2, padding="same"' in text


def test_any_padding_of_a_transposed_convolution(tmp_path: Path, keras_worker: Worker) -> None:
    found = model(
        "[up] y = ConvTranspose <pads = [1, 1, 1, 1], strides = [2, 2], output_padding = [1, 1]> (image, w, b)",
        IMAGE,
        ("y",),
        w=(4, 5, 3, 3),
        b=(5,),
    )
    text = written(found, tmp_path, keras_worker, options=NATIVE)
    assert 'layers.Cropping2D(((1, 0), (1, 0)), name="up.crop")' in text


def test_the_normalization_that_keras_lacks(tmp_path: Path, keras_worker: Worker) -> None:
    found = model("y = LRN <size = 3, alpha = 0.3, beta = 0.6, bias = 1.5> (image)", IMAGE, ("y",))
    assert "ops.average_pool(" in written(found, tmp_path, keras_worker, options=NATIVE)


def test_depthwise_volumes_are_grouped(tmp_path: Path, keras_worker: Worker) -> None:
    found = model("y = Conv <group = 4> (volume, w)", {"volume": ("n", 4, 5, 6, 5)}, ("y",), w=(8, 1, 3, 3, 3))
    text = written(found, tmp_path, keras_worker, options=NATIVE)
    assert "layers.Conv3D(8, 3, groups=4, use_bias=False" in text


def test_dense_layers_in_every_spelling(tmp_path: Path, keras_worker: Worker) -> None:
    found = model(
        """[a] a = Gemm <transB = 1> (x, w, b)
        [r] r = Relu (a)
        [b] c = Gemm <alpha = 0.5, beta = 2.0> (r, v, d)
        [m] e = MatMul (c, u)
        [s] y = Add (e, f)""",
        {"x": ("n", 7)},
        ("y",),
        w=(5, 7),
        b=(5,),
        v=(5, 6),
        d=(6,),
        u=(6, 3),
        f=(3,),
    )
    text = written(found, tmp_path, keras_worker)
    assert 'x = layers.Dense(5, activation="relu", name="a")(inputs)' in text
    assert 'layers.Dense(3, name="m")' in text


def test_one_layer_used_twice_is_one_layer(tmp_path: Path, keras_worker: Worker) -> None:
    found = model(
        "[c1] a = Conv (left, w, b) [c2] b2 = Conv (right, w, b) [sum] y = Add (a, b2)",
        {"left": ("n", 4, 6, 5), "right": ("n", 4, 6, 5)},
        ("y",),
        w=(3, 4, 2, 2),
        b=(3,),
    )
    text = written(found, tmp_path, keras_worker, options=NATIVE)
    assert text.count("layers.Conv2D(") == 1 and text.count("c1_layer(") == 2
    with safe_open(tmp_path / "weights.safetensors", "numpy") as file:
        assert sorted(file.keys()) == ["c1/bias", "c1/kernel"]


@pytest.mark.slow
def test_weights_without_a_layer(tmp_path: Path, keras_worker: Worker) -> None:
    found = model("a = Mul (image, scale) y = Add (a, shift)", IMAGE, ("y",), scale=(4, 1, 1), shift=(1, 4, 9, 8))
    text = written(found, tmp_path, keras_worker, options=NATIVE)
    assert "class Parameter(layers.Layer)" in text
    package, _ = pipeline.write(found, KERAS, tmp_path, NATIVE)
    pipeline.materialise(package, KERAS, tmp_path, NATIVE)
    arrays = {"image": RANDOM.normal(0, 1, (2, 4, 9, 8)).astype(np.float32)}
    (tmp_path / "alone").mkdir()
    shutil.copy(tmp_path / "model.keras", tmp_path / "alone")
    with Worker(keras_worker.python, keras_worker.script, name="keras") as fresh:  # one that never saw model.py
        alone = fresh.call("run", arrays, phase="run", path=str(tmp_path / "alone" / "model.keras"), format="keras")
    beside = keras_worker.call("run", arrays, phase="run", path=str(tmp_path), format="python")
    found_by_form = [next(iter(reply.arrays.values())) for reply in (alone, beside)]
    np.testing.assert_array_equal(found_by_form[0], found_by_form[1])


def test_channels_first_inside_where_asked(tmp_path: Path, keras_worker: Worker) -> None:
    found = model(
        """[conv] a = Conv <pads = [1, 1, 1, 1]> (image, w)
        [bn] b = BatchNormalization (a, s, o, m, var)
        [pool] c = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (b)
        [flat] f = Flatten (c)
        [fc] y = Gemm (f, v)""",
        IMAGE,
        ("y",),
        w=(6, 4, 3, 3),
        s=(6,),
        o=(6,),
        m=(6,),
        var=(6,),
        v=(96, 3),
    )
    text = written(found, tmp_path, keras_worker, options=WriteOptions(layout="channels_first"))
    assert text.count('data_format="channels_first"') == 2 and "axis=1" in text and "Permute" not in text
    assert 'layers.Flatten(name="flat")' in text


def test_global_pooling_flattens_by_itself(tmp_path: Path, keras_worker: Worker) -> None:
    found = model("[gap] a = GlobalAveragePool (image) [flat] y = Flatten (a)", IMAGE, ("y",))
    text = written(found, tmp_path, keras_worker, options=NATIVE)
    assert 'x = layers.GlobalAveragePooling2D(name="gap")' in text and "Flatten" not in text


def test_names_that_keras_cannot_hold_lead_back(tmp_path: Path, keras_worker: Worker) -> None:
    found = model(
        "[n1] a = Gemm (x, net__fc__w) [n2] b = Gemm (a, net__fc__v) [add] y = Add (b, a)",
        {"x": ("n", 4)},
        ("y",),
        net__fc__w=(4, 4),
        net__fc__v=(4, 4),
    )
    from interlingua.ir import metadata

    for node, name in zip(found.graph, ("net/fc:0", "net/fc 0", "add"), strict=True):
        metadata.set_place(node, name)
    text = written(found, tmp_path, keras_worker)
    assert 'name="net.fc_0"' in text and 'name="net.fc_0_2"' in text
    package, _ = pipeline.write(found, KERAS, tmp_path)
    assert package.layers["net.fc_0"] == "net/fc:0" and package.layers["net.fc_0_2"] == "net/fc 0"
    assert package.weights["net.fc_0/kernel"] == "net/fc/w"
    pipeline.materialise(package, KERAS, tmp_path, WriteOptions())
    again = pipeline.read(tmp_path / "model.keras")
    layers = [metadata.place(node).layer for node in again.model.graph if node.op_type == "Gemm"]
    assert layers == ["net/fc:0", "net/fc 0"]
    assert {"net/fc/w", "net/fc/v"} <= set(again.model.graph.initializers)


def test_what_keras_cannot_say_is_told_at_once(tmp_path: Path) -> None:
    proto = helper.make_model(
        helper.make_graph(
            [
                helper.make_node("ConvTranspose", ["image", "w"], ["a"], "grouped", group=2),
                helper.make_node("AveragePool", ["a"], ["y"], "even", kernel_shape=[2, 2], dilations=[2, 2]),
            ],
            "net",
            [helper.make_tensor_value_info("image", 1, ["n", 4, 9, 8])],
            [helper.make_tensor_value_info("y", 1, None)],
            [numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "w")],
        ),
        opset_imports=[helper.make_opsetid("", 26)],
        ir_version=10,
    )
    found_model = passes.run(ir.from_proto(proto), notes=Notes())
    with pytest.raises(UnsupportedModel) as refused:
        pipeline.write(found_model, KERAS, tmp_path)
    assert len(refused.value.refusals) == 2
    assert "grouped" in refused.value.refusals[0] and "even" in refused.value.refusals[1]
    assert not list(tmp_path.iterdir())


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    found = model("[conv] y = Conv (image, w)", IMAGE, ("y",), w=(6, 4, 3, 3))
    digests = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        pipeline.write(found, KERAS, tmp_path / name)
        digests.append(pipeline.digest(tmp_path / name))
    assert digests[0] == digests[1] and len(digests[0]) == 2
    with safe_open(tmp_path / "one" / "weights.safetensors", "numpy") as file:
        assert json.loads(file.metadata()["interlingua.names"]) == {"conv/kernel": "transpose(w, 2, 3, 1, 0)"}
