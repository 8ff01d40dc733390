"""Blocks of pixels, softmax, norms and plain spellings; and what only looks like them."""

from __future__ import annotations

import numpy as np
import pytest
from passes_graphs import Graph
from raising_checks import check_export, check_graph, random

SCRIPT = {
    "pixel_shuffle": ["DepthToSpace"],
    "pixels_crd": ["DepthToSpace"],
    "pixels_dcr": ["DepthToSpace"],
    "blocks": ["SpaceToDepth"],
    "channel_shuffle": ["Reshape", "Transpose", "Reshape"],
    "windows": ["Reshape", "Transpose", "Reshape"],
    "written_softmax": ["Softmax"],
    "log_softmax": ["LogSoftmax"],
    "log_sum_exp": ["ReduceLogSumExp"],
    "normalize": ["ReduceL2", "Clip", "Div"],
}


@pytest.mark.parametrize("name", SCRIPT)
def test_torchscript_exports(name):
    check_export("script", name, SCRIPT[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SCRIPT, "chunked_glu"])
def test_dynamo_exports(name):
    check_export("torch", name, SCRIPT.get(name, ["Split", "Sigmoid", "Mul"]))


def blocks(graph: Graph, before: list[int], perm: list[int], after: list[int]) -> str:
    x = graph.input("x", ["N", 8, 6, 4])
    turned = graph("Transpose", graph("Reshape", x, np.asarray(before, np.int64)), perm=perm)
    return graph("Reshape", turned, np.asarray(after, np.int64))


@pytest.mark.parametrize(
    ("before", "perm", "after"),
    [
        ([-1, 2, 2, 2, 6, 4], [0, 1, 4, 3, 5, 2], [-1, 2, 12, 8]),
        ([-1, 2, 2, 2, 6, 4], [0, 1, 4, 2, 5, 3], [-1, 2, 8, 12]),
        ([-1, 2, 4, 1, 6, 4], [0, 1, 4, 2, 5, 3], [-1, 2, 24, 4]),
    ],
    ids=["order", "sizes", "unequal blocks"],
)
def test_no_blocks_of_pixels(before, perm, after):
    graph = Graph(18)
    check_graph(graph, blocks(graph, before, perm, after), None, x=random(2, 8, 6, 4))


def test_a_sum_over_another_axis_is_no_softmax():
    graph = Graph(18)
    x = graph.input("x", [3, 3])
    largest = graph("ReduceMax", x, np.asarray([0], np.int64))
    exponential = graph("Exp", graph("Sub", x, largest))
    total = graph("ReduceSum", exponential, np.asarray([1], np.int64))
    check_graph(graph, graph("Div", exponential, total), ["ReduceMax", "Sub", "Softmax"], x=random(3, 3))


def test_a_sum_without_its_axis_is_no_softmax():
    graph = Graph(18)
    x = graph.input("x", [3, 3])
    exponential = graph("Exp", x)
    total = graph("ReduceSum", exponential, np.asarray([1], np.int64), keepdims=0)
    check_graph(graph, graph("Div", exponential, total), None, x=random(3, 3))


def test_an_expansion_that_widens_the_result_stays():
    graph = Graph(18)
    x, y = graph.input("x", ["N", 1, 4]), graph.input("y", ["N", 1, 4])
    wide = graph("Expand", y, np.asarray([1, 3, 1], np.int64))
    check_graph(graph, graph("Mul", x, wide), None, x=random(2, 1, 4), y=random(2, 1, 4, seed=9))


def test_a_root_of_a_sum_of_squares():
    graph = Graph(18)
    x = graph.input("x", ["N", 4])
    total = graph("ReduceSum", graph("Mul", x, x), np.asarray([-1], np.int64))
    check_graph(graph, graph("Sqrt", total), ["ReduceL2"], x=random(2, 4))
