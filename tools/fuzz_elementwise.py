"""Steps of random graphs that go element by element, and those along an axis: sums, extremes, softmax."""

from __future__ import annotations

from typing import Any

import numpy as np
from fuzz_graphs import FLOATS, INTEGERS, KINDS, UNSIGNED, Graph, Tensor, step
from hypothesis import strategies as st

_UNARY = (
    "Abs Neg Relu Sigmoid Tanh Exp Floor Ceil Round Sqrt Reciprocal Erf Softsign Softplus Sign Sin Cos Tan Asin Acos "
    "Atan Sinh Cosh Asinh Acosh Atanh Log Selu HardSwish Mish IsNaN Identity"
)
_ATTRIBUTED: dict[str, tuple[str, ...]] = {
    "Elu": ("alpha",),
    "LeakyRelu": ("alpha",),
    "Celu": ("alpha",),
    "ThresholdedRelu": ("alpha",),
    "HardSigmoid": ("alpha", "beta"),
    "Selu": ("alpha", "gamma"),
    "Shrink": ("lambd", "bias"),
    "Swish": ("alpha",),
}
_BINARY = ("Add", "Sub", "Mul", "Div", "Pow", "Mod", "Max", "Min")
_COMPARISONS = ("Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual")
_REDUCTIONS = (
    "ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare"
)


@step
def unary(graph: Graph) -> None:
    """Functions of one tensor, several."""
    x = graph.pick(*FLOATS) or graph.input("float32", [2, 3])
    for op in graph.draw(st.lists(st.sampled_from(_UNARY.split()), min_size=1, max_size=4, unique=True)):
        if op != "Sign" or graph.finite(x):  # NaN has none: docs/oracles.md
            graph.node(op, [x.name])


@step
def whole_unary(graph: Graph) -> None:
    """A function of whole numbers."""
    x = graph.pick(*INTEGERS)
    if x is not None:
        graph.node(graph.one_of("Abs", "Neg", "Sign", "Relu", "BitwiseNot"), [x.name])


@step
def attributed(graph: Graph) -> None:
    """Activations with numbers of their own, one or two."""
    x = graph.pick("float32", "float64") or graph.input("float32", [2, 3])
    for op in graph.draw(st.lists(st.sampled_from(sorted(_ATTRIBUTED)), min_size=1, max_size=2, unique=True)):
        said: dict[str, Any] = {name: graph.whole(1, 15) / 8 for name in _ATTRIBUTED[op] if graph.some()}
        if op != "ThresholdedRelu" or graph.finite(x):  # a comparison with NaN: docs/oracles.md
            graph.node(op, [x.name], **said)


@step
def gelu(graph: Graph) -> None:
    """Gelu of both kinds."""
    x = graph.pick("float32", "float64")
    if x is not None and graph.finite(x):  # infinity: docs/oracles.md
        graph.node("Gelu", [x.name], approximate=graph.one_of(None, "none", "tanh"))


@step
def prelu(graph: Graph) -> None:
    """PRelu with a slope that broadcasts."""
    x = graph.pick("float32", "float64")
    if x is not None:
        shape = [graph.one_of(1, size) for size in x.shape[graph.whole(0, x.rank) :]]
        graph.node("PRelu", [x.name, graph.weight(x.dtype, shape)])


@step
def clip(graph: Graph) -> None:
    """Clip with either bound, both or none."""
    x = graph.pick("float32", "float64", "int64", "int32", "int8", "uint8")
    if x is None:
        return
    low = graph.constant(np.array(graph.whole(0, 2), x.dtype), x.dtype) if graph.some() else ""
    high = graph.constant(np.array(graph.whole(0, 4), x.dtype), x.dtype) if graph.some() else ""
    graph.node("Clip", [x.name, low, high])


def partner(graph: Graph, x: Tensor) -> Tensor:
    """Another operand, whose shape broadcasts with x's either way."""
    shape = [graph.one_of(size, size, 1) if size else size for size in x.shape]
    shape = shape[graph.whole(0, len(shape)) :] if graph.some(3) else shape
    if graph.some(5):
        shape = [graph.whole(1, 2), *shape] if len(shape) == x.rank else shape
    return graph.input(x.dtype, shape)


@step
def binary(graph: Graph) -> None:
    """An operator of two tensors that broadcast."""
    x = graph.pick(*FLOATS, "int64", "int32")
    if x is None:
        return
    op = graph.one_of(*_BINARY)
    y = partner(graph, x)
    if x.dtype in INTEGERS and op in ("Div", "Mod", "Pow"):  # a zero divisor is undefined
        return
    if op == "Mod" and not {x.name, y.name} <= graph.feeds.keys():  # remainders jump where a rounded number is whole
        return
    names = [y.name, x.name] if graph.some() else [x.name, y.name]
    graph.node(op, names, fmod=1 if op == "Mod" else None)


@step
def whole_division(graph: Graph) -> None:
    """Div, Mod of whole numbers, of both signs, by what is not zero."""
    x = graph.pick(*INTEGERS)
    if x is None:
        return
    divisor = graph.array(x.dtype, [graph.one_of(1, size) for size in x.shape])
    y = graph.weight(x.dtype, divisor.shape, np.where(divisor == 0, 3, divisor))
    op = graph.one_of("Div", "Mod", "Mod")
    graph.node(op, [x.name, y], fmod=graph.one_of(None, 0, 1) if op == "Mod" else None)


@step
def power(graph: Graph) -> None:
    """Pow whose exponent has its own type."""
    x = graph.pick("float32", "float64", "int64", "int32")
    if x is not None:
        kind = graph.one_of("float32", "int64", "int32")
        graph.node("Pow", [x.name, graph.weight(kind, [], graph.whole(0, 3))])


@step
def variadic(graph: Graph) -> None:
    """One to three tensors at once."""
    x = graph.pick("float32", "float64")
    if x is None:
        return
    others = [partner(graph, x).name for _ in range(graph.whole(0, 2))]
    graph.node(graph.one_of("Sum", "Mean", "Max", "Min"), [x.name, *others])


@step
def bitwise(graph: Graph) -> None:
    """Bits of whole numbers."""
    x = graph.pick(*INTEGERS)
    if x is None:
        return
    if x.dtype in UNSIGNED and graph.some():
        y = graph.weight(x.dtype, x.shape, graph.array(x.dtype, x.shape) % 7)
        graph.node("BitShift", [x.name, y], direction=graph.one_of("LEFT", "RIGHT"))
    else:
        graph.node(graph.one_of("BitwiseAnd", "BitwiseOr", "BitwiseXor"), [x.name, partner(graph, x).name])


@step
def comparison(graph: Graph) -> None:
    """A comparison, also of what compares with nothing."""
    x = graph.pick(*FLOATS, *INTEGERS)
    if x is not None:
        graph.node(graph.one_of(*_COMPARISONS), [x.name, partner(graph, x).name])


@step
def logical(graph: Graph) -> None:
    """And, Or, Xor, Not, Equal of truths."""
    x = graph.pick("bool")
    if x is None:
        return
    op = graph.one_of("And", "Or", "Xor", "Not", "Equal")
    graph.node(op, [x.name] if op == "Not" else [x.name, partner(graph, x).name])


@step
def infinite(graph: Graph) -> None:
    """IsInf of either sign."""
    x = graph.pick("float32", "float64")
    if x is not None:
        signs = ("detect_negative", "detect_positive")
        graph.node("IsInf", [x.name], **{name: graph.one_of(None, 0, 1) for name in signs})


@step
def where(graph: Graph) -> None:
    """Where, all three broadcast."""
    x = graph.pick("float32", "float64", "int64", "int32", "uint8", "bool")
    if x is None:
        return
    condition = graph.pick("bool")
    if condition is None or condition.rank > x.rank or graph.some():
        condition = graph.input("bool", [graph.one_of(1, size) if size else 0 for size in x.shape])
    graph.node("Where", [condition.name, x.name, graph.input(x.dtype, ()).name])


@step
def cast(graph: Graph) -> None:
    """Cast and CastLike; floats go to whole numbers only where they are rounded, small and of both signs."""
    x = graph.pick(*FLOATS, *INTEGERS, "bool")
    if x is None:
        return
    whole = x.dtype not in FLOATS
    to = graph.one_of(*FLOATS, "bool", *((*INTEGERS,) if whole else ()))
    if graph.some(4):
        graph.node("CastLike", [x.name, graph.input(to, [1]).name])
    else:
        graph.node("Cast", [x.name], to=KINDS[to])


@step
def reduction(graph: Graph) -> None:
    """A reduction over some axes, all or none of them."""
    x = graph.pick(*FLOATS, "int64", "int32", filled=True)
    if x is None:
        return
    op = graph.one_of(
        *(_REDUCTIONS.split() if x.dtype in FLOATS else ["ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd"])
    )
    axes = some_axes(graph, x.rank)
    names = [x.name, graph.constant(axes)] if axes else [x.name]
    empty = graph.one_of(None, 0, 1)
    graph.node(op, names, keepdims=graph.one_of(None, 0, 1), noop_with_empty_axes=empty)


@step
def empty_sum(graph: Graph) -> None:
    """A sum or product over an axis of size 0."""
    x = graph.input("float32", [graph.whole(0, 2), 0, graph.whole(0, 2)])
    axis = graph.constant([graph.one_of(1, -2)])
    graph.node(graph.one_of("ReduceSum", "ReduceProd", "ReduceL1", "ReduceSumSquare"), [x.name, axis])


def some_axes(graph: Graph, rank: int) -> list[int]:
    """Different axes, from either end; none, some or all."""
    chosen = [axis for axis in range(rank) if graph.some()]
    return [axis - rank if graph.some(3) else axis for axis in chosen]


@step
def along(graph: Graph) -> None:
    """Softmax and its kin, running sums and the places of extremes, along an axis."""
    x = graph.pick("float32", "float64", rank=1, filled=True) or graph.input("float32", [2, 3])
    axis: Any = graph.whole(-x.rank, x.rank - 1)
    op = graph.one_of("Softmax", "LogSoftmax", "Hardmax", "CumSum", "ArgMax", "ArgMin", "LpNormalization")
    if op == "CumSum":
        graph.node(op, [x.name, graph.constant(axis)], exclusive=graph.one_of(None, 1), reverse=graph.one_of(None, 1))
    elif op.startswith("Arg"):
        last, keep = graph.one_of(None, 1), graph.one_of(None, 0)
        graph.node(op, [x.name], axis=axis, keepdims=keep, select_last_index=last)
    elif op == "LpNormalization":
        graph.node(op, [x.name], axis=axis, p=graph.one_of(None, 1, 2))
    else:
        graph.node(op, [x.name], axis=graph.one_of(axis, axis, None))


@step
def dropout(graph: Graph) -> None:
    """Dropout at inference, with its mask or without."""
    x = graph.pick("float32", "float64")
    if x is not None:
        ratio = graph.constant(np.float32(0.5), "float32") if graph.some() else ""
        graph.node("Dropout", [x.name, ratio], graph.whole(1, 2))


@step
def random_tensors(graph: Graph) -> None:
    """Numbers drawn by chance, of which only the shape is read."""
    op = graph.one_of("RandomNormalLike", "RandomUniformLike", "Bernoulli")
    x = graph.pick("float32") if op != "Bernoulli" else graph.input("float32", [2, 3], np.full([2, 3], 0.3))
    if x is None:
        return
    drawn = graph.node(op, [x.name])
    if drawn:
        graph.node("Shape", [drawn[0].name])
        graph.values.remove(drawn[0])
