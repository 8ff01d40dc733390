"""Forms as PyTorch says them: one call for pieces that ONNX has no operator for, proved."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from interlingua.ir import metadata

pytestmark = pytest.mark.slow


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


def attention(
    sketch: Any, projection: str = "attn.in_proj", turned: bool = False, result: str = "attn.out_proj"
) -> Any:
    """Self-attention of 16 features in 4 heads, from one projection; `turned` as for (length, batch, features)."""

    def turn(value: ir.Value, perm: list[int]) -> ir.Value:
        made = sketch.node("Transpose", [value], {"perm": perm}, layer="attn")
        metadata.set_own(made.producer())
        return made

    def linear(value: ir.Value, name: str, joint: str, rows: int) -> ir.Value:
        weight = turn(sketch.parameter(f"{name}{joint}weight", rows, 16), [1, 0])
        product = sketch.node("MatMul", [value, weight], layer="attn")
        return sketch.node("Add", [product, sketch.parameter(f"{name}{joint}bias", rows)], layer="attn")

    x = sketch.input("x", (5, None, 16) if turned else (None, 5, 16))
    whole = linear(x, projection, "_" if projection.endswith("in_proj") else ".", 48)
    split = sketch.node("Split", [whole], {"axis": 2, "num_outputs": 3}, layer="attn", outputs=3)
    parts = list(split.producer().outputs)
    parts = [turn(each, [1, 0, 2]) for each in parts] if turned else parts
    y = sketch.node("Attention", parts, {"q_num_heads": 4, "kv_num_heads": 4}, layer="attn")
    return sketch.prove(linear(turn(y, [1, 0, 2]) if turned else y, result, ".", 16))


@pytest.mark.parametrize(("turned", "said"), [(False, ", batch_first=True"), (True, "")])
def test_a_module_of_attention(sketch: Any, turned: bool, said: str) -> None:
    written = attention(sketch, turned=turned)
    assert written.constructor == [f"self.attn = nn.MultiheadAttention(16, 4{said})"]
    assert written.forward == ["return self.attn(x, x, x, need_weights=False)[0]"]


@pytest.mark.parametrize("other", [{"projection": "attn.qkv"}, {"result": "attn.proj"}, {"result": "other.out_proj"}])
def test_attention_under_other_names_is_no_such_module(sketch: Any, other: dict[str, str]) -> None:
    written = attention(sketch, **other)
    assert "MultiheadAttention" not in written.source and "scaled_dot_product_attention" in written.source


@pytest.mark.parametrize("size", [6, 8])
def test_rotated_halves(sketch: Any, size: int) -> None:
    x, cos, sin = (sketch.input(name, (None, 5, size)) for name in ("x", "cos", "sin"))
    turned = [sketch.node("Neg", [part(sketch, x, size // 2, size, 2)], layer="op"), part(sketch, x, 0, size // 2, 2)]
    across = sketch.node("Mul", [sketch.node("Concat", turned, {"axis": 2}, layer="op"), sin], layer="op")
    written = sketch.prove(sketch.node("Add", [sketch.node("Mul", [x, cos], layer="op"), across], layer="op"))
    assert written.forward == ["return rotate_halves(x, cos, sin)"]


def test_rotated_neighbours(sketch: Any) -> None:
    x, cos, sin = (sketch.input(name, (None, 5, 6)) for name in ("x", "cos", "sin"))
    last = sketch.constant("last", np.array([-1]))

    def every_other(start: int) -> ir.Value:
        numbers = [sketch.constant(f"every_{start}_{n}", np.array([n])) for n in (start, 100, 2, 2)]
        return sketch.node("Slice", [x, *numbers], layer="op")

    turned = [sketch.node("Neg", [every_other(1)], layer="op"), every_other(0)]
    pairs = [sketch.node("Unsqueeze", [each, last], layer="op") for each in turned]
    joined = sketch.node("Concat", pairs, {"axis": -1}, layer="op")
    whole = sketch.node("Reshape", [joined, sketch.constant("shape", np.array([0, 5, 6]))], layer="op")
    straight, across = (sketch.node("Mul", pair, layer="op") for pair in ([x, cos], [whole, sin]))
    assert sketch.prove(sketch.node("Add", [straight, across], layer="op")).forward == [
        "return rotate_neighbours(x, cos, sin)"
    ]


def padded(sketch: Any, zero: bool = True, rows: int = 1) -> Any:
    """A table multiplied by ones and a row of zeros, as paddle2onnx says an embedding with an index for padding."""
    numbers = np.random.default_rng(3).normal(size=(7, 4)).astype(np.float32)
    numbers[2] *= not zero
    ones = np.ones((7, 4), np.float32)
    ones[2 : 2 + rows] = 0
    table = sketch.weight("table", ir.tensor(numbers, name="table"))
    product = sketch.node("Mul", [table, sketch.constant("ones", ones)], layer="op")
    indices = sketch.input("i", (None, 3), ir.DataType.INT64)
    return sketch.prove(sketch.node("Gather", [product, indices], {"axis": 0}, layer="op"))


def test_an_embedding_with_padding(sketch: Any) -> None:
    written = padded(sketch)
    assert written.constructor == ["self.op = nn.Embedding(7, 4, padding_idx=2)"]
    assert written.forward == ["return self.op(i)"]


@pytest.mark.parametrize("other", [{"zero": False}, {"rows": 2}], ids=["a row of numbers", "two rows"])
def test_a_table_with_a_mask_is_no_such_embedding(sketch: Any, other: dict[str, Any]) -> None:
    assert "padding_idx" not in padded(sketch, **other).source


def test_dense_layers_between_reshapes_and_an_embedding(sketch: Any) -> None:
    """As tf2onnx writes them: rows of a matrix for the product, the bias behind the sizes of the input again."""
    indices = sketch.input("i", (None, 5, 1), ir.DataType.INT64)
    picked = sketch.node("Squeeze", [indices, sketch.constant("last", np.array([-1]))], layer="table")
    x = sketch.node("Gather", [sketch.parameter("table", 9, 4), picked], {"axis": 0}, layer="table")
    rows = sketch.node("Reshape", [x, sketch.constant("rows", np.array([-1, 4]))], layer="dense")
    product = sketch.node("MatMul", [rows, sketch.parameter("kernel", 4, 3)], layer="dense")
    whole = sketch.node("Reshape", [product, sketch.constant("whole", np.array([-1, 5, 3]))], layer="dense")
    written = sketch.prove(sketch.node("Add", [whole, sketch.parameter("bias", 3)], layer="dense"))
    assert written.constructor == ["self.table = nn.Embedding(9, 4)", "self.dense = nn.Linear(4, 3)"]
    assert written.forward == ["x = i.squeeze(-1)", "x = self.table(x)", "return self.dense(x)"]


def test_a_product_of_turned_factors_is_an_equation(sketch: Any) -> None:
    x, y = sketch.input("x", (None, 5, 4, 8)), sketch.input("y", (None, 6, 4, 8))
    x = sketch.node("Transpose", [x], {"perm": [0, 2, 1, 3]}, layer="op")
    y = sketch.node("Transpose", [y], {"perm": [0, 2, 3, 1]}, layer="op")
    written = sketch.prove(sketch.node("MatMul", [x, y], layer="op"))
    assert written.forward == ['return torch.einsum("bijk,bljk->bjil", x, y)']


def test_blocks_of_pixels_as_channels(sketch: Any) -> None:
    x = sketch.input("x", (None, 3, 8, 6))
    parted = sketch.node("Reshape", [x, sketch.constant("parted", np.array([0, 3, 4, 2, 3, 2]))], layer="op")
    turned = sketch.node("Transpose", [parted], {"perm": [0, 1, 3, 5, 2, 4]}, layer="op")
    metadata.set_own(turned.producer())
    written = sketch.prove(
        sketch.node("Reshape", [turned, sketch.constant("whole", np.array([0, 12, 4, 3]))], layer="op")
    )
    assert written.forward == ["return F.pixel_unshuffle(x, 2)"]
