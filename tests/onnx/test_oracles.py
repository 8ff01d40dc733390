"""Every deviation that docs/oracles.md tells of still stands, and model.py gives what the page says it follows."""

from __future__ import annotations

import dataclasses
import re
import runpy
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx.reference import ReferenceEvaluator

import interlingua

Array = np.ndarray[Any, Any]
PAGE = Path(__file__).resolve().parents[2] / "docs" / "oracles.md"
FLOAT = np.float32


@dataclasses.dataclass(frozen=True)
class Deviation:
    """A model on which the two part, its inputs, and which of them is followed."""

    text: str
    inputs: Sequence[Array]
    follows: str
    opset: int = 21

    def proto(self) -> onnx.ModelProto:
        """The model."""
        return onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": {self.opset}]> g {self.text}')

    def feeds(self) -> dict[str, Array]:
        """The inputs by name."""
        return dict(zip((each.name for each in self.proto().graph.input), self.inputs, strict=True))


def _recurrent(said: str, more: str = "", lengths: str = "") -> str:
    weights = "w = Constant <value = float[1, 1, 1] {1}> ()\n r = Constant <value = float[1, 1, 1] {1}> ()"
    call = f"y, h = RNN <hidden_size = 1{said}> (x, w, r{lengths})"
    return f"(float[2, 2, 1] x) => (float[2, 1, 2, 1] y) {{ {weights}\n {more} {call} }}"


STEPS = np.array([1, 2, 3, 4], FLOAT).reshape(2, 2, 1)
BACKWARDS = (
    "s = Constant <value_ints = [2]> ()\n a = Constant <value_ints = [0]> ()\n k = Constant <value_ints = [-1]> ()"
)
DEVIATIONS = {
    "A reduction over an axis of size 0 counted from the end": Deviation(
        "(float[2, 0, 1] x) => (float[a, b, c] y) { n = Constant <value_ints = [-2]> ()\n y = ReduceSum (x, n) }",
        [np.zeros((2, 0, 1), FLOAT)],
        "reference",
    ),
    "A slice backwards to the largest whole number": Deviation(
        f"(float[4] x) => (float[n] y) {{ {BACKWARDS} e = Constant <value_ints = [9223372036854775807]> ()\n "
        "y = Slice (x, s, e, a, k) }",
        [np.arange(4, dtype=FLOAT)],
        "reference",
    ),
    "Clip without a bound, of infinity": Deviation(
        "(float[3] x) => (float[3] y) { z = Neg (x)\n y = Clip (z) }",
        [np.array([np.inf, -np.inf, 1], FLOAT)],
        "reference",
    ),
    "Windows that pad themselves at the begin, with dilations": Deviation(
        "(float[1, 1, 4, 4] x) => (float[1, 1, a, b] y) "
        '{ y = MaxPool <auto_pad = "SAME_LOWER", dilations = [2, 2], kernel_shape = [2, 2]> (x) }',
        [np.arange(16, dtype=FLOAT).reshape(1, 1, 4, 4)],
        "reference",
    ),
    "MaxUnpool into a stated shape": Deviation(
        "(float[1, 1, 2, 2] x) => (float[1, 1, 5, 5] y) { i = Constant <value = int64[1, 1, 2, 2] {5, 7, 13, 15}> ()\n "
        "s = Constant <value_ints = [1, 1, 5, 5]> ()\n "
        "y = MaxUnpool <kernel_shape = [2, 2], strides = [2, 2]> (x, i, s) }",
        [np.array([[[[5, 6], [7, 8]]]], FLOAT)],
        "reference",
    ),
    "The largest number beside NaN": Deviation(
        "(float[3] x) => (float[1] y) { y = ReduceMax (x) }", [np.array([1, np.nan, 2], FLOAT)], "reference"
    ),
    "Norms of signed numbers": Deviation(
        "(float[2] x) => (float[2] y) { y = LpNormalization <axis = 0, p = 1> (x) }",
        [np.array([-1, -3], FLOAT)],
        "onnxruntime",
    ),
    "Recurrent layers over sequences of several lengths": Deviation(
        _recurrent(
            "", "b = Constant <value = float[1, 2] {0, 0}> () l = Constant <value = int32[2] {2, 1}> ()", ", b, l"
        ),
        [STEPS],
        "onnxruntime",
    ),
    "Recurrent layers that clip": Deviation(_recurrent(", clip = 0.5"), [STEPS], "onnxruntime"),
    "Recurrent layers with another activation": Deviation(
        _recurrent(', activations = ["Relu"]'), [STEPS], "onnxruntime"
    ),
    "Resize by a fraction with aligned corners": Deviation(
        "(float[1, 1, 2, 4] x) => (float[1, 1, a, b] y) { s = Constant <value_floats = [1.0, 1.0, 0.6, 0.6]> ()\n "
        'y = Resize <mode = "linear", coordinate_transformation_mode = "align_corners"> (x, , s) }',
        [np.arange(1, 9, dtype=FLOAT).reshape(1, 1, 2, 4)],
        "onnxruntime",
    ),
    "Infinity as a quantized number": Deviation(
        "(float[2] x) => (int8[2] y) { s = Constant <value_float = 1.0> ()\n z = Constant <value = int8 {0}> ()\n "
        "y = QuantizeLinear (x, s, z) }",
        [np.array([np.inf, 3], FLOAT)],
        "onnxruntime",
    ),
    "Flattening nothing": Deviation(
        "(float[0, 3] x) => (float[a, b] y) { y = Flatten <axis = 1> (x) }", [np.zeros((0, 3), FLOAT)], "onnxruntime"
    ),
}


def by_onnxruntime(model: onnx.ModelProto, feeds: dict[str, Array], *, optimized: bool = False) -> list[Array]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, feeds))


def by_reference(model: onnx.ModelProto, feeds: dict[str, Array]) -> list[Array] | None:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return [np.asarray(each) for each in ReferenceEvaluator(model).run(None, feeds)]
        except Exception:  # it fails in many ways
            return None


def by_torch(model: onnx.ModelProto, feeds: dict[str, Array], folder: Path) -> list[Array]:
    onnx.save(model, folder / "model.onnx")
    interlingua.write(interlingua.read(folder / "model.onnx"), "torch", folder / "out")
    module = runpy.run_path(str(folder / "out" / "model.py"))
    with torch.no_grad():
        given = module["load"]()(*(torch.from_numpy(each.copy()) for each in feeds.values()))
    return [each.numpy() for each in (given if isinstance(given, tuple) else (given,))]


def same(left: Sequence[Array], right: Sequence[Array]) -> bool:
    return all(
        a.shape == b.shape and a.dtype == b.dtype and np.allclose(a, b, 1e-4, 1e-5, equal_nan=True)
        for a, b in zip(left, right, strict=True)
    )


def test_the_page_tells_of_these_and_no_others() -> None:
    titles = re.findall(r"^### (.+)$", PAGE.read_text("utf-8"), re.MULTILINE)
    own = [test.replace("_", " ") for test in _OWN]
    assert sorted(title.lower() for title in titles) == sorted(each.lower() for each in [*DEVIATIONS, *own])


@pytest.mark.parametrize("title", DEVIATIONS)
def test_the_two_still_part_and_one_is_followed(title: str, tmp_path: Path) -> None:
    deviation = DEVIATIONS[title]
    model, feeds = deviation.proto(), deviation.feeds()
    found, reference = by_onnxruntime(model, feeds), by_reference(model, feeds)
    assert reference is None or not same(found, reference), "they agree by now: take the entry off the page"
    followed = found if deviation.follows == "onnxruntime" else reference
    assert followed is not None
    assert same(by_torch(model, feeds, tmp_path), followed)


@pytest.mark.parametrize("title", DEVIATIONS)
def test_the_page_says_which(title: str) -> None:
    _, _, rest = PAGE.read_text("utf-8").partition(f"### {title}\n")
    told = " ".join(rest.partition("\n### ")[0].split())
    names = {"onnxruntime": "onnxruntime", "reference": "the reference evaluator"}
    assert f"**We follow {names[DEVIATIONS[title].follows]}**" in told


def Padding_before_a_maximum_under_optimizations(tmp_path: Path) -> None:
    text = "(float[1, 1, 2, 2] x) => (float[1, 1, 3, 3] y) { p = Constant <value_ints = [0, 0, 1, 1, 0, 0, 1, 1]> ()\n "
    model = Deviation(text + "z = Pad (x, p)\n y = MaxPool <kernel_shape = [2, 2]> (z) }", [], "").proto()
    feeds = {"x": -np.ones((1, 1, 2, 2), FLOAT)}
    plain, optimized = by_onnxruntime(model, feeds), by_onnxruntime(model, feeds, optimized=True)
    assert not same(plain, optimized), "it is right by now: take the entry off the page"
    assert same(plain, by_reference(model, feeds) or [])
    assert same(by_torch(model, feeds, tmp_path), plain)


def Means_over_dilated_windows_that_pad_themselves(tmp_path: Path) -> None:
    text = '{ y = AveragePool <auto_pad = "SAME_UPPER", dilations = [2], kernel_shape = [3]> (x) }'
    model = Deviation(f"(float[1, 1, 5] x) => (float[1, 1, n] y) {text}", [], "").proto()
    feeds = {"x": np.arange(5, dtype=FLOAT).reshape(1, 1, 5)}
    means = np.array([[[1, 2, 2, 2, 3]]], FLOAT)
    assert by_onnxruntime(model, feeds)[0].shape == (1, 1, 3), "its shape is right by now: change the entry"
    assert not same(by_reference(model, feeds) or [means], [means]), "it is right by now: change the entry"
    assert same(by_torch(model, feeds, tmp_path), [means])


def Windows_further_apart_than_they_are_long_that_pad_themselves(tmp_path: Path) -> None:
    feeds = {"x": np.arange(4, dtype=FLOAT).reshape(1, 1, 4)}
    text = '{ y = %s <auto_pad = "SAME_UPPER", kernel_shape = [1], strides = [4]> (x) }'
    mean, largest = (
        Deviation(f"(float[1, 1, 4] x) => (float[1, 1, n] y) {text % op}", [], "").proto()
        for op in ("AveragePool", "MaxPool")
    )
    assert same(by_onnxruntime(mean, feeds), [np.array([[[1]]], FLOAT)]), "it crops no more: change the entry"
    with pytest.raises(Exception, match="MaxPool"):
        by_onnxruntime(largest, feeds)
    assert by_reference(mean, feeds) is None
    for number, model in enumerate((mean, largest)):
        (tmp_path / str(number)).mkdir()
        assert same(by_torch(model, feeds, tmp_path / str(number)), [np.array([[[0]]], FLOAT)])


def NaN_under_a_window_or_a_threshold(tmp_path: Path) -> None:
    rows = {
        "MaxPool <kernel_shape = [2]> (x)": [1.0, 2.0],
        "ThresholdedRelu (x)": [0.0, 0.0, 2.0],
    }
    for number, (call, expected) in enumerate(rows.items()):
        model = Deviation(f"(float[1, 1, 3] x) => (float[1, 1, n] y) {{ y = {call} }}", [], "").proto()
        feeds = {"x": np.array([[[np.nan, 1, 2]]], FLOAT)}
        wanted = [np.array([[expected]], FLOAT)]
        assert same(by_onnxruntime(model, feeds), wanted) and same(by_reference(model, feeds) or [], wanted)
        (tmp_path / str(number)).mkdir()
        assert np.isnan(by_torch(model, feeds, tmp_path / str(number))[0]).any()


def The_sign_of_NaN(tmp_path: Path) -> None:
    model = Deviation("(float[2] x) => (float[2] y) { y = Sign (x) }", [], "").proto()
    feeds = {"x": np.array([np.nan, -2], FLOAT)}
    wanted = [np.array([np.nan, -1], FLOAT)]
    assert same(by_onnxruntime(model, feeds), wanted) and same(by_reference(model, feeds) or [], wanted)
    assert same(by_torch(model, feeds, tmp_path), [np.array([0, -1], FLOAT)])


def The_Gelu_of_infinity(tmp_path: Path) -> None:
    model = Deviation("(float[2] x) => (float[2] y) { y = Gelu (x) }", [], "").proto()
    feeds = {"x": np.array([np.inf, 0], FLOAT)}
    wanted = [np.array([np.inf, 0], FLOAT)]
    assert same(by_onnxruntime(model, feeds), wanted) and same(by_reference(model, feeds) or [], wanted)
    assert same(by_torch(model, feeds, tmp_path), [np.array([np.nan, 0], FLOAT)])


def A_grid_of_one_element_with_aligned_corners(tmp_path: Path) -> None:
    text = "{ c = Constant <value_ints = [1, 2, 2, 1]> ()\n y = AffineGrid <align_corners = 1> (x, c) }"
    model = Deviation(f"(float[1, 2, 3] x) => (float[1, 2, 1, 2] y) {text}", [], "").proto()
    feeds = {"x": np.array([[[1, 0, 0], [0, 1, 0]]], FLOAT)}
    places = [by_onnxruntime(model, feeds), by_reference(model, feeds) or [], by_torch(model, feeds, tmp_path)]
    assert [each[0][0, 0, 0, 0] for each in places] == [1, -1, 0]


def Attention_in_float16(tmp_path: Path) -> None:
    text = "(float16[2, 3, 4, 8] q, float16[2, 3, 6, 8] k, float16[2, 3, 6, 8] v) => (float16[a, b, c, d] y) "
    model = Deviation(text + "{ y = Attention (q, k, v) }", [], "", 23).proto()
    random = np.random.default_rng(0)
    feeds = {name: random.random((2, 3, 6 if name != "q" else 4, 8)).astype(np.float16) for name in "qkv"}
    exact = torch.nn.functional.scaled_dot_product_attention(*(torch.from_numpy(feeds[n]).double() for n in "qkv"))

    def error(values: Sequence[Array]) -> float:
        return float(np.abs(values[0].astype(np.float64) - exact.numpy()).mean())

    reference = by_reference(model, feeds)
    assert reference is not None
    assert error(by_torch(model, feeds, tmp_path)) < error(reference)


_OWN = {
    each.__name__: each
    for each in (
        Padding_before_a_maximum_under_optimizations,
        Means_over_dilated_windows_that_pad_themselves,
        Windows_further_apart_than_they_are_long_that_pad_themselves,
        NaN_under_a_window_or_a_threshold,
        The_Gelu_of_infinity,
        The_sign_of_NaN,
        A_grid_of_one_element_with_aligned_corners,
        Attention_in_float16,
    )
}


@pytest.mark.parametrize("name", _OWN)
def test_what_is_told_of_one_alone_still_stands(name: str, tmp_path: Path) -> None:
    _OWN[name](tmp_path)
