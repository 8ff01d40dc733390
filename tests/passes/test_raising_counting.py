"""Masks read by indices that only count, as transformers' masks are exported, and indices that do more."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from passes_graphs import Graph, compute
from raising_checks import check_graph, random

from interlingua import passes
from interlingua.notes import Notes

COLUMNS = np.arange(5, dtype=np.int64)


def rows(graph: Graph, x: str) -> str:
    """0, 1, … as many as the first axis is long, along the first of four axes."""
    size = graph("Squeeze", graph("Shape", x, start=0, end=1))
    counted = graph("Range", graph("Constant", value_int=0), size, graph("Constant", value_int=1))
    return graph("Unsqueeze", counted, np.asarray([1, 2, 3], np.int64))


def indices(graph: Graph, *parts: str | np.ndarray) -> str:
    """Indices that are broadcast against each other and stacked, as torch.export writes `mask[rows, columns]`."""
    shape = graph("Shape", graph("Max", *parts))
    last = np.asarray([-1], np.int64)
    return graph("Concat", *(graph("Unsqueeze", graph("Expand", part, shape), last) for part in parts), axis=-1)


def along(axis: int, entries: np.ndarray = COLUMNS) -> np.ndarray:
    return entries.reshape([-1 if each == axis else 1 for each in range(4)])


def test_a_mask_of_the_same_batch_gets_axes_alone():
    graph = Graph(18)
    x = graph.input("mask", ["N", 5])
    y = graph("GatherND", x, indices(graph, rows(graph, x), along(3)))
    check_graph(graph, y, ["Unsqueeze"], mask=random(2, 5))


def test_a_mask_whose_batch_may_be_longer_is_cut():
    graph = Graph(18)
    x, mask = graph.input("x", ["N", 2]), graph.input("mask", ["M", 7])
    y = graph("GatherND", mask, indices(graph, rows(graph, x), along(3)))
    wanted = ["Shape", "Squeeze", "Reshape", "Slice", "Slice", "Unsqueeze"]
    check_graph(graph, y, wanted, x=random(2, 2), mask=random(3, 7))


def test_a_constant_number_of_rows():
    graph = Graph(18)
    mask = graph.input("mask", [2, 5])
    y = graph("GatherND", mask, indices(graph, along(1, np.arange(2, dtype=np.int64)), along(3)))
    check_graph(graph, y, ["Unsqueeze"], mask=random(2, 5))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(along(3), along(1), id="turned"),
        pytest.param(along(3), along(3), id="the diagonal"),
        pytest.param(along(1), along(3, COLUMNS[::-1].copy()), id="backwards"),
        pytest.param(along(1), along(3, COLUMNS // 2), id="twice"),
        pytest.param(along(1, COLUMNS[1:]), along(3), id="from one on"),
    ],
)
def test_indices_that_do_more_than_count(first: np.ndarray, second: np.ndarray):
    graph = Graph(18)
    mask = graph.input("mask", [5, 5])
    y = graph("GatherND", mask, indices(graph, first, second))
    check_graph(graph, y, None, mask=random(5, 5))


def test_whole_rows_are_another_reading():
    graph = Graph(18)
    table = graph.input("table", [5, 4], onnx.TensorProto.FLOAT)
    y = graph("GatherND", table, COLUMNS.reshape(5, 1))
    check_graph(graph, y, None, table=random(5, 4))


def test_ends_of_one_element_are_scalars() -> None:
    graph = Graph()
    x = graph.input("x", ["N", 3])
    count = graph("Slice", graph("Shape", x), np.asarray([0]), np.asarray([1]))
    zero, one = (graph("Constant", value_int=number) for number in (0, 1))
    before = graph.model(graph("Cast", graph("Range", zero, count, one), to=1))
    arrays = {"x": np.zeros((4, 3), np.float32)}
    (wanted,) = compute(before, arrays, check=False)
    model = passes.run(before, notes=Notes())
    onnx.checker.check_model(ir.to_proto(model), full_check=True)
    (found,) = compute(model, arrays)
    np.testing.assert_array_equal(found, wanted)
