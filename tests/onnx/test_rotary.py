"""Rotations as ONNX's own operator, in files of the opsets that have it; and those that it does not say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from interlingua import passes, pipeline, plugin
from interlingua.artifact import WriteOptions
from interlingua.ir.build import Builder
from interlingua.notes import Notes
from interlingua.onnx import runtime

ARRAYS = {
    "x": np.random.default_rng(1).normal(size=(2, 4, 5, 8)).astype(np.float32),
    "angles": np.random.default_rng(2).normal(size=(2, 5, 4)).astype(np.float32),
}


def rotated(*, batch: str | int = "N", second: str = "angles") -> ir.Model:
    """Two rotations of x by cosines and sines of the angles, each told for both halves."""
    builder = Builder("rotary")
    x = builder.input("x", ("N", 4, 5, 8))
    angles = builder.input("angles", (batch, 5, 4))
    other = angles if second == "angles" else builder.node("Neg", [angles], layer="op")
    whole = builder.node("Concat", [angles, other], {"axis": -1}, layer="op")
    one = builder.constant("one", np.array([1]))
    cos, sin = (
        builder.node("Unsqueeze", [builder.node(op, [whole], layer="op"), one], layer="op") for op in ("Cos", "Sin")
    )

    def part(value: ir.Value, start: int, end: int) -> ir.Value:
        numbers = [builder.constant(f"{value.name}_{start}_{n}", np.array([n])) for n in (start, end, 3)]
        return builder.node("Slice", [value, *numbers], layer="op")

    def rotate(value: ir.Value) -> ir.Value:
        turned = [builder.node("Neg", [part(value, 4, 8)], layer="op"), part(value, 0, 4)]
        across = builder.node("Mul", [builder.node("Concat", turned, {"axis": -1}, layer="op"), sin], layer="op")
        return builder.node("Add", [builder.node("Mul", [value, cos], layer="op"), across], layer="op")

    return passes.run(builder.model([("y", rotate(builder.node("Relu", [rotate(x)], layer="op")))]), notes=Notes())


def written(folder: Path, model: ir.Model, opset: int | None) -> tuple[list[str], np.ndarray]:
    folder.mkdir(exist_ok=True)
    pipeline.write(model, plugin.framework("onnx"), folder, WriteOptions(opset=opset))
    path = folder / "model.onnx"
    operators = [node.op_type for node in onnx.load(path).graph.node]
    shapes = {
        value.name: [each if isinstance(each, int) else 2 for each in value.shape] for value in model.graph.inputs
    }
    arrays = {name: array[: shapes[name][0]] for name, array in ARRAYS.items()}
    return operators, next(iter(runtime.run(arrays, path=str(path))[1].values()))


@pytest.mark.parametrize("opset", [None, 23])
def test_rotations_are_the_operator(tmp_path: Path, opset: int | None) -> None:
    operators, numbers = written(tmp_path / "new", rotated(), opset)
    assert sorted(operators) == ["Cos", "Relu", "RotaryEmbedding", "RotaryEmbedding", "Sin"]
    before, wanted = written(tmp_path / "old", rotated(), 21)
    assert "RotaryEmbedding" not in before
    assert np.abs(numbers - wanted).max() <= 1e-6 * np.abs(wanted).max()


@pytest.mark.parametrize("other", [{"batch": 1}, {"second": "others"}], ids=["one row for all", "two angles a pair"])
def test_no_such_operator(tmp_path: Path, other: dict[str, object]) -> None:
    assert "RotaryEmbedding" not in written(tmp_path, rotated(**other), None)[0]
