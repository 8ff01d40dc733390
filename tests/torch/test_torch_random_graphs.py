"""Random graphs through PyTorch, a few of the many that `make fuzz` tries, and what those found."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from interlingua import convert, read, write
from interlingua.errors import UnsupportedModel

ROOT = Path(__file__).resolve().parents[2]


def test_the_result_has_two_thousand_graphs_and_no_mismatch() -> None:
    result = json.loads((ROOT / "docs" / "results" / "fuzz.json").read_text("utf-8"))
    assert sum(number for verdict, number in result["graphs"].items() if verdict != "no reference") >= 2000
    assert not result["mismatches"] and not result["graphs"].get("mismatch")
    assert len(result["operators"]) >= 170


@pytest.mark.slow
def test_random_graphs_agree_with_onnxruntime() -> None:
    command = [sys.executable, str(ROOT / "tools" / "fuzz.py"), "--graphs", "40", "--seed", "1", "--no-save"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_a_layer_has_the_type_of_its_weights(tmp_path: Path, dtype: str) -> None:
    kind = {"float64": "double", "float16": "float16"}[dtype]
    text = f'<ir_version: 10, opset_import: ["": 21]> g ({kind}[2, 3] x) => ({kind}[2, 4] y) {{ y = MatMul (x, w) }}'
    model = onnx.parser.parse_model(text)
    weight = np.linspace(-1, 1, 12).reshape(3, 4).astype(dtype)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    onnx.save(model, tmp_path / "model.onnx")
    report = convert(tmp_path / "model.onnx", "torch", tmp_path / "out")
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    assert f"dtype=torch.{dtype}" in (tmp_path / "out" / "model.py").read_text()


FOUND = {
    "a size is reduced as a number": (
        """<ir_version: 10, opset_import: ["": 21]> g (float[N] x) => (float[N] y) {
            n = Size (x)  total = ReduceSum (n)  float_total = Cast <to = 1> (total)  y = Div (x, float_total)
        }""",
        {"x": np.array([1, 2, 5], np.float32)},
    ),
    "half a spectrum is the default": (
        """<ir_version: 10, opset_import: ["": 18]> g (float[1, 20, 1] x) => (float[a, b, c, d] y)
        <int64 step = {3}, int64 length = {6}, int64[1] all = {-1}> {
            z = STFT (x, step, "", length)  size = Shape (z)  row = Reshape (z, all)  y = Reshape (row, size)
        }""",
        {"x": np.linspace(-1, 2, 20, dtype=np.float32).reshape(1, 20, 1)},
    ),
    "what is made of a weight is transposed: Erf": (
        """<ir_version: 10, opset_import: ["": 18]> g (float[2, 3] x) => (float[2, 3] z, float[3, 2] y)
        <float[2, 3] w = {1, 5, 3, 4, 2, 6}> {
            z = Mul (w, x)  made = Erf (w)  y = Transpose (made)
        }""",
        {"x": np.array([[1, 2, 3], [3, 2, 1]], np.float32)},
    ),
    "what is made of a weight is transposed: ArgMax": (
        """<ir_version: 10, opset_import: ["": 18]> g (float[2, 3] x) => (float[2, 3] z, int64[1, 2] y)
        <float[2, 3] w = {1, 5, 3, 4, 2, 6}> {
            z = Mul (w, x)  made = ArgMax <axis = 1> (w)  y = Transpose (made)
        }""",
        {"x": np.array([[1, 2, 3], [3, 2, 1]], np.float32)},
    ),
    "what is made of a weight is transposed: CumSum": (
        """<ir_version: 10, opset_import: ["": 18]> g (float[2, 3] x) => (float[2, 3] z, float[3, 2] y)
        <float[2, 3] w = {1, 5, 3, 4, 2, 6}, int64 a = {1}> {
            z = Mul (w, x)  made = CumSum (w, a)  y = Transpose (made)
        }""",
        {"x": np.array([[1, 2, 3], [3, 2, 1]], np.float32)},
    ),
    "what is made of a weight is transposed: LayerNormalization": (
        """<ir_version: 10, opset_import: ["": 18]> g (float[2, 3] x) => (float[2, 3] z, float[3, 2] y)
        <float[2, 3] w = {1, 5, 3, 4, 2, 6}, float[3] s = {1, 2, 3}> {
            z = Mul (w, x)  made = LayerNormalization (w, s)  y = Transpose (made)
        }""",
        {"x": np.array([[1, 2, 3], [3, 2, 1]], np.float32)},
    ),
    "groups of one number": (
        """<ir_version: 10, opset_import: ["": 21]> g (float[1, 4] x, float[4] b) => (float[1, 4] y)
        <float[4] s = {1, 2, 3, 4}> { y = GroupNormalization <num_groups = 4> (x, s, b) }""",
        {"x": np.array([[1, 3, 2, 4]], np.float32), "b": np.array([1, 3, 2, 4], np.float32)},
    ),
    "a range from a number out of the data may be empty": (
        """<ir_version: 10, opset_import: ["": 21]> g (int64 x, int64 z) => (int64[n] y)
        <int64 b = {-1}, int64 c = {2}, int64[1] e = {3}> {
            q = Range (x, b, c)  r = Range (z, b, c)  y = Concat <axis = 0> (q, r, e)
        }""",
        {"x": np.array(2), "z": np.array(-4)},
    ),
    "a product with whole numbers is no layer": (
        """<ir_version: 10, opset_import: ["": 21]> g (int32[2, 1] x) => (int32[2, 4] y)
        <int32[1, 4] w = {4, 1, 0, -1}> { y = MatMul (x, w) }""",
        {"x": np.array([[4], [6]], np.int32)},
    ),
    "sums of small whole numbers keep their type": (
        """<ir_version: 10, opset_import: ["": 18]> g (int32[2, 3] x) => (int32[2] y)
        { y = Einsum <equation = "ij->i"> (x) }""",
        {"x": np.array([[4, 6, -5], [6, 1, 2]], np.int32)},
    ),
    "weights of classes are no parameters": (
        """<ir_version: 10, opset_import: ["": 18]> g (float[3, 3] x) => (float y)
        <int64[3] t = {1, 2, 2}, float[3] w = {0.2, 1.2, 2.2}> { y = SoftmaxCrossEntropyLoss (x, t, w) }""",
        {"x": np.array([[1, 2, 3], [3, 5, 1], [0, 1, 0]], np.float32)},
    ),
    "a number expanded to a number": (
        """<ir_version: 10, opset_import: ["": 21]> g (float x) => (float y)
        <int64[0] s = {}> { a = Neg (x)  y = Expand (a, s) }""",
        {"x": np.array(2, np.float32)},
    ),
    "a range that its step leads away from is empty": (
        """<ir_version: 10, opset_import: ["": 21]> g (float[1] x) => (float[n] y)
        <float a = {2}, float b = {-1}, float c = {2}> { r = Range (a, b, c)  y = Concat <axis = 0> (r, x) }""",
        {"x": np.array([3], np.float32)},
    ),
    "running statistics beside a scale that is computed are buffers": (
        """<ir_version: 10, opset_import: ["": 18]> g (float[2, 2] x, float[2] s, float[2] b) => (float[2, 2] y)
        <float[2] m = {-2.2, 0.7}, float[2] v = {0.5, 1.5}> { y = BatchNormalization (x, s, b, m, v) }""",
        {
            "x": np.array([[1, 2], [3, 5]], np.float32),
            "s": np.array([2, 3], np.float32),
            "b": np.array([0, 1], np.float32),
        },
    ),
    "whole numbers shrunk by a fraction stay whole": (
        """<ir_version: 10, opset_import: ["": 21]> g (int32[5] x) => (int32[5] y)
        { y = Shrink <lambd = 1.5, bias = 0.5> (x) }""",
        {"x": np.array([-3, -1, 0, 2, 5], np.int32)},
    ),
    "a logarithm over no axis keeps the type": (
        """<ir_version: 10, opset_import: ["": 21]> g (int32[2, 3] x) => (int32[2, 3] y)
        { y = ReduceLogSum <noop_with_empty_axes = 1> (x) }""",
        {"x": np.array([[1, 3, 9], [27, 81, 2]], np.int32)},
    ),
    "a reduction over axes that are computed, and none": (
        """<ir_version: 10, opset_import: ["": 21]> g (float[2, 3] x, int64[n] a) => (float y)
        { y = ReduceLogSumExp <keepdims = 0> (x, a) }""",
        {"x": np.array([[1, 3, 2], [0, 1, 5]], np.float32), "a": np.array([], np.int64)},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_is_mended(tmp_path: Path, name: str) -> None:
    text, given = FOUND[name]
    onnx.save(onnx.parser.parse_model(text), tmp_path / "model.onnx")
    np.savez(tmp_path / "inputs.npz", **given)
    report = convert(tmp_path / "model.onnx", "torch", tmp_path / "out", verify_inputs=tmp_path / "inputs.npz")
    assert {proof.verdict for proof in report.proofs} == {"proved"}


def test_no_elements_take_any_other_size(tmp_path: Path) -> None:
    text = "g (float[0, 4, 2] x) => (float[0, 1] y) <int64[2] c = {0, 1}> { y = Reshape <allowzero = 1> (x, c) }"
    onnx.save(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 23]> {text}'), tmp_path / "model.onnx")
    assert [node.op_type for node in read(tmp_path / "model.onnx").model.graph] == ["Reshape"]


@pytest.mark.parametrize("kind", ["uint64", "uint32", "uint16"])
def test_unsigned_weights_are_kept(tmp_path: Path, kind: str) -> None:
    graph = f"g ({kind}[3] x) => (bool[3] y) <{kind}[3] w = {{3, 6, 5}}> {{ y = Equal (x, w) }}"
    onnx.save(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 21]> {graph}'), tmp_path / "model.onnx")
    np.savez(tmp_path / "inputs.npz", x=np.array([3, 5, 5], kind))
    report = convert(tmp_path / "model.onnx", "torch", tmp_path / "out", verify_inputs=tmp_path / "inputs.npz")
    assert {proof.verdict for proof in report.proofs} == {"proved"}


def test_weights_that_no_file_of_weights_holds_are_refused(tmp_path: Path) -> None:
    text = """g (float8e4m3fnuz[2] x, int64[N] i) => (float8e4m3fnuz[N] y) <float8e4m3fnuz[4] w = {1, 2, 3, 4}> {
        y = Gather (w, i)
    }"""
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 21]> {text}')
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(UnsupportedModel, match="safetensors has no such type"):
        write(read(tmp_path / "model.onnx"), "torch", tmp_path / "out")


@pytest.mark.parametrize("op", ["AveragePool", "MaxPool", "LpPool"])
def test_windows_that_fit_nowhere_are_refused(tmp_path: Path, op: str) -> None:
    said = "kernel_shape = [2, 5], strides = [2, 2]"
    graph = f"g (float[1, 2, 3, 4] x) => (float[1, 2, n, m] y) {{ y = {op} <{said}> (x) }}"
    text = f'<ir_version: 10, opset_import: ["": 21]> {graph}'
    onnx.save(onnx.parser.parse_model(text), tmp_path / "model.onnx")
    with pytest.raises(UnsupportedModel, match="larger than the input"):
        write(read(tmp_path / "model.onnx"), "torch", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_pads_that_cut_more_than_there_is_are_refused(tmp_path: Path) -> None:
    graph = "g (float[0] x) => (float[1] y) <int64[2] p = {2, -1}> { y = Pad (x, p) }"
    onnx.save(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 21]> {graph}'), tmp_path / "model.onnx")
    with pytest.raises(UnsupportedModel, match="cut more than"):
        write(read(tmp_path / "model.onnx"), "torch", tmp_path / "out")


LEFT_OUT = {
    "placeholder": "an input, which every graph has",
    "softmax_cross_entropy": "the name that frameworks share; the standard's loss is SoftmaxCrossEntropyLoss",
    "Constant": "constants are initializers",
    "RandomNormal": "its numbers are nobody's: tests/torch/test_torch_random.py",
    "RandomUniform": "its numbers are nobody's: tests/torch/test_torch_random.py",
    "Multinomial": "its numbers are nobody's: tests/torch/test_torch_random.py",
    "BitCast": "came with opset 26",
    "CumProd": "came with opset 26",
    "ImageDecoder": "onnxruntime lacks it",
    "MaxUnpool": "onnxruntime leaves the standard: docs/oracles.md",
    "SequenceEmpty": "an output of unknown shape alone",
    "Optional": "no tensor",
    "OptionalHasElement": "no tensor",
    "OptionalGetElement": "no tensor",
    "StringConcat": "torch has no tensors of strings",
    "StringNormalizer": "torch has no tensors of strings",
    "StringSplit": "torch has no tensors of strings",
    "RegexFullMatch": "torch has no tensors of strings",
}


def test_random_graphs_hold_every_operator_but_those_left_out() -> None:
    from interlingua.records import records

    text = "".join(path.read_text("utf-8") for path in sorted((ROOT / "tools").glob("fuzz_*.py")))
    standard = [name for name in records() if "::" not in name]
    missing = {name for name in standard if f'"{name}"' not in text and not re.search(rf"[ \"]{name}[ \"]", text)}
    assert missing == set(LEFT_OUT)
