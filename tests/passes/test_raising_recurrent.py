"""Recurrent layers out of Loop, Scan and unrolled cells; and what only looks like them. Numbers before and after."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import pytest
from passes_graphs import Graph, weights
from raising_checks import PLAIN, assert_close, check_export, exported, numbers, raised, random

from interlingua import passes
from interlingua.ir import metadata
from interlingua.ir.origin import Constant
from interlingua.notes import Notes
from interlingua.onnx.reader import load

SOURCES = "raising_recurrent_sources.py"
ZEROS = ["Shape", "Gather", "Unsqueeze", "Concat", "ConstantOfShape"]
SCRIPT = {
    "lstm_cell": [*ZEROS[:4], "Unsqueeze", "Concat", *ZEROS[4:] * 2, *["Unsqueeze"] * 2, "LSTM", *["Squeeze"] * 3],
    "lstm": [*ZEROS, *["Unsqueeze"] * 2, "LSTM", *["Squeeze"] * 2],
    "gru": [*ZEROS, "Transpose", "Unsqueeze", "GRU", "Squeeze", "Transpose"],
    "rnn": ["Transpose", "Unsqueeze", "RNN", "Squeeze"],
    "sum": ["Shape", "ConstantOfShape", "Shape", "Gather", "Loop"],
}
EXPANDED = ["Shape", "Squeeze", "Reshape", "Concat", "ConstantOfShape"]
TWICE = [*EXPANDED, *EXPANDED[2:]]
TORCH = {
    "scanned_lstm": [*TWICE, "Transpose", *["Unsqueeze"] * 2, "LSTM", *["Squeeze"] * 3, "Transpose"],
    "scanned_gru": [*EXPANDED, "Transpose", "Unsqueeze", "GRU", "Squeeze", "Squeeze", "Transpose"],
    "scanned_rnn": [*EXPANDED, "Transpose", "Unsqueeze", "RNN", "Squeeze", "Squeeze", "Transpose"],
    "unrolled_lstm": [*TWICE, "Transpose", *["Unsqueeze"] * 2, "LSTM", "Squeeze", "Gather", "Transpose"],
    "unrolled_gru": [*EXPANDED, "Transpose", "Unsqueeze", "GRU", "Squeeze", "Gather", "Transpose"],
    "unrolled_rnn": [*EXPANDED, "Transpose", "Unsqueeze", "RNN", "Squeeze", "Gather", "Transpose"],
}
TENSORFLOW = {
    "lstm": ("LSTM", {}),
    "gru": ("GRU", {"linear_before_reset": 1}),
    "gru_resets_before": ("GRU", {}),
    "gru_backwards": ("GRU", {"linear_before_reset": 1}),
    "rnn": ("RNN", {}),
    "rnn_relu": ("RNN", {"activations": ("Relu",)}),
    "basic_lstm": ("LSTM", {}),
    "scanned_gru": ("GRU", {}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPT)
def test_torchscript_loops(name: str) -> None:
    check_export("script", name, SCRIPT[name], SOURCES)


@pytest.mark.slow
@pytest.mark.parametrize("name", TORCH)
def test_dynamo_scans_and_unrolled_cells(name: str) -> None:
    model = check_export("torch", name, TORCH[name], SOURCES)
    node = layer_of(model)
    assert direction(node) == ("reverse" if name.endswith("_gru") else "forward")


@pytest.mark.slow
@pytest.mark.parametrize("name", TENSORFLOW)
def test_tensorflow_loops(name: str) -> None:
    op, wanted = TENSORFLOW[name]
    node = layer_of(tensorflow(name))
    held = {key: value.value for key, value in node.attributes.items()}
    assert node.op_type == op and {**held, **wanted} == held and held["hidden_size"] == 4
    assert ("linear_before_reset" in held) == ("linear_before_reset" in wanted)


@pytest.mark.slow
def test_a_hard_sigmoid_in_a_loop_of_tensorflow_stays() -> None:
    assert "Loop" in [node.op_type for node in tensorflow("hard").graph]


def tensorflow(name: str) -> ir.Model:
    path = exported("tf", SOURCES) / f"{name}.onnx"
    held, model = np.load(path.with_suffix(".npz")), raised(load(path))
    (key,) = (value.name for value in model.graph.inputs)
    assert_close(numbers(model, {key: held["in0"]}), [held["out0"]])
    before, other = passes.run(load(path), PLAIN, notes=Notes()), random(3, 4, 5)
    assert_close(numbers(model, {key: other}), numbers(before, {key: other}))
    return model


def layer_of(model: ir.Model) -> ir.Node:
    (node,) = (node for node in model.graph if node.op_type in ("LSTM", "GRU", "RNN"))
    return node


def direction(node: ir.Node) -> str:
    held = node.attributes.get("direction")
    return "forward" if held is None else held.as_string()


LSTM = """
step (float[N, 4] h, float[N, 4] c, float[N, 5] x) => (float[N, 4] h2, float[N, 4] c2, float[N, 4] y) {
    a = MatMul(x, wx)
    b = MatMul(h, wh)
    s = Add(a, b)
    g = Add(s, bx)
    i, f, n, o = Split<axis = 1, num_outputs = 4>(g)
    enter = Sigmoid(i)
    forget = Sigmoid(f)
    fresh = Tanh(n)
    out = Sigmoid(o)
    kept = Mul(forget, c)
    added = Mul(enter, fresh)
    c2 = Add(kept, added)
    t = Tanh(c2)
    h2 = Mul(out, t)
    y = Identity(h2)
}
"""

GRU = """
step (float[N, 4] h, float[N, 5] x) => (float[N, 4] h2, float[N, 4] y) {
    a = Gemm(x, wx, bx)
    b = Gemm(h, wh, bh)
    az, ar, an = Split<axis = 1, num_outputs = 3>(a)
    bz, br, bn = Split<axis = 1, num_outputs = 3>(b)
    zs = Add(az, bz)
    z = Sigmoid(zs)
    rs = Add(ar, br)
    r = Sigmoid(rs)
    gated = Mul(r, bn)
    ns = Add(an, gated)
    n = Tanh(ns)
    rest = Sub(one, z)
    new = Mul(rest, n)
    old = Mul(z, h)
    h2 = Add(old, new)
    y = Identity(h2)
}
"""

RNN = """
step (float[N, 4] h, float[N, 5] x) => (float[N, 4] h2, float[N, 4] y) {
    a = MatMul(x, wx)
    b = MatMul(h, wh)
    s = Add(b, a)
    h2 = Relu(s)
    y = Identity(h2)
}
"""
GATES = {LSTM: 4, GRU: 3, RNN: 1}


def scan(kind: str, step: str, axes: int = 0, **attributes: list[int]) -> ir.Model:
    """A Scan of a step over x, and its constants as numbers that the source's code states or weights."""
    body = onnx.parser.parse_graph(step)
    count = GATES[kind] * 4
    states = ["h0", "c0"] if kind == LSTM else ["h0"]
    x = ["N", "T", 5] if axes else ["T", "N", 5]
    info = onnx.helper.make_tensor_value_info
    floats = onnx.TensorProto.FLOAT
    inputs = [info("x", floats, x), *(info(name, floats, ["N", 4]) for name in states)]
    arrays = {"wx": weights(5, count), "wh": weights(4, count), "bx": weights(count), "bh": weights(count, seed=3)}
    arrays |= {"one": np.asarray(1, np.float32), "peephole": weights(4), "other": weights(4, 4), "bias": weights(4)}
    results = ["h", "c", "y"] if kind == LSTM else ["h", "y"]
    more = {f"scan_{side}_axes": [axes] for side in ("input", "output")} if axes else {}
    node = onnx.helper.make_node(
        "Scan", [*states, "x"], results, "scan", body=body, num_scan_inputs=1, **more, **attributes
    )
    held = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
    outputs = [info(name, floats, None) for name in results]
    graph = onnx.helper.make_graph([node], "graph", inputs, outputs, held)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    read = ir.from_proto(onnx.shape_inference.infer_shapes(model))
    metadata.set_origin(read.graph.initializers["one"], Constant("one"))
    return read


def check(kind: str, step: str, wanted: str | None, *, axes: int = 0, **attributes: list[int]) -> ir.Model:
    """Raises a Scan: the operator it becomes, none where it stays; numbers before and after for two sizes."""
    before = passes.run(scan(kind, step, axes, **attributes), PLAIN, notes=Notes())
    after = raised(scan(kind, step, axes, **attributes))
    ops = [node.op_type for node in after.graph]
    assert [op for op in ops if op in ("LSTM", "GRU", "RNN", "Scan")] == ([wanted] if wanted else ["Scan"])
    for times, batch in ((6, 3), (1, 2)):
        shape = (batch, times, 5) if axes else (times, batch, 5)
        arrays: Mapping[str, np.ndarray] = {"x": random(*shape), "h0": random(batch, 4), "c0": random(batch, 4, seed=8)}
        given = {value.name: arrays[value.name] for value in after.graph.inputs}
        assert_close(numbers(after, given), numbers(before, given))
    return after


@pytest.mark.parametrize(("step", "op"), [(LSTM, "LSTM"), (GRU, "GRU"), (RNN, "RNN")], ids=["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("axes", [0, 1], ids=["times first", "batch first"])
def test_cells_in_scans(step: str, op: str, axes: int) -> None:
    node = layer_of(check(step, step, op, axes=axes))
    assert direction(node) == "forward"


def test_a_scan_against_the_time() -> None:
    backwards = {"scan_input_directions": [1], "scan_output_directions": [1]}
    assert direction(layer_of(check(GRU, GRU, "GRU", **backwards))) == "reverse"


def test_a_scan_against_the_time_whose_results_are_not_turned_back_stays() -> None:
    check(GRU, GRU, None, scan_input_directions=[1])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("new = Mul(rest, n)\n    old = Mul(z, h)\n    h2 = Add(old, new)",
         "gap = Sub(h, n)\n    part = Mul(gap, z)\n    h2 = Add(part, n)"),
        ("rest = Sub(one, z)", "turned = Neg(z)\n    rest = Add(turned, one)"),
        ("gated = Mul(r, bn)", "gated = Mul(z, bn)"),
    ],
    ids=["by the difference", "by the negative", "one gate for both"],
)  # fmt: skip
def test_other_ways_to_write_a_gru(old: str, new: str) -> None:
    check(GRU, changed(GRU, old, new), "GRU")


def test_a_gru_that_resets_before_the_product() -> None:
    step = changed(GRU, "gated = Mul(r, bn)\n    ns = Add(an, gated)", RESET_BEFORE)
    node = layer_of(check(GRU, step, "GRU"))
    assert "linear_before_reset" not in node.attributes


RESET_BEFORE = """rh = Mul(r, h)
    inner = MatMul(rh, other)
    biased = Add(inner, bias)
    ns = Add(an, biased)"""


def changed(step: str, old: str, new: str) -> str:
    assert old in step
    return step.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("forget = Sigmoid(f)", "forget = HardSigmoid(f)"),
        ("fresh = Tanh(n)", "fresh = Relu(n)"),
        ("t = Tanh(c2)", "t = Tanh(c)"),
        ("forget = Sigmoid(f)", "looked = Mul(peephole, c)\n    fp = Add(f, looked)\n    forget = Sigmoid(fp)"),
        ("y = Identity(h2)", "y = Add(h2, h)"),
        ("y = Identity(h2)", "y = Identity(c2)"),
        ("b = MatMul(h, wh)", "hx = Add(h, c)\n    b = MatMul(hx, wh)"),
        ("added = Mul(enter, fresh)", "less = Sub(one, forget)\n    added = Mul(less, fresh)"),
        ("h2 = Mul(out, t)", "plain = Mul(out, t)\n    h2 = Mul(plain, t)"),
    ],
    ids=["hard gate", "relu", "old memory", "peephole", "more of h", "memories", "mixed state", "coupled", "more"],
)
def test_no_lstm(old: str, new: str) -> None:
    check(LSTM, changed(LSTM, old, new), None)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("rest = Sub(one, z)", "rest = Sub(one, r)"),
        ("old = Mul(z, h)", "old = Mul(z, n)"),
        ("y = Identity(h2)", "y = Add(h2, z)"),
        ("n = Tanh(ns)", "n = Relu(ns)"),
        ("gated = Mul(r, bn)", "rr = Mul(r, r)\n    gated = Mul(rr, bn)"),
    ],
    ids=["another gate", "candidate twice", "gate given", "relu", "gate twice"],
)
def test_no_gru(old: str, new: str) -> None:
    check(GRU, changed(GRU, old, new), None)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("h2 = Relu(s)", "h2 = Sigmoid(s)"),
        ("h2 = Relu(s)", "r = Relu(s)\n    h2 = Add(r, h)"),
        ("y = Identity(h2)", "y = Identity(s)"),
    ],
    ids=["sigmoid", "residual", "before the activation"],
)
def test_no_rnn(old: str, new: str) -> None:
    check(RNN, changed(RNN, old, new), None)


LOOP = """
<ir_version: 10, opset_import: ["" : 20]>
graph (float[4, N, 5] x, float[N, 4] h0) => (float[N, 4] h) <int64 count = {4}, bool go = {1}, int64 back = {3}> {
    h = Loop (count, go, h0) <body = step (int64 t, bool cond, float[N, 4] h1) => (bool more, float[N, 4] h2) {
        more = Identity(cond)
        each = Gather(x, t)
        a = MatMul(each, wx)
        b = MatMul(h1, wh)
        s = Add(a, b)
        h2 = Tanh(s)
    }>
}
"""


@pytest.mark.parametrize(
    ("old", "new", "op"),
    [
        ("count = {4}", "count = {4}", "RNN"),
        ("count = {4}", "count = {3}", "Loop"),
        ("each = Gather(x, t)", "u = Sub(back, t)\n        each = Gather(x, u)", "Loop"),
        ("more = Identity(cond)", "more = Less(t, count)", "RNN"),
        ("more = Identity(cond)", "u = Add(t, t)\n        more = Less(u, back)", "Loop"),
    ],
    ids=["whole", "shorter", "backwards", "bounded", "ends early"],
)
def test_loops_run_along_the_whole_sequence(old: str, new: str, op: str) -> None:
    def model() -> ir.Model:
        proto = onnx.parser.parse_model(changed(LOOP, old, new))
        for name, array in (("wx", weights(5, 4)), ("wh", weights(4, 4))):
            proto.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
        read = ir.from_proto(onnx.shape_inference.infer_shapes(proto))
        for name in ("count", "go", "back"):
            metadata.set_origin(read.graph.initializers[name], Constant(name))
        return read

    before, after = passes.run(model(), PLAIN, notes=Notes()), raised(model())
    assert [node.op_type for node in after.graph if node.op_type in ("RNN", "Loop")] == [op]
    arrays = {"x": random(4, 3, 5), "h0": random(3, 4)}
    assert_close(numbers(after, arrays), numbers(before, arrays))


def unrolled(places: list[int], *, own: bool = False, given: str = "") -> Graph:
    """Cells of an RNN over slices of a sequence, with weights of their own or shared; `given` leaves it as well."""
    graph = Graph(20)
    x, h = graph.input("x", ["N", 3, 5]), graph.input("h", ["N", 4])
    shared = [graph.weight(weights(5, 4), "wx"), graph.weight(weights(4, 4), "wh"), graph.weight(weights(4), "b")]
    inside: dict[str, str] = {}
    for count, place in enumerate(places):
        wx, wh, bias = shared
        if own:
            wx = graph.weight(weights(5, 4, seed=count), f"wx{count}")
        index = graph.weight(np.asarray(place, np.int64))
        each = graph("MatMul", graph("Gather", x, index, axis=1), wx)
        inside = {"sum": graph("Add", graph("Add", each, graph("MatMul", h, wh)), bias), "first": h}
        h = graph("Tanh", inside["sum"])
    graph.result = graph("Add", h, inside[given]) if given else h
    return graph


@pytest.mark.parametrize(
    ("places", "values", "raises"),
    [
        ([0, 1, 2], {}, True),
        ([2, 1, 0], {}, True),
        ([0, 1, 2], {"given": "first"}, True),
        ([0, 1], {}, False),
        ([0, 2, 1], {}, False),
        ([0, 1, 2], {"own": True}, False),
        ([0, 1, 2], {"given": "sum"}, False),
    ],
    ids=["in order", "reverse", "a state is read", "not all", "another order", "other weights", "a sum is read"],
)
def test_unrolled_cells(places: list[int], values: Mapping[str, object], raises: bool) -> None:
    def model() -> ir.Model:
        graph = unrolled(places, **values)
        return graph.model(graph.result)

    before, after = passes.run(model(), PLAIN, notes=Notes()), raised(model())
    assert [node.op_type for node in after.graph].count("RNN") == int(raises)
    if raises:
        assert direction(layer_of(after)) == ("reverse" if places[0] else "forward")
    for batch in (1, 3):
        arrays = {"x": random(batch, 3, 5), "h": random(batch, 4)}
        assert_close(numbers(after, arrays), numbers(before, arrays))
