"""What onnxruntime has no kernel for: an earlier stamp of the same meaning, a body, else the reference evaluator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import interlingua
from interlingua.notes import Skipped
from interlingua.worker import shared

HEAD = '<ir_version: 10, opset_import: ["": 26]> g '
ROI = "RoiAlign <output_height = 2, output_width = 2, sampling_ratio = 2> (z, boxes, image)"
BOXES = np.array([[0, 0, 3, 3], [1, 1, 5, 5], [0, 0, 2, 2]], np.float32)
IMAGE = np.array([0, 1, 1], np.int64)
PORTS = "(float[2, 3, 6, 6] x, float[3, 4] boxes, int64[3] image) => (float[3, 3, 2, 2] y)"


def given() -> dict[str, np.ndarray]:
    x = np.random.default_rng(0).normal(0, 1, (2, 3, 6, 6)).astype(np.float32)
    return {"x": x, "boxes": BOXES, "image": IMAGE}


def saved(text: str, folder: Path) -> Path:
    onnx.save(onnx.parser.parse_model(HEAD + text), folder / "model.onnx")
    return folder / "model.onnx"


def computed(path: Path, arrays: dict[str, np.ndarray]) -> tuple[str, dict[str, np.ndarray]]:
    reply = shared("onnx").call("run", arrays, phase="run", timeout=60, path=str(path), format="onnx")
    return reply.value["told"], reply.arrays


@pytest.mark.parametrize(
    "before",
    ["z = Relu (x)", "s = Shape (image)\n z = Swish (x)", "n = Constant <value_floats = [2.0]> ()\n z = Pow (x, n)"],
    ids=["alone", "beside an operator that is newer than the stamp", "with a number"],
)
def test_an_earlier_stamp_of_the_same_meaning_is_run(tmp_path: Path, before: str) -> None:
    from onnx.reference import ReferenceEvaluator

    path = saved(f"{PORTS} {{ {before}\n y = {ROI} }}", tmp_path)
    told, outputs = computed(path, given())
    assert told == ""
    (expected,) = ReferenceEvaluator(onnx.load(path)).run(None, given())
    np.testing.assert_allclose(outputs["y"], expected, rtol=1e-4, atol=1e-5)


def test_an_earlier_stamp_within_a_branch(tmp_path: Path) -> None:
    branches = f"then_branch = t () => (a) {{ a = {ROI} }}, else_branch = e () => (b) {{ b = Slice (z, k, l) }}"
    cut = "k = Constant <value_ints = [0, 0, 0, 0]> ()\n l = Constant <value_ints = [3, 3, 2, 2]> ()"
    text = f"{PORTS} {{ z = Relu (x)\n {cut}\n s = Size (z)\n n = Constant <value_int = 5> ()\n c = Greater (s, n)\n"
    told, outputs = computed(saved(f"{text} y = If (c) <{branches}> }}", tmp_path), given())
    assert told == ""
    told, plain = computed(saved(f"{PORTS} {{ z = Relu (x)\n y = {ROI} }}", tmp_path), given())
    np.testing.assert_array_equal(outputs["y"], plain["y"])


@pytest.mark.parametrize(
    "kind", ["y = BitCast <to = 2> (x)", "y = BitCast <to = 2> (x)\n z = RoiAlign (f, b, i)"], ids=["", "with RoiAlign"]
)
def test_what_has_no_earlier_stamp_is_computed_by_the_reference(tmp_path: Path, kind: str) -> None:
    more = ", float[2, 3, 6, 6] f, float[3, 4] b, int64[3] i" if "Roi" in kind else ""
    out = ", float[3, 3, 1, 1] z" if "Roi" in kind else ""
    path = saved(f"(bool[4] x{more}) => (uint8[4] y{out}) {{ {kind} }}", tmp_path)
    arrays = {"x": np.array([True, False, True, True])}
    told, outputs = computed(path, arrays | dict(zip("fbi", given().values(), strict=True)) if more else arrays)
    assert told == "onnxruntime lacks BitCast: the reference evaluator of onnx computed it"
    np.testing.assert_array_equal(outputs["y"], np.array([1, 0, 1, 1], np.uint8))


def test_a_detector_s_head_is_proved(tmp_path: Path) -> None:
    np.savez(tmp_path / "inputs.npz", **given())
    path = saved(f"{PORTS} {{ z = Relu (x)\n y = {ROI} }}", tmp_path)
    report = interlingua.convert(path, "torch", tmp_path / "out", verify_inputs=tmp_path / "inputs.npz")
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    assert not list(report.notes)


def test_a_proof_by_the_reference_is_told(tmp_path: Path) -> None:
    path = saved("(bool[2, 3] x) => (uint8[2, 3] y) { y = BitCast <to = 2> (x) }", tmp_path)
    report = interlingua.convert(path, "torch", tmp_path / "out")
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    told = [note for note in report.notes if isinstance(note, Skipped)]
    assert [note.text for note in told] == ["onnxruntime lacks BitCast: the reference evaluator of onnx computed it"]


@pytest.mark.parametrize(
    ("text", "newer", "older", "same"),
    [
        ("y = RoiAlign (x, b, i)", 26, 21, True),
        ('y = GridSample <mode = "linear"> (x, b)', 20, 19, True),
        ("y = GridSample (x, b)", 20, 19, False),  # its default was called bilinear
        ("y = Cast <to = 1> (x)", 26, 18, True),
        ("y = Cast <to = 1, saturate = 0> (x)", 26, 18, False),
        ("y = Pad (x, b, , i)", 18, 17, False),  # axes came with 18
        ("y = BitCast <to = 1> (x)", 26, 25, False),
    ],
)
def test_what_an_older_schema_says_the_same(text: str, newer: int, older: int, same: bool) -> None:
    from interlingua.onnx import runtime

    graph = onnx.parser.parse_graph(f"g (float[1] x, float[1] b, float[1] i) => (float[1] y) {{ {text} }}")
    assert runtime.says_the_same(graph.node[0], newer, older) is same
