"""A fair sample of the matrix, each source and each target at least once; the whole is `make matrix`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from interlingua import pipeline
from interlingua.ir.origin import evaluate, is_permutation, parse
from interlingua.testing import nets

ROOT = Path(__file__).resolve().parent.parent
ALL = ("torch", "keras", "tensorflow", "paddle", "fluid", "caffe", "onnx")
pytestmark = [pytest.mark.slow, pytest.mark.legacy]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    subprocess.run([sys.executable, str(ROOT / "examples" / "make_lenet_tf1.py"), str(folder)], check=True)
    return folder / "model.meta"


@pytest.fixture(scope="module")
def sources(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """LeNet-4 in every framework, converted from the TensorFlow 1 checkpoint and proved."""
    found: dict[str, Path] = {}
    for name in ALL:
        folder = tmp_path_factory.mktemp(name) / "out"
        report = pipeline.convert(checkpoint, name, folder)
        assert {proof.verdict for proof in report.proofs} == {"proved"}
        assert report.transposes["leftover"] == 0
        found[name] = folder / report.target["path"]
    return found


SAMPLE = [(source, ALL[(index + step) % len(ALL)]) for index, source in enumerate(ALL) for step in (0, 3)]


@pytest.mark.parametrize(("source", "target"), SAMPLE)
def test_pair_is_proved_by_both_ends(sources: dict[str, Path], source: str, target: str, tmp_path: Path) -> None:
    report = pipeline.convert(sources[source], target, tmp_path / "out")
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    assert any(proof.reference.startswith("source in") for proof in report.proofs), "the source's framework did not run"
    assert report.transposes["leftover"] == 0


def test_committed_matrix_is_whole() -> None:
    rows = json.loads((ROOT / "docs" / "results" / "matrix.json").read_text())
    assert set(rows) == {f"{source}:{target}" for source in ALL for target in ALL}
    assert {row["verdict"] for row in rows.values()} == {"proved"}
    assert all(row["source_ran"] and row["leftover"] == 0 for row in rows.values())


@pytest.mark.parametrize(("source", "target"), [("keras", "torch"), ("torch", "keras"), ("keras", "keras")])
def test_weights_are_bit_exact_permutations(sources: dict[str, Path], source: str, target: str, tmp_path: Path) -> None:
    """Every weight is its expression over the checkpoint's arrays, to the last bit, also after a chain of two."""
    from safetensors.numpy import load_file

    originals = load_file(sources["keras"].parent / "weights.safetensors")  # named and laid out as the checkpoint's
    report = pipeline.convert(sources[source], target, tmp_path / "out")
    written = load_file(tmp_path / "out" / "weights.safetensors")
    assert set(written) == set(report.weights)
    for name, array in written.items():
        expression = parse(report.weights[name])
        assert is_permutation(expression), f"{name} is {expression}"
        np.testing.assert_array_equal(array, evaluate(expression, originals), err_msg=name)


def test_keras_weights_move_as_by_hand(sources: dict[str, Path], tmp_path: Path) -> None:
    """HWIO → OIHW by transpose (3, 2, 0, 1); the first dense layer's rows from (H, W, C) to (C, H, W)."""
    from safetensors.numpy import load_file

    keras = load_file(sources["keras"].parent / "weights.safetensors")
    pipeline.convert(sources["keras"], "torch", tmp_path / "out")
    torch = load_file(tmp_path / "out" / "weights.safetensors")
    for name in ("block1_conv1", "block2_conv1"):
        np.testing.assert_array_equal(torch[f"{name}.weight"], keras[f"{name}/kernel"].transpose(3, 2, 0, 1))
        np.testing.assert_array_equal(torch[f"{name}.bias"], keras[f"{name}/bias"])
    first = keras["fc1/kernel"].reshape(7, 7, 16, 84).transpose(2, 0, 1, 3).reshape(784, 84).T
    np.testing.assert_array_equal(torch["fc1.weight"], first)
    np.testing.assert_array_equal(torch["before_softmax.weight"], keras["before_softmax/kernel"].T)


@pytest.mark.parametrize("target", ALL)
def test_native_layout_needs_no_transpose_at_all(sources: dict[str, Path], target: str, tmp_path: Path) -> None:
    """With equal axis sizes everywhere nothing may be decided by sizes; under `native` no Transpose is left."""
    options = pipeline.ConvertOptions(layout="native")
    report = pipeline.convert(sources["tensorflow"], target, tmp_path / "out", options)
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    assert report.transposes["leftover"] == 0 and not report.transposes["native"]


def test_vgg_from_channels_last_to_every_target(tmp_path: Path) -> None:
    source = nets.saved(nets.vgg(), tmp_path / "vgg.onnx")
    pipeline.convert(source, "keras", tmp_path / "keras")
    for target in ("torch", "tensorflow", "paddle", "fluid", "caffe"):
        report = pipeline.convert(tmp_path / "keras" / "model.keras", target, tmp_path / target)
        assert {proof.verdict for proof in report.proofs} == {"proved"}, target
        assert report.transposes["leftover"] == 0, target
