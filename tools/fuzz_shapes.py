"""Steps of random graphs that move, cut, join and fill tensors, or tell of their shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
from fuzz_elementwise import some_axes
from fuzz_graphs import FLOATS, INTEGERS, KINDS, Graph, Tensor, step
from onnx import helper, numpy_helper

ANY = (*FLOATS, *INTEGERS, "bool")
_COMMON = ("float32", "float64", "int64", "int32", "bool", "uint8")


@step
def transpose(graph: Graph) -> None:
    """Transpose by any order, or turned round."""
    x = graph.pick(*ANY)
    if x is not None:
        order = sorted(range(x.rank), key=lambda _: graph.whole(0, 99))
        graph.node("Transpose", [x.name], perm=graph.one_of(order, order, None))


@step
def reshape(graph: Graph) -> None:
    """Reshape with sizes, a size left open, sizes taken over, and zeros that mean themselves."""
    x = graph.pick(*ANY)
    if x is None:
        return
    kinds = [[x.size], [1, x.size], [x.size, 1], [1, x.size, 1]]
    if x.size % 2 == 0:
        kinds.append([2, x.size // 2])
    if x.size:
        kinds += [[-1], [-1, 1], [1, -1]]
    if x.rank and x.size:
        kinds += [[0, -1], [0] * x.rank, [0, *([1] * graph.whole(0, 2)), -1]]
    shape = graph.one_of(*kinds)
    graph.node("Reshape", [x.name, graph.constant(shape)], allowzero=None if x.size or 0 in shape[1:] else 1)


@step
def squeeze(graph: Graph) -> None:
    """Squeeze of axes of size 1, all of them where unsaid; Unsqueeze of new ones."""
    x = graph.pick(*ANY)
    if x is None:
        return
    ones = [axis for axis, size in enumerate(x.shape) if size == 1]
    if ones and graph.some():
        axes = [graph.one_of(axis, axis - x.rank) for axis in ones if graph.some()]
        graph.node("Squeeze", [x.name, *([graph.constant(axes)] if axes else [])])
    else:
        count = graph.whole(1, 2)
        total = x.rank + count
        new = sorted(range(total), key=lambda _: graph.whole(0, 99))[:count]
        graph.node("Unsqueeze", [x.name, graph.constant([graph.one_of(axis, axis - total) for axis in new])])


@step
def flatten(graph: Graph) -> None:
    """Flatten at an axis from either end."""
    x = graph.pick(*ANY, rank=1)
    if x is not None:
        graph.node("Flatten", [x.name], axis=graph.one_of(None, graph.whole(-x.rank, x.rank)))


@step
def expand(graph: Graph) -> None:
    """Expand, Tile."""
    x = graph.pick(*_COMMON)
    if x is None:
        return
    if graph.some():
        target = [graph.whole(2, 3) if size == 1 and graph.some() else graph.one_of(1, size) for size in x.shape]
        graph.node("Expand", [x.name, graph.constant([*([graph.whole(1, 2)] * graph.whole(0, 1)), *target])])
    elif x.rank:
        graph.node("Tile", [x.name, graph.constant([graph.whole(0, 3) for _ in x.shape])])


@step
def slices(graph: Graph) -> None:
    """Slice of one or more axes, with ends out of bounds and steps either way."""
    x = graph.pick(*_COMMON, rank=1)
    if x is None:
        return
    axes = some_axes(graph, x.rank) or [0]
    starts, ends, steps = [], [], []
    for axis in axes:
        size = x.shape[axis]
        starts.append(graph.whole(-size - 2, size + 2))
        ends.append(graph.one_of(graph.whole(-size - 2, size + 2), 2**31, -(2**31), 2**63 - 1))
        steps.append(graph.one_of(1, 1, 2, -1, -2))
    kind = graph.one_of("int64", "int32") if 2**63 - 1 not in ends and 2**31 not in ends else "int64"
    rest = [graph.constant(each, kind) for each in (starts, ends, axes, steps)]
    if axes == list(range(x.rank)) and graph.some():
        rest[2] = ""
    if all(each == 1 for each in steps) and graph.some():
        rest.pop()
    graph.node("Slice", [x.name, *rest])


@step
def concat(graph: Graph) -> None:
    """Concat of one to three tensors along any axis, some of them empty."""
    x = graph.pick(*_COMMON, rank=1)
    if x is None:
        return
    axis = graph.whole(-x.rank, x.rank - 1)
    names = [x.name]
    for _ in range(graph.whole(0, 2)):
        shape = list(x.shape)
        shape[axis] = graph.whole(0, 2)
        names.insert(graph.whole(0, len(names)), graph.input(x.dtype, shape).name)
    graph.node("Concat", names, axis=axis)


@step
def split(graph: Graph) -> None:
    """Split into sizes that are said, or into so many."""
    x = graph.pick(*_COMMON, rank=1)
    if x is None:
        return
    axis = graph.whole(-x.rank, x.rank - 1)
    size = x.shape[axis]
    if graph.some() and size:
        count = graph.whole(1, size)
        graph.node("Split", [x.name], count, axis=axis, num_outputs=count)
    else:
        cut = graph.whole(0, size)
        graph.node("Split", [x.name, graph.constant([cut, size - cut])], 2, axis=axis)


@step
def pad(graph: Graph) -> None:
    """Pad of every mode, of all axes or some, with a value or zero; negative pads cut."""
    x = graph.pick("float32", "float64", "int64", "int32", rank=1)
    if x is None:
        return
    mode = graph.one_of(None, "constant", "reflect", "edge", *(["wrap"] if graph.opset >= 19 else []))
    if mode not in (None, "constant") and not x.size:
        return
    axes = list(range(x.rank)) if graph.some() else some_axes(graph, x.rank) or [0]
    low = -1 if mode in (None, "constant") else 0
    high = [2 if mode in (None, "constant", "edge") else max(min(2, x.shape[axis] - 1), 0) for axis in axes]
    pads = [graph.whole(low, most) for most in (*high, *high)]
    value = graph.constant(np.array(3, x.dtype), x.dtype) if mode in (None, "constant") and graph.some() else ""
    rest = [value] if axes == list(range(x.rank)) else [value, graph.constant(axes)]
    graph.node("Pad", [x.name, graph.constant(pads), *rest], mode=mode)


@step
def told(graph: Graph) -> None:
    """Shape, of some axes too, and Size."""
    x = graph.pick(*ANY)
    if x is None:
        return
    if graph.some(3):
        graph.node("Size", [x.name])
    else:
        ends = {name: graph.whole(-3, 3) for name in ("start", "end") if graph.some()}
        graph.node("Shape", [x.name], **ends)


@step
def shape_arithmetic(graph: Graph) -> None:
    """A Reshape by what is computed from a shape."""
    x = graph.pick(*_COMMON, rank=2, filled=True)
    if x is None:
        return
    shape = graph.node("Shape", [x.name])
    (first,) = graph.node("Gather", [shape[0].name, graph.constant(0)], axis=0) or (None,)
    if first is None:
        return
    (row,) = graph.node("Unsqueeze", [first.name, graph.constant([0])]) or (None,)
    if row is not None:
        joined = graph.node("Concat", [row.name, graph.constant([-1])], axis=0)
        graph.add("Reshape", [x.name, joined[0].name], x.dtype, [x.shape[0], x.size // x.shape[0]])


@step
def filled(graph: Graph) -> None:
    """ConstantOfShape, Range, EyeLike."""
    kind = graph.one_of("ConstantOfShape", "Range", "EyeLike")
    if kind == "ConstantOfShape":
        shape = [graph.whole(0, 3) for _ in range(graph.whole(0, 3))]
        dtype = graph.one_of("float32", "int64", "bool", "int32")
        value: Any = numpy_helper.from_array(np.array([1], dtype)) if graph.some() else None
        graph.node(kind, [graph.constant(shape)], value=value)
    elif kind == "Range":
        dtype = graph.one_of("int64", "float32", "int32")
        ends = [graph.whole(-4, 4), graph.whole(-4, 4), graph.one_of(1, 2, -1, -3)]
        graph.node(kind, [graph.constant(np.array(each, dtype), dtype) for each in ends])
    else:
        x = graph.input(graph.one_of("float32", "int32"), [graph.whole(1, 4), graph.whole(1, 4)])
        graph.node(kind, [x.name], k=graph.one_of(None, graph.whole(-3, 3)))


@step
def triangle(graph: Graph) -> None:
    """Trilu, upper or lower, moved."""
    x = graph.pick("float32", "float64", "int64", "bool", rank=2)
    if x is not None:
        moved = [graph.constant(graph.whole(-4, 4))] if graph.some() else []
        graph.node("Trilu", [x.name, *moved], upper=graph.one_of(None, 0, 1))


@step
def blocks(graph: Graph) -> None:
    """DepthToSpace of both orders, SpaceToDepth."""
    size = graph.whole(1, 3)
    batch, channels, height, width = (graph.whole(1, 3) for _ in range(4))
    if graph.some():
        x = graph.input("float32", (batch, channels * size * size, height, width))
        graph.node("DepthToSpace", [x.name], blocksize=size, mode=graph.one_of(None, "DCR", "CRD"))
    else:
        x = graph.input("float32", (batch, channels, height * size, width * size))
        graph.node("SpaceToDepth", [x.name], blocksize=size)


@step
def centred(graph: Graph) -> None:
    """CenterCropPad of some axes."""
    x = graph.pick("float32", "int32", rank=1, filled=True)
    if x is not None:
        axes = some_axes(graph, x.rank) or [0]
        graph.node("CenterCropPad", [x.name, graph.constant([graph.whole(1, 6) for _ in axes])], axes=axes)


@step
def turned(graph: Graph) -> None:
    """ReverseSequence along either of the first axes."""
    x = graph.pick("float32", "int64", rank=2, filled=True)
    if x is None:
        return
    time = graph.whole(0, 1)
    lengths = [graph.whole(1, x.shape[time]) for _ in range(x.shape[1 - time])]
    graph.node("ReverseSequence", [x.name, graph.constant(lengths)], time_axis=time, batch_axis=1 - time)


@step
def branches(graph: Graph) -> None:
    """If on data, whose branches read a tensor from outside."""
    x = graph.pick("float32", "float64", "int64")
    if x is None:
        return
    condition = graph.input("bool", ())
    name = f"y{len(graph.nodes)}"
    bodies = [
        helper.make_graph(
            [helper.make_node(op, [x.name, *([x.name] if op == "Add" else [])], [f"{name}_{op}"])],
            op,
            [],
            [_port(f"{name}_{op}", x)],
        )
        for op in (graph.one_of("Neg", "Identity"), graph.one_of("Abs", "Add"))
    ]
    said = {"then_branch": bodies[0], "else_branch": bodies[1]}
    graph.attach(helper.make_node("If", [condition.name], [name], **said), x.dtype, x.shape)


@step
def loops(graph: Graph) -> None:
    """Loop of a number of rounds that carries a tensor, and gathers one where its shape tells it."""
    x = graph.pick("float32", "int64")
    if x is None:
        return
    count, name = graph.whole(0, 3), f"y{len(graph.nodes)}"
    inside = [
        helper.make_node("Add", [f"{name}_in", x.name], [f"{name}_out"]),
        helper.make_node("Identity", [f"{name}_go"], [f"{name}_on"]),
        helper.make_node("Neg", [f"{name}_out"], [f"{name}_row"]),
    ]
    ports = [
        helper.make_tensor_value_info(f"{name}_i", 7, []),
        helper.make_tensor_value_info(f"{name}_go", 9, []),
        _port(f"{name}_in", x),
    ]
    ends = [helper.make_tensor_value_info(f"{name}_on", 9, []), _port(f"{name}_out", x), _port(f"{name}_row", x)]
    body = helper.make_graph(inside, "body", ports, ends)
    rounds = graph.constant(count)
    node = helper.make_node("Loop", [rounds, "", x.name], [name, f"{name}_all"], body=body)
    graph.attach(node, x.dtype, x.shape)
    graph.outputs[f"{name}_all"] = x.dtype


def _port(name: str, like: Tensor) -> Any:
    return helper.make_tensor_value_info(name, KINDS[like.dtype], None)


@step
def sequences(graph: Graph) -> None:
    """A sequence made, changed, and read again."""
    x = graph.pick("float32", "int64", rank=1, filled=True)
    if x is None:
        return
    name, axis = f"y{len(graph.nodes)}", graph.whole(-x.rank, x.rank - 1)
    other = graph.input(x.dtype, x.shape).name
    steps = [helper.make_node("SequenceConstruct", [x.name, other], [f"{name}_0"])]
    if graph.some():
        steps.append(helper.make_node("SequenceInsert", [f"{name}_0", other, graph.constant(0)], [f"{name}_1"]))
    if graph.some():
        last = steps[-1].output[0]
        steps.append(helper.make_node("SequenceErase", [last, graph.constant(-1)], [f"{name}_2"]))
    last = steps[-1].output[0]
    graph.nodes += steps
    way = graph.one_of("SequenceAt", "ConcatFromSequence", "SequenceLength", "stack")
    if way == "SequenceAt":
        graph.attach(helper.make_node(way, [last, graph.constant(graph.one_of(0, -1))], [name]), x.dtype, x.shape)
    elif way == "SequenceLength":
        graph.attach(helper.make_node(way, [last], [name]), "int64", ())
    else:
        node = helper.make_node("ConcatFromSequence", [last], [name], axis=axis, new_axis=int(way == "stack"))
        graph.nodes.append(node)
        graph.outputs[name] = x.dtype


@step
def parts(graph: Graph) -> None:
    """SplitToSequence, of which one part is read."""
    x = graph.pick("float32", "int64", rank=1, filled=True)
    if x is None:
        return
    name, axis = f"y{len(graph.nodes)}", graph.whole(-x.rank, x.rank - 1)
    given = [graph.constant(graph.whole(1, x.shape[axis]))] if graph.some() else []
    keep = None if given else graph.one_of(None, 0)
    graph.nodes.append(helper.make_node("SplitToSequence", [x.name, *given], [f"{name}_0"], axis=axis, keepdims=keep))
    graph.nodes.append(helper.make_node("SequenceAt", [f"{name}_0", graph.constant(0)], [name]))
    graph.outputs[name] = x.dtype
