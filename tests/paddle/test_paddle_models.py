"""LeNet-4 and a narrow VGG through the whole route, both ways, proved in real Paddle."""

import json
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from safetensors.numpy import load_file

from interlingua import pipeline
from interlingua.artifact import ReadOptions
from interlingua.errors import InvalidSource, VerificationFailed
from interlingua.ir import metadata, origin
from interlingua.ir.build import Builder
from interlingua.pipeline import ConvertOptions
from interlingua.proof import divergence, execute
from interlingua.testing import nets
from interlingua_paddle.frontend.read import read
from interlingua_paddle.frontend.recognise import recognise

from_a_person = """
class LeNet(nn.Layer):
    def __init__(self):
        super().__init__()
        self.block1_conv1 = nn.Conv2D(1, 6, 5, padding=2)
        self.block2_conv1 = nn.Conv2D(6, 16, 5, padding=2)
        self.fc1 = nn.Linear(784, 84)
        self.before_softmax = nn.Linear(84, 10)

    def forward(self, x):
        x = F.relu(self.block1_conv1(x))
        x = F.max_pool2d(x, 2)
        x = F.relu(self.block2_conv1(x))
        x = F.max_pool2d(x, 2)
        x = paddle.flatten(x, 1)
        x = F.relu(self.fc1(x))
        return F.softmax(self.before_softmax(x))
"""


def test_paddle_to_paddle_gives_the_same_code_names_and_weights(lenet: Path, tmp_path: Path) -> None:
    report = pipeline.convert(lenet / "model.json", "paddle", tmp_path / "out", ConvertOptions(class_name="LeNet"))
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    assert max(proof.relative for proof in report.proofs) < 2e-6
    assert report.transposes["leftover"] == 0
    assert from_a_person.strip() in (tmp_path / "out/model.py").read_text()
    before, after = load_file(lenet / "weights.safetensors"), load_file(tmp_path / "out/weights.safetensors")
    assert before.keys() == after.keys()
    for name, array in before.items():
        np.testing.assert_array_equal(array, after[name])


def test_the_same_input_gives_the_same_bytes(lenet: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        pipeline.convert(lenet / "model.json", "paddle", tmp_path / name)
    for file in ("model.py", "weights.safetensors", "model.json", "model.pdiparams"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file


def test_vgg_there_and_back_keeps_layers_and_weights_by_their_first_names(tmp_path: Path) -> None:
    model = nets.vgg()
    source = nets.saved(model, tmp_path / "vgg.onnx")
    report = pipeline.convert(source, "paddle", tmp_path / "out")
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    assert report.transposes == {**report.transposes, "leftover": 0}
    code = (tmp_path / "out/model.py").read_text()
    assert "self.conv1_1 = nn.Conv2D(3, 4, 3, padding=1)" in code
    assert "x = F.relu(self.conv1_1(" in code
    artifact = recognise(tmp_path / "out")
    assert artifact is not None
    back = read(artifact, ReadOptions()).model
    layers = [metadata.place(node).layer for node in back.graph if node.op_type == "Conv"]
    assert layers == [metadata.place(node).layer for node in model.graph if node.op_type == "Conv"]
    for value in model.graph.initializers.values():
        if metadata.is_constant(value):
            continue
        again = next(v for v in back.graph.initializers.values() if str(metadata.origin(v)) == value.name)
        assert value.const_value is not None
        assert again.const_value is not None
        np.testing.assert_array_equal(again.const_value.numpy(), value.const_value.numpy())


def test_a_layer_without_weights_keeps_its_name(tmp_path: Path) -> None:
    builder = Builder("drop")
    x = builder.input("x", ["N", 4])
    for name, share in (("scope/first", 0.25), ("scope/second", 0.75)):
        x = builder.record("Dropout", {"data": [x]}, {"ratio": share}, layer=name)
        x = builder.node("Relu", [x], layer=f"{name}/relu")
    source = nets.saved(builder.model([("y", x)]), tmp_path / "drop.onnx")
    pipeline.convert(source, "paddle", tmp_path / "out")
    back = pipeline.read(tmp_path / "out/model.json").model
    dropouts = [metadata.place(node).layer for node in back.graph if node.op_type == "Dropout"]
    assert dropouts == ["scope/first", "scope/second"]


def channels_last() -> ir.Model:
    """A small net as TensorFlow has it: NHWC data, a Flatten before a dense layer, Transposes around each op."""
    builder = Builder("nhwc")
    random = np.random.default_rng(4)

    def weight(name: str, *shape: int) -> ir.Value:
        return builder.weight(name, ir.tensor(random.normal(0, 0.3, shape).astype(np.float32), name=name))

    def apply(op: str, x: ir.Value, layer: str, *weights: ir.Value, **attributes: object) -> ir.Value:
        x = builder.transpose(x, (0, 3, 1, 2), layer=layer)
        return builder.transpose(builder.node(op, [x, *weights], attributes, layer=layer), (0, 2, 3, 1), layer=layer)

    x = builder.input("images", ["N", 8, 6, 3])
    x = apply("Conv", x, "scope/conv", weight("scope/conv/kernel", 4, 3, 3, 3), pads=[1] * 4)
    x = builder.node("Relu", [x], layer="scope/relu")
    x = apply("MaxPool", x, "scope/pool", kernel_shape=[2, 2], strides=[2, 2])
    x = builder.node("Flatten", [x], layer="flatten")
    x = builder.node("Gemm", [x, weight("scope/fc/kernel", 48, 5), weight("scope/fc/bias", 5)], layer="scope/fc")
    return builder.model([("logits", x)])


@pytest.mark.parametrize(("layout", "edge"), [("source", 1), ("native", 0)])
def test_channels_last_leaves_no_transpose_inside(layout: str, edge: int, tmp_path: Path) -> None:
    model = channels_last()
    source = nets.saved(model, tmp_path / "nhwc.onnx")
    report = pipeline.convert(source, "paddle", tmp_path / "out", ConvertOptions(layout=layout))
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    assert report.transposes["leftover"] == 0
    assert (tmp_path / "out/model.json").read_text().count('"#":"1.transpose"') == edge
    arrays = {v.name or "": v.const_value.numpy() for v in model.graph.initializers.values() if v.const_value}
    written = load_file(tmp_path / "out/weights.safetensors")
    names = json.loads((tmp_path / "out/model.json").read_text())["interlingua.names"]["weights"]
    assert names.keys() == written.keys()
    for name, expression in names.items():
        parsed = origin.parse(expression)
        assert origin.is_permutation(parsed)
        np.testing.assert_array_equal(written[name], origin.evaluate(parsed, arrays))
    assert written["fc.weight"].shape == (48, 5)
    assert names["fc.weight"] != "scope/fc/kernel"


def test_a_wrong_weight_is_caught_and_its_layer_named(lenet: Path, tmp_path: Path) -> None:
    folder = tmp_path / "spoilt"
    folder.mkdir()
    (folder / "model.json").write_bytes((lenet / "model.json").read_bytes())
    weights = bytearray((lenet / "model.pdiparams").read_bytes())
    weights[-200_000:-100_000] = np.full(25_000, 0.9, "<f4").tobytes()
    (folder / "model.pdiparams").write_bytes(weights)
    source = pipeline.read(lenet / "model.json")
    spoilt = pipeline.read(folder / "model.json")
    arrays = {"x": np.random.RandomState(13).rand(2, 1, 28, 28).astype(np.float32)}
    values = execute.trace_ir(spoilt.model, arrays)
    others = execute.trace(source.runtime, arrays, source.run)
    found = divergence.first(spoilt.model, values, others, 1e-5, {})
    assert found is not None
    assert found.layer == "fc1"


def test_weights_of_another_program_are_refused(lenet: Path, tmp_path: Path) -> None:
    program = json.loads((lenet / "model.json").read_bytes())
    operators = program["program"]["regions"][0]["blocks"][0]["ops"]
    parameters = [o for o in operators if o["#"] == "p"]
    parameters[0]["O"]["TT"]["D"][1] = [11]
    (tmp_path / "model.json").write_text(json.dumps(program, separators=(",", ":")))
    weights = (lenet / "model.pdiparams").read_bytes()
    for content, reason in ((weights, "belong to another program"), (weights[:-1], "Received"), (b"", "empty")):
        (tmp_path / "model.pdiparams").write_bytes(content)
        with pytest.raises(InvalidSource, match=reason):
            pipeline.read(tmp_path / "model.json")
    (tmp_path / "model.pdiparams").unlink()
    with pytest.raises(InvalidSource, match=r"with its 8 weights"):
        pipeline.read(tmp_path / "model.json")


def test_a_tolerance_nothing_meets_fails_the_conversion(lenet: Path, tmp_path: Path) -> None:
    options = ConvertOptions(verify=pipeline.VerifyOptions(tolerance=1e-12))
    with pytest.raises(VerificationFailed, match="relative difference"):
        pipeline.convert(lenet / "model.json", "paddle", tmp_path / "out", options)
    assert not (tmp_path / "out").exists()


def test_weights_of_double_precision_stay_so(tmp_path: Path) -> None:
    builder = Builder("double")
    random = np.random.default_rng(2)
    x = builder.input("x", ["N", 4], ir.DataType.DOUBLE)
    weight = builder.weight("fc.weight", ir.tensor(random.normal(0, 1, (4, 3))))
    bias = builder.weight("fc.bias", ir.tensor(random.normal(0, 1, 3)))
    x = builder.record("Gemm", {"A": [x], "B": [weight], "C": [bias]}, {}, layer="fc")
    x.type = ir.TensorType(ir.DataType.DOUBLE)
    x = builder.record("Clip", {"input": [x]}, {"min": 0.0, "max": 6.0}, layer="clip")
    source = nets.saved(builder.model([("y", x)]), tmp_path / "double.onnx")
    report = pipeline.convert(source, "paddle", tmp_path / "out")
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    assert max(proof.relative for proof in report.proofs) < 1e-12
    assert 'model.to(dtype="float64")' in (tmp_path / "out/model.py").read_text()
    back = pipeline.convert(tmp_path / "out/model.json", "onnx", tmp_path / "back")
    assert {proof.verdict for proof in back.proofs} == {"proved"}
