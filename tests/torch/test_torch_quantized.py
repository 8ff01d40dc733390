"""Models that onnxruntime's own tool quantized, as PyTorch: proved, readable, nothing trained that is a scale."""

from __future__ import annotations

import logging
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_dynamic, quantize_static

import interlingua

GRAPH = """<ir_version: 10, opset_import: ["": 21]> net (float[N, 3, 8, 8] x) => (float[N, 5] y) {
  c = Conv<pads = [1, 1, 1, 1]>(x, w, b)
  r = Relu(c)
  d = Conv<pads = [1, 1, 1, 1]>(r, v)
  s = Add(d, r)
  p = GlobalAveragePool(s)
  f = Flatten(p)
  y = Gemm(f, m)
}"""


class Samples(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self) -> None:
        random = np.random.default_rng(2)
        self.rows: Iterator[dict[str, Any]] = iter([{"x": random.random((2, 3, 8, 8), np.float32)} for _ in range(3)])

    def get_next(self) -> dict[str, Any] | None:
        return next(self.rows, None)


@pytest.fixture
def net(tmp_path: Path) -> Path:
    random = np.random.default_rng(1)
    model = onnx.parser.parse_model(GRAPH)
    for name, shape in {"w": (6, 3, 3, 3), "b": (6,), "v": (6, 6, 3, 3), "m": (6, 5)}.items():
        array = random.normal(size=shape).astype(np.float32) * 0.4
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    onnx.save(model, tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def quantized(way: str, net: Path) -> Path:
    path = net.with_name(f"{way}.onnx")
    logging.disable(logging.WARNING)
    try:
        if way == "dynamic":
            quantize_dynamic(net, path)
        else:
            kind = QuantFormat.QOperator if way == "operators" else QuantFormat.QDQ
            quantize_static(net, path, Samples(), quant_format=kind, per_channel=way == "pairs, by channel")
    finally:
        logging.disable(logging.NOTSET)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("way", ["pairs", "pairs, by channel", "operators", "dynamic"])
def test_what_onnxruntime_quantized(net: Path, tmp_path: Path, way: str) -> None:
    report = interlingua.convert(quantized(way, net), "torch", tmp_path / "out")
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    text = (tmp_path / "out" / "model.py").read_text("utf-8")
    assert "along_axis" not in text
    model = runpy.run_path(str(tmp_path / "out" / "model.py"))["load"]()
    if way != "dynamic":
        assert not list(model.parameters())
    if way == "pairs, by channel":
        assert "_scale.reshape(-1, 1, 1, 1)" in text
