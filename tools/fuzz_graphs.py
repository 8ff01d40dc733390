"""Random ONNX graphs for `tools/fuzz.py`: operators, attributes, element types, ranks, broadcasting, empty tensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

OPSET = 21
FLOATS = ("float32", "float64", "float16")
INTEGERS = ("int64", "int32", "int8", "uint8")
_TYPES = {name: helper.np_dtype_to_tensor_dtype(np.dtype(name)) for name in (*FLOATS, *INTEGERS, "bool")}
_UNARY = "Abs Neg Relu Sigmoid Tanh Exp Floor Ceil Round Sqrt Reciprocal Erf Softsign Softplus Sign Sin Cos Selu"
_ATTRIBUTED = "Elu LeakyRelu HardSigmoid Celu ThresholdedRelu Shrink"
_BINARY = "Add Sub Mul Div Pow Mod Max Min"
_COMPARISONS = "Equal Greater Less GreaterOrEqual LessOrEqual"
_REDUCTIONS = "ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSumExp ReduceSumSquare"
_SPECIAL = (np.nan, np.inf, -np.inf, -0.0)


@dataclasses.dataclass
class Tensor:
    """A value of the graph so far: its name, element type, and shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]


class Graph:
    """A graph that grows by one node at a time; `draw` is hypothesis' own."""

    def __init__(self, draw: Callable[[Any], Any]) -> None:
        self.draw = draw
        self.nodes: list[onnx.NodeProto] = []
        self.inputs: list[Tensor] = []
        self.initializers: list[onnx.TensorProto] = []
        self.values: list[Tensor] = []
        self.feeds: dict[str, np.ndarray[Any, Any]] = {}

    def array(self, dtype: str, shape: Sequence[int]) -> np.ndarray[Any, Any]:
        """Seeded values of that type; of floats some are NaN, infinite or minus zero."""
        random = np.random.default_rng(self.draw(st.integers(0, 999)))
        if dtype == "bool":
            return random.integers(0, 2, shape).astype(bool)
        if dtype in INTEGERS:
            return random.integers(0 if dtype == "uint8" else -5, 9, shape).astype(dtype)
        values = np.asarray(random.normal(0, 2, shape), dtype)
        if values.size and self.draw(st.integers(0, 5)) == 0:
            values.reshape(-1)[self.draw(st.integers(0, values.size - 1))] = self.draw(st.sampled_from(_SPECIAL))
        return values

    def input(self, dtype: str, shape: Sequence[int]) -> Tensor:
        """A new input, or a constant of the model."""
        tensor = Tensor(f"x{len(self.inputs) + len(self.initializers)}", dtype, tuple(shape))
        values = self.array(dtype, shape)
        if self.inputs and self.draw(st.integers(0, 2)) == 0:
            self.initializers.append(numpy_helper.from_array(values, tensor.name))
        else:
            self.inputs.append(tensor)
            self.feeds[tensor.name] = values
        self.values.append(tensor)
        return tensor

    def constant(self, values: Any, dtype: str = "int64") -> str:
        """A parameter as a constant."""
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def add(self, op: str, inputs: Sequence[str], dtype: str, shape: Sequence[int], **attributes: Any) -> None:
        """A node with one output."""
        output = Tensor(f"y{len(self.nodes)}", dtype, tuple(shape))
        said = {name: value for name, value in attributes.items() if value is not None}
        self.nodes.append(helper.make_node(op, list(inputs), [output.name], name=f"node{len(self.nodes)}", **said))
        self.values.append(output)

    def pick(self, *dtypes: str, rank: int = 0) -> Tensor | None:
        """A value of one of the types with at least that rank."""
        fits = [each for each in self.values if each.dtype in dtypes and len(each.shape) >= rank]
        return self.draw(st.sampled_from(fits)) if fits else None

    def model(self) -> bytes:
        """The graph as a model: what nobody reads is an output."""
        read = {name for node in self.nodes for name in node.input}
        ends = [each for each in self.values if each.name.startswith("y") and each.name not in read]
        graph = helper.make_graph(
            self.nodes,
            "random",
            [helper.make_tensor_value_info(each.name, _TYPES[each.dtype], each.shape) for each in self.inputs],
            [helper.make_tensor_value_info(each.name, _TYPES[each.dtype], None) for each in ends],
            self.initializers,
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
        return bytes(made.SerializeToString())


def _unary(graph: Graph) -> None:
    x = graph.pick(*FLOATS)
    if x is not None:
        graph.add(graph.draw(st.sampled_from(_UNARY.split())), [x.name], x.dtype, x.shape)


def _attributed(graph: Graph) -> None:
    x = graph.pick("float32")
    if x is None:
        return
    op = graph.draw(st.sampled_from(_ATTRIBUTED.split()))
    number = graph.draw(st.sampled_from([None, 0.25, 0.5, 1.5]))
    names = {"Shrink": "lambd"}
    graph.add(op, [x.name], x.dtype, x.shape, **{names.get(op, "alpha"): number})


def _partner(graph: Graph, x: Tensor) -> Tensor:
    """A value that broadcasts with x: one that is there, or a new one with axes of 1 or fewer of them."""
    fits = [each for each in graph.values if each.dtype == x.dtype and each.shape == x.shape]
    if fits and graph.draw(st.booleans()):
        return graph.draw(st.sampled_from(fits))  # type: ignore[no-any-return]
    kept = graph.draw(st.integers(0, len(x.shape)))
    shape = [size if graph.draw(st.booleans()) else 1 for size in x.shape[len(x.shape) - kept :]]
    return graph.input(x.dtype, shape)


def _joined(left: Sequence[int], right: Sequence[int]) -> tuple[int, ...]:
    return np.broadcast_shapes(tuple(left), tuple(right))


def _binary(graph: Graph) -> None:
    x = graph.pick("float32", "float64", "int64", "int32")
    if x is None:
        return
    op = graph.draw(st.sampled_from(_BINARY.split()))
    y = _partner(graph, x)
    if x.dtype in INTEGERS and op in ("Div", "Mod", "Pow"):  # a zero divisor is undefined
        return
    swapped = graph.draw(st.booleans())
    names = [y.name, x.name] if swapped else [x.name, y.name]
    fmod = {"fmod": 1} if op == "Mod" else {}
    graph.add(op, names, x.dtype, _joined(x.shape, y.shape), **fmod)


def _comparison(graph: Graph) -> None:
    x = graph.pick("float32", "int64", "int32")
    if x is None:
        return
    y = _partner(graph, x)
    shape = _joined(x.shape, y.shape)
    graph.add(graph.draw(st.sampled_from(_COMPARISONS.split())), [x.name, y.name], "bool", shape)


def _where(graph: Graph) -> None:
    condition, x = graph.pick("bool"), graph.pick("float32", "int64")
    if condition is None or x is None:
        return
    try:
        shape = _joined(condition.shape, x.shape)
    except ValueError:
        return
    y = graph.input(x.dtype, ())
    graph.add("Where", [condition.name, x.name, y.name], x.dtype, shape)


def _reduction(graph: Graph) -> None:
    x = graph.pick("float32", "int64", rank=1)
    if x is None:
        return
    op = graph.draw(st.sampled_from(_REDUCTIONS.split() if x.dtype == "float32" else ["ReduceSum", "ReduceMax"]))
    count = len(x.shape)
    axes = graph.draw(st.lists(st.integers(-count, count - 1), unique_by=lambda axis: axis % count, max_size=count))
    chosen = {axis % count for axis in axes} or set(range(count))
    if not all(x.shape[axis] for axis in chosen):
        return  # of nothing, the largest or the mean is undefined
    keep = graph.draw(st.integers(0, 1))
    shape = [1 if axis in chosen else size for axis, size in enumerate(x.shape) if keep or axis not in chosen]
    names = [x.name, graph.constant(axes)] if axes else [x.name]
    graph.add(op, names, x.dtype, shape, keepdims=keep)


def _along(graph: Graph) -> None:
    x = graph.pick("float32", rank=1)
    if x is None or not x.shape[0]:
        return
    axis = graph.draw(st.integers(-len(x.shape), len(x.shape) - 1))
    if not x.shape[axis]:
        return
    op = graph.draw(st.sampled_from(["Softmax", "LogSoftmax", "CumSum", "ArgMax", "ArgMin"]))
    if op == "CumSum":
        flags = {name: graph.draw(st.integers(0, 1)) for name in ("exclusive", "reverse")}
        graph.add(op, [x.name, graph.constant(axis)], x.dtype, x.shape, **flags)
    elif op.startswith("Arg"):
        shape = [size for each, size in enumerate(x.shape) if each != axis % len(x.shape)]
        last = graph.draw(st.integers(0, 1))
        graph.add(op, [x.name], "int64", shape, axis=axis, keepdims=0, select_last_index=last)
    else:
        graph.add(op, [x.name], x.dtype, x.shape, axis=axis)


def _moved(graph: Graph) -> None:
    x = graph.pick(*FLOATS, *INTEGERS, "bool")
    if x is None:
        return
    kind = graph.draw(st.sampled_from(["Transpose", "Reshape", "Unsqueeze", "Flatten", "Identity", "Expand", "Tile"]))
    count, axes = len(x.shape), list(range(len(x.shape)))
    if kind == "Transpose" and count:
        perm = graph.draw(st.permutations(axes))
        graph.add(kind, [x.name], x.dtype, [x.shape[axis] for axis in perm], perm=perm)
    elif kind == "Reshape":
        size = int(np.prod(x.shape))
        shape = graph.draw(
            st.sampled_from([[size], [1, size], [size, 1], *([[2, size // 2]] if size % 2 == 0 else [])])
        )
        graph.add(kind, [x.name, graph.constant(shape)], x.dtype, shape, allowzero=1)
    elif kind == "Unsqueeze":
        axis = graph.draw(st.integers(-count - 1, count))
        shape = list(x.shape)
        shape.insert(axis % (count + 1), 1)
        graph.add(kind, [x.name, graph.constant([axis])], x.dtype, shape)
    elif kind == "Flatten" and count:
        axis = graph.draw(st.integers(0, count))
        shape = [int(np.prod(x.shape[:axis])), int(np.prod(x.shape[axis:]))]
        graph.add(kind, [x.name], x.dtype, shape, axis=axis)
    elif kind == "Tile" and count:
        repeats = graph.draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
        shape = [size * times for size, times in zip(x.shape, repeats, strict=True)]
        graph.add(kind, [x.name, graph.constant(repeats)], x.dtype, shape)
    elif kind == "Expand":
        shape = [graph.draw(st.integers(1, 2)), *x.shape]
        graph.add(kind, [x.name, graph.constant(shape)], x.dtype, shape)
    elif kind == "Identity":
        graph.add(kind, [x.name], x.dtype, x.shape)


def _cut(graph: Graph) -> None:
    x = graph.pick("float32", "int64", "int32", rank=1)
    if x is None:
        return
    axis = graph.draw(st.integers(-len(x.shape), len(x.shape) - 1))
    size = x.shape[axis]
    kind = graph.draw(st.sampled_from(["Slice", "Gather", "Concat", "Pad"]))
    shape = list(x.shape)
    if kind == "Slice":
        start, end = graph.draw(st.integers(-size - 2, size + 2)), graph.draw(st.integers(-size - 2, size + 2))
        step = graph.draw(st.sampled_from([1, 1, 2, -1, -2]))
        low = -size - 1 if step < 0 and end < -size else end
        stop = None if step < 0 and low < -size else end
        shape[axis] = len(range(size)[start:stop:step]) if step > 0 else len(list(range(size))[start:stop:step])
        names = [x.name, *(graph.constant([each]) for each in (start, end, axis, step))]
        graph.add(kind, names, x.dtype, shape)
    elif kind == "Gather" and size:
        indices = graph.draw(st.lists(st.integers(-size, size - 1), min_size=1, max_size=3))
        shape[axis] = len(indices)
        graph.add(kind, [x.name, graph.constant(indices)], x.dtype, shape, axis=axis)
    elif kind == "Concat":
        shape[axis] = 2 * size
        graph.add(kind, [x.name, x.name], x.dtype, shape, axis=axis)
    elif kind == "Pad":
        pads = graph.draw(st.lists(st.integers(0, 2), min_size=2 * len(shape), max_size=2 * len(shape)))
        padded = [each + pads[i] + pads[i + len(shape)] for i, each in enumerate(shape)]
        graph.add(kind, [x.name, graph.constant(pads)], x.dtype, padded)


def _cast(graph: Graph) -> None:
    x = graph.pick("int64", "int32", "bool", "float32")
    if x is None:
        return
    to = graph.draw(st.sampled_from(["float32", "float64", *(["int64", "int32"] if x.dtype != "float32" else [])]))
    graph.add("Cast", [x.name], to, x.shape, to=_TYPES[to])


def _product(graph: Graph) -> None:
    x = graph.pick("float32", "float64", rank=1)
    if x is None:
        return
    columns = graph.draw(st.integers(1, 4))
    weight = graph.input(x.dtype, (x.shape[-1], columns))
    graph.add("MatMul", [x.name, weight.name], x.dtype, [*x.shape[:-1], columns])


def _image(graph: Graph) -> None:
    """Convolution or pooling of a new image."""
    batch, channels, size = (graph.draw(st.integers(1, 3)) for _ in range(3))
    image = graph.input("float32", (batch, channels * 2, size + 3, size + 4))
    kernel, stride = [graph.draw(st.integers(1, 3)) for _ in range(2)], graph.draw(st.integers(1, 2))
    pads = [graph.draw(st.integers(0, each - 1)) for each in (*kernel, *kernel)]
    sizes = [
        (each + pads[axis] + pads[axis + 2] - kernel[axis]) // stride + 1 for axis, each in enumerate(image.shape[2:])
    ]
    op = graph.draw(st.sampled_from(["Conv", "MaxPool", "AveragePool"]))
    common = {"kernel_shape": kernel, "strides": [stride, stride], "pads": pads}
    if op == "Conv":
        group = graph.draw(st.sampled_from([1, 2]))
        weight = graph.input("float32", (4, image.shape[1] // group, *kernel))
        graph.add(op, [image.name, weight.name], "float32", (batch, 4, *sizes), group=group, **common)
    else:
        count = {"count_include_pad": graph.draw(st.integers(0, 1))} if op == "AveragePool" else {}
        graph.add(op, [image.name], "float32", (batch, image.shape[1], *sizes), **common, **count)


_STEPS: Mapping[str, Callable[[Graph], None]] = {
    each.__name__.strip("_"): each
    for each in (
        *(_unary, _attributed, _binary, _comparison, _where, _reduction, _along, _moved, _cut, _cast, _product, _image),
    )
}


@st.composite
def graphs(draw: Any) -> tuple[bytes, dict[str, np.ndarray[Any, Any]]]:
    """A model of one to six nodes with arrays for its inputs."""
    graph = Graph(draw)
    rank = draw(st.integers(0, 4))
    empty = draw(st.integers(0, 9)) == 0
    shape = [draw(st.integers(0 if empty else 1, 4)) for _ in range(rank)]
    graph.input(draw(st.sampled_from([*FLOATS, "float32", "int64", "int32"])), shape)
    for name in draw(st.lists(st.sampled_from(sorted(_STEPS)), min_size=1, max_size=6)):
        _STEPS[name](graph)
    if not graph.nodes:
        graph.add("Identity", [graph.values[0].name], graph.values[0].dtype, graph.values[0].shape)
    return graph.model(), graph.feeds


__all__ = ["TensorProto", "graphs"]
