"""Networks of every age and spelling read the same: V0, V1, V2, input lines, phases, legacy blobs."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from interlingua.errors import InvalidSource, UsageError
from interlingua.proof import execute
from interlingua_caffe.frontend import phase
from interlingua_caffe.frontend.net import parsed
from interlingua_caffe.proto import message
from interlingua_caffe.proto.text import parse, render
from interlingua_caffe.proto.wire import blob_head, prefix

TODAY = """name: "net"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } } }
layer {
  name: "conv" type: "Convolution" bottom: "data" top: "conv"
  param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 stride: 2 weight_filler { type: "xavier" } }
}
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
layer { name: "ip" type: "InnerProduct" bottom: "pool" top: "ip" inner_product_param { num_output: 5 } }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }
"""
V1 = """name: "net" input: "data" input_dim: 2 input_dim: 3 input_dim: 8 input_dim: 8
layers { name: "conv" type: CONVOLUTION bottom: "data" top: "conv"
  blobs_lr: 1 blobs_lr: 2 weight_decay: 1 weight_decay: 0
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 stride: 2 } }
layers { name: "relu" type: RELU bottom: "conv" top: "conv" }
layers { name: "pool" type: POOLING bottom: "conv" top: "pool" pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
layers { name: "ip" type: INNER_PRODUCT bottom: "pool" top: "ip" inner_product_param { num_output: 5 } }
layers { name: "prob" type: SOFTMAX bottom: "ip" top: "prob" }
"""
V0 = """name: "net" input: "data" input_dim: 2 input_dim: 3 input_dim: 8 input_dim: 8
layers { layer { name: "pad" type: "padding" pad: 1 } bottom: "data" top: "padded" }
layers { bottom: "padded" top: "conv"
  layer { name: "conv" type: "conv" num_output: 4 kernelsize: 3 stride: 2 blobs_lr: 1. } }
layers { layer { name: "relu" type: "relu" } bottom: "conv" top: "conv" }
layers { layer { name: "pool" type: "pool" pool: AVE kernelsize: 2 stride: 2 } bottom: "conv" top: "pool" }
layers { layer { name: "ip" type: "innerproduct" num_output: 5 } bottom: "pool" top: "ip" }
layers { layer { name: "prob" type: "softmax" } bottom: "ip" top: "prob" }
"""
SHAPED = TODAY.replace(
    'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } } }',
    'input: "data" input_shape { dim: [2, 3, 8, 8] }',
)
MEMORY = TODAY.replace('"Input"', '"MemoryData"').replace(
    "input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } }",
    "memory_data_param { batch_size: 2 channels: 3 height: 8 width: 8 }",
)


@pytest.fixture
def blobs(nets: Any) -> dict[str, Any]:
    return {"conv": [nets.array(4, 3, 3, 3), nets.array(4)], "ip": [nets.array(5, 16), nets.array(5)]}


@pytest.mark.parametrize("text", [V0, V1, SHAPED, MEMORY], ids=["V0", "V1", "input_shape", "MemoryData"])
def test_every_form_computes_the_same(nets: Any, blobs: Any, text: str) -> None:
    x = nets.array(3, 3, 8, 8)
    (today,) = nets.agree(nets.read(nets.net(TODAY, **blobs)), x)
    (other,) = nets.agree(nets.read(nets.net(text, **blobs)), x)
    assert np.array_equal(today, other)


def _legacy(net: Any, kind: str, blobs: dict[str, Any], field: str = "data") -> None:
    """Layers of Caffe's older binary forms, blobs with four axes."""
    for name, arrays in blobs.items():
        outer = net.layers.add()
        layer = outer.layer if kind == "V0" else outer
        layer.name = name
        if kind == "V0":
            layer.type = "conv"
        for array in arrays:
            blob = layer.blobs.add()
            shape = (1,) * (4 - array.ndim) + array.shape
            blob.num, blob.channels, blob.height, blob.width = shape
            getattr(blob, field).extend(array.ravel().tolist())


@pytest.mark.parametrize("kind", ["V0", "V1"])
@pytest.mark.parametrize("field", ["data", "double_data"])
def test_binary_models_of_every_age_hold_the_same_weights(nets: Any, blobs: Any, kind: str, field: str) -> None:
    path = nets.net(TODAY, **blobs)
    reference = nets.read(path)
    net = message("NetParameter")
    net.name = "net"
    _legacy(net, kind, blobs, field)
    old = nets.folder / "old.caffemodel"
    old.write_bytes(net.SerializeToString())
    source = nets.read(path, weights=old)
    assert any(note.kind == "Approximated" for note in source.notes) is (field == "double_data")
    for name, value in reference.model.graph.initializers.items():
        other = source.model.graph.initializers[name]
        assert np.array_equal(value.const_value.numpy(), other.const_value.numpy()), name


def test_numbers_written_one_by_one_are_read(nets: Any, blobs: Any) -> None:
    """Repeated numbers may stand one field each: tag 0x2d, four bytes."""
    path = nets.net(TODAY, **blobs)
    bias = blobs["conv"][1]
    unpacked = b"".join(b"\x2d" + number.tobytes() for number in bias) + b"\x3a\x03\x0a\x01\x04"
    weight = message("BlobProto")
    weight.shape.dim.extend((4, 3, 3, 3))
    weight.data.extend(blobs["conv"][0].ravel().tolist())
    packed = weight.SerializeToString()
    size = len(packed)
    inside = (
        b"\x0a\x04conv"
        + b"\x3a"
        + bytes([size & 0x7F | 0x80, size >> 7])
        + packed
        + b"\x3a"
        + bytes([len(unpacked)])
        + unpacked
    )
    rest = message("NetParameter")
    layer = rest.layer.add(name="ip")
    for array in blobs["ip"]:
        blob = layer.blobs.add()
        blob.shape.dim.extend(array.shape)
        blob.data.extend(array.ravel().tolist())
    odd = nets.folder / "odd.caffemodel"
    odd.write_bytes(
        b"\xa2\x06" + bytes([len(inside) & 0x7F | 0x80, len(inside) >> 7]) + inside + rest.SerializeToString()
    )
    source = nets.read(path, weights=odd)
    assert np.array_equal(source.model.graph.initializers["conv/1"].const_value.numpy(), bias)


PHASES = """
layer { name: "mnist" type: "Data" top: "data" top: "label" include { phase: TRAIN } data_param { batch_size: 64 } }
layer { name: "mnist" type: "Data" top: "data" top: "label" include { phase: TEST } transform_param { scale: 0.5 } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 3 } }
layer { name: "extra" type: "ReLU" bottom: "ip" top: "ip" include { stage: "deploy" } }
layer { name: "noise" type: "Dropout" bottom: "ip" top: "ip" exclude { phase: TEST } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


def test_a_training_net_is_read_as_it_is_tested(nets: Any) -> None:
    path = nets.net(PHASES, ip=[nets.array(3, 8), nets.array(3)])
    with pytest.raises(
        InvalidSource, match=r"shape of its input 'data'.*Received a Data layer.*--input-shape data=1,3,224,224"
    ):
        nets.read(path)
    source = nets.read(path, shapes={"data": (None, 2, 2, 2)})
    assert [node.op_type for node in source.model.graph] == ["Flatten", "Gemm"]
    assert [value.name for value in source.model.graph.outputs] == ["ip"]
    told = {(note.kind, note.place) for note in source.notes}
    assert {("Dropped", "accuracy"), ("Dropped", "loss"), ("Dropped", "mnist")} <= told
    nets.agree(source, nets.array(4, 2, 2, 2))


def test_stages_and_levels_select_layers() -> None:
    text = """state { stage: "deploy" level: 2 }
    layer { name: "a" include { stage: "deploy" not_stage: "x" } } layer { name: "b" include { stage: "other" } }
    layer { name: "c" include { min_level: 3 } include { max_level: 2 } }
    layer { name: "d" exclude { min_level: 1 max_level: 3 } }
    layer { name: "e" include { phase: TRAIN } }"""
    net, _ = parse(text, "")
    assert [layer.name for layer in phase.tested(net)] == ["a", "c"]
    net, _ = parse('layer { name: "a" include { phase: TEST } exclude { stage: "x" } }', "")
    with pytest.raises(InvalidSource, match="Received both"):
        phase.tested(net)


def test_mixed_forms_are_refused(nets: Any) -> None:
    with pytest.raises(InvalidSource, match="both `layer` and `layers`"):
        parsed(nets.net('layer { name: "a" } layers { name: "b" type: RELU }'))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('layer { name: "a" ', "line 1: the text ends within a message"),
        ("layer { name: }", "line 1: expected a value, received '}'"),
        ('layer {\n  convolution_param { num_output: "many" } }', "Couldn't parse integer"),
        ("layer { convolution_param { num_output: -3 } }", "out of range"),
        ("layer { pooling_param { pool: MEDIAN } }", "no value named MEDIAN"),
        ("layer " + "{ a " * 80, "expected a field name"),
        ('layer { name: "a\xa7 } ', "line 1: unexpected character"),
    ],
)
def test_broken_text_names_its_line(nets: Any, text: str, said: str) -> None:
    with pytest.raises(InvalidSource) as raised:
        parsed(nets.net(text))
    assert said in str(raised.value)


def test_rendered_text_reads_the_same_in_protobuf(nets: Any) -> None:
    text = """name: "q\\"u\\\\o\\n'te é"
    layer { name: "a" type: "LRN" lrn_param { alpha: 1e-05 beta: 0.75 k: 1e30 norm_region: WITHIN_CHANNEL } }
    layer { name: "b" include { phase: TEST } param { lr_mult: 0.1 } param { }
      batch_norm_param { use_global_stats: true } }"""
    net, _ = parse(text, "")
    again, _ = parse(render(net), "")
    assert again == net


def test_outputs_and_inputs_are_chosen_by_name(nets: Any, blobs: Any) -> None:
    path = nets.net(TODAY, **blobs)
    x = nets.array(2, 3, 8, 8)
    source = nets.read(path, outputs=("conv", "ip"))
    assert [value.name for value in source.model.graph.outputs] == ["conv", "ip"]
    reference, other = nets.computed(source, x)
    nets.close(other[1], reference[1])
    assert (reference[0] >= 0).all(), "a blob is what it is at the end: after its ReLU in place"
    nets.close(other[0], reference[0])
    with pytest.raises(UsageError, match=r"Received 'prop'\..*Near: prob"):
        nets.read(path, outputs=("prop",))
    with pytest.raises(UsageError, match="one of the inputs data"):
        nets.read(path, shapes={"image": (1, 3, 8, 8)})


def test_a_shape_of_the_user_replaces_the_declared_one(nets: Any, blobs: Any) -> None:
    source = nets.read(nets.net(TODAY, **blobs), shapes={"": (7, 3, 8, 8)})
    assert source.model.graph.inputs[0].shape.numpy() == (7, 3, 8, 8)
    nets.agree(source, nets.array(7, 3, 8, 8))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda blobs: blobs.pop("ip"),
            "Expected blob 0 of the InnerProduct layer in the weights file. Received none.",
        ),
        (
            lambda blobs: blobs["ip"].pop(),
            "Expected blob 1 of the InnerProduct layer in the weights file. Received 1 of them.",
        ),
        (lambda blobs: blobs.update(ip=[blobs["ip"][0].ravel(), blobs["ip"][1]]), "Expected a blob of 2 axes"),
        (lambda blobs: blobs.update(ip=[blobs["ip"][0][:, :9], blobs["ip"][1]]), "[5, 16]"),
        (lambda blobs: blobs.update(conv=[blobs["conv"][0][:, :2], blobs["conv"][1]]), "[4, 3, 3, 3]"),
        (lambda blobs: blobs.update(conv=[blobs["conv"][0], blobs["conv"][1][:3]]), "[4]"),
    ],
)
def test_missing_and_misshapen_weights_are_named(nets: Any, blobs: Any, change: Any, said: str) -> None:
    change(blobs)
    with pytest.raises(InvalidSource) as raised:
        nets.read(nets.net(TODAY, **blobs))
    assert said in str(raised.value)


def test_a_net_without_weights_says_how_to_give_them(nets: Any) -> None:
    with pytest.raises(InvalidSource, match=r"Received the prototxt alone\..*--weights FILE"):
        nets.read(nets.net(TODAY))
    with pytest.raises(InvalidSource, match="does not exist"):
        nets.read(nets.net(TODAY), weights=nets.folder / "none.caffemodel")


def test_a_blob_that_declares_too_much_is_refused_before_memory_is_taken(nets: Any, blobs: Any) -> None:
    path = nets.net(TODAY, **blobs)
    net = message("NetParameter")
    blob = net.layer.add(name="conv").blobs.add()
    blob.shape.dim.extend((1 << 40, 1 << 20))
    blob.data.extend((1.0, 2.0))
    huge = nets.folder / "huge.caffemodel"
    huge.write_bytes(net.SerializeToString())
    with pytest.raises(InvalidSource, match="Received 2 numbers"):
        nets.read(path, weights=huge)


def test_weights_are_views_of_the_file(nets: Any) -> None:
    """Reading 64 MB of weights takes a fraction of that in memory."""
    text = TODAY.replace("num_output: 5", "num_output: 1048576")
    path = nets.net(text, conv=[nets.array(4, 3, 3, 3), nets.array(4)])
    weights = np.zeros((1048576, 16), np.float32)
    nets.save_weights(nets.folder / "deploy.caffemodel", {"conv": [nets.array(4, 3, 3, 3), nets.array(4)]})
    body = b"\x0a\x02ip"
    for array in (weights, weights[:, 0]):
        head = blob_head(array.shape, array.size * 4)
        body += prefix(7, len(head) + array.size * 4) + head + array.tobytes()
    with (nets.folder / "deploy.caffemodel").open("ab") as file:
        file.write(prefix(100, len(body)) + body)
    del weights, body
    code = (
        "import resource, sys; from pathlib import Path; from interlingua.artifact import ReadOptions;"
        "from interlingua_caffe.frontend.read import read; from interlingua_caffe.frontend.recognise import recognise;"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        f"read(recognise(Path({str(path)!r})), ReadOptions());"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 24_000, "kilobytes"


def test_blobs_shared_by_name_are_one_weight(nets: Any) -> None:
    text = """
    layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 4 } } }
    layer { name: "a" type: "InnerProduct" bottom: "data" top: "a" param { name: "w" } param { name: "b" }
      inner_product_param { num_output: 4 } }
    layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" } param { name: "b" }
      inner_product_param { num_output: 4 } }
    """
    pair = [nets.array(4, 4), nets.array(4)]
    source = nets.read(nets.net(text, a=pair, b=pair))
    assert sorted(source.model.graph.initializers) == ["a/0", "a/1"]
    nets.agree(source, nets.array(2, 4))


def test_run_by_the_command_runs_the_folder(nets: Any, blobs: Any) -> None:
    path = nets.net(TODAY, **blobs)
    x = {"data": nets.array(3, 3, 8, 8)}
    (by_folder,) = execute.run("caffe", x, {"path": str(path.parent), "format": "caffe"}, phase="run")
    (by_net,) = execute.run("caffe", x, {"path": str(path), "format": "caffe", "outputs": ["prob"]}, phase="run")
    assert np.array_equal(by_folder, by_net)
    traced = execute.trace("caffe", x, {"path": str(path), "format": "caffe"})
    assert list(traced) == ["conv", "relu", "pool", "ip", "prob"]
    assert (traced["conv"] < 0).any() and (traced["relu"] >= 0).all()
