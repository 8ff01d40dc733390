"""`interlingua check` on files whose nodes leave something out: each target answers, none breaks down."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

import interlingua

NORMALIZED = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 4] x) => (float[N, 4] y) <float[4] scale = {1, 2, 3, 4}, float[4] bias = {0, 1, 0, 1}> {
    y = LayerNormalization(x, scale, bias)
}"""

UNKNOWN_RANK = """<ir_version: 8, opset_import: ["" : 17, "com.example" : 1]>
g (float[N, 4] x) => (float[M] y) {
    z = com.example.Mystery(x)
    y = ReduceMean<axes = [-1], keepdims = 0>(z)
}"""


@pytest.mark.parametrize(("text", "lacking"), [(NORMALIZED, set()), (UNKNOWN_RANK, {"torch", "keras"})])
def test_every_target_answers(text: str, lacking: set[str], tmp_path: Path) -> None:
    onnx.save(onnx.parser.parse_model(text), tmp_path / "model.onnx")
    findings = {finding.target: finding for finding in interlingua.check(tmp_path / "model.onnx")}
    assert {name for name in ("torch", "keras") if not findings[name].converts} == lacking
    assert findings["caffe"].refusals
