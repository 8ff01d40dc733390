"""Operators of networks as PyTorch says them: the code, and the numbers of both forms against onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from interlingua import pipeline, plugin
from interlingua.artifact import WriteOptions
from interlingua.proof import execute

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def recurrent(sketch: Any, op: str, directions: int, *, joined: bool, **values: Any) -> list[ir.Value]:
    """A recurrent node over (time, batch, 5) with a state of 3; its results as torch has them where `joined`."""
    x = sketch.input("x", (7, None, 5))
    rows = GATES[op] * 3
    weights = [
        sketch.parameter(f"rnn/{name}", directions, *shape)
        for name, shape in (("W", (rows, 5)), ("R", (rows, 3)), ("B", (2 * rows,)))
    ]
    if directions == 2:
        values["direction"] = "bidirectional"
    y = sketch.node(op, [x, *weights], {"hidden_size": 3, **values}, layer="rnn", outputs=3 if op == "LSTM" else 2)
    if not joined:
        return [y]
    if directions == 1:
        return [sketch.node("Squeeze", [y, sketch.constant("axes", np.array([1]))], layer="squeeze")]
    turned = sketch.node("Transpose", [y], {"perm": [0, 2, 1, 3]}, layer="turn")
    return [sketch.node("Reshape", [turned, sketch.constant("shape", np.array([0, 0, -1]))], layer="join")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("op", "directions", "values", "layer"),
    [
        ("LSTM", 1, {}, "self.rnn = nn.LSTM(5, 3)"),
        ("LSTM", 2, {}, "self.rnn = nn.LSTM(5, 3, bidirectional=True)"),
        ("GRU", 2, {"linear_before_reset": 1}, "self.rnn = nn.GRU(5, 3, bidirectional=True)"),
        ("RNN", 1, {"activations": ["Relu"]}, 'self.rnn = nn.RNN(5, 3, nonlinearity="relu")'),
    ],
)
@pytest.mark.parametrize("joined", [True, False])
def test_recurrent_layers(
    sketch: Any, op: str, directions: int, values: Mapping[str, Any], layer: str, joined: bool
) -> None:
    written = sketch.prove(*recurrent(sketch, op, directions, joined=joined, **values))
    assert written.constructor == [layer]
    if joined:
        assert len(written.forward) == 2 and written.forward[0].endswith(", _ = self.rnn(x)")


def test_a_gru_that_resets_before_the_product_is_a_loop(sketch: Any) -> None:
    written = sketch.prove(*recurrent(sketch, "GRU", 1, joined=False))
    assert "def gru_cell(" in written.source and "nn.GRU" not in written.source


def trained(sketch: Any, names: Sequence[str], *shape: int) -> list[ir.Value]:
    return [sketch.parameter(f"op/{name}", *shape, positive=True) for name in names]


@pytest.mark.parametrize(
    ("op", "shape", "weights", "values", "layer"),
    [
        ("InstanceNormalization", (None, 4, 8, 9), ("scale", "B"), {}, "nn.InstanceNorm2d(4, affine=True)"),
        ("GroupNormalization", (None, 4, 8, 9), ("scale", "bias"), {"num_groups": 2}, "nn.GroupNorm(2, 4)"),
        ("LayerNormalization", (None, 7, 4), ("Scale", "B"), {"epsilon": 1e-6}, "nn.LayerNorm(4, eps=1e-06)"),
        ("LayerNormalization", (None, 7, 4), ("Scale",), {}, "nn.LayerNorm(4, bias=False)"),
        ("RMSNormalization", (None, 7, 4), ("scale",), {}, "nn.RMSNorm(4, eps=1e-05)"),
    ],
)
def test_normalizations_are_layers(
    sketch: Any, op: str, shape: Sequence[int | None], weights: Sequence[str], values: Mapping[str, Any], layer: str
) -> None:
    x = sketch.input("x", shape)
    written = sketch.prove(sketch.node(op, [x, *trained(sketch, weights, 4)], values, layer="op"))
    assert written.constructor == [f"self.op = {layer}"] and written.forward == ["return self.op(x)"]


def test_attention_is_one_call(sketch: Any) -> None:
    q, k, v = (sketch.input(name, (None, heads, 7, 8)) for name, heads in (("q", 4), ("k", 2), ("v", 2)))
    written = sketch.prove(sketch.node("Attention", [q, k, v], {"is_causal": 1}, layer="op"))
    assert written.forward == ["return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)"]


@pytest.mark.parametrize(
    ("masked", "said"), [(False, "capped_attention(q, k, v, 3.0, scale=0.25)"), (True, "attention(q, k, v, mask=mask,")]
)
def test_attention_with_bounded_scores_is_a_helper(sketch: Any, masked: bool, said: str) -> None:
    """A mask that may hide a row from all keys, as any that is given may, takes the helper that gives zeros for it."""
    given = [sketch.input(name, (2, heads, 7, 8)) for name, heads in (("q", 4), ("k", 2), ("v", 2))]
    arrays = {each.name: np.random.default_rng(3).normal(size=each.shape.numpy()).astype(np.float32) for each in given}
    if masked:
        given.append(sketch.input("mask", (2, 1, 7, 7)))
        arrays["mask"] = np.where(np.tril(np.ones((2, 1, 7, 7)), -1), 0, -np.inf).astype(np.float32)
    values = {"softcap": 3.0, "scale": 0.25}
    written = sketch.prove(sketch.node("Attention", given, values, layer="op"), arrays=arrays)
    assert said in "".join(written.forward)


@pytest.mark.parametrize("height", [5, 8])
@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER"])
def test_padding_that_depends_on_the_size_is_worked_out_as_it_runs(sketch: Any, mode: str, height: int) -> None:
    x = sketch.input("x", (None, 3, None, 9))
    values = {"auto_pad": mode, "strides": [2, 2]}
    model = sketch.canonical(sketch.node("Conv", [x, sketch.parameter("op/W", 4, 3, 3, 3)], values, layer="op"))
    sketch.folder.mkdir()
    package, _ = pipeline.write(model, plugin.framework("torch"), sketch.folder, WriteOptions())
    array = np.random.default_rng(1).normal(0, 1, (2, 3, height, 9)).astype(np.float32)
    artifact = {"path": str(sketch.folder), "format": "python"}
    (found,) = execute.run("torch", {package.inputs[0].identifier: array}, artifact, phase="run python")
    (expected,) = execute.run_ir(model, {"x": array})
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_indices_of_maxima_count_in_the_whole_tensor(sketch: Any) -> None:
    x = sketch.input("x", (2, 3, 6, 8))
    values = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 0, 0, 1]}
    y = sketch.node("MaxPool", [x], values, layer="op", outputs=2)
    sketch.prove(y, y.producer().outputs[1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"count_include_pad": 1, "pads": [1, 0, 0, 1]}, "F.pad"),
        ({"count_include_pad": 0, "pads": [1, 0, 0, 1]}, "average_pool"),
        ({"dilations": [2, 1]}, "average_pool"),
    ],
)
def test_means_with_uneven_or_dilated_windows(sketch: Any, values: Mapping[str, Any], said: str) -> None:
    x = sketch.input("x", (None, 3, 8, 9))
    attributes = {"kernel_shape": [3, 2], "strides": [1, 2], **values}
    written = sketch.prove(sketch.node("AveragePool", [x], attributes, layer="op"))
    assert said in written.source


def test_a_general_product_is_addmm(sketch: Any) -> None:
    a, b, c = sketch.input("a", (6, None)), sketch.input("b", (6, 5)), sketch.input("c", (None, 5))
    written = sketch.prove(sketch.node("Gemm", [a, b, c], {"transA": 1, "alpha": 0.5, "beta": 2.0}, layer="op"))
    assert written.forward == ["return torch.addmm(c, a.T, b, beta=2.0, alpha=0.5)"]


def test_einsum(sketch: Any) -> None:
    a, b = sketch.input("a", (None, 4, 5)), sketch.input("b", (None, 5, 6))
    written = sketch.prove(sketch.node("Einsum", [a, b], {"equation": "bij, bjk -> bik"}, layer="op"))
    assert written.forward == ['return torch.einsum("bij,bjk->bik", a, b)']


def test_a_real_spectrum_and_back(sketch: Any) -> None:
    x = sketch.input("x", (None, 12, 1))
    axis = sketch.constant("axis", np.array(1))
    spectrum = sketch.node("DFT", [x, None, axis], {"onesided": 1}, layer="there")
    written = sketch.prove(spectrum)
    assert written.forward == ["return torch.view_as_real(torch.fft.rfft(x[..., 0]))"]
