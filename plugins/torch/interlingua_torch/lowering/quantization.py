"""Quantized tensors in plain ones: whole numbers less their zero points, products, and what is rounded again."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.errors import Unsupported
from interlingua.ir.edit import constant
from interlingua.ir.facts import inputs_of, shape_of
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.casts import as_type
from interlingua_torch.lowering.templates import FLOAT8, converted, element_type, fill


def _tensor(context: Context, node: ir.Node, name: str) -> ast.expr | None:
    values = inputs_of(node).get(name)
    return context.as_tensor(values[0]) if values else None


def _value(node: ir.Node, name: str) -> ir.Value:
    return inputs_of(node)[name][0]


def _beside(context: Context, node: ir.Node, facts: Facts, name: str, x: ast.expr) -> ast.expr | None:
    """A scale or zero point as it stands beside the elements of x."""
    values = inputs_of(node).get(name)
    if not values:
        return None
    shape = shape_of(values[0])
    if shape == () or (shape == (1,) and not facts["block_size"]):
        return context.as_tensor(values[0])
    rank = len(shape_of(_value(node, "x")) or ())
    if rank and shape is not None and len(shape) == 1 and not facts["block_size"]:
        sizes = [-1 if axis == facts["axis"] % rank else 1 for axis in range(rank)]
        stated = context.as_tensor(values[0])
        return expressions.method(stated, "reshape", sizes) if rank > 1 else stated
    arguments = [context.as_tensor(values[0]), x, facts["axis"], facts["block_size"]]
    return expressions.call(context.helper("along_axis"), arguments)


@lowers("QuantizeLinear")
def quantize(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`quantize(x, scale, zero_point, torch.uint8)`; floats of 8 bits are converted, not rounded."""
    named = inputs_of(node)
    zero = named["y_zero_point"][0] if "y_zero_point" in named else None
    dtype = zero.dtype if zero is not None else ir.DataType(facts["output_dtype"] or ir.DataType.UINT8)
    assert dtype is not None
    kind = element_type(context, dtype)
    x = context.ref(_value(node, "x"))
    scale = _beside(context, node, facts, "y_scale", x)
    assert scale is not None
    source, scale_type = _value(node, "x").dtype, _value(node, "y_scale").dtype
    if facts["precision"]:
        source = ir.DataType(facts["precision"])
        x, scale = converted(context, x, source), converted(context, scale, source)
    elif source != scale_type and scale_type is not None:
        x = converted(context, x, scale_type)
    if dtype in FLOAT8:
        quotient = fill(context, "X / S", X=x, S=scale)
        context.note_mapping(node, "torch.Tensor.to")
        return as_type(context, quotient, source, dtype, saturate=bool(facts["saturate"]))
    point = _beside(context, node, facts, "y_zero_point", context.ref(_value(node, "x")))
    if point is None:
        point = fill(context, "torch.zeros_like(S)", S=scale)
    context.note_mapping(node, "quantize")
    return expressions.call(context.helper("quantize"), [x, scale, point, kind])


@lowers("DequantizeLinear")
def dequantize(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`(x.int() - zero_point.int()) * scale`; `x * scale` where the zero point is 0."""
    value, scale_type = _value(node, "x"), _value(node, "x_scale").dtype or ir.DataType.FLOAT
    assert value.dtype is not None
    element_type(context, value.dtype)
    x = context.ref(value)
    scale = _beside(context, node, facts, "x_scale", x)
    zero = constant(inputs_of(node)["x_zero_point"][0]) if "x_zero_point" in inputs_of(node) else None
    nothing = zero is not None and not zero.any()
    point = None if nothing else _beside(context, node, facts, "x_zero_point", x)
    context.note_mapping(node, "torch.mul")
    if value.dtype in FLOAT8:
        number = converted(context, x, scale_type)
    elif point is None:
        number = x
    else:
        number = fill(context, "X.int() - Z.int()", X=x, Z=point)
    whole = fill(context, "X * S", X=number, S=scale)
    dtype = ir.DataType(facts["output_dtype"]) if facts["output_dtype"] else scale_type
    return whole if dtype == scale_type else converted(context, whole, dtype)


@lowers("DynamicQuantizeLinear")
def quantize_dynamically(context: Context, node: ir.Node, facts: Facts) -> list[ast.expr]:
    """`quantize_dynamically(x)`."""
    call = expressions.call(context.helper("quantize_dynamically"), [context.as_tensor(_value(node, "x"))])
    context.note_mapping(node, "quantize_dynamically")
    parts = context.statement("quantized", call)
    return [fill(context, f"P[{index}]", P=parts) for index in range(3)]


def _less_zero(context: Context, node: ir.Node, name: str, point: str, *, to: str, shape: str = "") -> ast.expr:
    """Whole numbers less their zero point, in a type that holds the sums of their products."""
    x = context.as_tensor(_value(node, name))
    zero = _tensor(context, node, point)
    number = fill(context, f"X.{to}()", X=x)
    if zero is None:
        return number
    size = shape_of(_value(node, point))
    if shape and size not in ((), (1,)):
        zero = fill(context, f"Z.reshape({shape})", Z=zero)
    return fill(context, "X - Z", X=number, Z=zero)


def _sizes(node: ir.Node, name: str) -> tuple[int | str | None, ...]:
    """The shape of a scale or zero point: one for all, or one for each row or column.

    Raises:
        Unsupported: how many axes it has is not known, so that it may be any of these.
    """
    found = shape_of(_value(node, name))
    if found is None:
        raise Unsupported(f"{name} of an unknown number of axes")
    return found


def _matrices(context: Context, node: ir.Node, left: str, right: str) -> ast.expr:
    """The product of the two matrices less their zero points: one for each row, one for each column."""
    rows = "a_zero_point" in inputs_of(node) and len(_sizes(node, "a_zero_point")) == 1
    a = _less_zero(context, node, left, "a_zero_point", to="int", shape="-1, 1" if rows else "")
    b = _less_zero(context, node, right, "b_zero_point", to="int")
    return fill(context, "A @ B", A=a, B=b)


@lowers("MatMulInteger")
def product(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`(a.int() - a_zero_point) @ (b.int() - b_zero_point)`."""
    context.note_mapping(node, "torch.matmul")
    return _matrices(context, node, "A", "B")


def _again(context: Context, node: ir.Node, whole: ast.expr, first: str, second: str, *shapes: str) -> ast.expr:
    """A product of whole numbers with the scales of its factors, quantized; `shapes` are those of several scales."""
    scales = [context.as_tensor(_value(node, f"{name}_scale")) for name in (first, second)]
    for place, (name, shape) in enumerate(zip((first, second), shapes, strict=False)):
        size = _sizes(node, f"{name}_scale")
        if shape and len(size) == 1 and size != (1,):
            scales[place] = fill(context, f"S.reshape({shape})", S=scales[place])
    if _sizes(node, "y_scale") not in ((), (1,)):
        raise Unsupported("products quantized by more than one scale")
    dtype = _value(node, "y_zero_point").dtype
    assert dtype is not None
    kind = element_type(context, dtype)
    if dtype in FLOAT8:
        raise Unsupported("products quantized to floats of 8 bits")
    number = fill(context, "X * (A * B)", X=whole, A=scales[0], B=scales[1])
    scale, zero = context.as_tensor(_value(node, "y_scale")), context.as_tensor(_value(node, "y_zero_point"))
    return expressions.call(context.helper("quantize"), [number, scale, zero, kind])


@lowers("QLinearMatMul")
def quantized_product(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`quantize(a' @ b' * (a_scale * b_scale), y_scale, y_zero_point, …)`."""
    context.note_mapping(node, "torch.matmul")
    return _again(context, node, _matrices(context, node, "a", "b"), "a", "b", "-1, 1")


def _convolution(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """The convolution of whole numbers, in float64, which holds them exactly."""
    rank = facts.rank
    spatial = ", ".join(["1"] * (rank + 1))
    x = _less_zero(context, node, "x", "x_zero_point", to="double")
    w = _less_zero(context, node, "w", "w_zero_point", to="double", shape=f"-1, {spatial}")
    begin, end = facts["pads"][:rank], facts["pads"][rank:]
    keywords: dict[str, object] = {}
    if begin != end:
        order = [number for pair in zip(reversed(begin), reversed(end), strict=True) for number in pair]
        x = fill(context, "F.pad(X, PADS)", X=x, PADS=tuple(order))
    elif any(begin):
        keywords["padding"] = tuple(begin)
    for name, word in (("strides", "stride"), ("dilations", "dilation")):
        if any(each != 1 for each in facts[name]):
            keywords[word] = tuple(facts[name])
    if facts["group"] != 1:
        keywords["groups"] = facts["group"]
    api = f"torch.nn.functional.conv{rank}d"
    call = expressions.call(context.api(api), [x, w], keywords)
    context.note_mapping(node, api, call)
    return call


@lowers("ConvInteger")
def convolution(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`F.conv2d(x.double() - x_zero_point, w.double() - w_zero_point).int()`."""
    return fill(context, "X.int()", X=_convolution(context, node, facts))


@lowers("QLinearConv")
def quantized_convolution(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`quantize(F.conv2d(x', w') * (x_scale * w_scale), y_scale, y_zero_point, …)`, the bias added in between."""
    whole = _convolution(context, node, facts)
    shape = ", ".join(["-1", *["1"] * facts.rank])
    bias = _tensor(context, node, "B")
    if bias is not None:
        whole = fill(context, f"X + B.reshape({shape})", X=whole, B=bias)
    return _again(context, node, fill(context, "X.float()", X=whole), "x", "w", "", shape)
