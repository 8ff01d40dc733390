"""Batch normalization by statistics of its own input, as exporters write what trains, and what only looks like it."""

from __future__ import annotations

import numpy as np
from passes_graphs import Graph, weights
from raising_checks import check_graph, random


def by_own_statistics(graph: Graph, x: str, other: str = "") -> str:
    """As torch.export writes `F.batch_norm(x, None, None, …, training=True)`; the variance is that of `other`."""

    def mean(value: str, keepdims: int) -> str:
        return graph("ReduceMean", value, np.asarray([0, 2], np.int64), keepdims=keepdims)

    other = other or x
    centred = graph("Sub", other, mean(other, 1))
    variance = mean(graph("Mul", centred, centred), 0)
    gamma, beta = graph.weight(weights(3), "gamma"), graph.weight(weights(3, seed=1), "beta")
    return graph("BatchNormalization", x, gamma, beta, mean(x, 0), variance, epsilon=1e-4, momentum=0.0)


def test_one_sample_normalized_by_its_own_statistics():
    graph = Graph(18)
    x = graph.input("x", [1, 3, 8])
    model = check_graph(graph, by_own_statistics(graph, x), ["InstanceNormalization"], x=random(1, 3, 8))
    node = model.graph.node(0)
    assert [value.name for value in node.inputs] == ["x", "gamma", "beta"]
    assert abs(node.attributes["epsilon"].as_float() - 1e-4) < 1e-9


def test_a_weight_standardized_before_it_convolves():
    """The normalized sample is a weight: scaled weight standardization."""
    graph = Graph(18)
    x = graph.input("x", ["N", 2, 5, 5])
    flat = graph("Reshape", graph.weight(weights(3, 2, 3, 3), "weight"), np.asarray([1, 3, -1], np.int64))
    weight = graph("Reshape", by_own_statistics(graph, flat), np.asarray([3, 2, 3, 3], np.int64))
    wanted = ["InstanceNormalization", "Reshape", "Conv"]
    check_graph(graph, graph("Conv", x, weight), wanted, x=random(2, 2, 5, 5))


def test_more_samples_than_one_share_their_statistics():
    graph = Graph(18)
    x = graph.input("x", [2, 3, 8])
    check_graph(graph, by_own_statistics(graph, x), None, x=random(2, 3, 8))


def test_a_batch_that_is_open_may_be_more_than_one():
    graph = Graph(18)
    x = graph.input("x", ["N", 3, 8])
    check_graph(graph, by_own_statistics(graph, x), None, x=random(2, 3, 8))


def test_statistics_of_another_sample_size():
    """The mean of half the sample is not the sample's."""
    graph = Graph(18)
    x = graph.input("x", [1, 3, 8])
    half = graph("Slice", x, *(np.asarray([number], np.int64) for number in (0, 4, 2)))
    check_graph(graph, by_own_statistics(graph, x, half), None, x=random(1, 3, 8))


def test_the_variance_of_another_value():
    graph = Graph(18)
    x, other = graph.input("x", [1, 3, 8]), graph.input("other", [1, 3, 8])
    y = by_own_statistics(graph, x, other)
    check_graph(graph, y, None, x=random(1, 3, 8), other=random(1, 3, 8, seed=1))
