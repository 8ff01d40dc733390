"""Random ONNX graphs for `tools/fuzz.py`: operators, attributes, element types, ranks, broadcasting, empty tensors.

What a step adds is told by the modules fuzz_elementwise, fuzz_shapes, fuzz_indexing, fuzz_networks and fuzz_signals;
each registers its steps with `step`.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import helper, numpy_helper, shape_inference

OPSETS = (18, 21, 21, 23, 24)
FLOATS = ("float32", "float64", "float16")
SIGNED = ("int64", "int32", "int16", "int8")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
INTEGERS = (*SIGNED, *UNSIGNED)
KINDS = {name: helper.np_dtype_to_tensor_dtype(np.dtype(name)) for name in (*FLOATS, *INTEGERS, "bool")}
MODULES = ("elementwise", "shapes", "indexing", "networks", "signals")
_SPECIAL = (np.nan, np.inf, -np.inf, -0.0)
_LARGEST = 20_000


@dataclasses.dataclass
class Tensor:
    """A value of the graph so far: its name, element type, and shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def rank(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many elements it has."""
        return int(np.prod(self.shape))


class Graph:
    """A graph that grows by one step at a time; `draw` is hypothesis' own."""

    def __init__(self, draw: Callable[[Any], Any]) -> None:
        self.draw = draw
        self.opset: int = draw(st.sampled_from(OPSETS))
        self.open_shapes: bool = draw(st.integers(0, 3)) == 0
        self.nodes: list[onnx.NodeProto] = []
        self.inputs: list[Tensor] = []
        self.initializers: list[onnx.TensorProto] = []
        self.values: list[Tensor] = []
        self.outputs: dict[str, str] = {}
        self.feeds: dict[str, np.ndarray[Any, Any]] = {}

    def one_of(self, *choices: Any) -> Any:
        """One of the choices."""
        return self.draw(st.sampled_from(choices))

    def whole(self, low: int, high: int) -> int:
        """A whole number between both ends, which are among them."""
        return int(self.draw(st.integers(low, high)))

    def some(self, chances: int = 2) -> bool:
        """True in one of so many draws."""
        return self.whole(1, chances) == chances

    def array(self, dtype: str, shape: Sequence[int], *, tame: bool = False) -> np.ndarray[Any, Any]:
        """Seeded values of that type; of floats some are NaN, infinite or minus zero, unless they are to be tame."""
        random = np.random.default_rng(self.whole(0, 999))
        if dtype == "bool":
            return random.integers(0, 2, shape).astype(bool)
        if dtype in INTEGERS:
            return random.integers(0 if dtype in UNSIGNED else -5, 9, shape).astype(dtype)
        values = np.asarray(random.normal(0, 2, shape), dtype)
        if values.size and not tame and self.some(6):
            values.reshape(-1)[self.whole(0, values.size - 1)] = self.one_of(*_SPECIAL)
        return values

    def input(self, dtype: str, shape: Sequence[int], values: Any = None, *, tame: bool = False) -> Tensor:
        """A new input, or a constant of the model."""
        tensor = Tensor(f"x{len(self.inputs) + len(self.initializers)}", dtype, tuple(shape))
        array = self.array(dtype, shape, tame=tame) if values is None else np.asarray(values, dtype).reshape(shape)
        if self.inputs and self.some(3):
            self.initializers.append(numpy_helper.from_array(array, tensor.name))
        else:
            self.inputs.append(tensor)
            self.feeds[tensor.name] = array
        self.values.append(tensor)
        return tensor

    def weight(self, dtype: str, shape: Sequence[int], values: Any = None) -> str:
        """A constant of tame values, or an input."""
        return self.input(dtype, shape, values, tame=True).name

    def finite(self, tensor: Tensor) -> bool:
        """Whether it is an input whose values are all finite."""
        return tensor.name in self.feeds and bool(np.isfinite(self.feeds[tensor.name]).all())

    def constant(self, values: Any, dtype: str = "int64") -> str:
        """A parameter as a constant; seldom as an input of the model, which is known when it runs."""
        array = np.asarray(values, dtype)
        if self.some(12):
            name = f"x{len(self.inputs) + len(self.initializers)}"
            self.inputs.append(Tensor(name, dtype, array.shape))
            self.feeds[name] = array
            return name
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def add(
        self, op: str, inputs: Sequence[str], dtype: str | None = None, shape: Sequence[int] | None = None, **said: Any
    ) -> Tensor | None:
        """A node with one output, its type and shape inferred where unsaid."""
        if dtype is None or shape is None:
            (found, *_) = self.node(op, inputs, 1, **said) or (None,)
            return found
        output = self._made(op, inputs, 1, said).output[0]
        return self._known(output, dtype, tuple(shape))

    def node(self, op: str, inputs: Sequence[str], outputs: int | Sequence[str] = 1, **said: Any) -> list[Tensor]:
        """A node with several outputs ("" for one left out); those whose shape is inferred can be read further on.

        A node that the standard's own inference refuses is not added.
        """
        if onnx.defs.get_schema(op, onnx.defs.onnx_opset_version(), "").since_version and not _exists(op, self.opset):
            return []
        node = self._made(op, inputs, outputs, said)
        try:
            types = self._inferred(node)
        except Exception:  # the step was drawn with arguments that do not fit
            self.nodes.pop()
            return []
        known = []
        for name in filter(None, node.output):
            kind = types[name].tensor_type if name in types else onnx.TypeProto.Tensor()
            dtype = str(helper.tensor_dtype_to_np_dtype(kind.elem_type)) if kind.elem_type else ""
            dims = [each.dim_value if each.HasField("dim_value") else None for each in kind.shape.dim]
            if dtype in KINDS and kind.HasField("shape") and None not in dims:
                known.append(self._known(name, dtype, tuple(each for each in dims if each is not None)))
            elif dtype in KINDS:
                self.outputs[name] = dtype
            else:
                self.nodes.remove(node)
                return []
        return known

    def attach(self, node: onnx.NodeProto, dtype: str, shape: Sequence[int]) -> Tensor:
        """A node made elsewhere, such as one with subgraphs or without a tensor among its outputs."""
        self.nodes.append(node)
        return self._known(node.output[0], dtype, tuple(shape))

    def _made(
        self, op: str, inputs: Sequence[str], outputs: int | Sequence[str], said: dict[str, Any]
    ) -> onnx.NodeProto:
        number = len(self.nodes)
        suffixes = [str(index or "") for index in range(outputs)] if isinstance(outputs, int) else outputs
        names = [f"y{number}_{each}".rstrip("_") if each != "-" else "" for each in suffixes]
        given = list(inputs)
        while given and not given[-1]:
            given.pop()
        attributes = {name: value for name, value in said.items() if value is not None and value != []}
        self.nodes.append(helper.make_node(op, given, names, name=f"node{number}", **attributes))
        return self.nodes[-1]

    def _known(self, name: str, dtype: str, shape: tuple[int, ...]) -> Tensor:
        tensor = Tensor(name, dtype, shape)
        self.outputs[name] = dtype
        if tensor.size <= _LARGEST:
            self.values.append(tensor)
        return tensor

    def _inferred(self, node: onnx.NodeProto) -> dict[str, onnx.TypeProto]:
        types = {
            each.name: helper.make_tensor_type_proto(KINDS[each.dtype], each.shape)
            for each in (*self.values, *self.inputs)
        }
        data = {each.name: each for each in self.initializers}
        for name, array in self.feeds.items():
            data.setdefault(name, numpy_helper.from_array(array, name))
        for name, tensor in data.items():
            types.setdefault(name, helper.make_tensor_type_proto(tensor.data_type, tensor.dims))
        schema = onnx.defs.get_schema(node.op_type, self.opset, "")
        imports = [helper.make_opsetid("", self.opset)]
        names = set(filter(None, node.input))
        return dict(
            shape_inference.infer_node_outputs(
                schema,
                node,
                {name: types[name] for name in names},
                {name: data[name] for name in names if name in data},
                opset_imports=imports,
                ir_version=10,
            )
        )

    def pick(self, *dtypes: str, rank: int = 0, most: int = 9, filled: bool = False) -> Tensor | None:
        """A value of one of the types with that many axes, and with elements where it is to be `filled`."""
        fits = [
            each
            for each in self.values
            if each.dtype in dtypes and rank <= each.rank <= most and (each.size or not filled)
        ]
        return self.draw(st.sampled_from(fits)) if fits else None

    def model(self) -> bytes:
        """The graph as a model: what nobody reads is an output."""
        read = {name for node in self.nodes for name in node.input}
        ends = [name for name in self.outputs if name not in read]
        graph = helper.make_graph(
            self.nodes,
            "random",
            [self._port(each) for each in self.inputs],
            [helper.make_tensor_value_info(name, KINDS[self.outputs[name]], None) for name in ends],
            self.initializers,
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10)
        return bytes(made.SerializeToString())

    def _port(self, tensor: Tensor) -> onnx.ValueInfoProto:
        shape: list[int | str] = list(tensor.shape)
        if self.open_shapes:
            shape = [f"{tensor.name}_{axis}" for axis in range(tensor.rank)]
        return helper.make_tensor_value_info(tensor.name, KINDS[tensor.dtype], shape)


Step = Callable[[Graph], None]
STEPS: dict[str, Step] = {}


def step(function: Step) -> Step:
    """Registers what adds to a graph."""
    if function.__name__ in STEPS:
        raise ValueError(f"two steps are called {function.__name__}")
    STEPS[function.__name__] = function
    return function


def _exists(op: str, opset: int) -> bool:
    try:
        return not onnx.defs.get_schema(op, opset, "").deprecated
    except onnx.defs.SchemaError:
        return False


@st.composite
def graphs(draw: Any) -> tuple[bytes, dict[str, np.ndarray[Any, Any]]]:
    """A model of one to six steps with arrays for its inputs."""
    for name in MODULES:
        importlib.import_module(f"fuzz_{name}")
    graph = Graph(draw)
    rank = graph.whole(0, 4)
    low = 0 if graph.some(10) else 1
    dtype = graph.one_of(*FLOATS, "float32", "float32", *INTEGERS, "bool")
    graph.input(dtype, [graph.whole(low, 4) for _ in range(rank)])
    for name in draw(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=6)):
        STEPS[name](graph)
    if not graph.nodes:
        first = graph.values[0]
        graph.add("Identity", [first.name], first.dtype, first.shape)
    return graph.model(), graph.feeds
