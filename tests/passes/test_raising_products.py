"""Products over some axes in exporters' spellings, which fold all axes into those of matrices; and near misses."""

from __future__ import annotations

import numpy as np
import pytest
from passes_graphs import Graph
from raising_checks import assert_close, both, check_export, check_graph, exported, numbers, operators, raised, random

from interlingua.onnx.reader import load

DENSE = ["MatMul", "Add"]
TENSORFLOW = {
    "einsum_of_heads": ["Transpose", "Transpose", "MatMul"],
    "multi_head": [*DENSE * 3, "Attention", *DENSE],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TENSORFLOW)
def test_products_of_tensorflow(name: str) -> None:
    check_export("tf", name, TENSORFLOW[name])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "wanted"), [("einsum_by_batch", ["MatMul"]), ("einsum_outer", ["Unsqueeze", "Unsqueeze", "MatMul"])]
)
def test_products_of_tensorflow_of_one_size(name: str, wanted: list[str]) -> None:
    path = exported("tf") / f"{name}.onnx"
    held = np.load(path.with_suffix(".npz"))
    model = raised(load(path))
    assert sorted(operators(model)) == sorted(wanted)
    arrays = {value.name: held[f"in{index}"] for index, value in enumerate(model.graph.inputs)}
    assert_close(numbers(model, arrays), [held["out0"]])


def folded(
    graph: Graph, x: str, y: str, rows: list[int] | None = None, columns: list[int] | None = None, last: int = 5
) -> str:
    """`bqhd,bkhd->bhqk` of (N, 5, 4, 8) and (M, 6, 4, 8), the batch and the heads as one axis."""
    x = graph("Reshape", graph("Transpose", x, perm=[0, 2, 1, 3]), np.asarray(rows or [-1, 5, 8]))
    y = graph("Reshape", graph("Transpose", y, perm=[0, 2, 1, 3]), np.asarray(columns or [-1, 6, 8]))
    product = graph("MatMul", x, graph("Transpose", y, perm=[0, 2, 1]))
    return graph("Reshape", product, np.asarray([-1, 4, last, 6]))


ARRAYS = {"x": random(2, 5, 4, 8), "y": random(2, 6, 4, 8, seed=9)}


def test_heads_and_batch_in_one() -> None:
    graph = Graph(18)
    y = folded(graph, graph.input("x", ["N", 5, 4, 8]), graph.input("y", ["N", 6, 4, 8]))
    check_graph(graph, y, ["Transpose", "Transpose", "MatMul"], **ARRAYS)


def test_axes_of_one_size_are_told_apart() -> None:
    graph = Graph(18)
    x, y = (graph.input(name, ["N", 4, 4, 4]) for name in "xy")
    product = folded(graph, x, y, [-1, 4, 4], [-1, 4, 4], 4)
    product = graph("Reshape", product, np.asarray([-1, 4, 4, 4]))
    graph.nodes.pop()  # the last Reshape is that of `folded`, whose columns are 6
    graph.nodes[-1].input[1] = graph.weight(np.asarray([-1, 4, 4, 4]))
    arrays = {name: random(2, 4, 4, 4, seed=seed) for seed, name in enumerate("xy")}
    check_graph(graph, graph.nodes[-1].output[0], ["Transpose", "Transpose", "MatMul"], **arrays)


@pytest.mark.parametrize(
    ("rows", "columns"), [([-1, 10, 4], [-1, 12, 4]), ([-1, 20, 8], [-1, 24, 8])], ids=["halves", "all heads"]
)
def test_features_that_a_row_has_a_part_of(rows: list[int], columns: list[int]) -> None:
    """Of a row of eight features each half is a row by itself; rows of one head meet those of all heads."""
    graph = Graph(18)
    x, y = graph.input("x", ["N", 5, 4, 8]), graph.input("y", ["N", 6, 4, 8])
    x = graph("Reshape", graph("Transpose", x, perm=[0, 2, 1, 3]), np.asarray(rows))
    y = graph("Reshape", graph("Transpose", y, perm=[0, 2, 1, 3]), np.asarray(columns))
    check_graph(graph, graph("MatMul", x, graph("Transpose", y, perm=[0, 2, 1])), None, **ARRAYS)


def test_heads_of_another_size_on_each_side_stay() -> None:
    """A batch of four by six of the one, and of six by four of the other."""
    graph = Graph(18)
    x, y = graph.input("x", ["N", 4, 6, 5, 8]), graph.input("y", ["N", 6, 4, 8, 5])
    pair = [graph("Reshape", each, np.asarray([-1, *last])) for each, last in ((x, (5, 8)), (y, (8, 5)))]
    product = graph("Reshape", graph("MatMul", *pair), np.asarray([-1, 4, 6, 5, 5]))
    check_graph(graph, product, None, x=random(2, 4, 6, 5, 8), y=random(2, 6, 4, 8, 5))


def test_batches_of_two_names_stay_where_one_may_be_repeated() -> None:
    graph = Graph(18)
    x, y = graph.input("x", ["N", 5]), graph.input("y", ["M", 6])
    rows = graph("Reshape", graph("Unsqueeze", x, np.asarray([1])), np.asarray([-1, 5, 1]))
    columns = graph("Reshape", graph("Unsqueeze", y, np.asarray([2])), np.asarray([-1, 1, 6]))
    product = graph("Relu", graph("MatMul", rows, columns))
    check_graph(graph, product, None, x=random(1, 5), y=random(3, 6))


def test_a_part_read_elsewhere_stays() -> None:
    graph = Graph(18)
    x, y = graph.input("x", ["N", 5, 4, 8]), graph.input("y", ["N", 6, 4, 8])
    product = folded(graph, x, y)
    inner = graph.nodes[-1].input[0]
    total = graph("Add", graph("Reshape", inner, np.asarray([-1, 4, 5, 6])), graph("Relu", product))
    plain, model = both(graph, total)
    assert operators(model).count("MatMul") == 1
    assert_close(numbers(model, ARRAYS), numbers(plain, ARRAYS))


@pytest.mark.parametrize(("sizes", "wanted"), [((2, 3), ["MatMul", "Add", "Reshape"]), ((3,), None), ((1, 3), None)])
def test_a_bias_behind_parted_features(sizes: tuple[int, ...], wanted: list[str] | None) -> None:
    graph = Graph(18)
    product = graph("MatMul", graph.input("x", ["N", 5, 4]), graph.weight(random(4, 6)))
    parted = graph("Reshape", product, np.asarray([-1, 5, 2, 3]))
    check_graph(graph, graph("Add", parted, graph.weight(random(*sizes))), wanted, x=random(2, 5, 4))


@pytest.mark.parametrize("kind", ["script", pytest.param("torch", marks=pytest.mark.slow)])
def test_attention_by_equations(kind: str) -> None:
    check_export(kind, "equations", [*DENSE * 3, "Attention", "Mul"])


@pytest.mark.parametrize(
    ("equation", "softmax"),
    [("bqhd,bkhd->bhqk", False), ("bqhd,bkhd->bqkh", False), ("bqhd,ckhd->bqhkc", True), ("...hd,...kd->...hk", True)],
    ids=["without a softmax", "no heads", "another batch", "no letters"],
)
def test_an_equation_that_is_no_attention_stays(equation: str, softmax: bool) -> None:
    graph = Graph(18)
    x, y = (graph.input(name, ["N", 5, 4, 8]) for name in "xy")
    scores = graph("Einsum", x, y, equation=equation)
    wanted = ["Einsum", "Softmax" if softmax else "Relu"]
    arrays = {name: random(2, 5, 4, 8, seed=seed) for seed, name in enumerate("xy")}
    check_graph(graph, graph(wanted[1], scores), wanted, **arrays)
