"""Attention out of exporters' spellings: scales, masks, groups of heads; and what only looks like it."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest
from passes_graphs import Graph
from raising_checks import check_export, check_graph, random

ONE = ["Attention"]
UNIT = ["ReduceL2", "Clip", "Div"]
WINDOWS = ["Reshape", "MatMul", "Add", "Reshape", "Transpose"]
MASKED = ["Add", *["Reshape"] * 4, "Attention", "Reshape", "Transpose", "Reshape", "Mul"]
SCRIPT = {
    "attention": ONE,
    "sdpa": ONE,
    "causal_attention": ONE,
    "sdpa_causal": ONE,
    "group_attention": ONE,
    "interleaved_attention": ONE,
    "batched_attention": ["Unsqueeze", "Unsqueeze", "Unsqueeze", "Attention", "Squeeze"],
    "padded_attention": ["Unsqueeze", "Unsqueeze", "Cast", "Sub", "Mul", "Attention"],
    "filled_attention": ["Unsqueeze", "Unsqueeze", "Not", "Where", "Attention"],
    "sdpa_masked": ["Unsqueeze", "Unsqueeze", "Where", "Attention"],
    "cosine_attention": [*UNIT, *UNIT, "Clip", "Exp", "Mul", "Attention"],
    "shifted_windows": [*WINDOWS, "Split", *["Squeeze"] * 3, *MASKED],
}
BUFFER = ["Unsqueeze", "Unsqueeze", "Squeeze"]
"""The mask is a buffer of the state dict, as this exporter tells, and stays as it is there."""
DYNAMO = {**SCRIPT, "sdpa_groups": ONE, "shifted_windows": [*WINDOWS, *["Slice", "Squeeze"] * 3, *BUFFER, *MASKED]}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPT)
def test_torchscript_exports(name):
    check_export("script", name, SCRIPT[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", DYNAMO)
def test_dynamo_exports(name):
    check_export("torch", name, DYNAMO[name])


QUERY = {name: random(2, 4, 5, 8, seed=seed) for seed, name in enumerate("qkv")}


def spelled(
    graph: Graph,
    *,
    factor: float = 1 / math.sqrt(8),
    mask: str = "",
    fill: tuple[str, float] | None = None,
    guard: bool = False,
    axis: int = -1,
    perm: tuple[int, ...] = (0, 1, 3, 2),
    after_mask: bool = False,
    dropout: bool = False,
) -> tuple[str, str]:
    """Attention in small operators on the inputs q, k, v; its result and its weights."""
    q, k, v = (graph.input(name, ["N", 4, 5, 8]) for name in "qkv")
    scores = graph("MatMul", q, graph("Transpose", k, perm=list(perm)))
    scale = graph("Constant", value_float=factor)
    scores = scores if after_mask else graph("Mul", scores, scale)
    if mask:
        scores = graph("Add", scores, mask)
    if fill is not None:
        scores = graph("Where", fill[0], graph("Constant", value_float=fill[1]), scores)
    scores = graph("Mul", scores, scale) if after_mask else scores
    weights = graph("Softmax", scores, axis=axis)
    if guard:
        weights = graph("Where", graph("IsNaN", weights), graph("Constant", value_float=0.0), weights)
    if dropout:
        weights = graph("Dropout", weights)
    return graph("MatMul", weights, v), weights


def test_a_scale_of_its_own():
    graph = Graph(18)
    y, _ = spelled(graph, factor=0.2)
    model = check_graph(graph, y, ONE, **QUERY)
    assert model.graph.node(0).attributes["scale"].as_float() == pytest.approx(0.2)


def test_keys_turned_with_their_heads():
    graph = Graph(18)
    q, v = (graph.input(name, ["N", 4, 5, 8]) for name in "qv")
    k = graph.input("k", ["N", 5, 4, 8])
    scores = graph("MatMul", q, graph("Transpose", k, perm=[0, 2, 3, 1]))
    y = graph("MatMul", graph("Softmax", scores, axis=-1), v)
    given = {**QUERY, "k": QUERY["k"].transpose(0, 2, 1, 3).copy()}
    model = check_graph(graph, y, ["Transpose", "Attention"], **given)
    assert model.graph.node(1).attributes["scale"].as_float() == 1.0


def test_a_row_masked_whole_stays_nan_without_a_guard():
    graph = Graph(18)
    mask = graph.input("mask", ["N", 1, 5, 5])
    y, _ = spelled(graph, mask=mask)
    given = np.zeros((2, 1, 5, 5), np.float32)
    given[0, 0, 2] = -np.inf
    check_graph(graph, y, None, mask=given, **QUERY)


def test_a_row_masked_whole_is_zero_with_a_guard():
    graph = Graph(18)
    mask = graph.input("mask", ["N", 1, 5, 5])
    y, _ = spelled(graph, mask=mask, guard=True)
    given = np.zeros((2, 1, 5, 5), np.float32)
    given[0, 0, 2] = -np.inf
    check_graph(graph, y, ONE, mask=given, **QUERY)


@pytest.mark.parametrize("guard", [True, False])
def test_a_boolean_mask_of_minus_infinity(guard):
    graph = Graph(18)
    hidden = graph.input("hidden", ["N", 1, 1, 5], onnx.TensorProto.BOOL)
    y, _ = spelled(graph, fill=(hidden, -math.inf), guard=guard)
    given = np.zeros((2, 1, 1, 5), bool)
    given[0, ..., 3:] = True
    given[1] = True
    check_graph(graph, y, ["Not", "Attention"] if guard else None, hidden=given, **QUERY)


@pytest.mark.parametrize("fill", [-1e9, float(np.finfo(np.float32).min)], ids=["large", "largest"])
def test_a_boolean_mask_of_a_large_number_leaves_an_even_row(fill):
    graph = Graph(18)
    hidden = graph.input("hidden", ["N", 1, 1, 5], onnx.TensorProto.BOOL)
    y, _ = spelled(graph, fill=(hidden, fill))
    given = np.zeros((2, 1, 1, 5), bool)
    given[1] = True
    check_graph(graph, y, ["Where", "Attention"], hidden=given, **QUERY)


def test_what_two_masks_hide_is_hidden_more():
    """As GPT-Neo: the lowest number twice is minus infinity, so that a row hidden whole sees what one of them hides."""
    lowest = np.finfo(np.float32).min
    graph = Graph(18)
    hidden = graph.input("hidden", ["N", 1, 1, 5], onnx.TensorProto.BOOL)
    zero, fill = (graph("Constant", value_float=float(each)) for each in (0, lowest))
    causal = graph.weight(np.where(np.tril(np.ones((5, 5))), np.float32(0), lowest), "causal")
    y, _ = spelled(graph, mask=graph("Add", causal, graph("Where", hidden, fill, zero)))
    given = np.zeros((2, 1, 1, 5), bool)
    given[0, ..., :2] = True
    check_graph(graph, y, ["Where", "Add", "Attention"], hidden=given, **QUERY)


def test_a_constant_mask_that_leaves_something_in_each_row():
    band = np.where(np.abs(np.subtract.outer(np.arange(5), np.arange(5))) <= 1, 0, -np.inf).astype(np.float32)
    graph = Graph(18)
    y, _ = spelled(graph, mask=graph.weight(band, "band"))
    model = check_graph(graph, y, ONE, **QUERY)
    assert "is_causal" not in model.graph.node(0).attributes
    band[1] = -np.inf
    graph = Graph(18)
    y, _ = spelled(graph, mask=graph.weight(band, "band"))
    check_graph(graph, y, None, **QUERY)


@pytest.mark.parametrize(
    "other",
    [{"axis": 2}, {"after_mask": True}, {"fill": -3.0}, {"dropout": True}],
    ids=["axis", "scaled mask", "small fill", "dropout"],
)
def test_no_attention(other):
    graph = Graph(18)
    arrays = dict(QUERY)
    if other.get("after_mask"):
        other = {**other, "mask": graph.weight(random(5, 5), "bias")}
    if "fill" in other:
        arrays["hidden"] = random(2, 1, 1, 5) > 0
        other = {"fill": (graph.input("hidden", ["N", 1, 1, 5], onnx.TensorProto.BOOL), other["fill"])}
    y, _ = spelled(graph, **other)
    check_graph(graph, y, None, **arrays)


def test_weights_used_elsewhere_stay():
    graph = Graph(18)
    y, weights = spelled(graph)
    check_graph(graph, graph("Concat", y, weights, axis=-1), None, **QUERY)


def test_batches_that_broadcast_are_no_attention():
    graph = Graph(18)
    q = graph.input("q", ["N", 4, 5, 8])
    k, v = (graph.input(name, [1, 4, 5, 8]) for name in "kv")
    scores = graph("MatMul", q, graph("Transpose", k, perm=[0, 1, 3, 2]))
    y = graph("MatMul", graph("Softmax", scores, axis=-1), v)
    check_graph(graph, y, None, q=QUERY["q"], k=QUERY["k"][:1], v=QUERY["v"][:1])


def test_a_mask_over_one_key_is_no_mask():
    """The operator would take a shorter mask as one that hides the other keys."""
    graph = Graph(18)
    y, _ = spelled(graph, mask=graph.weight(random(5, 1), "bias"))
    check_graph(graph, y, None, **QUERY)


def shifted(graph: Graph, sizes: tuple[int, ...], parted: list[int]) -> str:
    """Attention of windows on the inputs q, k, v; masks of those sizes are added to the scores, parted so."""
    q, k, v = (graph.input(name, ["N", 4, 5, 8]) for name in "qkv")
    masks = graph("Tanh", graph.input("mask", [*sizes]))
    scores = graph("MatMul", q, graph("Transpose", k, perm=[0, 1, 3, 2]))
    scores = graph("Add", graph("Reshape", scores, np.asarray(parted)), masks)
    return graph("MatMul", graph("Softmax", graph("Reshape", scores, np.asarray([-1, 4, 5, 5]))), v)


WINDOWED = {name: random(6, 4, 5, 8, seed=seed) for seed, name in enumerate("qkv")}


@pytest.mark.parametrize(
    ("sizes", "changed"),
    [((3, 4, 5, 5), []), ((1, 3, 4, 1, 5), ["Squeeze"]), ((1, 3, 1, 5, 5), ["Squeeze", "Expand"])],
    ids=["each head", "each key", "all heads"],
)
def test_masks_of_windows(sizes, changed):
    graph = Graph(18)
    y = shifted(graph, sizes, [-1, 3, 4, 5, 5])
    moves = ["Reshape"] * 3 + changed[1:] + ["Reshape"]
    check_graph(graph, y, ["Tanh", *changed[:1], *moves, "Attention", "Reshape"], mask=random(*sizes), **WINDOWED)


@pytest.mark.parametrize(
    ("sizes", "parted"),
    [((2, 3, 1, 5, 5), [2, 3, 4, 5, 5]), ((3, 1, 1, 5), [4, 3, 2, 5, 5]), ((3, 1, 5, 1), [2, 3, 4, 5, 5])],
    ids=["a mask for each image", "other heads", "one key"],
)
def test_no_masks_of_windows(sizes, parted):
    graph = Graph(18)
    check_graph(graph, shifted(graph, sizes, parted), None, mask=random(*sizes), **WINDOWED)


@pytest.mark.parametrize("sizes", [(4, 1, 5), (5, 5)])
def test_a_factor_of_the_keys_is_no_scale(sizes):
    graph = Graph(18)
    q, k, v = (graph.input(name, ["N", 4, 5, 8]) for name in "qkv")
    scores = graph("MatMul", q, graph("Transpose", k, perm=[0, 1, 3, 2]))
    scores = graph("Mul", scores, graph.weight(random(*sizes), "factor"))
    check_graph(graph, graph("MatMul", graph("Softmax", scores), v), None, **QUERY)


def bounded(graph: Graph, *, outer: float = 2.0, before: str = "", after: str = "") -> str:
    """Attention whose scores a tanh bounds by 2, with masks before and after it."""
    q, k, v = (graph.input(name, ["N", 4, 5, 8]) for name in "qkv")
    factor, bound, other = (graph("Constant", value_float=each) for each in (0.3, 2.0, outer))
    scores = graph("Mul", graph("MatMul", q, graph("Transpose", k, perm=[0, 1, 3, 2])), factor)
    scores = graph("Add", scores, before) if before else scores
    scores = graph("Mul", graph("Tanh", graph("Div", scores, bound)), other)
    scores = graph("Add", scores, after) if after else scores
    return graph("MatMul", graph("Softmax", scores), v)


def test_scores_that_a_tanh_bounds_below_a_mask():
    graph = Graph(18)
    mask = np.where(np.tril(np.ones((5, 5))), random(5, 5), -np.inf).astype(np.float32)
    model = check_graph(graph, bounded(graph, after=graph.weight(mask, "mask")), ONE, **QUERY)
    said = model.graph.node(0).attributes
    assert said["softcap"].as_float() == 2.0 and said["scale"].as_float() == pytest.approx(0.3)


@pytest.mark.parametrize("place", ["before", "between"])
def test_what_a_tanh_bounds_with_its_mask_is_no_attention(place):
    graph = Graph(18)
    mask = graph.weight(random(5, 5), "mask")
    y = bounded(graph, before=mask) if place == "before" else bounded(graph, outer=-2.0, after=mask)
    check_graph(graph, y, None, **QUERY)


def test_a_bound_of_another_size_is_a_scale_of_the_curve():
    graph = Graph(18)
    y = bounded(graph, outer=5.0)
    said = check_graph(graph, y, ONE, **QUERY).graph.node(0).attributes
    assert said["softcap"].as_float() == 5.0 and said["scale"].as_float() == pytest.approx(0.3 * 5 / 2)


def test_heads_repeated_for_groups_of_queries_in_pieces():
    graph = Graph(18)
    q = graph.input("q", ["N", 4, 5, 8])
    wide = []
    for name in "kv":
        apart = graph("Unsqueeze", graph.input(name, ["N", 2, 5, 8]), np.asarray([2]))
        repeated = graph("Expand", apart, np.asarray([1, 1, 2, 1, 1]))
        wide.append(graph("Reshape", repeated, np.asarray([0, 4, 5, 8])))
    scores = graph("MatMul", q, graph("Transpose", wide[0], perm=[0, 1, 3, 2]))
    y = graph("MatMul", graph("Softmax", scores), wide[1])
    check_graph(graph, y, ONE, q=QUERY["q"], k=random(2, 2, 5, 8, seed=7), v=random(2, 2, 5, 8, seed=8))
