"""Rotations as ONNX's own operator, in files of the opsets that have it; and those that it does not say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from interlingua import passes, pipeline, plugin
from interlingua.artifact import WriteOptions
from interlingua.ir.build import Builder
from interlingua.notes import Notes
from interlingua.onnx import runtime

SAMPLES, HEADS, LENGTH, PAIRS = 2, 4, 5, 4


class Rotations(Builder):
    """Two rotations, one behind the other, of `2 * PAIRS` features and of `rest` more that stay as they are."""

    def __init__(self, **how: Any) -> None:
        super().__init__("rotary")
        self.heads: int = how.get("heads", 1)
        self.interleaved: bool = how.get("interleaved", False)
        self.rest: int = how.get("rest", 0)
        self.how = how

    def numbers(self, stem: str, *entries: int) -> ir.Value:
        return self.constant(f"{stem}_{'_'.join(map(str, entries))}", np.array(entries))

    def op(self, kind: str, *inputs: ir.Value, **attributes: Any) -> ir.Value:
        return self.node(kind, list(inputs), attributes, layer="op")

    def part(self, value: ir.Value, start: int, end: int, step: int = 1) -> ir.Value:
        numbers = [self.numbers("part", each) for each in (start, end, 3, step)]
        return self.op("Slice", value, *numbers)

    def both(self, value: ir.Value, other: ir.Value, rank: int) -> ir.Value:
        """A value for each of the two features of a pair."""
        if not self.interleaved:
            return self.op("Concat", value, other, axis=-1)
        apart = [self.op("Unsqueeze", each, self.numbers("at", -1)) for each in (value, other)]
        shape = self.numbers("shape", *[0] * (rank - 1), 2 * PAIRS)
        return self.op("Reshape", self.op("Concat", *apart, axis=-1), shape)

    def table(self, kind: str, angles: ir.Value | None) -> ir.Value:
        if angles is None:
            rows = np.cos(ARRAYS["angles"][:1]) if kind == "Cos" else np.sin(ARRAYS["angles"][:1])
            pairs = rows.repeat(2, -1) if self.interleaved else np.concatenate([rows, rows], -1)
            pairs = np.expand_dims(pairs, self.heads) + np.float32(self.how.get("uneven", 0)) * np.arange(8) / 9
            return self.constant(f"{kind}_table", pairs.astype(np.float32))
        other = self.op("Neg", angles) if self.how.get("second") == "others" else angles
        table = self.op(kind, self.both(angles, other, 3))
        if "factor" in self.how:
            table = self.op("Mul", table, self.constant("factor", np.array(self.how["factor"], np.float32)))
        return self.op("Unsqueeze", table, self.numbers("at", self.heads))

    def turned(self, value: ir.Value) -> ir.Value:
        if self.interleaved:
            return self.both(self.op("Neg", self.part(value, 1, 8, 2)), self.part(value, 0, 8, 2), 4)
        return self.op("Concat", self.op("Neg", self.part(value, PAIRS, 8)), self.part(value, 0, PAIRS), axis=-1)

    def rotated(self, value: ir.Value, cos: ir.Value, sin: ir.Value) -> ir.Value:
        first = self.part(value, 0, 8) if self.rest else value
        straight, across = self.op("Mul", first, cos), self.op("Mul", self.turned(first), sin)
        made = self.op("Add", straight, across)
        if not self.rest:
            return made
        parts = [made, self.part(value, 8, 8 + self.rest)]
        return self.op("Concat", *(parts[::-1] if self.how.get("swapped") else parts), axis=-1)

    def canonical(self) -> ir.Model:
        inner = [HEADS, LENGTH] if self.heads == 1 else [LENGTH, HEADS]
        x = self.input("x", ("N", *inner, 2 * PAIRS + self.rest))
        batch = self.how.get("batch", "N")
        angles = None if batch is None else self.input("angles", (batch, LENGTH, PAIRS))
        cos, sin = self.table("Cos", angles), self.table("Sin", angles)
        y = self.rotated(self.op("Relu", self.rotated(x, cos, sin)), cos, sin)
        return passes.run(self.model([("y", y)]), notes=Notes())


ARRAYS = {
    "x": np.random.default_rng(1).normal(size=(SAMPLES, HEADS * LENGTH * 11)).astype(np.float32),
    "angles": np.random.default_rng(2).normal(size=(SAMPLES, LENGTH, PAIRS)).astype(np.float32),
}


def written(folder: Path, model: ir.Model, opset: int | None) -> tuple[list[str], np.ndarray]:
    folder.mkdir(exist_ok=True)
    pipeline.write(model, plugin.framework("onnx"), folder, WriteOptions(opset=opset))
    path = folder / "model.onnx"
    operators = [node.op_type for node in onnx.load(path).graph.node]
    arrays = {}
    for value in model.graph.inputs:
        shape = [each if isinstance(each, int) else SAMPLES for each in value.shape or ()]
        arrays[value.name] = ARRAYS[value.name].reshape(-1)[: np.prod(shape)].reshape(shape)
    return operators, next(iter(runtime.run(arrays, path=str(path))[1].values()))


def agree(folder: Path, opset: int | None = None, **how: Any) -> list[str]:
    """The operators of the newer file, which computes what the one of an older opset does."""
    operators, numbers = written(folder / "new", Rotations(**how).canonical(), opset)
    before, wanted = written(folder / "old", Rotations(**how).canonical(), 21)
    assert "RotaryEmbedding" not in before
    assert np.abs(numbers - wanted).max() <= 1e-6 * np.abs(wanted).max()
    return sorted(operators)


@pytest.mark.parametrize("opset", [None, 23])
def test_rotations_are_the_operator(tmp_path: Path, opset: int | None) -> None:
    assert agree(tmp_path, opset) == ["Cos", "Relu", "RotaryEmbedding", "RotaryEmbedding", "Sin"]


def test_one_row_of_angles_for_all_samples_is_repeated(tmp_path: Path) -> None:
    operators = agree(tmp_path, batch=1)
    assert operators.count("RotaryEmbedding") == 2 and operators.count("Expand") == 2 and "Neg" not in operators


@pytest.mark.parametrize("interleaved", [False, True], ids=["halves", "neighbours"])
@pytest.mark.parametrize("heads", [1, 2], ids=["heads first", "positions first"])
@pytest.mark.parametrize("rest", [0, 3], ids=["all", "some features"])
def test_rotations_of_all_kinds(tmp_path: Path, heads: int, interleaved: bool, rest: int) -> None:
    operators = agree(tmp_path, batch=1, heads=heads, interleaved=interleaved, rest=rest, factor=1.25)
    assert operators.count("RotaryEmbedding") == 2 and not {"Neg", "Slice", "Add"} & {*operators}


@pytest.mark.parametrize("interleaved", [False, True], ids=["halves", "neighbours"])
def test_tables_that_are_constants(tmp_path: Path, interleaved: bool) -> None:
    operators = agree(tmp_path, batch=None, interleaved=interleaved, rest=3)
    assert operators.count("RotaryEmbedding") == 2 and "Cos" not in operators


@pytest.mark.parametrize(
    "other",
    [{"second": "others"}, {"batch": None, "uneven": 1}, {"batch": "M"}],
    ids=["two angles a pair", "a table with two numbers a pair", "perhaps another number of samples"],
)
def test_no_such_operator(tmp_path: Path, other: dict[str, Any]) -> None:
    assert "RotaryEmbedding" not in agree(tmp_path, **other)


def test_features_in_front_of_the_rotated_ones_stay_apart(tmp_path: Path) -> None:
    operators = agree(tmp_path, rest=3, swapped=True)
    assert operators.count("RotaryEmbedding") == 2 and operators.count("Concat") == 2
