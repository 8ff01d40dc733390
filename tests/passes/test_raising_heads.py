"""Heads split off, shared and merged around attention, in exporters' spellings; and what only looks like it."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from passes_graphs import Graph
from raising_checks import assert_close, both, check_export, check_graph, numbers, operators, random

from interlingua.codegen.function_bodies import expand_all

DENSE = ["MatMul", "Add"]
PACKED = [*DENSE, "Split", "Attention", "Mul"]
SCRIPT = {
    "merged_heads": [*DENSE, *DENSE, *DENSE, "Attention", "Mul"],
    "packed_heads": PACKED,
    "windowed_attention": [*DENSE, "Split", "Reshape", "Reshape", "Reshape", "Attention", "Reshape", "Mul"],
}


@pytest.mark.parametrize("name", SCRIPT)
def test_torchscript_exports(name):
    check_export("script", name, SCRIPT[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SCRIPT, "sliced_heads"])
def test_dynamo_exports(name):
    check_export("torch", name, SCRIPT.get(name, PACKED))


@pytest.mark.slow
def test_a_packed_projection_stays_one_weight():
    turned = ["Split", "Transpose", "Transpose", "Transpose", "Attention", "Transpose"]
    check_export("torch", "mha", ["Transpose", *DENSE, *turned, "Reshape", "Gemm", "Reshape", "Transpose"])


def split(graph: Graph, value: str, *, heads: int = 2, perm: tuple[int, ...] = (0, 2, 1, 3)) -> str:
    parted = graph("Reshape", value, np.asarray([0, 0, heads, -1], np.int64))
    return graph("Transpose", parted, perm=list(perm))


def merged(graph: Graph, value: str) -> str:
    return graph("Reshape", graph("Transpose", value, perm=[0, 2, 1, 3]), np.asarray([0, 0, -1], np.int64))


def inputs(graph: Graph, *, keys: int = 8) -> list[str]:
    sizes = {"q": 8, "k": keys, "v": keys}
    return [graph.input(name, ["N", 5, size]) for name, size in sizes.items()]


ARRAYS = {name: random(2, 5, 8, seed=seed) for seed, name in enumerate("qkv")}


def test_groups_of_queries_without_axes_of_heads():
    graph = Graph()
    q, k, v = inputs(graph, keys=4)
    heads = [split(graph, q, heads=4), split(graph, k), split(graph, v)]
    arrays = {**ARRAYS, "k": random(2, 5, 4), "v": random(2, 5, 4, seed=9)}
    model = check_graph(graph, merged(graph, graph("Attention", *heads)), ["Attention"], **arrays)
    said = {name: held.value for name, held in model.graph.node(0).attributes.items()}
    assert said == {"q_num_heads": 4, "kv_num_heads": 2}


def test_repeated_heads_of_an_attention_that_is_one_already():
    graph = Graph()
    q, k, v = graph.input("q", ["N", 4, 5, 8]), graph.input("k", ["N", 2, 5, 8]), graph.input("v", ["N", 2, 5, 8])
    whole = [graph("Expand", graph("Unsqueeze", each, np.asarray([2])), np.asarray([1, 1, 2, 1, 1])) for each in (k, v)]
    wide = [graph("Reshape", each, np.asarray([0, 4, 5, 8])) for each in whole]
    arrays = {"q": random(2, 4, 5, 8), "k": random(2, 2, 5, 8), "v": random(2, 2, 5, 8, seed=3)}
    model = check_graph(graph, graph("Attention", q, *wide, scale=8**-0.5), ["Attention"], **arrays)
    assert not model.graph.node(0).attributes


@pytest.mark.parametrize("other", [True, False])
def test_a_mask_beside_one_that_masks_nothing(other):
    graph = Graph()
    values = [graph.input(name, ["N", 4, 5, 8]) for name in "qkv"]
    keep = graph.input("keep", ["N", 1, 1, 5], onnx.TensorProto.BOOL)
    nothing = np.ones((1, 1, 5, 1), bool)
    nothing[0, 0, 2] = other
    y = graph("Attention", *values, graph("And", nothing, keep))
    arrays = {name: random(2, 4, 5, 8, seed=seed) for seed, name in enumerate("qkv")}
    arrays["keep"] = random(2, 1, 1, 5, seed=4) > -0.5
    check_graph(graph, y, ["Attention"] if other else None, **arrays)


def test_heads_as_part_of_the_batch():
    """As older modules have it: (length, batch · heads, size), turned."""
    graph = Graph()
    values = [graph.input(name, [5, 2, 8]) for name in "qkv"]
    parted = [graph("Reshape", each, np.asarray([5, 4, 4])) for each in values]
    q, k, v = (graph("Transpose", each, perm=[1, 0, 2]) for each in parted)
    q = graph("Mul", q, graph("Constant", value_float=0.5))
    scores = graph("MatMul", q, graph("Transpose", k, perm=[0, 2, 1]))
    y = graph("Transpose", graph("MatMul", graph("Softmax", scores, axis=-1), v), perm=[1, 0, 2])
    y = graph("Reshape", y, np.asarray([5, 2, 8]))
    wanted = ["Transpose", "Transpose", "Transpose", "Attention", "Transpose"]
    arrays = {name: random(5, 2, 8, seed=seed) for seed, name in enumerate("qkv")}
    check_graph(graph, y, wanted, **arrays)


def test_heads_that_are_the_inner_factor_stay_an_axis():
    graph = Graph()
    q, k, v = inputs(graph)
    turned = graph("Transpose", graph("Reshape", q, np.asarray([0, 0, 4, 2])), perm=[0, 3, 1, 2])
    y = graph("Attention", turned, split(graph, k), split(graph, v))
    check_graph(graph, merged(graph, y), None, **ARRAYS)


def test_heads_that_nobody_merges_stay_an_axis():
    graph = Graph()
    check_graph(graph, graph("Attention", *(split(graph, each) for each in inputs(graph))), None, **ARRAYS)


def test_a_result_merged_in_another_order_keeps_its_heads():
    graph = Graph()
    y = graph("Attention", *(split(graph, each) for each in inputs(graph)))
    turned = graph("Transpose", y, perm=[0, 2, 3, 1])
    check_graph(graph, graph("Reshape", turned, np.asarray([0, 0, -1])), None, **ARRAYS)


def test_unequal_parts_of_a_projection_keep_their_heads():
    """Queries and keys of two features a head beside values of four: no part of the projection is one of them."""
    graph = Graph()
    x = graph("Reshape", graph.input("x", ["N", 5, 16]), np.asarray([0, 0, 2, 8]))
    parts = graph("Split", x, np.asarray([2, 2, 4]), outputs=3, axis=3)
    y = graph("Attention", *(graph("Transpose", each, perm=[0, 2, 1, 3]) for each in parts))
    check_graph(graph, merged(graph, y), None, x=random(2, 5, 16))


@pytest.mark.parametrize("keys", [8, 4])
@pytest.mark.parametrize("merge", [True, False])
def test_the_body_for_targets_without_attention(keys, merge):
    graph = Graph()
    q, k, v = inputs(graph, keys=keys)
    mask = graph.input("mask", ["N", 1, 5, 5])
    heads = [split(graph, q, heads=4), split(graph, k, heads=keys // 2), split(graph, v, heads=keys // 2)]
    y = graph("Attention", *heads, mask, scale=0.3)
    plain, model = both(graph, merged(graph, y) if merge else y)
    assert operators(model).count("Attention") == 1
    assert expand_all(model, lambda node: node.op_type != "Attention") == 1 and "Attention" not in operators(model)
    arrays = {**ARRAYS, "k": random(2, 5, keys), "v": random(2, 5, keys, seed=9), "mask": random(2, 1, 5, 5)}
    assert_close(numbers(model, arrays), numbers(plain, arrays))
