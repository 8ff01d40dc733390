"""Forms out of exporters' spellings: the node, its body by onnxruntime; and what only looks like one."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from passes_graphs import Graph
from raising_checks import assert_close, both, exported, numbers, operators, raised, random

from interlingua.onnx.reader import load
from interlingua.passes.forms import ALL, FORMS, to_forms

ABLE = {f"{FORMS}::{form.name}" for form in ALL}
ROLLED = {"shifts": (-1, 2), "axes": (1, 2)}


def said(model, at: int = 0):
    return {name: held.value for name, held in model.graph.node(at).attributes.items()}


def formed(kind: str, name: str):
    """What the exporter wrote, raised and with forms, of which the numbers are the source's."""
    path = exported(kind) / f"{name}.onnx"
    held = np.load(path.with_suffix(".npz"))
    model = raised(load(path))
    assert to_forms(model, ABLE)
    arrays = [held[f"in{index}"] for index in range(sum(key.startswith("in") for key in held))]
    outputs = [held[f"out{index}"] for index in range(sum(key.startswith("out") for key in held))]
    names = [value.name for value in model.graph.inputs]
    assert_close(numbers(model, dict(zip(names, arrays, strict=True))), outputs)
    return model


def check(kind: str, name: str, wanted: list[str]):
    model = formed(kind, name)
    assert operators(model) == wanted
    return said(model)


@pytest.mark.parametrize("kind", ["script", pytest.param("torch", marks=pytest.mark.slow)])
def test_rolls_of_two_axes(kind):
    assert {name: tuple(value) for name, value in check(kind, "roll", ["Roll", "Mul"]).items()} == ROLLED


@pytest.mark.slow
def test_a_roll_of_tensorflow():
    assert check("tf", "roll", ["Roll"]) == {"shifts": (1,), "axes": (1,)}


@pytest.mark.parametrize("kind", ["script", pytest.param("torch", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["glu", "chunked_glu"])
def test_gated_halves(kind, name):
    assert check(kind, name, ["Glu"]) == {"axis": 2}


@pytest.mark.parametrize("kind", ["script", pytest.param("torch", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["rotary", "rotary_neighbours"])
def test_rotary_positions(kind, name):
    model = formed(kind, name)
    found = [node for node in model.graph if node.domain == FORMS]
    assert [node.op_type for node in found] == ["Rotary"] * (2 if name == "rotary" else 1)
    assert all(node.attributes["interleaved"].as_int() == (name != "rotary") for node in found)
    assert not {"Neg", "Slice"} & {*operators(model)}


@pytest.mark.parametrize(
    "other", [{"cut": 2}, {"first": "y"}, {"minus": 0}], ids=["unequal parts", "two sources", "the other sign"]
)
def test_no_rotation(other):
    graph = Graph()
    x, y, cos, sin = (graph.input(name, ["N", 5, 6]) for name in ("x", "y", "c", "s"))
    cut = other.get("cut", 3)
    first, second = part(graph, x, 0, cut, 2), part(graph, x, cut, 6, 2)
    parts = [graph("Neg", second), first] if other.get("minus", 1) else [second, graph("Neg", first)]
    turned = graph("Concat", *parts, axis=-1)
    total = graph("Add", graph("Mul", y if "first" in other else x, cos), graph("Mul", turned, sin))
    arrays = {name: random(2, 5, 6, seed=seed) for seed, name in enumerate("xycs")}
    check_none(graph, graph("Add", total, y), **arrays)


@pytest.mark.slow
def test_a_module_of_attention():
    found = check("torch", "mha", ["MultiheadAttention"])
    assert found["num_heads"] == 4 and found["batch_first"] == 1
    assert found["weights"] == ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")


def part(graph: Graph, value: str, start: int, end: int, axis: int = 1) -> str:
    return graph("Slice", value, *(np.asarray([each]) for each in (start, end, axis)))


def check_none(graph: Graph, output: str, *, able=ABLE, **arrays: np.ndarray) -> None:
    plain, model = both(graph, output)
    before = operators(model)
    assert to_forms(model, able) == 0 and operators(model) == before
    assert_close(numbers(model, arrays), numbers(plain, arrays))


@pytest.mark.parametrize(
    "parts",
    [((2, 6), (0, 3)), ((2, 5), (0, 2)), ((0, 2), (2, 6)), ((2, 6), (1, 2))],
    ids=["an entry twice", "one left out", "nothing moved", "another one left out"],
)
def test_no_roll(parts):
    graph = Graph()
    x = graph.input("x", ["N", 6, 4])
    check_none(graph, graph("Concat", *(part(graph, x, *each) for each in parts), axis=1), x=random(2, 6, 4))


def test_a_part_read_elsewhere_is_no_roll():
    graph = Graph()
    x = graph.input("x", ["N", 6, 4])
    first, second = part(graph, x, 2, 6), part(graph, x, 0, 2)
    y = graph("Concat", graph("Concat", first, second, axis=1), second, axis=1)
    check_none(graph, y, x=random(2, 6, 4))


def test_rolls_of_one_axis_stay_two():
    graph = Graph()
    y = graph.input("x", ["N", 6, 4])
    for _ in range(2):
        y = graph("Concat", part(graph, y, 4, 6), part(graph, y, 0, 4), axis=1)
    _, model = both(graph, y)
    assert to_forms(model, ABLE) == 2 and operators(model) == ["Roll", "Roll"] and said(model)["shifts"] == (2,)


@pytest.mark.parametrize(
    "halves", [((3, 6), (0, 3)), ((0, 3), (0, 3)), ((0, 2), (2, 4))], ids=["turned", "one", "less"]
)
def test_no_gated_halves(halves):
    graph = Graph()
    x = graph.input("x", ["N", 6, 4])
    first, second = (part(graph, x, *each) for each in halves)
    check_none(graph, graph("Mul", first, graph("Sigmoid", second)), x=random(2, 6, 4))


def test_no_form_for_a_target_without_it():
    graph = Graph()
    x = graph.input("x", ["N", 6, 4])
    y = graph("Concat", part(graph, x, 2, 6), part(graph, x, 0, 2), axis=1)
    check_none(graph, y, able={f"{FORMS}::Glu"}, x=random(2, 6, 4))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "equation"), [("einsum_of_heads", "bijk,bljk->bjil"), ("einsum_outer", "bi,bj->bij")])
def test_equations_of_tensorflow(name, equation):
    assert check("tf", name, ["Einsum"]) == {"equation": equation}


def turned_pair(graph: Graph, perms, shape=("N", 5, 4, 8), weight=None):
    x = graph.input("x", [*shape])
    y = graph.input("y", [*shape]) if weight is None else graph.weight(weight)
    return [
        graph("Transpose", each, perm=list(perm)) if perm else each for each, perm in zip((x, y), perms, strict=True)
    ]


def test_an_equation_of_turned_factors():
    graph = Graph()
    product = graph("MatMul", *turned_pair(graph, [(0, 2, 1, 3), (0, 2, 3, 1)]))
    plain, model = both(graph, graph("Transpose", product, perm=[0, 2, 1, 3]))
    assert to_forms(model, ABLE) == 1 and operators(model) == ["Einsum"]
    assert said(model) == {"equation": "bijk,bljk->bijl"}
    arrays = {name: random(2, 5, 4, 8, seed=seed) for seed, name in enumerate("xy")}
    assert_close(numbers(model, arrays), numbers(plain, arrays))


@pytest.mark.parametrize(
    "perms", [[(), ()], [(), (0, 1, 3, 2)], [(0, 1, 3, 2), (0, 1, 3, 2)]], ids=["plain", "one", "both"]
)
def test_no_equation(perms):
    graph = Graph()
    size = ("N", 4, 6, 6)
    arrays = {name: random(2, 4, 6, 6, seed=seed) for seed, name in enumerate("xy")}
    check_none(graph, graph("MatMul", *turned_pair(graph, perms, size)), **arrays)


def test_a_matrix_that_a_layer_has_is_no_factor_of_an_equation():
    graph = Graph()
    product = graph("MatMul", *turned_pair(graph, [(0, 2, 1, 3), ()], weight=random(8, 3)))
    check_none(graph, graph("Transpose", product, perm=[0, 2, 1, 3]), x=random(2, 5, 4, 8))


def test_an_axis_of_two_letters_is_no_equation():
    graph = Graph()
    product = graph("MatMul", *turned_pair(graph, [(0, 2, 1, 3), (0, 2, 3, 1)]))
    joined = graph("Reshape", graph("Transpose", product, perm=[0, 2, 1, 3]), np.asarray([0, 5, -1]))
    plain, model = both(graph, joined)
    assert to_forms(model, ABLE) == 0
    arrays = {name: random(2, 5, 4, 8, seed=seed) for seed, name in enumerate("xy")}
    assert_close(numbers(model, arrays), numbers(plain, arrays))


@pytest.mark.parametrize("kind", ["script", pytest.param("torch", marks=pytest.mark.slow)])
def test_blocks_of_pixels_as_channels(kind):
    assert check(kind, "pixel_unshuffle", ["PixelUnshuffle"]) == {"blocksize": 2}


@pytest.mark.parametrize(
    ("before", "perm", "after"),
    [
        ([0, 3, 4, 2, 3, 2], (0, 1, 3, 5, 4, 2), [0, 12, 3, 4]),
        ([0, 3, 4, 2, 2, 3], (0, 1, 3, 5, 2, 4), [0, 18, 4, 2]),
        ([0, 3, 4, 2, 3, 2], (0, 1, 3, 5, 2, 4), [0, 12, 2, 6]),
    ],
    ids=["turned", "unequal", "other sizes"],
)
def test_no_blocks_of_pixels(before, perm, after):
    graph = Graph()
    parted = graph("Transpose", graph("Reshape", graph.input("x", ["N", 3, 8, 6]), np.asarray(before)), perm=list(perm))
    check_none(graph, graph("Reshape", parted, np.asarray(after)), x=random(2, 3, 8, 6))


def beside(axes: tuple[int, ...], axis: int, *, twice: bool = False):
    """Tensors with a new axis each, put beside each other."""
    graph = Graph(26)
    x, y = graph.input("x", [2, 3]), graph.input("y", [2, 3])
    parts = [
        graph("Unsqueeze", each, graph.weight(np.array([at])))
        for each, at in zip((x, x if twice else y), axes, strict=True)
    ]
    return raised(graph.model(graph("Relu", graph("Concat", *parts, axis=axis))))


def test_tensors_on_a_new_axis():
    model = beside((1, -2), 1)
    before = model.clone()
    assert to_forms(model, ABLE) and operators(model) == ["Stack", "Relu"] and said(model) == {"axis": 1}
    given = {"x": random(2, 3), "y": random(2, 3, seed=8)}
    assert_close(numbers(model, given), numbers(before, given))


@pytest.mark.parametrize("axes, axis, twice", [((1, 1), 0, False), ((2, 2), 1, False), ((1, 1), 1, True)])
def test_no_stack(axes, axis, twice):
    model = beside(axes, axis, twice=twice)
    to_forms(model, ABLE)
    assert "Stack" not in operators(model)


def places(reduction: str, added: int):
    """What ScatterND writes at places along the first axis."""
    graph = Graph(26)
    x, y = graph.input("x", [5, 3]), graph.input("y", [4, 3])
    index = graph("Unsqueeze", graph.input("i", [4], ir.DataType.INT64), graph.weight(np.array([added])))
    return raised(graph.model(graph("Relu", graph("ScatterND", graph("Neg", x), index, y, reduction=reduction))))


@pytest.mark.parametrize("reduction, accumulate", [("none", 0), ("add", 1)])
def test_elements_put_at_places(reduction, accumulate):
    model = places(reduction, -1)
    before = model.clone()
    assert to_forms(model, ABLE) and operators(model) == ["Neg", "IndexPut", "Relu"]
    assert said(model, 1) == {"accumulate": accumulate}
    index = np.array([1, -1, 0, 1 if accumulate else 2], np.int64)
    given = {"x": random(5, 3), "y": random(4, 3), "i": index}
    assert_close(numbers(model, given), numbers(before, given))


def test_other_reductions_are_no_form():
    model = places("max", 1)
    to_forms(model, ABLE)
    assert "ScatterND" in operators(model) and "IndexPut" not in operators(model)
