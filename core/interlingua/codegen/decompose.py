"""Says an op that a target lacks through ops that it may have; each rule's first sentence is the transformation."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from interlingua import cards
from interlingua.cards import Facts
from interlingua.codegen.function_bodies import expand
from interlingua.errors import Unsupported
from interlingua.ir import metadata
from interlingua.ir.facts import CHANNELS_LAST, facts_of, inputs_of, is_constant, known, shape_of
from interlingua.ir.origin import Constant

Rule = Callable[[ir.Node, Facts], list[ir.Node] | None]


def initializer(graph: ir.Graph, name: str, array: np.ndarray[Any, Any]) -> ir.Value:
    """A new constant of the graph under a free name, marked as no parameter of the source."""
    free, number = name, 1
    while free in graph.initializers:
        number += 1
        free = f"{name}_{number}"
    tensor = ir.tensor(array, name=free)
    value = ir.Value(name=free, shape=ir.Shape(array.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
    metadata.set_origin(value, Constant(free))
    graph.register_initializer(value)
    return value


def _graph(node: ir.Node) -> ir.Graph:
    assert isinstance(node.graph, ir.Graph)
    return node.graph


def _pads_order(pads: Sequence[int], rank: int, last: bool) -> list[int]:
    begin, end = list(pads[:rank]), list(pads[rank:])
    if last:
        return [0, *begin, 0, 0, *end, 0]
    return [0, 0, *begin, 0, 0, *end]


def explicit_padding(node: ir.Node, facts: Facts) -> list[ir.Node] | None:
    """Replaces `Conv(X, pads)` by `Conv(Pad(X, pads))`, and likewise for pooling."""
    if node.op_type not in ("Conv", "MaxPool", "AveragePool") or not any(facts["pads"]):
        return None
    if node.op_type == "AveragePool" and not facts["count_include_pad"]:
        return None
    if facts.get("ceil_mode"):
        return None
    graph, source = _graph(node), node.inputs[0]
    assert source is not None
    last = node.domain == CHANNELS_LAST
    value = -np.inf if node.op_type == "MaxPool" else 0.0
    dtype = (source.dtype or ir.DataType.FLOAT).numpy()
    pads = initializer(graph, f"{node.name}.pads", np.array(_pads_order(facts["pads"], facts.rank, last), np.int64))
    fill = initializer(graph, f"{node.name}.padding_value", np.array(value, dtype))
    padded = ir.Value(name=f"{source.name}.padded.{node.name}", type=source.type, shape=_padded(source, pads))
    pad = ir.Node("", "Pad", [source, pads, fill], outputs=[padded], name=f"{node.name}.pad")
    attributes = [a for a in node.attributes.values() if a.name != "pads"]
    rest = _again(node, [padded, *node.inputs[1:]], attributes)
    return [pad, rest]


def _padded(source: ir.Value, pads: ir.Value) -> ir.Shape | None:
    shape = shape_of(source)
    if shape is None or pads.const_value is None:
        return None
    amounts = pads.const_value.numpy()
    count = len(shape)
    return ir.Shape(
        [
            dim + int(amounts[axis] + amounts[axis + count])
            if isinstance(dim, int)
            else (dim if not amounts[axis] and not amounts[axis + count] else None)
            for axis, dim in enumerate(shape)
        ]
    )


def _again(node: ir.Node, inputs: Sequence[ir.Value | None], attributes: Sequence[ir.Attr]) -> ir.Node:
    outputs = [ir.Value(name=o.name, type=o.type, shape=o.shape) for o in node.outputs]
    return ir.Node(node.domain, node.op_type, inputs, attributes, outputs=outputs, name=node.name)


def global_pooling(node: ir.Node, facts: Facts) -> list[ir.Node] | None:
    """Replaces `GlobalAveragePool(X)` by `ReduceMean(X, spatial axes, keepdims=1)`."""
    if node.op_type != "GlobalAveragePool" or not facts.rank:
        return None
    first = 1 if node.domain == CHANNELS_LAST else 2
    axes = initializer(_graph(node), f"{node.name}.axes", np.arange(first, first + facts.rank, dtype=np.int64))
    output = ir.Value(name=node.outputs[0].name, type=node.outputs[0].type, shape=node.outputs[0].shape)
    return [
        ir.Node(
            "", "ReduceMean", [node.inputs[0], axes], [ir.AttrInt64("keepdims", 1)], outputs=[output], name=node.name
        )
    ]


def matrix_product(node: ir.Node, facts: Facts) -> list[ir.Node] | None:
    """Replaces `Gemm(A, B, C)` by `Add(Mul(MatMul(A', B'), alpha), Mul(C, beta))`, without what does nothing."""
    if node.op_type != "Gemm":
        return None
    graph, nodes = _graph(node), []
    final = node.outputs[0]

    def step(op: str, inputs: Sequence[ir.Value | None], suffix: str, shape: Any, **attributes: Any) -> ir.Value:
        output = ir.Value(name=f"{node.name}.{suffix}", type=final.type, shape=shape)
        nodes.append(
            ir.Node(
                "",
                op,
                inputs,
                [ir.convenience.convert_attribute(k, v) for k, v in attributes.items()],
                outputs=[output],
                name=f"{node.name}.{suffix}",
            )
        )
        return output

    def turned(value: ir.Value, suffix: str) -> ir.Value:
        shape = shape_of(value)
        return step("Transpose", [value], suffix, ir.Shape(shape[::-1]) if shape else None, perm=[1, 0])

    left, right = node.inputs[0], node.inputs[1]
    assert left is not None and right is not None
    dtype = (final.dtype or ir.DataType.FLOAT).numpy()
    left = turned(left, "a") if facts["transA"] else left
    right = turned(right, "b") if facts["transB"] else right
    result = step("MatMul", [left, right], "product", final.shape)
    if facts["alpha"] != 1:
        result = step(
            "Mul",
            [result, initializer(graph, f"{node.name}.alpha", np.array(facts["alpha"], dtype))],
            "scaled",
            final.shape,
        )
    if len(node.inputs) > 2 and node.inputs[2] is not None and facts["beta"] != 0:
        addend = node.inputs[2]
        if facts["beta"] != 1:
            addend = step(
                "Mul",
                [addend, initializer(graph, f"{node.name}.beta", np.array(facts["beta"], dtype))],
                "addend",
                addend.shape,
            )
        step("Add", [result, addend], "sum", final.shape)
    nodes[-1].outputs[0].name = final.name
    return nodes


def by_shape(node: ir.Node, facts: Facts) -> list[ir.Node] | None:
    """Replaces `Flatten`, `Squeeze` and `Unsqueeze` by `Reshape` where at most one axis of the result is unknown."""
    if node.op_type not in ("Flatten", "Squeeze", "Unsqueeze"):
        return None
    shape = shape_of(node.outputs[0])
    if shape is None or sum(not isinstance(dim, int) for dim in shape) > 1:
        return None
    numbers = [dim if isinstance(dim, int) else -1 for dim in shape]
    target = initializer(_graph(node), f"{node.name}.shape", np.array(numbers, np.int64))
    output = ir.Value(name=node.outputs[0].name, type=node.outputs[0].type, shape=node.outputs[0].shape)
    return [ir.Node("", "Reshape", [node.inputs[0], target], outputs=[output], name=node.name)]


def leaky_by_prelu(node: ir.Node, facts: Facts) -> list[ir.Node] | None:
    """Replaces `PRelu(X, slope)` with one slope that nobody trains by `LeakyRelu(X, alpha)`."""
    if node.op_type != "PRelu":
        return None
    slope = inputs_of(node)["slope"][0]
    if not is_constant(slope) or known(shape_of(slope)) not in ([], [1]) or not metadata.is_constant(slope):
        return None
    assert slope.const_value is not None
    alpha = ir.AttrFloat32("alpha", float(slope.const_value.numpy().reshape(())))
    output = ir.Value(name=node.outputs[0].name, type=node.outputs[0].type, shape=node.outputs[0].shape)
    return [ir.Node("", "LeakyRelu", [node.inputs[0]], [alpha], outputs=[output], name=node.name)]


def slope_by_relus(node: ir.Node, facts: Facts) -> list[ir.Node] | None:
    """Replaces `PRelu(X, slope)` by `Sub(Relu(X), Mul(Relu(Mul(X, -1)), slope))`, for a slope of any shape."""
    if node.op_type != "PRelu":
        return None
    source, final = node.inputs[0], node.outputs[0]
    minus = initializer(_graph(node), f"{node.name}.minus", np.array(-1, (final.dtype or ir.DataType.FLOAT).numpy()))

    def step(op: str, inputs: Sequence[ir.Value | None], suffix: str) -> ir.Node:
        output = ir.Value(name=f"{final.name}.{suffix}", type=final.type, shape=final.shape)
        return ir.Node("", op, inputs, outputs=[output], name=f"{node.name}.{suffix}")

    above = step("Relu", [source], "above")
    turned = step("Mul", [source, minus], "turned")
    below = step("Relu", [turned.outputs[0]], "below")
    sloped = step("Mul", [below.outputs[0], node.inputs[1]], "sloped")
    whole = step("Sub", [above.outputs[0], sloped.outputs[0]], "sum")
    whole.outputs[0].name = final.name
    return [above, turned, below, sloped, whole]


def _shares(facts: Facts) -> np.ndarray[Any, Any] | None:
    """By how much a mean over padding and data is to grow to be one over the data, at each place of the output."""
    sizes = (facts.shapes.get("X") or ())[2:]
    if len(sizes) != facts.rank or facts.get("ceil_mode"):
        return None
    shares = np.ones((), np.float32)
    for axis, size in enumerate(sizes):
        if not isinstance(size, int):
            return None
        kernel, stride, dilation = (facts[name][axis] for name in ("kernel_shape", "strides", "dilations"))
        before, after = facts["pads"][axis], facts["pads"][axis + facts.rank]
        starts = np.arange(0, size + before + after - (kernel - 1) * dilation, stride) - before
        taps = starts[:, None] + np.arange(kernel) * dilation
        counts = ((taps >= 0) & (taps < size)).sum(axis=1)
        if not counts.all():
            return None
        shares = shares[..., None] * (np.float32(kernel) / counts.astype(np.float32))
    return shares


def mean_of_the_data(node: ir.Node, facts: Facts) -> list[ir.Node] | None:
    """Replaces `AveragePool(X, pads)` that leaves padding out of the mean by `Mul(AveragePool(Pad(X)), shares)`.

    The shares are known where the sizes of the spatial axes are.
    """
    if node.op_type != "AveragePool" or not any(facts["pads"]) or facts["count_include_pad"]:
        return None
    shares = _shares(facts)
    if shares is None:
        return None
    shares = shares[..., None] if node.domain == CHANNELS_LAST else shares
    counted = {**facts.values, "count_include_pad": 1}
    padded = explicit_padding(node, Facts(facts.record, counted, facts.rank, facts.shapes, facts.constants))
    if padded is None:
        return None
    final = node.outputs[0]
    padded[-1].outputs[0].name = f"{final.name}.counted"
    weights = initializer(_graph(node), f"{node.name}.shares", shares)
    output = ir.Value(name=final.name, type=final.type, shape=final.shape)
    return [*padded, ir.Node("", "Mul", [padded[-1].outputs[0], weights], outputs=[output], name=f"{node.name}.shares")]


def cut_edges(node: ir.Node, facts: Facts) -> list[ir.Node] | None:
    """Replaces `ConvTranspose(X, pads)` by `Pad(ConvTranspose(X), -pads)`."""
    if node.op_type != "ConvTranspose" or not any(facts["pads"]):
        return None
    graph, final = _graph(node), node.outputs[0]
    order = _pads_order([-pad for pad in facts["pads"]], facts.rank, node.domain == CHANNELS_LAST)
    pads = initializer(graph, f"{node.name}.cut", np.array(order, np.int64))
    whole = _again(node, node.inputs, [a for a in node.attributes.values() if a.name != "pads"])
    grown = [-int(number) for number in order]
    shape, count = shape_of(final) or (), len(order) // 2
    whole.outputs[0].name = f"{final.name}.whole"
    sizes = [size + grown[i] + grown[i + count] if isinstance(size, int) else size for i, size in enumerate(shape)]
    whole.outputs[0].shape = ir.Shape(sizes) if shape else None
    output = ir.Value(name=final.name, type=final.type, shape=final.shape)
    return [whole, ir.Node("", "Pad", [whole.outputs[0], pads], outputs=[output], name=f"{node.name}.cut")]


RULES: tuple[Rule, ...] = (
    explicit_padding,
    mean_of_the_data,
    cut_edges,
    global_pooling,
    matrix_product,
    by_shape,
    leaky_by_prelu,
    slope_by_relus,
)


def decompose(node: ir.Node, framework: str, lowerings: Container[str] = ()) -> list[ir.Node] | None:
    """Nodes that replace `node` in its graph, or None where no rule, and no function body, helps the framework.

    A rule helps only where the framework has cards for every op it leads to; a body, where it has cards or `lowerings`.
    """
    try:
        facts = facts_of(node)
    except Unsupported:
        facts = None
    for rule in RULES:
        nodes = rule(node, facts) if facts is not None else None
        if nodes and all(new.op_type in cards.by_record(framework) for new in nodes):
            _replace(node, nodes)
            return nodes
    return expand(node, lambda new: new.op_type in cards.by_record(framework) or new.op_type in lowerings)


def _replace(node: ir.Node, nodes: list[ir.Node]) -> None:
    graph = _graph(node)
    for new in nodes[:-1]:
        new.metadata_props.setdefault(metadata.LAYER, new.name or "")
    metadata.copy_place(node, nodes)
    for old, heir in zip(node.outputs, nodes[-1].outputs, strict=False):
        heir.metadata_props.update(old.metadata_props)
    graph.insert_before(node, nodes)
    ir.convenience.replace_all_uses_with(list(node.outputs), list(nodes[-1].outputs), replace_graph_outputs=True)
    graph.remove(node, safe=True)
