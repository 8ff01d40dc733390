"""A proof catches what is wrong: a lowering, a weight, a layout, a tolerance; the first diverging layer is named."""

from __future__ import annotations

import ast
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from safetensors.numpy import load_file, save_file

import interlingua
from interlingua import pipeline
from interlingua.cards import Facts
from interlingua.cli import main
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.errors import InvalidSource, UsageError, VerificationFailed
from interlingua.passes import layout
from interlingua.pipeline import ConvertOptions
from interlingua.proof import agreement, prove
from interlingua.proof.compare import compare
from interlingua.proof.precision import coarsest
from interlingua.proof.prove import REFERENCE, VerifyOptions
from interlingua.testing import nets


@pytest.fixture(scope="module")
def lenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nets.saved(nets.lenet(), tmp_path_factory.mktemp("lenet") / "lenet.onnx")


@pytest.fixture(scope="module")
def converted(lenet: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("converted") / "out"
    pipeline.convert(lenet, "torch", folder)
    return folder


def test_right_conversion_is_proved_thrice(converted: Path) -> None:
    report = json.loads((converted / "report.json").read_text())
    assert [row["what"] for row in report["proofs"]] == ["IR in onnxruntime", "torch-export artifact", "model.py"]
    assert all(row["verdict"] == "proved" and row["outputs"][0]["relative"] < 1e-5 for row in report["proofs"])


@pytest.mark.parametrize("kind", ["one array", "no archive", "empty", "not there", "text"])
def test_inputs_that_are_no_named_arrays_are_refused(lenet: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "inputs.npz"
    if kind == "one array":
        path = tmp_path / "inputs.npy"
        np.save(path, np.ones((2, 3)))
    elif kind == "text":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x", "words")
    elif kind != "not there":
        path.write_bytes(b"PK\x03\x04 and no more" if kind == "no archive" else b"")
    with pytest.raises(InvalidSource, match=r"Expected an \.npz file of plain arrays"):
        interlingua.convert(lenet, "onnx", tmp_path / "out", verify_inputs=path)
    assert not (tmp_path / "out").exists()


def test_outputs_that_are_no_tensors_are_not_proved(tmp_path: Path) -> None:
    graph = "g (float[2, 3] x) => (seq(float[2, 3]) s, float[2, 3] y) { s = SequenceConstruct (x, x) y = Relu (x) }"
    onnx.save(onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["": 18]> {graph}'), tmp_path / "model.onnx")
    with pytest.raises(UsageError, match=r"tensors, which can be compared. Received others: s\.") as refused:
        interlingua.convert(tmp_path / "model.onnx", "torch", tmp_path / "out")
    assert "--no-verify" in refused.value.hint and not (tmp_path / "out").exists()
    report = interlingua.convert(tmp_path / "model.onnx", "torch", tmp_path / "out", verify=False)
    assert report.target["path"] and not report.proofs


def test_wrong_lowering_names_its_layer(lenet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from interlingua_torch.backend import DIALECT

    def wrong(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
        assert node.inputs[0] is not None
        pooled = expressions.call(context.api("torch.nn.functional.max_pool2d"), [context.ref(node.inputs[0]), 2])
        return expressions.operator("*", pooled, ast.Constant(1.01))

    monkeypatch.setitem(DIALECT.lowerings, "MaxPool", wrong)  # type: ignore[arg-type]
    with pytest.raises(VerificationFailed, match="block2_conv1"):
        pipeline.convert(lenet, "torch", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert list(tmp_path.iterdir()) == []


def test_wrong_weight_names_its_layer(lenet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import interlingua_torch.backend as backend

    right = backend.write

    def write(model: ir.Model, request: Any) -> Any:
        package = right(model, request)
        path = request.folder / "weights.safetensors"
        weights = load_file(path)
        weights["fc1.bias"] = weights["fc1.bias"] + np.float32(0.5)
        save_file(weights, path, {"interlingua.names": "{}"})
        return package

    monkeypatch.setattr(backend, "write", write)
    with pytest.raises(VerificationFailed, match="fc1"):
        pipeline.convert(lenet, "torch", tmp_path / "out")


def test_wrong_layout_is_caught(lenet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = layout.apply

    def turned(model: ir.Model, **options: Any) -> ir.Model:
        prepared = right(model, **options)
        weight = prepared.graph.initializers["fc1.weight"]
        assert weight.const_value is not None
        rows = weight.const_value.numpy().reshape(84, 16, 49).transpose(0, 2, 1).reshape(84, 784)
        weight.const_value = ir.tensor(np.ascontiguousarray(rows), name="fc1.weight")
        return prepared

    monkeypatch.setattr(layout, "apply", turned)
    with pytest.raises(VerificationFailed, match="relative difference"):
        pipeline.convert(lenet, "torch", tmp_path / "out")


def test_tolerance_too_tight_fails(lenet: Path, tmp_path: Path) -> None:
    options = ConvertOptions(verify=VerifyOptions(tolerance=1e-12))
    with pytest.raises(VerificationFailed, match="--tolerance"):
        pipeline.convert(lenet, "torch", tmp_path / "out", options)


def test_model_that_computes_in_float16_agrees_as_float16_does() -> None:
    text = """<ir_version: 10, opset_import: ["" : 20]>
    g (float[N, 4] x) => (float[N, 4] coarse, float[N, 4] own) <float16[4, 4] w = {1,2,3,4,5,6,7,8,9,8,7,6,5,4,3,2}> {
        narrow = Cast<to=10>(x)
        product = MatMul(narrow, w)
        coarse = Cast<to=1>(product)
        wide = Cast<to=1>(w)
        own = MatMul(x, wide)
    }"""
    model: ir.Model = ir.from_proto(onnx.shape_inference.infer_shapes(onnx.parser.parse_model(text)))
    told = coarsest(model)
    assert told == {"coarse": "float16"}  # a weight that is stored in float16 is the same number for all
    one, other = np.array([1.0, 0.5], np.float32), np.array([1.001, 0.5], np.float32)
    assert compare("coarse", one, other, 1e-4, told["coarse"]).within
    assert not compare("own", one, other, 1e-4).within
    assert not compare("coarse", one, other * np.float32(1.01), 1e-4, told["coarse"]).within


@pytest.mark.parametrize("tolerance", [0.0, -1.0, 1.0, float("nan")])
def test_tolerance_that_is_none_is_refused(tolerance: float) -> None:
    with pytest.raises(UsageError, match="tolerance"):
        VerifyOptions(tolerance=tolerance)


def test_output_that_ignores_its_input_is_inconclusive(tmp_path: Path) -> None:
    model = nets.lenet()
    bias = model.graph.initializers["before_softmax.bias"]
    assert bias.const_value is not None
    huge = bias.const_value.numpy() + np.float32(1e9) * np.eye(10, dtype=np.float32)[3]
    bias.const_value = ir.tensor(huge.astype(np.float32), name="before_softmax.bias")
    report = pipeline.convert(nets.saved(model, tmp_path / "net.onnx"), "torch", tmp_path / "out")
    assert [proof.verdict for proof in report.proofs[1:]] == ["inconclusive", "inconclusive"]


def test_folder_is_proved_again_and_a_change_is_caught(
    lenet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    pipeline.convert(lenet, "torch", out)
    assert {proof.verdict for proof in interlingua.verify(out)} == {"proved"}
    weights = load_file(out / "weights.safetensors")
    weights["block1_conv1.weight"] *= 1.1
    save_file(weights, out / "weights.safetensors")
    with pytest.raises(VerificationFailed, match=r"model\.py"):
        interlingua.verify(out)
    monkeypatch.setattr("sys.argv", ["interlingua", "verify", str(out)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 6
    assert "model.py" in capsys.readouterr().err


def test_folder_without_reference_says_so(converted: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidSource, match=r"report\.json"):
        interlingua.verify(tmp_path)
    (tmp_path / "report.json").write_text((converted / "report.json").read_text())
    with pytest.raises(InvalidSource, match=REFERENCE):
        interlingua.verify(tmp_path)


def test_run_gives_what_the_source_gives(lenet: Path, converted: Path) -> None:
    x = np.random.default_rng(1).random((2, 1, 28, 28), np.float32)
    source, target = interlingua.run(lenet, {"x": x}), interlingua.run(converted, {"x": x})
    assert compare("y", source["y"], target["y"]).within
    with pytest.raises(UsageError, match="Expected arrays named x"):
        interlingua.run(lenet, {"z": x})


def test_same_input_gives_the_same_bytes(lenet: Path, converted: Path, tmp_path: Path) -> None:
    again = tmp_path / "out"
    pipeline.convert(lenet, "torch", again)
    assert pipeline.digest(converted) == pipeline.digest(again)


@pytest.mark.parametrize(
    ("reference", "other", "within"),
    [
        ([1.0, 2.0], [1.0, 2.0001], True),
        ([1.0, 2.0], [1.0, 2.1], False),
        ([1.0, np.nan], [1.0, np.nan], True),
        ([1.0, np.nan], [1.0, 2.0], False),
        ([1.0, np.inf], [1.0, -np.inf], False),
        ([1.0, 2.0], [1.0, np.inf], False),
        ([0.0, 0.0], [0.0, 1e-30], False),
        ([], [], True),
    ],
)
def test_comparison_of_floats(reference: list[float], other: list[float], within: bool) -> None:
    assert compare("y", np.array(reference), np.array(other)).within is within


def test_comparison_of_whole_numbers_is_exact() -> None:
    assert not compare("y", np.array([1, 2, 3]), np.array([1, 2, 4]), 0.9).within
    assert not compare("y", np.zeros((2, 3)), np.zeros((3, 2))).within


@pytest.mark.parametrize("count", [0, 2])
def test_another_number_of_outputs_than_the_source_has_is_not_cut_to_fit(count: int) -> None:
    value = ir.Value(name="y", shape=ir.Shape([1]), type=ir.TensorType(ir.DataType.FLOAT))
    model = ir.Model(ir.Graph([], [value], nodes=[], opset_imports={"": 23}), ir_version=10)
    outputs = [np.zeros(1, np.float32)] * count
    turned = prove._turned_back(model, outputs)
    proof = agreement.compared("model.py", "source", ["y"], [np.zeros(1, np.float32)], turned, VerifyOptions(), [])
    assert proof.verdict == "failed"
