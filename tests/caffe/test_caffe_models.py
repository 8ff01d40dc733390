"""Whole networks in both directions: LeNet-4 and a VGG-like net, weights to the bit, text as written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interlingua import pipeline
from interlingua.artifact import ReadOptions
from interlingua.errors import VerificationFailed
from interlingua.testing import nets as models
from interlingua.worker import shared
from interlingua_caffe.frontend.read import read
from interlingua_caffe.frontend.recognise import recognise
from interlingua_caffe.proto.wire import stored_layers

LENET = """name: "lenet"
layer {
  name: "data"
  type: "Input"
  top: "data"
  input_param { shape { dim: 1 dim: 1 dim: 28 dim: 28 } }
}
layer {
  name: "conv1"
  type: "Convolution"
  bottom: "data"
  top: "conv1"
  convolution_param {
    num_output: 6
    pad: 2
    kernel_size: 5
  }
}
layer {
  name: "relu1"
  type: "ReLU"
  bottom: "conv1"
  top: "conv1"
}
layer {
  name: "pool1"
  type: "Pooling"
  bottom: "conv1"
  top: "pool1"
  pooling_param {
    pool: MAX
    kernel_size: 2
    stride: 2
  }
}
layer {
  name: "bn1"
  type: "BatchNorm"
  bottom: "pool1"
  top: "pool1"
}
layer {
  name: "bn1/scale"
  type: "Scale"
  bottom: "pool1"
  top: "pool1"
  scale_param { bias_term: true }
}
layer {
  name: "fc1"
  type: "InnerProduct"
  bottom: "pool1"
  top: "fc1"
  inner_product_param { num_output: 10 }
}
layer {
  name: "drop"
  type: "Dropout"
  bottom: "fc1"
  top: "fc1"
}
layer {
  name: "prob"
  type: "Softmax"
  bottom: "fc1"
  top: "prob"
}
"""


def blobs(nets: Any) -> dict[str, Any]:
    return {
        "conv1": [nets.array(6, 1, 5, 5), nets.array(6)],
        "bn1": [nets.array(6), nets.array(6, positive=True), np.ones(1, np.float32)],
        "bn1/scale": [nets.array(6), nets.array(6)],
        "fc1": [nets.array(10, 6 * 14 * 14), nets.array(10)],
    }


def test_a_network_written_by_hand_comes_back_letter_by_letter(nets: Any, tmp_path: Path) -> None:
    """Caffe to the IR to Caffe: the same text, the same bits."""
    path = nets.net(LENET, **blobs(nets))
    report = pipeline.convert(path, "caffe", tmp_path / "again")
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    assert (tmp_path / "again" / "deploy.prototxt").read_text() == LENET
    before = {layer.name: layer.blobs for layer in stored_layers(path.with_suffix(".caffemodel"))}
    written = stored_layers(tmp_path / "again" / "deploy.caffemodel")
    after = {layer.name: layer.blobs for layer in written if layer.blobs}
    assert before.keys() == after.keys()
    for name, group in before.items():
        for left, right in zip(group, after[name], strict=True):
            assert left.shape == right.shape and left.array.tobytes() == right.array.tobytes(), name


def test_the_same_input_gives_the_same_bytes(nets: Any, tmp_path: Path) -> None:
    path = nets.net(LENET, **blobs(nets))
    digests = []
    for name in ("one", "two"):
        pipeline.convert(path, "caffe", tmp_path / name)
        found = pipeline.digest(tmp_path / name)
        digests.append({key: value for key, value in found.items() if key.startswith("deploy")})
    assert len(digests[0]) == 2 and digests[0] == digests[1]


@pytest.mark.parametrize("make", [models.lenet, models.vgg])
def test_weights_that_are_only_moved_are_the_same_bits(make: Any, tmp_path: Path) -> None:
    """ONNX to Caffe and back: every weight and bias of LeNet-4 and of a VGG-like net."""
    model = make()
    source = models.saved(model, tmp_path / "source.onnx")
    report = pipeline.convert(source, "caffe", tmp_path / "caffe")
    assert [proof.verdict for proof in report.proofs] == ["proved"] * len(report.proofs)
    assert report.transposes["leftover"] == 0
    artifact = recognise(tmp_path / "caffe")
    assert artifact is not None
    again = read(artifact, ReadOptions()).model
    weights = {name: value.const_value.numpy() for name, value in model.graph.initializers.items()}
    named = report.weights
    assert sorted(named.values()) == sorted(name for name, array in weights.items() if array.dtype == np.float32)
    for name, origin in named.items():
        assert again.graph.initializers[name].const_value.numpy().tobytes() == weights[origin].tobytes(), name


def test_a_wrong_weight_is_caught_with_its_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from interlingua_caffe.lowering.network import Learned

    whole = Learned.array

    def wrong(self: Learned) -> Any:
        array = whole(self)
        return array * np.float32(1.5) if array.shape == (84, 784) else array

    monkeypatch.setattr(Learned, "array", wrong)
    source = models.saved(models.lenet(), tmp_path / "source.onnx")
    with pytest.raises(VerificationFailed, match="the first diverging layer, fc1"):
        pipeline.convert(source, "caffe", tmp_path / "caffe")
    assert not (tmp_path / "caffe").exists()


def test_what_the_runtime_cannot_prove_is_converted_and_told(nets: Any, tmp_path: Path) -> None:
    """A net of the older ImageNet kind with k: 2; OpenCV would compute k = 1."""
    text = LENET.replace('type: "Dropout"', 'type: "ReLU"')
    text += 'layer { name: "norm" type: "LRN" bottom: "pool1" top: "norm" lrn_param { k: 2 alpha: 0.001 } }\n'
    report = pipeline.convert(nets.net(text, **blobs(nets)), "caffe", tmp_path / "out")
    assert report.proofs == []
    skipped = {(note.place, note.kind) for note in report.notes}
    assert {("norm", "Skipped"), ("source", "Skipped"), ("target", "Skipped")} <= skipped
    assert "    k: 2\n" in (tmp_path / "out" / "deploy.prototxt").read_text()


def test_the_runtime_tells_what_was_written(nets: Any) -> None:
    path = nets.net(LENET.replace("prob", "turned").replace('"Softmax"', '"Permute"'), **blobs(nets))
    path.write_text(path.read_text().replace('top: "turned"', 'top: "turned"\n  permute_param { order: 1 order: 0 }'))
    told = shared("caffe").call("materialise", phase="load", folder=str(path.parent), native="caffe", inputs=[]).value
    assert told == {"path": ".", "files": ["deploy.caffemodel", "deploy.prototxt"], "transposes": 1}
