"""Tensors made of a shape, of numbers or of chance."""

from __future__ import annotations

import ast

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.errors import Unsupported
from interlingua.ir import edit
from interlingua.ir.facts import inputs_of
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.common import by_helper
from interlingua_torch.lowering.templates import WIDER, converted, element_type, fill, given, narrowed, said, widened


def _typed(context: Context, call: ast.expr, dtype: ir.DataType) -> ast.expr:
    """The call with `dtype=` where it is not PyTorch's default."""
    if dtype != ir.DataType.FLOAT and isinstance(call, ast.Call):
        call.keywords.append(ast.keyword("dtype", element_type(context, dtype)))
    return call


@lowers("ConstantOfShape")
def full(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.zeros(2, n)`, `torch.full((2, n), 5)`."""
    tensor = facts.get("value")
    dtype = ir.DataType.FLOAT if tensor is None else tensor.dtype
    number = 0.0 if tensor is None else tensor.numpy().reshape(-1)[0].item()
    sizes = context.sizes.entries(node.inputs[0])
    shape = context.given(node, "input") if sizes is None else expressions.literal(tuple(sizes))
    names: dict[float, str] = {0: "torch.zeros", 1: "torch.ones"}
    if number in names:
        return _typed(context, said(context, node, names[number], f"{names[number]}(S)", S=shape), dtype)
    return _typed(context, said(context, node, "torch.full", "torch.full(S, V)", S=shape, V=number), dtype)


def _number(context: Context, value: ir.Value) -> ast.expr:
    """The one number that a value holds, whose shape need not be known."""
    if value.const_value is not None or context.sizes.holds(value):
        told = context.python(value)
        return told.elts[0] if isinstance(told, ast.List) else told
    return expressions.method(context.ref(value), "item")


@lowers("Range")
def numbers(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.arange(n)`; of ends that the step leads away from, which torch refuses, no numbers at all.

    Where an end is a number out of the data, or a size that may be beyond the other end, a helper finds out.
    """
    first = given(node, 0)
    held = [array.reshape(-1)[0].item() for each in node.inputs if (array := edit.constant(each)) is not None]
    if len(held) == 3 and (held[1] - held[0]) * held[2] < 0:
        nothing = expressions.call(context.api("torch.empty"), [0])
        return _typed(context, nothing, first.dtype or ir.DataType.FLOAT)
    ends = [_number(context, given(node, position)) for position in range(3)]
    plainly = [ast.unparse(each) for each in ends]
    if len(held) < 3 and not _leads_there(context, node):
        dtype = first.dtype or ir.DataType.FLOAT
        keywords = {} if dtype == ir.DataType.INT64 else {"dtype": element_type(context, dtype)}
        return by_helper(context, node, "number_range", ends, keywords)
    if plainly[2] == "1":
        ends = ends[:2] if plainly[0] != "0" else ends[1:2]
    call = expressions.call(context.api("torch.arange"), ends)
    context.note_mapping(node, "torch.arange", call)
    if first.dtype is not None and first.dtype not in (ir.DataType.INT64,):
        call.keywords.append(ast.keyword("dtype", element_type(context, first.dtype)))
    return call


def _leads_there(context: Context, node: ir.Node) -> bool:
    """Whether the sizes that a Range counts from and to are sure to stand as its step goes."""
    known = [context.sizes.known(value) for value in node.inputs]
    if not all(known):
        return False
    first, last, step = (each[0] for each in known if each)
    return bool(step.number) and ((last - first) * (1 if (step.number or 0) > 0 else -1)).is_size


@lowers("EyeLike")
def eye(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.eye(*x.shape)`; beside the main diagonal what `tril` and `triu` leave of ones."""
    value = given(node, 0)
    dtype = ir.DataType(facts["dtype"]) if facts.get("dtype") else value.dtype or ir.DataType.FLOAT
    x = context.as_tensor(value)
    made = WIDER.get(dtype, dtype)
    text = "torch.eye(*X.shape)" if facts["k"] == 0 else "torch.ones(X.shape).tril(K).triu(K)"
    call = fill(context, text, X=x, K=facts["k"])
    inner = call if facts["k"] == 0 else call.func.value.func.value  # type: ignore[attr-defined]
    _typed(context, inner, made)
    context.note_mapping(node, "torch.eye", call)
    return narrowed(context, call, dtype)


@lowers("Trilu")
def triangle(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.triu(x, k)` or `torch.tril(x, k)`."""
    value, named = given(node, 0), inputs_of(node)
    x = widened(context, value) if value.dtype in WIDER else context.as_tensor(value)
    name = "triu" if facts["upper"] else "tril"
    diagonal = context.integers(named["k"][0])[0] if "k" in named else ast.Constant(0)
    text = f"torch.{name}(X)" if ast.unparse(diagonal) == "0" else f"torch.{name}(X, K)"
    return narrowed(context, said(context, node, f"torch.{name}", text, X=x, K=diagonal), value.dtype)


@lowers("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike")
def random(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.randn(2, 3)`, scaled and moved where said; the seed is the user's: `torch.manual_seed`."""
    normal = "Normal" in node.op_type
    name = "torch.randn" if normal else "torch.rand"
    scale = facts["scale"] if normal else float(f"{facts['high'] - facts['low']:.12g}")
    move = facts["mean"] if normal else facts["low"]
    if node.op_type.endswith("Like"):
        value = given(node, 0)
        call = said(context, node, f"{name}_like", f"{name}_like(X)", X=context.as_tensor(value))
        dtype = ir.DataType(facts["dtype"]) if facts.get("dtype") else None
        if dtype is not None and dtype != value.dtype and isinstance(call, ast.Call):
            call.keywords.append(ast.keyword("dtype", element_type(context, dtype)))
    else:
        call = said(context, node, name, f"{name}(S)", S=tuple(facts["shape"]))
        call = _typed(context, call, ir.DataType(facts["dtype"]))
    whole = call if scale == 1 else fill(context, "SCALE * X", SCALE=scale, X=call)
    return whole if move == 0 else fill(context, "X + MOVE", X=whole, MOVE=move)


@lowers("Bernoulli")
def bernoulli(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.bernoulli(x)`."""
    value = given(node, 0)
    call = said(context, node, "torch.bernoulli", "torch.bernoulli(X)", X=context.as_tensor(value))
    dtype = ir.DataType(facts["dtype"]) if facts.get("dtype") else value.dtype
    return call if dtype in (None, value.dtype) else converted(context, call, dtype)


@lowers("Multinomial")
def drawn(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.multinomial(x.softmax(-1), n, replacement=True)`."""
    text = "torch.multinomial(X.softmax(-1), N, replacement=True)"
    x = context.as_tensor(given(node, 0))
    call = said(context, node, "torch.multinomial", text, X=x, N=facts["sample_size"])
    dtype = ir.DataType(facts["dtype"])
    return call if dtype == ir.DataType.INT64 else converted(context, call, dtype)


@lowers("Constant")
def constant(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """Never a statement: constants are lifted before, but for strings.

    Raises:
        Unsupported: always.
    """
    raise Unsupported("torch has no tensors of strings")
