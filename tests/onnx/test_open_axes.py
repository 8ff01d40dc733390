"""Axes that a source leaves open are as long in the proof as the source computes with."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

import interlingua
from interlingua.errors import UsageError

HEAD = '<ir_version: 10, opset_import: ["": 22]>'


def written(graph: str, folder: Path) -> Path:
    model = onnx.parser.parse_model(f"{HEAD} g {graph}")
    for value in model.graph.input:
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param:
                size.dim_param = size.dim_param.replace("_plus_", " + ")
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"


def sizes(out: Path) -> list[str]:
    notes = json.loads((out / "report.json").read_text("utf-8"))["notes"]
    return [note["text"].rpartition(": ")[2] for note in notes if note["place"] == "proof"]


@pytest.mark.parametrize(
    ("graph", "taken"),
    [
        ("(float[N, 2, H, W] x) => (float[N, 2, W, H] y) { y = Transpose<perm = [0, 1, 3, 2]>(x) }", "H = 32, W = 64"),
        (
            "(float[N, S, 3] x, float[N, S, 3] y) => (float[N, T, 3] z) { z = Concat<axis = 1>(x, y) }",
            "S = 32",
        ),
        (
            "(float[N, past, 3] x, float[N, past_plus_2, 3] y) => (float[N, t, 3] z) { z = Concat<axis = 1>(x, y) }",
            "past = 32",
        ),
        (
            "(float[1, H, W] x) => (float[1, 224, 224] y) <int64[3] s = {1, 224, 224}> { y = Reshape(x, s) }",
            "H = 224, W = 224",
        ),
    ],
    ids=["two that differ", "one of two inputs", "an expression", "a square alone"],
)
def test_the_first_lengths_that_the_source_computes_with_are_taken(tmp_path: Path, graph: str, taken: str) -> None:
    report = interlingua.convert(written(graph, tmp_path), "torch", tmp_path / "out")
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    assert sizes(tmp_path / "out") == [taken]
    assert {proof.verdict for proof in interlingua.verify(tmp_path / "out")} == {"proved"}


def test_where_none_does_they_are_asked_for(tmp_path: Path) -> None:
    path = written(
        "(float[N, S] x) => (float[1, 7] y) <int64[2] s = {1, 7}> { z = Reshape(x, s) y = Relu(z) }", tmp_path
    )
    with pytest.raises(UsageError, match=r"with S = 32 it says: .*Reshape.*--input-shape"):
        interlingua.convert(path, "torch", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_source_that_onnxruntime_has_no_kernel_for_here_is_proved_by_what_it_means(tmp_path: Path) -> None:
    text = """<ir_version: 9, opset_import: ["": 20, "com.microsoft": 1]>
    g (float[N, L, 4, 8] x) => (float[N, L, 4, 8] y) <float[8] w = {1, 2, 3, 4, 5, 6, 7, 8}> {
        y = com.microsoft.BiasAdd(x, w, x)
    }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "model.onnx")
    report = interlingua.convert(tmp_path / "model.onnx", "onnx", tmp_path / "out")
    assert [(proof.reference, proof.verdict) for proof in report.proofs] == [("IR in onnxruntime", "proved")]
    assert any("was not run" in str(note) and "BiasAdd" in str(note) for note in report.notes)
