"""Caffe's files are told apart by content, and a wrong kind is named with what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interlingua.errors import InvalidSource
from interlingua_caffe.frontend.inspect import inspect
from interlingua_caffe.frontend.recognise import recognise
from interlingua_caffe.proto import message

NET = """name: "small"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 dim: 4 dim: 4 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 3 kernel_size: 3 } }
"""
TRAINED = NET.replace('type: "Input"', 'type: "Data"').replace(
    "input_param { shape { dim: 1 dim: 2 dim: 4 dim: 4 } }", ""
)
SOLVER = 'net: "train_val.prototxt"\nbase_lr: 0.01\nlr_policy: "step"\nmax_iter: 100\nsnapshot_prefix: "small"\n'


@pytest.fixture
def blobs(nets: Any) -> dict[str, Any]:
    return {"conv": [nets.array(3, 2, 3, 3), nets.array(3)]}


def test_a_network_is_recognised_with_the_weights_beside_it(nets: Any, blobs: Any) -> None:
    path = nets.net(NET, **blobs)
    for named in (path, path.with_suffix(".caffemodel"), path.parent):
        artifact = recognise(named)
        assert artifact is not None
        assert artifact.format == "caffe" and artifact.path == named
        assert artifact.files == {"graph": path, "weights": path.with_suffix(".caffemodel")}


def test_content_counts_not_the_suffix(nets: Any, blobs: Any) -> None:
    path = nets.net(NET, **blobs).rename(nets.folder / "net.txt")
    artifact = recognise(path)
    assert artifact is not None and artifact.files["graph"] == path
    other = nets.folder / "notes.prototxt"
    other.write_text("layer { name: 'open' \n{ }")
    with pytest.raises(InvalidSource, match="line 2: expected a field name"):
        recognise(other)


@pytest.mark.parametrize("text", ["", "print('layer {')\n", "node { name: 'x' op: 'Add' }\n", "# nothing\n"])
def test_what_is_none_of_caffes_is_left_to_others(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file.txt"
    path.write_text(text)
    assert recognise(path) is None
    assert recognise(tmp_path) is None


def test_the_deploy_net_is_chosen_among_several(nets: Any, blobs: Any) -> None:
    deploy = nets.net(NET, **blobs)
    (nets.folder / "train_val.prototxt").write_text(TRAINED)
    (nets.folder / "solver.prototxt").write_text(SOLVER)
    artifact = recognise(nets.folder)
    assert artifact is not None and artifact.files["graph"] == deploy


def test_the_net_that_says_its_shape_is_chosen_among_several(nets: Any, blobs: Any) -> None:
    shaped = nets.net(NET, **blobs).rename(nets.folder / "a.prototxt")
    (nets.folder / "b.prototxt").write_text(TRAINED)
    artifact = recognise(nets.folder)
    assert artifact is not None and artifact.files["graph"] == shaped


def test_an_open_choice_is_named(nets: Any) -> None:
    for name in ("a", "b"):
        (nets.folder / f"{name}.prototxt").write_text(NET)
    with pytest.raises(InvalidSource, match=r"Received 2: a\.prototxt, b\.prototxt"):
        recognise(nets.folder)


def test_a_solver_is_named(nets: Any) -> None:
    path = nets.folder / "solver.prototxt"
    path.write_text(SOLVER)
    said = r"Received a solver definition \(`solver\.prototxt`\); its `net:` line names the network\."
    for named in (path, nets.folder):
        with pytest.raises(InvalidSource, match=said):
            recognise(named)


def test_a_mean_image_is_named(nets: Any) -> None:
    mean = message("BlobProto")
    mean.num, mean.channels, mean.height, mean.width = 1, 3, 2, 2
    mean.data.extend(range(12))
    path = nets.folder / "mean.binaryproto"
    path.write_bytes(mean.SerializeToString())
    with pytest.raises(InvalidSource, match="Received a mean image"):
        recognise(path)


def test_a_solver_state_is_named(nets: Any) -> None:
    path = nets.folder / "small_iter_10.solverstate"
    path.write_bytes(b"\x08\x0a\x12\x18small_iter_10.caffemodel")
    with pytest.raises(InvalidSource, match="Received a solver's state"):
        recognise(path)


def test_weights_in_hdf5_are_named_with_the_way_out(nets: Any) -> None:
    path = nets.folder / "small.caffemodel.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(64))
    with pytest.raises(InvalidSource, match=r"in HDF5 .*snapshot_format: BINARYPROTO"):
        recognise(path)


def test_weights_alone_say_what_is_missing(nets: Any, blobs: Any) -> None:
    path = nets.save_weights(nets.folder / "small.caffemodel", blobs)
    for named in (path, nets.folder):
        with pytest.raises(
            InvalidSource, match=r"its weights alone .*prototxt is missing.*--weights small\.caffemodel"
        ):
            recognise(named)


@pytest.mark.parametrize("cut", [1, 7, 40, 200])
def test_a_torn_caffemodel_is_named(nets: Any, blobs: Any, cut: int) -> None:
    path = nets.net(NET, **blobs).with_suffix(".caffemodel")
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InvalidSource, match="truncated"):
        nets.read(nets.folder)


def test_other_binaries_are_left_to_others(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for index in range(50):
        path = tmp_path / f"{index}.bin"
        path.write_bytes(random.bytes(400))
        assert recognise(path) is None
    onnx = tmp_path / "model.onnx"
    onnx.write_bytes(b"\x08\x0a\x12\x07pytorch\x1a\x032.13:\x10\x0a\x04relu")
    graph = tmp_path / "graph.pb"
    graph.write_bytes(b"\x0a\x0b\x0a\x01x\x12\x06Const!")
    assert recognise(onnx) is None and recognise(graph) is None


def test_inspection_shows_layers_and_what_is_missing(nets: Any, blobs: Any) -> None:
    artifact = recognise(nets.net(NET))
    assert artifact is not None
    (missing,) = inspect(artifact).missing
    assert "--weights" in missing
    artifact = recognise(nets.net(NET, **blobs))
    assert artifact is not None
    shown = inspect(artifact)
    assert (shown.inputs, shown.outputs, shown.parameters, shown.missing) == (("data",), ("conv",), 57, ())
    assert [(layer.name, layer.kind, layer.parameters) for layer in shown.layers] == [
        ("data", "Input", 0),
        ("conv", "Convolution", 57),
    ]


def test_inspection_of_a_training_net_says_how_to_give_the_shape(nets: Any, blobs: Any) -> None:
    artifact = recognise(nets.net(TRAINED, **blobs))
    assert artifact is not None
    (missing,) = inspect(artifact).missing
    assert "--input-shape data=" in missing
