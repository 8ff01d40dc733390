"""Graphs of TensorFlow 1 and 2 become the IR, which computes what TensorFlow computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from interlingua import pipeline
from interlingua.artifact import ReadOptions, Source
from interlingua.errors import InvalidSource, UnsupportedModel, UsageError
from interlingua.ir import metadata
from interlingua.proof import execute
from interlingua.proof.compare import compare

Maker = Callable[..., Path]
TOLERANCE = 1e-5
READABLE = (
    "batch_norm_behind_a_flag", "plain_flag", "keep_prob", "moving_average", "renamed", "partitioned",
    "depthwise_and_same", "deconvolution",
)  # fmt: skip


def agrees(source: Source, given: np.ndarray, expected: np.ndarray) -> None:
    """The IR and the original, run again in TensorFlow, give what was expected."""
    (name,) = (value.name or "" for value in source.model.graph.inputs)
    difference = compare("IR", expected, execute.run_ir(source.model, {name: given})[0], TOLERANCE)
    assert difference.within, difference
    again = execute.run(source.runtime, {name: given}, source.run, phase="run the source")[0]
    difference = compare("source", expected, again, TOLERANCE)
    assert difference.within, difference


def read_pattern(folder: Path, name: str) -> tuple[Source, np.ndarray, np.ndarray]:
    saved = folder / name / "saved"
    source = pipeline.read(saved if saved.exists() else folder / name / "model.meta")
    with np.load(folder / name / "io.npz") as kept:
        return source, kept["x"], kept["y"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*READABLE, "saved_function", "saved_grouped"])
def test_a_pattern_computes_the_same(patterns: Path, name: str) -> None:
    agrees(*read_pattern(patterns, name))


@pytest.mark.legacy
@pytest.mark.parametrize("name", READABLE)
def test_a_pattern_of_tensorflow_1_computes_the_same(patterns_1: Path, name: str) -> None:
    agrees(*read_pattern(patterns_1, name))


def test_the_flag_folds_to_inference_and_batch_norm_stays(patterns: Path) -> None:
    source, _, _ = read_pattern(patterns, "batch_norm_behind_a_flag")
    ops = Counter(node.op_type for node in source.model.graph)
    assert ops["BatchNormalization"] == 1
    assert not {"If", "Loop"} & set(ops)
    assert {"bn/gamma", "bn/beta", "bn/moving_mean", "bn/moving_variance"} <= set(source.model.graph.initializers)
    told = {(note.kind, note.place) for note in source.notes}
    assert ("Assumed", "is_training") in told
    assert any(kind == "Dropped" and "cond" in place for kind, place in told)


@pytest.mark.parametrize(("name", "rate"), [("plain_flag", 0.3), ("keep_prob", 0.0)])
def test_dropout_survives_with_its_rate(patterns: Path, name: str, rate: float) -> None:
    source, _, _ = read_pattern(patterns, name)
    (node,) = [node for node in source.model.graph if node.op_type == "Dropout"]
    ratio = node.inputs[1]
    assert ratio is not None and ratio.const_value is not None
    assert float(ratio.const_value.numpy()) == pytest.approx(rate)


def test_a_flag_without_default_is_fed_when_the_source_is_run(patterns: Path) -> None:
    source, _, _ = read_pattern(patterns, "plain_flag")
    assert source.run["feeds"] == {"is_training": False}


def test_two_ends_are_both_told(patterns: Path) -> None:
    with pytest.raises(UsageError, match=r"2 candidates: left \(Relu\), right \(Tanh\)"):
        pipeline.read(patterns / "two_ends" / "model.meta")


def test_chosen_outputs_come_in_their_order(patterns: Path) -> None:
    source = pipeline.read(patterns / "two_ends" / "model.meta", ReadOptions(outputs=("right", "left")))
    assert [value.name for value in source.model.graph.outputs] == ["right", "left"]


@pytest.mark.slow
def test_an_inner_tensor_can_be_the_input(lenet: Path) -> None:
    options = ReadOptions(inputs=("flatten",), outputs=("before_softmax/BiasAdd",), shapes={"": (None, 784)})
    source = pipeline.read(lenet / "model.meta", options)
    x = np.random.RandomState(0).rand(3, 784).astype(np.float32)
    ours = execute.run_ir(source.model, {"flatten": x})[0]
    theirs = execute.run(source.runtime, {"flatten": x}, source.run, phase="run the source")[0]
    assert compare("", theirs, ours, TOLERANCE).within


def test_an_unknown_name_gets_near_ones(lenet: Path) -> None:
    with pytest.raises(UsageError, match="prediction") as caught:
        pipeline.read(lenet / "model.meta", ReadOptions(outputs=("prediction",)))
    assert "Did you mean predictions" in caught.value.hint


def test_ops_without_counterpart_are_told_with_their_place(patterns: Path) -> None:
    with pytest.raises(UnsupportedModel) as caught:
        pipeline.read(patterns / "unknown_op" / "model.meta")
    assert caught.value.refusals == ("output: TensorFlow op Bucketize",)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["", "model.meta", "model", "frozen.pb", "saved_model"])
def test_every_form_of_lenet_is_read(lenet: Path, path: str) -> None:
    source = pipeline.read(lenet / path)
    with np.load(lenet / "held_out.npz") as held:
        x, y = held["x"], held["y"]
    assert sorted(source.model.graph.initializers)[:2] != []
    assert Counter(n.op_type for n in source.model.graph)["Conv"] == 2
    outputs = execute.run_ir(source.model, {"inputs": x})[0]
    expected = execute.run(source.runtime, {"inputs": x}, source.run, phase="run the source")[0]
    assert compare("", expected, outputs, TOLERANCE).within
    assert np.mean(outputs.argmax(axis=1) == y) > 0.9


def test_inputs_keep_the_sources_order_and_weights_their_names(lenet: Path) -> None:
    source = pipeline.read(lenet / "model.meta")
    (given,) = source.model.graph.inputs
    assert given.name == "inputs" and list(given.shape or ())[1:] == [28, 28, 1]
    origins = {str(metadata.origin(value)) for value in source.model.graph.initializers.values()}
    assert "transpose(block1_conv1/kernel, 3, 2, 0, 1)" in origins
    layers = {metadata.place(node).layer for node in source.model.graph}
    assert {"block1_conv1", "block2_conv1", "before_softmax", "predictions"} <= layers


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--training", "--frozen", "--saved-model"], ["--resource", "--keep-dropout"]])
def test_vgg_is_read_without_being_told_anything(vgg: Maker, options: list[str]) -> None:
    check_vgg(pipeline.read(vgg(*options) / "model.meta"))


@pytest.mark.parametrize("file", ["frozen.pb", "saved_model"])
def test_vgg_is_read_from_its_other_forms(vgg: Maker, file: str) -> None:
    check_vgg(pipeline.read(vgg("--training", "--frozen", "--saved-model") / file))


@pytest.mark.legacy
@pytest.mark.parametrize("options", [["--training", "--keep-dropout"], ["--resource", "--training"]])
def test_vgg_of_tensorflow_1_is_read(vgg: Maker, options: list[str]) -> None:
    check_vgg(pipeline.read(vgg(*options, runtime="tensorflow1")))


def check_vgg(source: Source) -> None:
    ops = Counter(node.op_type for node in source.model.graph)
    assert (ops["Conv"], ops["MaxPool"], ops["Dropout"], ops["Relu"]) == (16, 5, 2, 15)
    parameters = {name for value in source.model.graph.initializers.values() for name in _parameters(value)}
    assert {"vgg_16/conv1/conv1_1/weights", "vgg_16/conv5/conv5_3/biases", "vgg_16/fc8/weights"} <= parameters
    assert not any("Momentum" in name for name in parameters)
    x = np.random.RandomState(13).rand(2, 224, 224, 3).astype(np.float32)
    ours = execute.run_ir(source.model, {"inputs": x})[0]
    theirs = execute.run(source.runtime, {"inputs": x}, source.run, phase="run the source")[0]
    assert ours.shape == (2, 1000)
    assert compare("", theirs, ours, TOLERANCE).within


def _parameters(value: object) -> tuple[str, ...]:
    from interlingua.ir.origin import parameters

    return parameters(metadata.origin(value))  # type: ignore[arg-type]


def test_a_shape_can_be_given(vgg: Maker) -> None:
    options = ReadOptions(inputs=("inputs",), outputs=("vgg_16/fc8/squeezed",), shapes={"": (3, 224, 224, 3)})
    source = pipeline.read(vgg("--training", "--frozen", "--saved-model") / "model.meta", options)
    assert list(source.model.graph.inputs[0].shape or ()) == [3, 224, 224, 3]


@pytest.mark.parametrize("shape", [(None, 224, 224), (None, 224, 224, 1)])
def test_a_shape_that_contradicts_the_graph_is_told(vgg: Maker, shape: tuple[int | None, ...]) -> None:
    with pytest.raises(UsageError, match=r"Expected a shape of the input 'inputs' that fits \(\?, 224, 224, 3\)"):
        pipeline.read(vgg("--training", "--frozen", "--saved-model") / "model.meta", ReadOptions(shapes={"": shape}))


def test_values_missing_from_the_checkpoint_are_told(lenet: Path, patterns: Path, tmp_path: Path) -> None:
    (tmp_path / "model.meta").write_bytes((lenet / "model.meta").read_bytes())
    for part in ("model.index", "model.data-00000-of-00001"):
        (tmp_path / part).write_bytes((patterns / "two_ends" / part).read_bytes())
    with pytest.raises(InvalidSource, match="block1_conv1/kernel") as caught:
        pipeline.read(tmp_path / "model.meta")
    assert "8 variables" in caught.value.message


def test_a_graph_alone_wants_its_values(lenet: Path, tmp_path: Path) -> None:
    (tmp_path / "model.meta").write_bytes((lenet / "model.meta").read_bytes())
    with pytest.raises(InvalidSource, match="Received the graph alone") as caught:
        pipeline.read(tmp_path / "model.meta")
    assert "--weights" in caught.value.hint
    source = pipeline.read(tmp_path / "model.meta", ReadOptions(weights=lenet / "model.index"))
    assert len(source.model.graph.initializers) >= 8


@pytest.mark.parametrize("part", ["model.index", "model.data-00000-of-00001"])
def test_a_truncated_checkpoint_is_told(lenet: Path, tmp_path: Path, part: str) -> None:
    for name in ("model.meta", "model.index", "model.data-00000-of-00001"):
        content = (lenet / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 8] if name == part else content)
    with pytest.raises(InvalidSource):
        pipeline.read(tmp_path / "model.meta")
