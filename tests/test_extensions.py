"""Operators of users: told by `check` before, said by a lowering or a function body after, wrong files refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "custom_op"


def interlingua(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "interlingua", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("custom")
    for file in EXAMPLE.glob("*.py"):
        shutil.copy(file, folder)
    subprocess.run([sys.executable, "make_model.py"], cwd=folder, check=True, timeout=60)
    return folder


def test_check_names_every_unknown_operator_for_every_target_and_writes_nothing(example: Path) -> None:
    before = sorted(example.iterdir())
    done = interlingua(example, "check", "model.onnx", "--json")
    found = {row["target"]: row for row in json.loads(done.stdout)}
    assert done.returncode == 0, done.stderr
    assert set(found) == {"caffe", "fluid", "keras", "onnx", "paddle", "tensorflow", "torch"}
    operators = {each["operator"] for each in found["torch"]["refusals"]}
    assert operators == {"com.example::Snake", "com.example::SquaredRelu"}
    assert {each["kind"] for each in found["torch"]["refusals"]} == {"operator"}
    assert all(each["place"] and "--with" in each["remedy"] for each in found["torch"]["refusals"])
    assert found["onnx"]["converts"]
    assert sorted(example.iterdir()) == before


@pytest.mark.slow
def test_check_ends_with_the_exit_code_of_an_unsupported_model_only_for_named_targets(example: Path) -> None:
    assert interlingua(example, "check", "model.onnx", "--to", "torch").returncode == 5
    told = interlingua(example, "check", "model.onnx", "--to", "torch", "--with", "my_ops.py")
    assert told.returncode == 0
    assert told.stdout.startswith("torch: nothing stands in the way")


@pytest.mark.slow
def test_a_lowering_and_a_function_body_say_the_operators_in_torch(example: Path) -> None:
    done = interlingua(example, "convert", "model.onnx", "--to", "torch", "--out", "torch", "--with", "my_ops.py")
    assert done.returncode == 0, done.stderr
    text = (example / "torch" / "model.py").read_text()
    assert "x + torch.sin(0.5 * x) ** 2 / 0.5" in text
    assert "x = x * x" in text
    report = json.loads((example / "torch" / "report.json").read_text())
    assert {proof["verdict"] for proof in report["proofs"]} == {"proved"}
    assert any("source in onnx" in proof["reference"] for proof in report["proofs"])


def test_an_onnx_file_that_is_written_carries_the_bodies(example: Path) -> None:
    done = interlingua(example, "convert", "model.onnx", "--to", "onnx", "--out", "onnx", "--with", "my_ops.py")
    assert done.returncode == 0, done.stderr
    written = onnx.load(example / "onnx" / "model.onnx")
    onnx.checker.check_model(written, full_check=True)
    assert {function.name for function in written.functions} == {"Snake", "SquaredRelu"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("CARDS = {'torch': ['torch.sin']}", "rows of card by framework"),
        ("FUNCTIONS = ('no function',)", "ParseError"),
        ("import nowhere_to_be_found", "ModuleNotFoundError"),
    ],
)
def test_a_file_that_does_not_register_is_refused_with_its_reason(example: Path, text: str, told: str) -> None:
    (example / "wrong.py").write_text(text)
    done = interlingua(example, "check", "model.onnx", "--with", "wrong.py")
    assert done.returncode == 10
    assert "wrong.py" in done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_no_file_is_said(example: Path) -> None:
    done = interlingua(example, "check", "model.onnx", "--with", "nowhere.py")
    assert done.returncode == 2
    assert "nowhere.py" in done.stderr
