"""What exporters write in a roundabout way is plain afterwards, and what only looks like it stays."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from passes_graphs import Graph
from raising_checks import both, check_graph, operators, random

INT64 = ir.DataType.INT64


def picked(added: int, batch_dims: int) -> tuple[Graph, str]:
    """Rows at places that have an axis of their own number."""
    graph = Graph()
    x, places = graph.input("x", [3, 4]), graph.input("i", [3, 2], INT64)
    index = graph("Unsqueeze", places, graph.weight(np.array([added])))
    return graph, graph("GatherND", x, index, batch_dims=batch_dims)


@pytest.mark.parametrize(
    "added, batch_dims, wanted", [(-1, 0, ["Gather"]), (2, 0, ["Gather"]), (-1, 1, ["Unsqueeze", "GatherND"])]
)
def test_rows_by_tuples_of_one_number(added: int, batch_dims: int, wanted: list[str]) -> None:
    places = np.array([[0, 2], [-1, 1], [2, 0]], np.int64)
    check_graph(*picked(added, batch_dims), wanted, x=random(3, 4), i=places)


@pytest.mark.parametrize("other, wanted", [("i", ["Gather"]), ("j", ["Expand", "Gather"])])
def test_rows_by_indices_of_their_own_shape(other: str, wanted: list[str]) -> None:
    """As PyTorch's exporter writes `x[i]`: the indices are expanded to the shape of all of them."""
    graph = Graph()
    x, i, _ = graph.input("x", [3, 4]), graph.input("i", ["rows", 2], INT64), graph.input("j", ["more", 2], INT64)
    places = graph("Expand", i, graph("Shape", graph("Max", other)))
    rows = graph("GatherND", x, graph("Concat", graph("Unsqueeze", places, np.asarray([-1])), axis=-1))
    model = both(graph, rows)[1]
    assert [op for op in operators(model) if op not in ("Max", "Shape")] == wanted


@pytest.mark.parametrize("wide, wanted", [(1, ["Gather"]), (2, ["GatherND"])])
def test_rows_by_constant_tuples(wide: int, wanted: list[str]) -> None:
    graph = Graph()
    places = graph.weight(np.array([[0, 2], [-1, 1], [2, 0]], np.int64).reshape(-1, 2 // wide, wide))
    check_graph(graph, graph("GatherND", graph.input("x", [3, 4]), places), wanted, x=random(3, 4))


def test_sequences_of_the_same_parts_are_one_split() -> None:
    graph = Graph()
    x, length = graph.input("x", [2, 6]), graph.weight(np.asarray(2))
    other = graph.weight(np.asarray(3))
    parts = [
        graph("SequenceAt", graph("SplitToSequence", x, size, axis=1), graph.weight(np.asarray(place)))
        for size, place in ((length, 0), (length, 2), (other, 1))
    ]
    check_graph(graph, graph("Concat", *parts, axis=1), ["Split", "Split", "Concat"], x=random(2, 6))
