"""Reads operators of arithmetic where data cannot say it: broadcasting, products, numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from interlingua import cards
from interlingua.cards import Card
from interlingua.codegen.weights import Weight
from interlingua.errors import InvalidSource, Unsupported
from interlingua.formats.lod_tensor import DTYPES
from interlingua.formats.program_desc import Operator
from interlingua.ir import metadata
from interlingua.ir.build import read_call
from interlingua.ir.facts import known, shape_of
from interlingua_fluid.frontend.calls import by_card, called, number_like, reads
from interlingua_fluid.frontend.graph import Reading, layer_of, output_of


@reads("mul")
def _mul(reading: Reading, op: Operator, bias: str | None) -> None:
    """A product of matrices; an input of more axes is flattened, and the result gets its leading axes back."""
    x, y = op.inputs["X"][0], op.inputs["Y"][0]
    split, columns = op.attributes.get("x_num_col_dims", 1), op.attributes.get("y_num_col_dims", 1)
    if reading.rank(y) != 2 or columns != 1:
        raise Unsupported("its second input is no matrix")
    if not reading.stored(y):
        if reading.rank(x) != 2 or bias is not None:
            raise Unsupported("it multiplies two computed tensors of more than two axes")
        product = reading.builder.record(
            "MatMul", {"A": [reading.value(x)], "B": [reading.value(y)]}, {}, layer=layer_of(op)
        )
        reading.define(output_of(op), product)
        return
    layer, builder = layer_of(op), reading.builder
    rows = reading.value(x)
    if reading.rank(x) > 2 or split != 1:
        rows = builder.record("Flatten", {"input": [rows]}, {"axis": split}, layer=f"{layer}.flatten")
        rows.shape = ir.Shape([None, None])
    if split == 1:
        row = cards.find_to_read("fluid", "mul", op.attributes)
        weights = {"Y": reading.value(y)}
        value = _dense(reading, op, row, rows, weights, bias)
        reading.define(output_of(op), value)
        return
    row = next(card for card in cards.by_api("fluid")["mul"])
    arguments = {**op.attributes, "x_num_col_dims": 1}
    value = _dense(reading, op, row, rows, {"Y": reading.value(y)}, bias, arguments)
    sizes = reading.sizes(x)[:split]
    if sum(size is None for size in sizes) > 1:
        raise Unsupported("its input has more than one open axis to keep")
    shape = [-1 if size is None else size for size in sizes] + [reading.sizes(y)[1] or -1]
    reading.define(output_of(op), builder.record("Reshape", {"data": [value]}, {"shape": shape}, layer=layer))


def _dense(
    reading: Reading,
    op: Operator,
    row: Card,
    rows: ir.Value,
    weights: dict[str, ir.Value],
    bias: str | None,
    arguments: dict[str, Any] | None = None,
) -> ir.Value:
    """The Gemm of flattened rows, with the bias that the operator itself has no slot for."""
    builder, layer = reading.builder, layer_of(op)
    if bias is None:
        return read_call(builder, row, arguments or op.attributes, {"A": [rows]}, weights, layer=layer)
    vector = reading.value(bias)
    return read_call(builder, row, arguments or op.attributes, {"A": [rows], "C": [vector]}, weights, layer=layer)


@reads("elementwise_add", "elementwise_sub", "elementwise_mul", "elementwise_div", "elementwise_pow")
def _elementwise(reading: Reading, op: Operator, bias: str | None) -> None:
    """Brings `axis`, where y's first axis stands in x, into numpy's form by axes of size 1 behind y."""
    x, y = op.inputs["X"][0], op.inputs["Y"][0]
    row = cards.find_to_read("fluid", op.type, {**op.attributes, "axis": -1})
    axis, ranks = op.attributes.get("axis", -1), (reading.rank(x), reading.rank(y))
    right = reading.value(y)
    behind = 0 if axis == -1 else ranks[0] - axis - ranks[1]
    if behind > 0:
        right = _with_axes_behind(reading, op, y, right, behind)
    names = list(row.inputs)
    value = reading.builder.record(
        row.record, {names[0]: [reading.value(x)], names[1]: [right]}, {}, layer=layer_of(op)
    )
    reading.define(output_of(op), value)


def _with_axes_behind(reading: Reading, op: Operator, name: str, value: ir.Value, count: int) -> ir.Value:
    shape = known(shape_of(value))
    if reading.stored(name) and shape is not None:
        return reading.builder.rearranged(Weight(value, (("reshape", (*shape, *[1] * count)),)))
    rank = reading.rank(name)
    axes = list(range(rank, rank + count))
    return reading.builder.record("Unsqueeze", {"data": [value]}, {"axes": axes}, layer=f"{layer_of(op)}.axes")


@reads("scale")
def _scale(reading: Reading, op: Operator, bias: str | None) -> None:
    """A multiplication and an addition by numbers, each left out where it does nothing."""
    if op.inputs.get("ScaleTensor"):
        raise Unsupported("its factor is computed by the model")
    name = op.inputs["X"][0]
    steps = [("Mul", op.attributes.get("scale", 1.0), 1), ("Add", op.attributes.get("bias", 0.0), 0)]
    if not op.attributes.get("bias_after_scale", True):
        steps.reverse()
    value = reading.value(name)
    for record, number, neutral in steps:
        if number != neutral:
            operand = number_like(reading, op, number, name)
            value = reading.builder.record(record, {"A": [value], "B": [operand]}, {}, layer=layer_of(op))
    if value is reading.value(name):
        reading.alias(op, name)
    else:
        reading.define(output_of(op), value)


@reads("assign")
def _assign(reading: Reading, op: Operator, bias: str | None) -> None:
    """A copy."""
    reading.alias(op, op.inputs["X"][0])


@reads("pow")
def _pow(reading: Reading, op: Operator, bias: str | None) -> None:
    """A power whose exponent is a number."""
    if op.inputs.get("FactorTensor"):
        raise Unsupported("its exponent is computed by the model")
    name = op.inputs["X"][0]
    exponent = number_like(reading, op, op.attributes.get("factor", 1.0), name)
    value = reading.builder.record("Pow", {"X": [reading.value(name)], "Y": [exponent]}, {}, layer=layer_of(op))
    reading.define(output_of(op), value)


@reads("sum")
def _sum(reading: Reading, op: Operator, bias: str | None) -> None:
    """A chain of additions."""
    values = [reading.value(name) for name in op.inputs["X"]]
    total = values[0]
    for value in values[1:]:
        total = reading.builder.record("Add", {"A": [total], "B": [value]}, {}, layer=layer_of(op))
    if len(values) == 1:
        reading.alias(op, op.inputs["X"][0])
    else:
        reading.define(output_of(op), total)


@reads("fill_constant", "assign_value")
def _constant(reading: Reading, op: Operator, bias: str | None) -> None:
    """Numbers that the program states."""
    dtype = DTYPES.get(op.attributes.get("dtype", -1))
    shape = op.attributes.get("shape", [])
    if dtype is None or any(op.inputs.values()):
        raise Unsupported("its shape or value is computed by the model")
    if any(size < 0 for size in shape) or np.prod(shape, dtype=np.float64) * dtype.itemsize > 2**31:
        raise InvalidSource(f"Expected a constant of at most 2 GB. Received the shape {shape}.", place=layer_of(op))
    if op.type == "fill_constant":
        array = np.full(shape, float(op.attributes.get("str_value") or op.attributes.get("value", 0.0)), dtype)
    else:
        numbers: list[Any] = next((v for n, v in op.attributes.items() if n.endswith("_values") and v), [])
        if len(numbers) != np.prod(shape, dtype=np.int64):
            raise InvalidSource(f"Expected {shape} numbers. Received {len(numbers)}.", place=layer_of(op))
        array = np.asarray(numbers, dtype).reshape(shape)
    reading.define(output_of(op), reading.builder.constant(output_of(op), array))


@reads("matmul")
def _matmul(reading: Reading, op: Operator, bias: str | None) -> None:
    """A product of the last two axes, of one turned or scaled by operators of their own."""
    layer, builder = layer_of(op), reading.builder
    operands: list[ir.Value] = []
    for slot in ("X", "Y"):
        name = op.inputs[slot][0]
        value, rank = reading.value(name), reading.rank(name)
        if op.attributes.get(f"transpose_{slot}", False):
            value = builder.transpose(value, [*range(rank - 2), rank - 1, rank - 2], layer=layer)
            turned = value.producer()
            assert turned is not None
            metadata.set_own(turned)
        operands.append(value)
    row = cards.find_to_read(
        "fluid", "matmul", {**op.attributes, "transpose_X": False, "transpose_Y": False, "alpha": 1.0}
    )
    product = builder.record(row.record, {"A": [operands[0]], "B": [operands[1]]}, {}, layer=layer)
    alpha = op.attributes.get("alpha", 1.0)
    if alpha != 1:
        factor = number_like(reading, op, alpha, op.inputs["X"][0])
        product = builder.record("Mul", {"A": [product], "B": [factor]}, {}, layer=layer)
    reading.define(output_of(op), product)


@reads("reduce_mean", "mean")
def _mean(reading: Reading, op: Operator, bias: str | None) -> None:
    """Where no axis stays, Fluid's result has the shape [1]."""
    name = op.inputs["X"][0]
    whole = op.type == "mean" or op.attributes.get("reduce_all", False)
    gone = whole or len(op.attributes.get("dim", [0])) == reading.rank(name)
    if not gone or op.attributes.get("keep_dim", False):
        by_card(reading, op)
        return
    row = cards.find_to_read("fluid", op.type, op.attributes)
    value = called(reading, op, row, dict(op.attributes), None)
    whole_shape = reading.builder.record("Reshape", {"data": [value]}, {"shape": [1]}, layer=layer_of(op))
    reading.define(output_of(op), whole_shape)
