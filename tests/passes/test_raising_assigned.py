"""Parts of a tensor that are written, as PyTorch's exporter spells `x[:, 1:] = y`; and what only looks like it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from passes_graphs import Graph
from raising_checks import check_graph, random

from interlingua.passes.raising import JoinSlices
from interlingua.passes.unused import RemoveUnused

SHORTER = (JoinSlices, RemoveUnused)
INT64 = onnx.TensorProto.INT64


def column(*places: int) -> np.ndarray:
    """Places of one axis each, as ScatterND wants them."""
    return np.asarray(places, np.int64)[:, None]


def cut(graph: Graph, value: str, axis: int, start: int, end: int, step: int = 1) -> str:
    """A Slice along one axis."""
    return graph("Slice", value, *(np.asarray([held], np.int64) for held in (start, end, axis, step)))


def written(graph: Graph, data: str, updates: str, places: np.ndarray, **attributes: str) -> str:
    """The updates along the last axis of three, between Transposes."""
    turned = graph("ScatterND", graph.transpose(data, 2, 1, 0), places, graph.transpose(updates, 2, 1, 0), **attributes)
    return graph.transpose(turned, 2, 1, 0)


@pytest.mark.parametrize(
    "places, wanted",
    [
        ((1, 2), ["Slice", "Slice", "Concat"]),
        ((0, 1), ["Slice", "Concat"]),
        ((3, 4), ["Slice", "Concat"]),
        ((0, 2), None),
        ((2, 1), None),
        ((-2, -1), None),
    ],
)
def test_rows_that_follow_one_another(places: tuple[int, int], wanted: list[str] | None) -> None:
    graph = Graph()
    x, y = graph.input("x", [5, 3]), graph.input("y", [2, 3])
    check_graph(graph, graph("ScatterND", x, column(*places), y), wanted, x=random(5, 3), y=random(2, 3, seed=8))


@pytest.mark.parametrize(
    "attributes, wanted", [({}, ["Slice", "Slice", "Concat"]), ({"reduction": "add"}, None)], ids=["put", "added"]
)
def test_another_axis_stands_between_transposes(attributes: dict[str, str], wanted: list[str] | None) -> None:
    graph = Graph()
    x, y = graph.input("x", ["batch", 3, 6]), graph.input("y", ["batch", 3, 2])
    arrays = {"x": random(2, 3, 6), "y": random(2, 3, 2, seed=8)}
    check_graph(graph, written(graph, x, y, column(2, 3), **attributes), wanted, **arrays)


def test_a_number_is_written_too() -> None:
    graph = Graph()
    x = graph.input("x", [2, 3, 6])
    fill = graph("ConstantOfShape", np.asarray([2, 3, 2], np.int64))
    turned = graph("ScatterND", graph.transpose(x, 2, 1, 0), column(4, 5), fill)
    check_graph(graph, graph.transpose(turned, 2, 1, 0), ["Slice", "Concat"], x=random(2, 3, 6))


def test_transposes_of_different_orders_stay() -> None:
    graph = Graph()
    x, y = graph.input("x", [3, 3, 3]), graph.input("y", [2, 3, 3])
    turned = graph("ScatterND", graph.transpose(x, 2, 1, 0), column(0, 1), y)
    check_graph(graph, graph.transpose(turned, 1, 2, 0), None, x=random(3, 3, 3), y=random(2, 3, 3, seed=8))


@pytest.mark.parametrize("start", [0, 1])
def test_all_rows_of_any_number_are_what_is_written(start: int) -> None:
    graph = Graph()
    x, y = graph.input("x", ["batch", 3]), graph.input("y", ["batch", 3])
    ends = [graph("Gather", graph("Shape", each), np.asarray(0, np.int64)) for each in (x, y)]
    places = graph("Range", np.asarray(start, np.int64), ends[0], np.asarray(1, np.int64))
    put = y if start == 0 else cut(graph, y, 0, 1, 2**31 - 1)
    scattered = graph("ScatterND", x, graph("Unsqueeze", places, np.asarray([-1], np.int64)), put)
    wanted = ["Relu"] if start == 0 else None
    check_graph(graph, graph("Relu", scattered), wanted, x=random(4, 3), y=random(4, 3, seed=8))


def test_a_part_changed_in_place_is_joined_once() -> None:
    """`x[:, 1:, 1:] += y`: what the exporter writes back a second time is there already."""
    graph = Graph()
    x, y = graph.input("x", ["batch", 3, 4]), graph.input("y", ["batch", 2, 3])
    for _ in range(2):
        rows = cut(graph, x, 1, 1, 9)
        part = cut(graph, rows, 2, 1, 9)
        part = graph("Add", part, y) if x == "x" else part
        rows = written(graph, rows, part, column(1, 2, 3))
        rows = graph("ScatterND", graph.transpose(x, 1, 0, 2), column(1, 2), graph.transpose(rows, 1, 0, 2))
        x = graph.transpose(rows, 1, 0, 2)
    wanted = ["Slice", "Add", "Slice", "Concat", "Slice", "Concat"]
    check_graph(graph, x, wanted, SHORTER, x=random(2, 3, 4), y=random(2, 2, 3, seed=8))


def test_what_is_filled_entry_by_entry_is_stacked() -> None:
    graph = Graph()
    x = graph.input("x", ["batch", 3, 4])
    held = graph("Neg", x)
    for place in range(3):
        entry = graph("Exp", cut(graph, x, 1, place, place + 1))
        shape = graph("Shape", entry)
        held = graph("ScatterElements", held, graph("Expand", np.asarray(place, np.int64), shape), entry, axis=1)
    check_graph(graph, held, ["Slice", "Exp", "Slice", "Exp", "Slice", "Exp", "Concat"], x=random(2, 3, 4))


@pytest.mark.parametrize("places, size", [([[1, 1], [2, 1]], 2), ([[1, 1]], 2)])
def test_entries_of_different_places_and_of_some_rows_stay(places: list[list[int]], size: int) -> None:
    graph = Graph()
    held = np.asarray(places, np.int64)
    x, y = graph.input("x", [3, size + 1]), graph.input("y", [*held.shape])
    scattered = graph("ScatterElements", x, held, y, axis=1)
    check_graph(graph, scattered, None, x=random(3, size + 1), y=random(*held.shape, seed=8))


@pytest.mark.parametrize(
    "first, second, wanted",
    [
        ((1, 1, 9, 1), (2, 0, 9, 2), ["Slice"]),
        ((1, 1, -1, 1), (1, 1, 9, 2), ["Slice"]),
        ((1, 0, 9, 2), (1, 1, 9, 1), None),
    ],
    ids=["axes", "same-axis", "steps-first"],
)
def test_slices_of_slices(
    first: tuple[int, int, int, int], second: tuple[int, int, int, int], wanted: list[str] | None
) -> None:
    graph = Graph()
    x = graph.input("x", ["batch", 6, 5])
    check_graph(graph, cut(graph, cut(graph, x, *first), *second), wanted, SHORTER, x=random(2, 6, 5))


def test_a_part_of_what_the_source_joins_stays() -> None:
    graph = Graph()
    x, y = graph.input("x", ["batch", 2]), graph.input("y", ["batch", 3])
    part = cut(graph, graph("Concat", x, y, axis=1), 1, 2, 5)
    check_graph(graph, graph("Relu", part), None, x=random(2, 2), y=random(2, 3, seed=8))


@pytest.mark.parametrize(
    "start, end, axis, squeezed, wanted",
    [
        (1, 2, 1, 1, ["Gather"]),
        (-1, 9, -2, 1, ["Gather"]),
        (2, 9, 1, -2, ["Gather"]),
        (0, 2, 1, 0, None),
        (1, 2, 1, 0, None),
    ],
    ids=["one", "last", "to-the-end", "two", "another-axis"],
)
def test_an_entry_of_an_axis(start: int, end: int, axis: int, squeezed: int, wanted: list[str] | None) -> None:
    graph = Graph()
    part = cut(graph, graph.input("x", [1, 3, 4]), axis, start, end)
    check_graph(graph, graph("Squeeze", part, np.asarray([squeezed], np.int64)), wanted, SHORTER, x=random(1, 3, 4))


def test_an_entry_that_is_read_with_its_axis_too_stays() -> None:
    graph = Graph()
    part = cut(graph, graph.input("x", ["batch", 3, 4]), 1, 1, 2)
    entry = graph("Squeeze", part, np.asarray([1], np.int64))
    check_graph(graph, graph("Add", entry, graph("ReduceSum", part, keepdims=0)), None, SHORTER, x=random(2, 3, 4))
