"""Flatten before a dense layer, and Reshape after one: there the order of axes goes into the weight."""

from __future__ import annotations

import math

import onnx_ir as ir

from interlingua.ir.edit import constant, graph_of, is_initializer
from interlingua.ir.weights import Step, moved
from interlingua.passes.axis_table import Movable, attribute, rank_of, set_constant
from interlingua.passes.orders import Order, identity, moves_nothing

CARRIERS = frozenset(
    {
        "Dropout",
        "Relu",
        "LeakyRelu",
        "Sigmoid",
        "Tanh",
        "Elu",
        "Selu",
        "Gelu",
        "Swish",
        "HardSwish",
        "Clip",
        "Identity",
        "Cast",
    }
)


def flattening(node: ir.Node) -> Movable | None:
    """How a node that joins or splits axes takes data in another order; None where it cannot."""
    if node.domain != "" or not node.inputs or is_initializer(node.inputs[0]):
        return None
    if joins_all_but_first(node):
        return _before_dense(node) or _of_ones(node)
    if node.op_type == "Reshape":
        return _after_dense(node) or _of_ones(node)
    return None


def joins_all_but_first(node: ir.Node) -> bool:
    """Whether the node joins all axes but the first."""
    if node.op_type == "Flatten":
        return attribute(node, "axis", 1) == 1
    source, target = node.inputs[0], node.outputs[0]
    if node.op_type != "Reshape" or source is None or source.shape is None or not len(source.shape):
        return False
    held = constant(node.inputs[1])
    if held is None or held.size != 2:
        return False
    first, rest = int(held[0]), int(held[1])
    sizes = source.shape[1:]
    whole = math.prod(_numbers(sizes)) if all(isinstance(size, int) for size in sizes) else None
    if whole is not None and rest not in (-1, whole):  # of no elements, the rest may be of any size
        return False
    if (first == 0 and not attribute(node, "allowzero", 0)) or (
        target.shape is not None and len(target.shape) == 2 and _same_size(source.shape[0], target.shape[0])
    ):
        return True
    return first == -1 and rest == whole


def _numbers(sizes: tuple[int | ir.SymbolicDim, ...]) -> list[int]:
    return [size for size in sizes if isinstance(size, int)]


def _same_size(left: int | ir.SymbolicDim, right: int | ir.SymbolicDim) -> bool:
    if isinstance(left, int) or isinstance(right, int):
        return left == right
    return left.value is not None and left.value == right.value


def _dense_uses(value: ir.Value) -> list[tuple[ir.Node, ir.Value]] | None:
    """The dense layers that alone use the value, through nodes that work on each element, with their weights."""
    if value.is_graph_output():
        return None
    found: list[tuple[ir.Node, ir.Value]] = []
    for node, index in value.uses():
        if node.graph is not value.graph or node.domain != "":
            return None
        if index == 0 and node.op_type in CARRIERS:
            if any(output.uses() or output.is_graph_output() for output in node.outputs[1:]):
                return None
            inner = _dense_uses(node.outputs[0])
            if inner is None:
                return None
            found.extend(inner)
            continue
        weight = node.inputs[1] if len(node.inputs) > 1 else None
        if index != 0 or node.op_type not in ("Gemm", "MatMul") or weight is None or not is_initializer(weight):
            return None
        if len(weight.uses()) != 1 or rank_of(weight) != 2 or (node.op_type == "Gemm" and attribute(node, "transA", 0)):
            return None
        found.append((node, weight))
    return found or None


def _before_dense(node: ir.Node) -> Movable | None:
    source = node.inputs[0]
    if source is None or source.shape is None or len(source.shape) < 3:
        return None
    sizes = source.shape[1:]
    dense = _dense_uses(node.outputs[0])
    if dense is None or not all(isinstance(size, int) for size in sizes):
        return None
    rank, inner = len(source.shape), tuple(_numbers(sizes))

    def apply(order: Order) -> None:
        for each, weight in dense:
            across = each.op_type == "Gemm" and bool(attribute(each, "transB", 0))
            each.replace_input_with(1, moved(graph_of(each), weight, _permuted(inner, order, weight, across)))

    return Movable(node, rank, {0: identity(rank)}, {}, apply, lambda order: order[0] == 0)


def _permuted(inner: tuple[int, ...], order: Order, weight: ir.Value, across: bool) -> list[Step]:
    """The steps that bring a dense weight's joined axis from ONNX's order of axes into another."""
    shape = [int(size) for size in weight.const_value.shape.numpy()] if weight.const_value is not None else []
    inside = tuple(axis - 1 for axis in order[1:])
    if len(shape) == 1:
        return [("reshape", inner), ("transpose", inside), ("reshape", tuple(shape))]
    if across:
        return [
            ("reshape", (shape[0], *inner)),
            ("transpose", (0, *(axis + 1 for axis in inside))),
            ("reshape", tuple(shape)),
        ]
    return [("reshape", (*inner, shape[1])), ("transpose", (*inside, len(inner))), ("reshape", tuple(shape))]


def _after_dense(node: ir.Node) -> Movable | None:
    """A Reshape of a dense layer's result into axes: the layer's columns and its bias are put into another order."""
    target, held = node.outputs[0], constant(node.inputs[1])
    if held is None or target.shape is None or len(target.shape) < 3 or rank_of(node.inputs[0]) != 2:
        return None
    sizes = target.shape[1:]
    if not all(isinstance(size, int) for size in sizes):
        return None
    inner = tuple(_numbers(sizes))
    value = node.inputs[0]
    while value is not None:
        if len(value.uses()) != 1 or value.is_graph_output():
            return None
        producer = value.producer()
        if producer is None or producer.domain != "":
            return None
        if producer.op_type not in CARRIERS:
            break
        value = producer.inputs[0]
    else:
        return None
    dense = producer
    weight = dense.inputs[1] if dense.op_type in ("Gemm", "MatMul") else None
    bias = dense.inputs[2] if len(dense.inputs) > 2 else None
    whole = math.prod(inner)
    across = dense.op_type == "Gemm" and bool(attribute(dense, "transB", 0))
    if weight is None or not is_initializer(weight) or len(weight.uses()) != 1 or rank_of(weight) != 2:
        return None
    assert weight.const_value is not None
    if int(weight.const_value.shape.numpy()[0 if across else 1]) != whole:
        return None
    if bias is not None and (not is_initializer(bias) or rank_of(bias) not in (0, 1)):
        return None
    rank = len(target.shape)

    def apply(order: Order) -> None:
        graph = graph_of(dense)
        dense.replace_input_with(1, moved(graph, weight, _permuted(inner, order, weight, not across)))
        if bias is not None and bias.const_value is not None and bias.const_value.size == whole and whole > 1:
            dense.replace_input_with(2, moved(graph, bias, _permuted(inner, order, bias, False)))
        _reorder_shape(node, order, [0, *inner])

    return Movable(node, rank, {}, {0: identity(rank)}, apply, lambda order: order[0] == 0)


def _reorder_shape(node: ir.Node, order: Order, sizes: list[int]) -> None:
    set_constant(node, 1, [sizes[axis] for axis in order])
    node.attributes.pop("allowzero", None)


def _of_ones(node: ir.Node) -> Movable | None:
    """A node that reads elements one after another takes any order that only moves axes of size one."""
    source = node.inputs[0]
    if source is None or source.shape is None or is_initializer(source):
        return None
    rank, shape = len(source.shape), list(source.shape)
    axis = attribute(node, "axis", 1) if node.op_type == "Flatten" else 0
    held = constant(node.inputs[1]) if node.op_type == "Reshape" else None
    if node.op_type == "Reshape" and held is None:
        return None
    kept = [] if held is None or attribute(node, "allowzero", 0) else [i for i, size in enumerate(held) if size == 0]

    def allowed(order: Order) -> bool:
        if not moves_nothing(order, shape):
            return False
        if node.op_type == "Flatten" and set(order[: axis % (rank + 1)]) != set(range(axis % (rank + 1))):
            return False
        return all(index >= rank or order[index] == index for index in kept)

    return Movable(node, rank, {0: identity(rank)}, {}, lambda order: None, allowed)
