"""Bad input of every format: one clear error with its exit code, no traceback, nothing written."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from interlingua import errors, pipeline
from interlingua.testing import nets

TARGETS = ("torch", "keras", "tensorflow", "paddle", "fluid", "caffe", "onnx")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nets.saved(nets.lenet(), tmp_path_factory.mktemp("lenet") / "lenet.onnx")


@pytest.fixture(scope="module")
def artifacts(lenet: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """LeNet-4 as the native artifact of every framework whose runtime is here."""
    found: dict[str, Path] = {}
    for target in TARGETS:
        folder = tmp_path_factory.mktemp(target) / "out"
        try:
            report = pipeline.convert(lenet, target, folder)
        except errors.RuntimeMissing:
            continue
        found[target] = folder / report.target["path"]
    return found


def _convert(path: Path, out: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "interlingua", "convert", str(path), "--to", "onnx", "-o", str(out), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def _refused(done: subprocess.CompletedProcess[str], out: Path, *codes: int) -> str:
    assert "Traceback (most recent call last)" not in done.stderr, done.stderr
    assert done.returncode in (codes or (3, 4)), (done.returncode, done.stderr)
    assert "Expected" in done.stderr and "Received" in done.stderr, done.stderr
    assert not out.exists()
    return done.stderr


def _files(artifact: Path) -> list[Path]:
    return [artifact] if artifact.is_file() else sorted(path for path in artifact.rglob("*") if path.is_file())


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("damage", ["empty", "half", "noise"])
def test_damaged_artifact(artifacts: dict[str, Path], target: str, damage: str, tmp_path: Path) -> None:
    """Every file of every artifact in turn, emptied, cut in half or filled with noise."""
    if target not in artifacts:
        pytest.skip(f"no runtime of {target} here")
    artifact = artifacts[target]
    root = artifact.parent if artifact.is_file() else artifact
    for victim in _files(artifact):
        copy = tmp_path / victim.name.replace(".", "_")
        shutil.copytree(root, copy)
        broken = copy / victim.relative_to(root)
        content = broken.read_bytes()
        if not content or broken.name in ("fingerprint.pb", "reference.safetensors", "report.json", "names.json"):
            continue
        noise = np.random.default_rng(0).integers(0, 256, max(len(content), 64), np.uint8).tobytes()
        broken.write_bytes({"empty": b"", "half": content[: len(content) // 2], "noise": noise}[damage])
        with pytest.raises(errors.InterlinguaError) as refused:
            pipeline.convert(copy / artifact.relative_to(root), "onnx", tmp_path / "out")
        assert refused.value.exit_code in (2, 3, 4, 5), (victim, refused.value)
        assert not (tmp_path / "out").exists()


def test_nothing_there(tmp_path: Path) -> None:
    assert "does not exist" in _refused(_convert(tmp_path / "nothing", tmp_path / "out"), tmp_path / "out", 3)


def test_pickle_is_not_executed(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "executed"),)

    for name in ("model.pt", "model.pth", "model.pkl", "model.pdparams"):
        (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
        _refused(_convert(tmp_path / name, tmp_path / "out"), tmp_path / "out", 3, 4)
    with zipfile.ZipFile(tmp_path / "zipped.pt", "w") as archive:
        archive.writestr("zipped/data.pkl", pickle.dumps(Bomb()))
    told = _refused(_convert(tmp_path / "zipped.pt", tmp_path / "out"), tmp_path / "out", 4)
    assert "pickle" in told and not (tmp_path / "executed").exists()


def test_zip_bomb(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * (1 << 28))
        archive.writestr("metadata.json", b"{}")
        archive.writestr("model.weights.h5", b"")
    _refused(_convert(tmp_path / "bomb.keras", tmp_path / "out"), tmp_path / "out", 3, 4)


def test_external_data_outside_the_folder(lenet: Path, tmp_path: Path) -> None:
    model = onnx.load(lenet)
    (tmp_path / "deep").mkdir()
    onnx.save(model, tmp_path / "deep" / "net.onnx", save_as_external_data=True, location="data", size_threshold=0)
    proto = onnx.load(tmp_path / "deep" / "net.onnx", load_external_data=False)
    (tmp_path / "data").write_bytes((tmp_path / "deep" / "data").read_bytes())
    for tensor in proto.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../data"
    onnx.save(proto, tmp_path / "deep" / "net.onnx")
    _refused(_convert(tmp_path / "deep" / "net.onnx", tmp_path / "out"), tmp_path / "out", 4)


def test_huge_declared_size(lenet: Path, tmp_path: Path) -> None:
    proto = onnx.load(lenet)
    proto.graph.initializer[0].dims[0] = 1 << 40
    onnx.save(proto, tmp_path / "net.onnx")
    _refused(_convert(tmp_path / "net.onnx", tmp_path / "out"), tmp_path / "out", 3)


def test_weights_that_are_no_numbers(tmp_path: Path) -> None:
    """NaN in a weight reaches the output of the source itself: the conversion agrees, and proves nothing."""
    model = nets.lenet()
    value = model.graph.initializers["before_softmax.bias"]
    value.const_value = ir.tensor(np.full(10, np.nan, np.float32), name="before_softmax.bias")
    done = _convert(nets.saved(model, tmp_path / "net.onnx"), tmp_path / "out")
    assert done.returncode == 0 and "NaN" in done.stdout + done.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert {proof["verdict"] for proof in report["proofs"][1:]} == {"inconclusive"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--outputs", "flatten:1"], "Near ones: flatten:0"),
        (["--inputs", "X"], "Expected the name"),
        (["--input-shape", "1,2,x"], "None,224,224,3"),
        (["--input-shape", "5,2"], "sizes"),
        (["--tolerance", "-1"], "tolerance"),
        (["--layout", "sideways"], "layout"),
        (["--native", "docx"], "native artifact"),
        (["--to", "tortch"], "torch"),
    ],
)
def test_wrong_options(lenet: Path, tmp_path: Path, words: list[str], expected: str) -> None:
    assert expected in _refused(_convert(lenet, tmp_path / "out", *words), tmp_path / "out", 2)


def test_unwritable_folder(lenet: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    _refused(_convert(lenet, tmp_path / "file" / "out"), tmp_path / "file" / "out", 9)
