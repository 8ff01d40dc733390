"""Operators whose data have their channels last: dialect ops of a domain of ours, with bodies in plain ONNX."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import onnx
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import graph_of, is_initializer
from interlingua.ir.facts import CHANNELS_LAST
from interlingua.ir.opset import OPSET
from interlingua.ir.weights import moved
from interlingua.passes.axis_table import rank_of
from interlingua.passes.orders import Order, inverse

ABLE = frozenset(
    {
        *("AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "DepthToSpace", "GlobalAveragePool"),
        *("GlobalLpPool", "GlobalMaxPool", "GroupNormalization", "InstanceNormalization", "LRN", "LpPool", "MaxPool"),
        *("PRelu", "Resize", "SpaceToDepth"),
    }
)
"""Ops with one data input and one data output in N C *, which the dialect holds as N * C; weights keep ONNX's order."""


def to_last(rank: int) -> Order:
    """The transpose from N C * to N * C for values of `rank` axes."""
    return (0, *range(2, rank), 1)


def to_channels_last(model: ir.Model, ops: Iterable[str]) -> int:
    """Replaces `Conv(X, W)` by `Transpose(channels_last.Conv(Transpose(X), W))` for the named ops; says how many.

    An op is left as it is where its rank is unknown or not that of one to three spatial axes, where it has no data
    order (`BatchNormalization` of a matrix), or where more than its first output is used.
    """
    named = frozenset(ops) & ABLE
    count = 0
    for node in list(model.graph):
        if node.domain == "" and node.op_type in named and _convert(model, node):
            count += 1
    if count:
        model.graph.opset_imports[CHANNELS_LAST] = 1
    return count


def _convert(model: ir.Model, node: ir.Node) -> bool:
    source, old = node.inputs[0], node.outputs[0]
    rank = rank_of(source) or rank_of(old)
    if source is None or rank is None or not 3 <= rank <= 5:
        return False
    if any(output.uses() or output.is_graph_output() for output in node.outputs[1:]):
        return False
    rest = list(node.inputs[1:])
    if node.op_type == "PRelu":
        slope = _slope(node, rank)
        if slope is None:
            return False
        rest = [slope]
    order = to_last(rank)
    first = ir.node("Transpose", [source], {"perm": list(order)})
    first.outputs[0].type = source.type
    if source.shape is not None:
        first.outputs[0].shape = ir.Shape([source.shape[axis] for axis in order])
    main = ir.Node(
        CHANNELS_LAST,
        node.op_type,
        [first.outputs[0], *rest],
        list(node.attributes.values()),
        overload=f"{rank - 2}d",
        name=node.name,
    )
    main.metadata_props.update(node.metadata_props)
    main.outputs[0].name = f"{old.name}_last"
    main.outputs[0].type = old.type
    if old.shape is not None:
        main.outputs[0].shape = ir.Shape([old.shape[axis] for axis in order])
    last = ir.node("Transpose", [main.outputs[0]], {"perm": list(inverse(order))})
    metadata.copy_place(node, [first, last])
    graph = graph_of(node)
    name, heir = old.name, last.outputs[0]
    heir.type, heir.shape = old.type, old.shape
    heir.metadata_props.update(old.metadata_props)
    graph.insert_before(node, [first, main, last])
    old.replace_all_uses_with(heir, replace_graph_outputs=True)
    graph.remove(node, safe=True)
    heir.name = name
    function = body(node.op_type, rank)
    model.functions[function.identifier()] = function
    return True


def _slope(node: ir.Node, rank: int) -> ir.Value | None:
    """The slope of a PRelu as one axis, the channels; None where it is another kind."""
    slope = node.inputs[1]
    if slope is None or not is_initializer(slope) or slope.const_value is None:
        return None
    shape = [int(size) for size in slope.const_value.shape.numpy()]
    wide = [1] * (rank - len(shape)) + shape
    if any(size != 1 for axis, size in enumerate(wide) if axis != 1):
        return None
    return moved(graph_of(node), slope, [("reshape", (wide[1],))])


@functools.cache
def _text(op_type: str, rank: int) -> onnx.FunctionProto:
    schema = onnx.defs.get_schema(op_type, OPSET, "")
    inputs = [each.name for each in schema.inputs]
    order = to_last(rank)
    inner = onnx.helper.make_node(op_type, ["first", *inputs[1:]], ["last"])
    for name, attribute in schema.attributes.items():
        inner.attribute.add(name=name, ref_attr_name=name, type=int(attribute.type.value))
    nodes = [
        onnx.helper.make_node("Transpose", [inputs[0]], ["first"], perm=list(inverse(order))),
        inner,
        onnx.helper.make_node("Transpose", ["last"], ["Y"], perm=list(order)),
    ]
    if op_type == "PRelu":
        nodes = [onnx.helper.make_node("PRelu", inputs, ["Y"])]
    function = onnx.helper.make_function(
        CHANNELS_LAST,
        op_type,
        inputs,
        ["Y"],
        nodes,
        [onnx.helper.make_opsetid("", OPSET)],
        attributes=list(schema.attributes),
        overload=f"{rank - 2}d",
    )
    return function


def body(op_type: str, rank: int) -> ir.Function:
    """The dialect op's meaning: ONNX's op between two Transposes."""
    function: ir.Function = ir.from_proto(_text(op_type, rank))
    return function
