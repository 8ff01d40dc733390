"""A stated number that is expanded fills a tensor; a parameter that is expanded stays one."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from passes_graphs import Graph, compute, operators

from interlingua import passes
from interlingua.notes import Notes


def number(graph: Graph, value: object) -> str:
    name: str = graph("Constant", value=onnx.numpy_helper.from_array(np.asarray(value)))
    return name


@pytest.mark.parametrize(
    ("value", "rank"), [(np.float32(2.5), 2), (np.zeros((1, 1), np.int64), 2), (np.asarray(True), 3)]
)
def test_a_number_fills_the_shape(value: np.ndarray, rank: int) -> None:  # type: ignore[type-arg]
    graph = Graph()
    x = graph.input("x", ["N", *range(3, 2 + rank)])
    before = graph.model(graph("Expand", number(graph, value), graph("Shape", x)))
    arrays = {"x": np.zeros((4, *range(3, 2 + rank)), np.float32)}
    (wanted,) = compute(before, arrays)
    model = passes.run(before, notes=Notes(), debug=True)
    assert operators(model) == ["Shape", "ConstantOfShape"]
    (found,) = compute(model, arrays)
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("kind", ["parameter", "several numbers", "more axes", "as many sizes as nobody knows"])
def test_what_only_looks_like_it_stays(kind: str) -> None:
    graph = Graph()
    x = graph.input("x", ["N", 3])
    sizes = graph("Shape", x)
    if kind == "parameter":
        value = graph.weight(np.float32(2.5))
    elif kind == "several numbers":
        value = number(graph, np.arange(3, dtype=np.float32))
    elif kind == "more axes":
        value = number(graph, np.ones((1, 1, 1), np.float32))
    else:
        value, sizes = number(graph, np.float32(2)), graph.input("sizes", ["K"], onnx.TensorProto.INT64)
    model: ir.Model = passes.run(graph.model(graph("Expand", value, sizes)), notes=Notes())
    assert "Expand" in operators(model)
