"""Rows of a table and products with it, in exporters' spellings; and what only looks like them."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from passes_graphs import Graph
from raising_checks import both, check_export, check_graph, operators, random

INDICES = np.asarray([[2, 0, -1], [1, 1, -3]], np.int64)


def gathered(axis: int, **attributes: int) -> tuple[Graph, str]:
    """`table[indices]` as torch.export writes it; the indices are stacked on `axis`."""
    graph = Graph(18)
    table = graph.input("table", [3, 2, 3])
    indices = graph.input("indices", [2, 3], onnx.TensorProto.INT64)
    stacked = graph("Unsqueeze", indices, np.asarray([axis], np.int64))
    return graph, graph("GatherND", table, stacked, **attributes)


@pytest.mark.parametrize("axis", [-1, 2])
def test_rows_of_a_table_are_gathered(axis: int) -> None:
    graph, y = gathered(axis)
    check_graph(graph, y, ["Gather"], table=random(3, 2, 3), indices=INDICES)


def test_an_index_of_several_axes_stays() -> None:
    graph, y = gathered(1)
    check_graph(graph, y, ["Unsqueeze", "GatherND"], table=random(3, 2, 3), indices=np.abs(INDICES) % 2)


def test_rows_that_are_chosen_for_each_batch_stay() -> None:
    graph = Graph(18)
    table = graph.input("table", [2, 4, 3])
    indices = graph.input("indices", [2, 5], onnx.TensorProto.INT64)
    y = graph("GatherND", table, graph("Unsqueeze", indices, np.asarray([-1], np.int64)), batch_dims=1)
    chosen = np.asarray([[0, 1, 2, 3, 3], [3, 2, 1, 0, 0]], np.int64)
    check_graph(graph, y, ["Unsqueeze", "GatherND"], table=random(2, 4, 3), indices=chosen)


TENSORFLOW = {
    "dense": ["MatMul", "Add"],
    "dense_of_any_length": ["MatMul", "Add"],
    "tensordot": ["MatMul"],
    "embedding": ["Cast", "Gather"],
    "embedding_of_integers": ["Gather"],
    "lookup": ["Gather"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TENSORFLOW)
def test_layers_of_tensorflow(name: str) -> None:
    check_export("tf", name, TENSORFLOW[name])


def wrapped(graph: Graph, indices: str, *, size: int = 6, less: str = "Less", floats: bool = True) -> str:
    """Negative indices counted from the end, chosen by products as tf2onnx chooses among whole numbers."""
    compared = graph("Cast", indices, to=onnx.TensorProto.FLOAT) if floats else indices
    negative = graph(less, compared, np.asarray(0, np.float32 if floats else np.int32))
    kept, left = (graph("Cast", each, to=onnx.TensorProto.INT32) for each in (negative, graph("Not", negative)))
    moved = graph("Mul", kept, graph("Add", indices, np.asarray(size, np.int32)))
    return graph("Add", moved, graph("Mul", left, indices))


@pytest.mark.parametrize("floats", [True, False])
def test_indices_counted_from_the_end(floats: bool) -> None:
    graph = Graph(18)
    indices = graph.input("i", ["N", 3], onnx.TensorProto.INT32)
    y = graph("Gather", graph.weight(random(6, 4)), wrapped(graph, indices, floats=floats))
    check_graph(graph, y, ["Gather"], i=np.asarray([[0, -1, 5], [-6, 2, 1]], np.int32))


@pytest.mark.parametrize("other", [{"size": 5}, {"less": "Greater"}], ids=["another size", "positive ones"])
def test_indices_that_are_moved_otherwise(other: dict[str, object]) -> None:
    graph = Graph(18)
    indices = graph.input("i", ["N", 3], onnx.TensorProto.INT32)
    y = graph("Gather", graph.weight(random(16, 4)), wrapped(graph, indices, **other))
    wanted = ["Cast", str(other.get("less", "Less")), "Add", "Where", "Gather"]
    check_graph(graph, y, wanted, i=np.asarray([[0, 1, 5], [3, 2, 1]], np.int32))


def test_products_of_floats_do_not_select() -> None:
    """An infinity times zero is no zero."""
    graph = Graph(18)
    x, y = (graph.input(name, ["N", 3]) for name in "xy")
    condition = graph("Less", x, y)
    kept, left = (graph("Cast", each, to=1) for each in (condition, graph("Not", condition)))
    total = graph("Add", graph("Mul", kept, x), graph("Mul", left, y))
    check_graph(graph, total, None, x=random(2, 3), y=random(2, 3, seed=9))


def reshaped(first: list[int], last: list[int], sizes: tuple[object, ...] = ("N", 5, 4)) -> tuple[Graph, str]:
    graph = Graph(18)
    rows = graph("Reshape", graph.input("x", [*sizes]), np.asarray(first))
    return graph, graph("Reshape", graph("MatMul", rows, graph.weight(random(first[-1], 3))), np.asarray(last))


def test_a_product_of_rows() -> None:
    graph, y = reshaped([-1, 4], [-1, 5, 3])
    check_graph(graph, y, ["MatMul"], x=random(2, 5, 4))


def test_a_product_of_flattened_rows() -> None:
    """As paddle2onnx writes `mul`: the sizes of the result are put together from those of its inputs."""
    graph = Graph(18)
    x, table = graph.input("x", ["N", "S", 4]), graph.weight(random(4, 3))
    rows = graph("MatMul", graph("Flatten", x, axis=2), table)
    front = graph("Slice", graph("Shape", x), *(np.asarray([n]) for n in (0, 2, 0)))
    back = graph("Slice", graph("Shape", table), *(np.asarray([n]) for n in (1, 2, 0)))
    y = graph("Identity", graph("Reshape", rows, graph("Concat", front, back, axis=0)))
    check_graph(graph, y, ["MatMul"], x=random(2, 5, 4))


@pytest.mark.parametrize(
    ("first", "last"),
    [([-1, 4], [5, -1, 3]), ([-1, 4], [-1, 3]), ([-1, 2], [-1, 5, 3]), ([-1, 20], [-1, 1, 3]), ([-1, 4], [-1, 15, 1])],
    ids=["turned", "rows", "other columns", "two axes", "a column"],
)
def test_no_product_of_rows(first: list[int], last: list[int]) -> None:
    graph, y = reshaped(first, last)
    _, model = both(graph, y)
    assert "Reshape" in operators(model)
    check_graph(graph, y, operators(model), x=random(4, 5, 4))


@pytest.mark.parametrize(("sizes", "gone"), [([-1, 5, 4], True), ([5, -1, 4], False), ([-1, 4, 5], False)])
def test_a_reshape_to_the_sizes_that_are(sizes: list[int], gone: bool) -> None:
    graph = Graph(18)
    y = graph("Relu", graph("Reshape", graph("Tanh", graph.input("x", ["N", 5, 4])), np.asarray(sizes)))
    check_graph(graph, y, ["Tanh", "Relu"] if gone else None, x=random(2, 5, 4))
