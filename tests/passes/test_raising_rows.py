"""Rows of a table gathered by indices of one axis more, and gathers that mean something else."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from passes_graphs import Graph
from raising_checks import check_graph, random

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
