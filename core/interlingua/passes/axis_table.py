"""How each operator moves axes: the one table that the layout pass reads.

A node is *movable* when it computes the same on data whose axes stand in another order, once its attributes and
constants are put into that order too. The axes of the widest of its inputs and outputs are its frame; `inputs` and
`outputs` tell which axes of the frame each one has. Nothing here looks at sizes to decide what an axis means.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import add_initializer, constant, graph_of, is_initializer
from interlingua.ir.origin import Constant
from interlingua.ir.weights import moved
from interlingua.passes.orders import Order, identity


@dataclasses.dataclass(frozen=True)
class Movable:
    """A node that can work in any order of its frame's axes.

    `inputs` and `outputs` give, by position, the frame's axes that the value has; inputs not named are constants or
    scalars that `apply` takes care of. `allowed` limits the orders; `apply` edits the node for one.
    """

    node: ir.Node
    rank: int
    inputs: Mapping[int, Order]
    outputs: Mapping[int, Order]
    apply: Callable[[Order], None]
    allowed: Callable[[Order], bool] = lambda order: True


Rule = Callable[[ir.Node], Movable | None]


def rank_of(value: ir.Value | None) -> int | None:
    """The number of axes of a value, None where it is unknown."""
    return None if value is None or value.shape is None else len(value.shape)


def attribute(node: ir.Node, name: str, default: int) -> int:
    """An integer attribute."""
    held = node.attributes.get(name)
    return default if held is None else held.as_int()


def set_attribute(node: ir.Node, name: str, value: int) -> None:
    """Sets an integer attribute."""
    node.attributes[name] = ir.AttrInt64(name, value)


def set_constant(node: ir.Node, index: int, values: object) -> None:
    """Gives the node's input `index` a constant of its own, of the type of the one before."""
    old = node.inputs[index]
    dtype = np.dtype(np.int64) if old is None or old.const_value is None else old.const_value.dtype.numpy()
    stem = f"{node.outputs[0].name}_{'input' if old is None else 'moved'}_{index}"
    value = add_initializer(graph_of(node), stem, np.asarray(values, dtype), Constant(stem))
    node.resize_inputs(max(len(node.inputs), index + 1))
    node.replace_input_with(index, value)


def _same(node: ir.Node) -> Movable | None:
    """Every output has the axes of the first input: `Relu`, `Cast`, `Clip`, `Dropout`."""
    rank = rank_of(node.inputs[0])
    if rank is None or any(rank_of(value) not in (0, None) for value in node.inputs[1:]):
        return None
    every = identity(rank)
    return Movable(
        node, rank, {0: every}, {0: every, **({1: every} if len(node.outputs) > 1 else {})}, lambda order: None
    )


def _broadcast(node: ir.Node) -> Movable | None:
    """Aligned at the last axes: `Add`, `Where`, `PRelu`; constants are turned and others get axes of one."""
    ranks = [rank_of(value) for value in node.inputs]
    if not ranks or any(rank is None for rank in ranks):
        return None
    known = [rank for rank in ranks if rank is not None]
    rank = max(known)
    every = identity(rank)
    if node.op_type == "PRelu" and known[0] != rank:
        return None
    inputs = {
        index: every[rank - width :]
        for index, (value, width) in enumerate(zip(node.inputs, known, strict=True))
        if width and not is_initializer(value)
    }
    if not inputs:
        return None

    def apply(order: Order) -> None:
        for index, value in enumerate(list(node.inputs)):
            if value is None or not known[index]:
                continue
            if index in inputs:
                _align(node, index, inputs[index], order)
            elif value.const_value is not None and value.const_value.size > 1:
                node.replace_input_with(index, _turned(node, value, order))

    return Movable(node, rank, inputs, {0: every}, apply)


def _turned(node: ir.Node, value: ir.Value, order: Order) -> ir.Value:
    """A constant that is broadcast, in another order of the axes; leading axes of one are left out."""
    assert value.const_value is not None
    shape = [int(size) for size in value.const_value.shape.numpy()]
    wide = [1] * (len(order) - len(shape)) + shape
    target = [wide[axis] for axis in order]
    while len(target) > 1 and target[0] == 1:
        target.pop(0)
    steps: list[tuple[str, tuple[int, ...]]] = []
    if [axis for axis in order if wide[axis] != 1] != [axis for axis in range(len(wide)) if wide[axis] != 1]:
        steps = [("reshape", tuple(wide)), ("transpose", order)]
    return moved(graph_of(node), value, [*steps, ("reshape", tuple(target))])


def _align(node: ir.Node, index: int, axes: Order, order: Order) -> None:
    """Gives a narrower input axes of one where the frame's new order has axes that it lacks."""
    lacking = [position for position, axis in enumerate(order) if axis not in axes]
    first = next((position for position, axis in enumerate(order) if axis in axes), len(order))
    inner = [position for position in lacking if position > first]
    if not inner:
        return
    value = node.inputs[index]
    assert value is not None
    stem = f"{node.outputs[0].name}_axes"
    where = add_initializer(graph_of(node), stem, np.asarray([p - first for p in inner], np.int64), Constant(stem))
    made = ir.node("Unsqueeze", [value, where])
    made.outputs[0].type = value.type
    metadata.copy_place(node, [made])
    graph_of(node).insert_before(node, made)
    node.replace_input_with(index, made.outputs[0])


def _axis(default: int) -> Rule:
    """One attribute `axis` counts the axes: `Concat`, `Softmax`, `Split`."""

    def rule(node: ir.Node) -> Movable | None:
        rank = rank_of(node.inputs[0])
        variable = [index for index, value in enumerate(node.inputs) if not is_initializer(value)]
        if rank is None or not rank or not variable:
            return None
        together = node.op_type == "Concat"
        if together and any(rank_of(value) != rank for value in node.inputs):
            return None
        axis = attribute(node, "axis", default) % rank
        every = identity(rank)
        inputs = dict.fromkeys(variable, every) if together else {0: every}

        def apply(order: Order) -> None:
            set_attribute(node, "axis", order.index(axis))
            for index, value in enumerate(list(node.inputs)) if together else ():
                if index not in inputs and value is not None:
                    node.replace_input_with(index, moved(graph_of(node), value, [("transpose", order)]))

        return Movable(node, rank, inputs, dict.fromkeys(range(len(node.outputs)), every), apply)

    return rule


def _cumulative(node: ir.Node) -> Movable | None:
    """One constant input counts the axes: `CumSum`."""
    rank, held = rank_of(node.inputs[0]), constant(node.inputs[1])
    if rank is None or held is None:
        return None
    axis = int(held.reshape(-1)[0]) % rank
    every = identity(rank)
    return Movable(
        node,
        rank,
        {0: every},
        {0: every},
        lambda order: set_constant(node, 1, np.reshape(order.index(axis), held.shape)),
    )


def _index_of_extreme(node: ir.Node) -> Movable | None:
    """An attribute `axis` that the result may lose: `ArgMax`."""
    rank = rank_of(node.inputs[0])
    if not rank:
        return None
    axis = attribute(node, "axis", 0) % rank
    every = identity(rank)
    kept = every if attribute(node, "keepdims", 1) else tuple(each for each in every if each != axis)
    return Movable(node, rank, {0: every}, {0: kept}, lambda order: set_attribute(node, "axis", order.index(axis)))


def _axes_of(node: ir.Node, rank: int) -> Order | None:
    """The constant axes in input 1, counted from the front; all of them where there are none; None where computed."""
    value = node.inputs[1] if len(node.inputs) > 1 else None
    if value is None:
        return () if attribute(node, "noop_with_empty_axes", 0) else identity(rank)
    held = constant(value)
    if held is None:
        return None
    if held.size == 0:
        return () if attribute(node, "noop_with_empty_axes", 0) else identity(rank)
    return tuple(int(axis) % rank for axis in held.reshape(-1))


def _reduction(node: ir.Node) -> Movable | None:
    """Constant axes that the result may lose: `ReduceMean`."""
    rank = rank_of(node.inputs[0])
    axes = None if rank is None else _axes_of(node, rank)
    if rank is None or axes is None:
        return None
    every = identity(rank)
    kept = every if attribute(node, "keepdims", 1) else tuple(axis for axis in every if axis not in axes)

    def apply(order: Order) -> None:
        if len(axes) not in (0, rank):
            set_constant(node, 1, sorted(order.index(axis) for axis in axes))

    return Movable(node, rank, {0: every}, {0: kept}, apply)


def _squeeze(node: ir.Node) -> Movable | None:
    """Constant axes that the result lacks: `Squeeze`."""
    rank = rank_of(node.inputs[0])
    if rank is None or len(node.inputs) < 2 or node.inputs[1] is None:
        return None
    axes = _axes_of(node, rank)
    if axes is None:
        return None
    every = identity(rank)
    kept = tuple(axis for axis in every if axis not in axes)
    return Movable(
        node,
        rank,
        {0: every},
        {0: kept},
        lambda order: set_constant(node, 1, sorted(order.index(axis) for axis in axes)),
    )


def _unsqueeze(node: ir.Node) -> Movable | None:
    """Constant axes that only the result has: `Unsqueeze`."""
    narrow, held = rank_of(node.inputs[0]), constant(node.inputs[1])
    if narrow is None or held is None:
        return None
    rank = narrow + held.size
    axes = tuple(int(axis) % rank for axis in held.reshape(-1))
    every = identity(rank)
    kept = tuple(axis for axis in every if axis not in axes)
    return Movable(
        node,
        rank,
        {0: kept},
        {0: every},
        lambda order: set_constant(node, 1, sorted(order.index(axis) for axis in axes)),
    )


def _pad(node: ir.Node) -> Movable | None:
    """Constant amounts for each axis, all first ones and then all last ones: `Pad`."""
    rank, pads = rank_of(node.inputs[0]), constant(node.inputs[1])
    if rank is None or pads is None:
        return None
    axes = node.inputs[3] if len(node.inputs) > 3 else None
    held = constant(axes)
    if axes is not None and held is None:
        return None
    named = identity(rank) if held is None else tuple(int(axis) % rank for axis in held.reshape(-1))
    every = identity(rank)

    def apply(order: Order) -> None:
        if held is not None:
            set_constant(node, 3, [order.index(axis) for axis in named])
        else:
            set_constant(node, 1, [*(pads[axis] for axis in order), *(pads[rank + axis] for axis in order)])

    return Movable(node, rank, {0: every}, {0: every}, apply)


def _slice(node: ir.Node) -> Movable | None:
    """Constant starts, ends and axes: `Slice`."""
    rank, starts = rank_of(node.inputs[0]), constant(node.inputs[1])
    if rank is None or starts is None:
        return None
    axes = node.inputs[3] if len(node.inputs) > 3 else None
    held = constant(axes)
    if axes is not None and held is None:
        return None
    named = identity(starts.size) if held is None else tuple(int(axis) % rank for axis in held.reshape(-1))
    every = identity(rank)
    return Movable(
        node, rank, {0: every}, {0: every}, lambda order: set_constant(node, 3, [order.index(axis) for axis in named])
    )


def _per_axis(node: ir.Node) -> Movable | None:
    """One constant number for each axis: `Tile`."""
    rank, held = rank_of(node.inputs[0]), constant(node.inputs[1])
    if rank is None or held is None or held.size != rank:
        return None
    every = identity(rank)
    return Movable(
        node, rank, {0: every}, {0: every}, lambda order: set_constant(node, 1, [held[axis] for axis in order])
    )


def _trailing(node: ir.Node) -> Movable | None:
    """Works on the last axes, from `axis` on; the axes before them move freely: `LayerNormalization`."""
    rank = rank_of(node.inputs[0])
    if rank is None or len(node.outputs) > 1:
        return None
    axis = attribute(node, "axis", -1) % rank
    every = identity(rank)
    tail = every[axis:]
    return Movable(node, rank, {0: every}, {0: every}, lambda order: None, lambda order: order[axis:] == tail)


UNARY = (
    *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Cast", "Ceil", "Celu", "Clip", "Cos"),
    *("Cosh", "Dropout", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity", "IsInf"),
    *("IsNaN", "LeakyRelu", "Log", "Mish", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid"),
    *("Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu"),
)
BROADCAST = (
    *("Add", "And", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Equal", "Greater", "GreaterOrEqual", "Less"),
    *("LessOrEqual", "Max", "Mean", "Min", "Mod", "Mul", "Or", "PRelu", "Pow", "Sub", "Sum", "Where", "Xor"),
)
REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")

TABLE: dict[str, Rule] = {
    **dict.fromkeys(UNARY, _same),
    **dict.fromkeys(BROADCAST, _broadcast),
    **{f"Reduce{name}": _reduction for name in REDUCTIONS},
    "ArgMax": _index_of_extreme,
    "ArgMin": _index_of_extreme,
    "Concat": _axis(1),
    "CumSum": _cumulative,
    "Hardmax": _axis(-1),
    "LayerNormalization": _trailing,
    "LogSoftmax": _axis(-1),
    "LpNormalization": _axis(-1),
    "Pad": _pad,
    "Slice": _slice,
    "Softmax": _axis(-1),
    "Split": _axis(0),
    "Squeeze": _squeeze,
    "Tile": _per_axis,
    "Unsqueeze": _unsqueeze,
}


def movable(node: ir.Node) -> Movable | None:
    """How the node moves axes; None where it does not, or where not enough is known.

    Constants are turned where they stand beside what moves (`Add`, `Concat`); what is made of a constant stays.
    """
    if node.domain != "" or not node.inputs or (node.inputs[0] is None and node.op_type != "Concat"):
        return None
    if is_initializer(node.inputs[0]) and node.op_type not in (*BROADCAST, "Concat"):
        return None
    rule = TABLE.get(node.op_type)
    return rule(node) if rule is not None else None
