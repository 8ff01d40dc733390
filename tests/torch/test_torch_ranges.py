"""Ranges between sizes, which may run backwards, and numbers quantized by a point each: right, or refused."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
import torch

from interlingua import convert, read, write
from interlingua.errors import UnsupportedModel

HEADER = '<ir_version: 10, opset_import: ["": 21]>'
BETWEEN = """g (float[N] x, float[M] z) => (int64[n] y)
    <int64 zero = {{0}}, int64 one = {{1}}, int64 by = {{{by}}}, int64[1] e = {{7}}> {{
    a = Size (x)  b = Size (z)  c = Sub (b, one)  d = Add (a, b)
    r = Range ({first}, {last}, by)
    y = Concat <axis = 0> (r, e)
}}"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "last", "by", "plainly"),
    [("a", "b", 1, False), ("c", "a", -2, False), ("zero", "c", 1, False), ("a", "d", 2, True), ("zero", "d", 1, True)],
    ids=["beyond", "down", "less than none", "on from there", "from zero"],
)
def test_a_range_between_sizes(tmp_path: Path, first: str, last: str, by: int, plainly: bool) -> None:
    onnx.save(onnx.parser.parse_model(HEADER + BETWEEN.format(first=first, last=last, by=by)), tmp_path / "model.onnx")
    for place, sizes in enumerate(((5, 2), (2, 5), (0, 0), (3, 0))):
        arrays = {name: np.zeros(size, np.float32) for name, size in zip("xz", sizes, strict=True)}
        np.savez(tmp_path / "inputs.npz", **arrays)
        out = tmp_path / f"out{place}"
        report = convert(tmp_path / "model.onnx", "torch", out, verify_inputs=tmp_path / "inputs.npz")
        assert {proof.verdict for proof in report.proofs} <= {"proved", "inconclusive"}
        assert ("number_range" not in (out / "model.py").read_text()) == plainly


ROWS = """g (uint8[3, 2] a, uint8[2, 4] b, uint8{shape} p) => (int32[3, 4] y) {{ y = MatMulInteger (a, b, p) }}"""


@pytest.mark.parametrize("shape", ["[3]", "[N]", "[3, 1]", ""], ids=["each row", "some", "turned", "one"])
def test_a_point_for_each_row(tmp_path: Path, shape: str) -> None:
    """The standard has one for each row of the first factor; onnxruntime takes one for all alone."""
    onnx.save(onnx.parser.parse_model(HEADER + ROWS.format(shape=shape)), tmp_path / "model.onnx")
    write(read(tmp_path / "model.onnx"), "torch", tmp_path / "out")
    model = runpy.run_path(str(tmp_path / "out" / "model.py"))["load"]()
    generator = np.random.default_rng(3)
    size = {"": (), "[3, 1]": (3, 1)}.get(shape, (3,))
    a, b, points = (generator.integers(0, 9, each).astype(np.uint8) for each in ((3, 2), (2, 4), size))
    result = model(*(torch.from_numpy(np.asarray(each)) for each in (a, b, points))).numpy()
    turned = points.astype(np.int32).reshape(-1, 1)
    np.testing.assert_array_equal(result, (a.astype(np.int32) - turned) @ b.astype(np.int32))


def test_a_point_of_any_rank_is_refused(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(HEADER + ROWS.format(shape="[3]"))
    model.graph.input[2].type.tensor_type.ClearField("shape")
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(UnsupportedModel, match="a_zero_point of an unknown number of axes"):
        write(read(tmp_path / "model.onnx"), "torch", tmp_path / "out")
