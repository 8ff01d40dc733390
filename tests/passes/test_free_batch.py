"""A batch of 1 becomes any, where every operator works sample by sample; one that mixes samples keeps it."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from passes_graphs import Graph, weights
from raising_checks import assert_close, numbers, random

from interlingua import passes
from interlingua.ir.canonical import assert_canonical
from interlingua.notes import Notes
from interlingua.passes.free_batch import FREEING


def fixed_and_freed(graph: Graph, output: str) -> tuple[ir.Model, ir.Model, Notes]:
    proto = ir.to_proto(graph.model(output))
    fixed = passes.run(ir.from_proto(proto), notes=Notes())
    notes = Notes()
    freed = passes.run(passes.run(ir.from_proto(proto), notes=Notes()), FREEING, notes=notes, debug=True)
    assert_canonical(freed)
    return fixed, freed, notes


def check_free(graph: Graph, output: str, *shape: int, axis: int = 0) -> ir.Model:
    """The freed model on three samples gives what the fixed one gives on each, stacked."""
    fixed, freed, _ = fixed_and_freed(graph, output)
    assert freed.graph.inputs[0].shape[0] == "N"
    x = random(3, *shape)
    wanted = np.concatenate([numbers(fixed, {"x": x[i : i + 1]})[0] for i in range(3)], axis)
    assert_close(numbers(freed, {"x": x}), [wanted])
    return freed


def check_fixed(graph: Graph, output: str, reason: str) -> None:
    fixed, freed, notes = fixed_and_freed(graph, output)
    assert ir.to_proto(freed).SerializeToString() == ir.to_proto(fixed).SerializeToString()
    assert [note.text for note in notes] and reason in next(iter(notes)).text


def sizes(*numbers: int) -> np.ndarray:
    return np.asarray(numbers, np.int64)


@pytest.mark.parametrize("shape", [[2, 3], [3], ["M", 3]])
def test_an_input_with_another_batch_keeps_it_and_says_so(shape):
    graph = Graph(18)
    x, other = graph.input("x", [1, 3]), graph.input("other", shape)
    check_fixed(graph, graph("Mul", x, other), "the input 'other' has no batch of 1")


def test_a_number_beside_the_batch_is_none():
    graph = Graph(18)
    x, factor = graph.input("x", [1, 3]), graph.input("factor", [])
    _, freed, _ = fixed_and_freed(graph, graph("Mul", x, factor))
    assert freed.graph.inputs[0].shape[0] == "N"


def test_a_network_with_a_classifier():
    graph = Graph(18)
    x = graph.input("x", [1, 3, 8, 8])
    value = graph("Relu", graph("Conv", x, weights(4, 3, 3, 3), weights(4), pads=[1] * 4))
    value = graph("MaxPool", value, kernel_shape=[2, 2], strides=[2, 2])
    value = graph("Reshape", value, sizes(1, 64))
    check_free(graph, graph("Softmax", graph("Gemm", value, weights(64, 5), weights(5))), 3, 8, 8)


def test_a_transformer_with_a_token_of_its_own():
    graph = Graph(18)
    x = graph.input("x", [1, 3, 8, 8])
    patches = graph("Reshape", graph("Conv", x, weights(8, 3, 4, 4), strides=[4, 4]), sizes(1, 8, 4))
    tokens = graph("Concat", weights(1, 1, 8), graph("Transpose", patches, perm=[0, 2, 1]), axis=1)
    packed = graph("Reshape", graph("MatMul", tokens, weights(8, 24)), sizes(1, 5, 3, 2, 4))
    packed = graph("Transpose", packed, perm=[2, 0, 3, 1, 4])
    q, k, v = (graph("Gather", packed, np.asarray(i, np.int64), axis=0) for i in range(3))
    scores = graph("Mul", graph("MatMul", q, graph("Transpose", k, perm=[0, 1, 3, 2])), np.asarray(0.5, np.float32))
    mixed = graph("MatMul", graph("Softmax", scores, axis=-1), v)
    joined = graph("Reshape", graph("Transpose", mixed, perm=[0, 2, 1, 3]), sizes(1, 5, 8))
    y = graph("Gather", graph("Add", tokens, joined), np.asarray(0, np.int64), axis=1)
    check_free(graph, y, 3, 8, 8)


def test_windows_joined_with_the_batch_and_apart_again():
    graph = Graph(18)
    x = graph.input("x", [1, 4, 4, 6])
    parts = graph("Transpose", graph("Reshape", x, sizes(1, 2, 2, 2, 2, 6)), perm=[0, 1, 3, 2, 4, 5])
    windows = graph("MatMul", graph("Reshape", parts, sizes(4, 4, 6)), weights(6, 6))
    back = graph("Transpose", graph("Reshape", windows, sizes(1, 2, 2, 2, 2, 6)), perm=[0, 1, 3, 2, 4, 5])
    check_free(graph, graph("Reshape", back, sizes(1, 4, 4, 6)), 4, 4, 6)


def test_a_batch_that_is_the_second_axis():
    graph = Graph(18)
    x = graph.input("x", [1, 5, 6])
    turned = graph("MatMul", graph("Transpose", x, perm=[1, 0, 2]), weights(6, 6))
    heads = graph("Reshape", turned, sizes(5, 2, 3))
    back = graph("Reshape", graph("Tanh", graph("Transpose", heads, perm=[1, 0, 2])), sizes(1, 2, 5, 3))
    check_free(graph, back, 5, 6)


def test_a_batch_joined_with_the_time_before_it():
    graph = Graph(18)
    x = graph.input("x", [1, 5, 8])
    rows = graph("Reshape", graph("Transpose", x, perm=[1, 0, 2]), sizes(5, 2, 4))
    joined = graph("Reshape", graph("Transpose", rows, perm=[1, 0, 2]), sizes(1, 2, 5, 4))
    flat = graph("Reshape", graph("Transpose", joined, perm=[2, 0, 1, 3]), sizes(5, 8))
    dense = graph("Gemm", flat, weights(8, 3), weights(3))
    y = graph("Transpose", graph("Reshape", dense, sizes(5, 1, 3)), perm=[1, 0, 2])
    check_free(graph, y, 5, 8)


def test_what_mixes_samples_stays():
    graph = Graph(18)
    x = graph.input("x", [1, 4])
    check_fixed(graph, graph("Softmax", x, axis=0), "mixes samples")
    graph = Graph(18)
    x = graph.input("x", [1, 4])
    check_fixed(graph, graph("Mul", x, weights(3, 4)), "mixes samples")
    graph = Graph(18)
    x = graph.input("x", [1, 4])
    check_fixed(graph, graph("ReduceMean", x, sizes(0)), "mixes samples")
    graph = Graph(18)
    x = graph.input("x", [1, 4])
    check_fixed(graph, graph("MatMul", graph("Transpose", x, perm=[1, 0]), weights(1, 4)), "mixes samples")


def test_places_of_maxima_that_count_through_all_samples_stay():
    graph = Graph(22)
    x = graph.input("x", [1, 2, 4, 4])
    values, places = graph("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2], outputs=2)
    check_free(graph, values, 2, 4, 4)
    check_fixed(graph, places, "MaxPool")


def test_lengths_of_one_sample_stay():
    graph = Graph(22)
    x = graph.input("x", [1, 5, 3])
    turned, length = graph("Transpose", x, perm=[1, 0, 2]), np.asarray([2], np.int32)
    y = graph("GRU", turned, weights(1, 12, 3), weights(1, 12, 4), weights(1, 24), length, hidden_size=4)
    check_fixed(graph, graph("Squeeze", y, sizes(1)), "GRU")


def test_an_operator_nobody_vouches_for_stays():
    graph = Graph(18)
    x = graph.input("x", [1, 4])
    check_fixed(graph, graph("NonZero", graph("Relu", x)), "not known to work sample by sample")


@pytest.mark.parametrize("first", ["N", 2])
def test_another_batch_is_no_matter_of_the_pass(first):
    graph = Graph(18)
    x = graph.input("x", [first, 4])
    fixed, freed, notes = fixed_and_freed(graph, graph("Relu", x))
    assert ir.to_proto(freed).SerializeToString() == ir.to_proto(fixed).SerializeToString() and not len(notes)


def test_heads_whose_batch_stands_after_the_time():
    """Attention as PyTorch writes it at a batch of 1: the axis of 1 moves by a Reshape, which would mix samples."""
    graph = Graph(24)
    x = graph.input("x", [1, 5, 8])
    turned = graph("Transpose", x, perm=[1, 0, 2])
    q, k, v = (graph("Reshape", graph("MatMul", turned, weights(8, 8)), sizes(1, 5, 8)) for _ in range(3))
    mixed = graph("Attention", q, k, v, q_num_heads=2, kv_num_heads=2)
    rows = graph("Gemm", graph("Reshape", mixed, sizes(5, 8)), weights(8, 8), weights(8))
    y = graph("Transpose", graph("Reshape", rows, sizes(5, 1, 8)), perm=[1, 0, 2])
    check_free(graph, graph("Add", x, y), 5, 8)


def test_a_recurrent_layer_with_states_of_its_own():
    graph = Graph(22)
    x = graph.input("x", [1, 5, 3])
    states = [np.full((1, 1, 4), number, np.float32) for number in (0.1, 0.3)]
    y = graph(
        "LSTM", graph("Transpose", x, perm=[1, 0, 2]), weights(1, 16, 3), weights(1, 16, 4), weights(1, 32), "",
        *states, hidden_size=4,
    )  # fmt: skip
    y = graph("Transpose", graph("Squeeze", y, sizes(1)), perm=[1, 0, 2])
    check_free(graph, y, 5, 3)


def test_pictures_resized_sampled_and_transformed():
    graph = Graph(22)
    x = graph.input("x", [1, 2, 4, 6])
    y = graph("Resize", x, "", "", sizes(1, 2, 8, 3), mode="linear")
    grid = graph("Tanh", graph("Transpose", graph("Conv", y, weights(2, 2, 1, 1)), perm=[0, 2, 3, 1]))
    y = graph("GridSample", y, grid, mode="linear")
    y = graph("DFT", graph("Unsqueeze", y, sizes(4)), "", np.asarray(3, np.int64), onesided=1)
    check_free(graph, graph("ReduceSum", y, sizes(4)), 2, 4, 6)


def test_the_best_elements_of_each_sample():
    graph = Graph(22)
    x = graph.input("x", [1, 6, 3])
    scores = graph("ReduceSum", x, sizes(2), keepdims=0)
    values, best = graph("TopK", scores, sizes(2), outputs=2)
    index = graph("Expand", graph("Unsqueeze", best, sizes(2)), sizes(1, 2, 3))
    y = graph("GatherElements", x, index, axis=1)
    check_free(graph, graph("Add", y, graph("Unsqueeze", values, sizes(2))), 6, 3)
    graph = Graph(22)
    x = graph.input("x", [1, 6])
    _, best = graph("TopK", x, sizes(1), outputs=2, axis=0)
    check_fixed(graph, best, "mixes samples")
