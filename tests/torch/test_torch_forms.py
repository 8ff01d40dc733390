"""Forms as PyTorch says them: one call for pieces that ONNX has no operator for, proved."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir


def part(sketch: Any, value: ir.Value, start: int, end: int, axis: int) -> ir.Value:
    constants = [sketch.constant(f"{value.name}_{start}_{end}_{axis}", np.array([n])) for n in (start, end, axis)]
    return sketch.node("Slice", [value, *constants], layer="op")


def rolled(sketch: Any, value: ir.Value, start: int, size: int, axis: int) -> ir.Value:
    parts = [part(sketch, value, start, size, axis), part(sketch, value, 0, start, axis)]
    return sketch.node("Concat", parts, {"axis": axis}, layer="op")


def test_one_roll_of_two_axes(sketch: Any) -> None:
    x = sketch.input("x", (None, 6, 5))
    written = sketch.prove(rolled(sketch, rolled(sketch, x, 2, 6, 1), 4, 5, 2))
    assert written.forward == ["return torch.roll(x, shifts=(-2, 1), dims=(1, 2))"]


def test_a_roll_of_one_axis(sketch: Any) -> None:
    written = sketch.prove(rolled(sketch, sketch.input("x", (None, 6, 5)), 2, 6, 1))
    assert written.forward == ["return torch.roll(x, shifts=-2, dims=1)"]


def test_gated_halves(sketch: Any) -> None:
    x = sketch.input("x", (None, 6, 4))
    parts = sketch.node("Split", [x], {"axis": 1, "num_outputs": 2}, layer="op", outputs=2)
    gate = sketch.node("Sigmoid", [parts.producer().outputs[1]], layer="op")
    assert sketch.prove(sketch.node("Mul", [parts, gate], layer="op")).forward == ["return F.glu(x, dim=1)"]
