"""Any graph computes the same after the layout pass, and has no more Transposes than before."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from passes_graphs import Graph, compute, operators

from interlingua import passes
from interlingua.ir import metadata
from interlingua.ir.canonical import check
from interlingua.notes import Notes
from interlingua.passes import layout
from interlingua.passes.channels_last import ABLE

ORDERS = [(0, 2, 3, 1), (0, 3, 1, 2), (0, 1, 3, 2), (1, 0, 2, 3), (3, 2, 1, 0)]


class Drawn:
    """Draws a graph: each step takes values that are there and makes one more."""

    def __init__(self, draw) -> None:
        self.draw, self.graph, self.values = draw, Graph(), []
        self.seed = draw(st.integers(0, 1 << 16))
        sizes = draw(st.sampled_from([(2, 3, 4, 5), (2, 4, 4, 4), (3, 3, 3, 3), (1, 2, 6, 6), (2, 1, 5, 1)]))
        self.add(self.graph.input("x", list(sizes)), sizes)
        self.shape = sizes

    def add(self, name, shape) -> None:
        self.values.append((name, tuple(shape)))

    def numbers(self, *shape) -> np.ndarray:
        self.seed += 1
        return (np.random.default_rng(self.seed).normal(size=shape) * 0.5).astype(np.float32)

    def step(self) -> None:
        wide = [each for each in self.values if len(each[1]) == 4]
        name, shape = self.draw(st.sampled_from(wide))
        kinds = [
            "transpose",
            "transpose",
            "unary",
            "conv",
            "pool",
            "constant",
            "join",
            "concat",
            "pad",
            "softmax",
            "mean",
        ]
        kind = self.draw(st.sampled_from([*kinds, "slice", "normalize", "split", "squeeze", "prelu"]))
        getattr(self, kind)(name, shape)

    def transpose(self, name, shape) -> None:
        order = self.draw(st.sampled_from(ORDERS))
        self.add(self.graph.transpose(name, *order), [shape[axis] for axis in order])

    def unary(self, name, shape) -> None:
        self.add(self.graph(self.draw(st.sampled_from(["Relu", "Sigmoid", "Tanh", "Neg"])), name), shape)

    def conv(self, name, shape) -> None:
        self.add(self.graph("Conv", name, self.numbers(3, shape[1], 1, 1), self.numbers(3)), (shape[0], 3, *shape[2:]))

    def pool(self, name, shape) -> None:
        if min(shape[2:]) < 2:
            return
        op = self.draw(st.sampled_from(["MaxPool", "AveragePool"]))
        self.add(self.graph(op, name, kernel_shape=[2, 2]), (*shape[:2], shape[2] - 1, shape[3] - 1))

    def constant(self, name, shape) -> None:
        lacking = self.draw(st.integers(0, 3))
        sizes = [size if self.draw(st.booleans()) else 1 for size in shape[lacking:]]
        terms = [name, self.numbers(*sizes)]
        if self.draw(st.booleans()):
            terms.reverse()
        self.add(self.graph(self.draw(st.sampled_from(["Add", "Mul", "Sub"])), *terms), shape)

    def join(self, name, shape) -> None:
        other = self.draw(st.sampled_from([each[0] for each in self.values if each[1] == shape]))
        self.add(self.graph(self.draw(st.sampled_from(["Add", "Mul", "Max"])), name, other), shape)

    def concat(self, name, shape) -> None:
        axis = self.draw(st.integers(-4, 3))
        other = self.draw(st.sampled_from([each[0] for each in self.values if each[1] == shape]))
        sizes = list(shape)
        sizes[axis] *= 2
        self.add(self.graph("Concat", name, other, axis=axis), sizes)

    def pad(self, name, shape) -> None:
        pads = self.draw(st.lists(st.integers(0, 1), min_size=8, max_size=8))
        sizes = [size + pads[axis] + pads[axis + 4] for axis, size in enumerate(shape)]
        self.add(self.graph("Pad", name, np.array(pads, np.int64)), sizes)

    def softmax(self, name, shape) -> None:
        self.add(self.graph("Softmax", name, axis=self.draw(st.integers(-4, 3))), shape)

    def mean(self, name, shape) -> None:
        axes = sorted(self.draw(st.sets(st.integers(0, 3), min_size=1, max_size=2)))
        keep = self.draw(st.integers(0, 1))
        sizes = [1 if axis in axes else size for axis, size in enumerate(shape) if keep or axis not in axes]
        reduced = self.graph("ReduceMean", name, np.array(axes, np.int64), keepdims=keep)
        self.add(reduced, sizes)
        if not keep:
            places = np.array(axes if self.draw(st.booleans()) else range(len(axes)), np.int64)
            wide = iter(sizes)
            sizes = [1 if axis in places else next(wide) for axis in range(4)]
            self.add(self.graph("Unsqueeze", reduced, places), sizes)

    def slice(self, name, shape) -> None:
        axis = self.draw(st.integers(0, 3))
        if shape[axis] < 2:
            return
        sizes = list(shape)
        sizes[axis] -= 1
        ends = np.array([np.iinfo(np.int64).max], np.int64)
        self.add(self.graph("Slice", name, np.array([1], np.int64), ends, np.array([axis], np.int64)), sizes)

    def normalize(self, name, shape) -> None:
        size = shape[1]
        rest = [self.numbers(size), self.numbers(size), self.numbers(size), np.abs(self.numbers(size)) + 1]
        self.add(self.graph("BatchNormalization", name, *rest), shape)

    def split(self, name, shape) -> None:
        axis = self.draw(st.integers(0, 3))
        if shape[axis] % 2:
            return
        sizes = list(shape)
        sizes[axis] //= 2
        for each in self.graph("Split", name, axis=axis, num_outputs=2, outputs=2):
            self.add(each, sizes)

    def squeeze(self, name, shape) -> None:
        for axis, size in enumerate(shape):
            if size == 1:
                narrow = self.graph("Squeeze", name, np.array([axis], np.int64))
                self.add(self.graph("Unsqueeze", narrow, np.array([axis], np.int64)), shape)
                return

    def prelu(self, name, shape) -> None:
        self.add(self.graph("PRelu", name, self.numbers(shape[1], 1, 1)), shape)

    def end(self) -> ir.Model:
        name, shape = self.values[-1]
        outputs = [name]
        if len(shape) == 4 and self.draw(st.booleans()):
            flat = self.graph("Flatten", name)
            outputs = [self.graph("Gemm", flat, self.numbers(int(np.prod(shape[1:])), 3), self.numbers(3))]
        if self.draw(st.booleans()):
            outputs.append(self.draw(st.sampled_from([each[0] for each in self.values[1:]] or [name])))
        return self.graph.model(*dict.fromkeys(each for each in outputs if each != "x"))


@st.composite
def graphs(draw):
    drawn = Drawn(draw)
    drawn.unary(*drawn.values[0])
    for _ in range(draw(st.integers(2, 9))):
        drawn.step()
    return drawn.end(), drawn.shape


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(graphs(), st.sampled_from(["source", "native"]), st.booleans())
def test_any_graph_computes_the_same(drawn, choice, last):
    model, shape = drawn
    model = passes.run(model, notes=Notes(), debug=True)
    array = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    before = compute(model, {"x": array})
    count = operators(model).count("Transpose")
    layout.apply(model, data_axes="N * C" if last else "N C *", ops=ABLE, layout=choice, notes=Notes(), debug=True)
    (x,) = model.graph.inputs
    order = metadata.permutation(x)
    after = compute(model, {"x": array if order is None else array.transpose(order).copy()})
    for value, expected, found in zip(model.graph.outputs, before, after, strict=True):
        turned = metadata.permutation(value)
        expected = expected if turned is None else expected.transpose(turned)
        assert list(found.shape) == [size if isinstance(size, int) else -1 for size in value.shape or found.shape]
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)
    if not last:
        assert operators(model).count("Transpose") <= count
        assert not [line for line in check(model) if "identity" not in line]
