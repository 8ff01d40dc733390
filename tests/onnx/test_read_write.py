"""ONNX files: recognised by content, read without copying weights, refused when wrong, written back alike."""

from __future__ import annotations

import pickle
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from passes_graphs import Graph, lenet, weights

from interlingua import passes, plugin
from interlingua.artifact import ReadOptions, WriteOptions
from interlingua.codegen.package import WriteRequest
from interlingua.errors import InvalidSource, UnsupportedModel, UntrustedSource, UsageError
from interlingua.ir import metadata
from interlingua.notes import Notes
from interlingua.onnx import backend, inspector, reader, runtime
from interlingua.onnx.recognise import recognise


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "lenet.onnx"
    ir.save(lenet(False), file)
    return file


@pytest.fixture
def array() -> np.ndarray:
    return np.random.default_rng(4).normal(size=(2, 1, 28, 28)).astype(np.float32)


def read(file: Path, **options):
    artifact = recognise(file)
    assert artifact is not None
    return reader.read(artifact, ReadOptions(**options))


def outputs(file: Path, feeds, **arguments):
    return runtime.run(feeds, path=str(file), **arguments)[1]


def test_recognised_whatever_its_name(path, tmp_path):
    other = path.rename(tmp_path / "model.bin")
    artifact = recognise(other)
    assert (artifact.format, artifact.facts["opsets"]) == ("onnx", {"": 26})


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"{}", b"hello world, this is no model", bytes(range(256))]
)
def test_other_files_are_not_claimed(tmp_path, content):
    file = tmp_path / "something"
    file.write_bytes(content)
    assert recognise(file) is None
    assert recognise(tmp_path) is None


def test_what_a_wrong_file_looks_like_is_said(tmp_path):
    cases = {"a Python pickle": pickle.dumps({"torch": 1}), "a text file": b'{"a": 1}'}
    for said, content in cases.items():
        file = tmp_path / "model.onnx"
        file.write_bytes(content)
        with pytest.raises(InvalidSource, match=said):
            recognise(file)
    with zipfile.ZipFile(tmp_path / "model.onnx", "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(InvalidSource, match="zip archive"):
        recognise(tmp_path / "model.onnx")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated_files_are_refused(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InvalidSource):
        read(path)


def test_an_initializer_is_a_message(tmp_path):
    file = tmp_path / "tensor.onnx"
    file.write_bytes(onnx.numpy_helper.from_array(weights(4), "w").SerializeToString())
    with pytest.raises(InvalidSource, match="without a graph"):
        recognise(file)


@pytest.mark.parametrize("dims", [[1 << 40, 1 << 20], [785, 84], [-1, 84]])
def test_declared_sizes_are_checked_before_anything_is_allocated(path, dims):
    proto = onnx.load(path)
    (tensor,) = [each for each in proto.graph.initializer if each.name == "fc1/kernel"]
    tensor.dims[:] = dims
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(InvalidSource):
        read(path)


def test_small_tensors_are_checked_too(path):
    proto = onnx.load(path)
    (tensor,) = [each for each in proto.graph.initializer if each.name == "fc2/bias"]
    tensor.dims[:] = [1 << 50]
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(InvalidSource, match="fc2/bias"):
        read(path)


def test_values_that_nothing_computes_are_named(path):
    proto = onnx.load(path)
    proto.graph.node[3].input[0] = "nowhere"
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(InvalidSource, match="nowhere"):
        read(path)


@pytest.mark.parametrize(("kind", "held"), [("INT", {"ints": [0]}), ("FLOAT", {"i": 0}), ("INTS", {"i": 1})])
def test_attributes_that_hold_something_else_than_they_say_are_refused(tmp_path, kind, held):
    text = '<ir_version: 9, opset_import: ["": 18]> g (float[2, 3] x) => (float[2, 3] y) { y = Softmax <axis = 1> (x) }'
    proto = onnx.parser.parse_model(text)
    (attribute,) = proto.graph.node[0].attribute
    attribute.Clear()
    attribute.MergeFrom(onnx.AttributeProto(name="axis", type=onnx.AttributeProto.AttributeType.Value(kind), **held))
    onnx.save(proto, tmp_path / "wrong.onnx")
    with pytest.raises(InvalidSource, match="Received 'axis' of a 'Softmax'"):
        read(tmp_path / "wrong.onnx")


def test_a_zero_that_a_writer_leaves_out_is_one(tmp_path):
    text = '<ir_version: 9, opset_import: ["": 18]> g (float[2, 3] x) => (float[2, 3] y) { y = Softmax <axis = 0> (x) }'
    proto = onnx.parser.parse_model(text)
    proto.graph.node[0].attribute[0].ClearField("i")
    onnx.save(proto, tmp_path / "zero.onnx")
    assert read(tmp_path / "zero.onnx").model.graph.node(0).attributes["axis"].as_int() == 0


def test_weights_stay_in_the_file(tmp_path):
    graph = Graph()
    x = graph.input("x", [1, 2048])
    for _ in range(4):
        x = graph("MatMul", x, weights(2048, 2048))
    file = tmp_path / "large.onnx"
    ir.save(graph.model(x), file)
    tracemalloc.start()
    model = passes.run(read(file).model, notes=Notes())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20 < file.stat().st_size // 10
    first = next(iter(model.graph.initializers.values())).const_value
    assert np.array_equal(first.numpy(), weights(2048, 2048))


def test_external_weights_stay_in_theirs(tmp_path, array):
    file = tmp_path / "lenet.onnx"
    ir.save(lenet(False), file, external_data="lenet.data")
    model = read(file).model
    assert isinstance(model.graph.initializers["fc1/kernel"].const_value, ir.ExternalTensor)
    assert set(outputs(file, {"x": array})) == {model.graph.outputs[0].name}


@pytest.mark.parametrize("location", ["../outside.data", "/etc/passwd", "sub/../../outside.data"])
def test_external_weights_outside_the_folder_are_not_trusted(tmp_path, location):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "outside.data").write_bytes(bytes(1 << 20))
    file = folder / "lenet.onnx"
    ir.save(lenet(False), file, external_data="lenet.data")
    _edit_external(file, location=location)
    with pytest.raises(UntrustedSource, match="inside the model's folder"):
        read(file)


def test_links_out_of_the_folder_are_not_trusted(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    file = folder / "lenet.onnx"
    ir.save(lenet(False), file, external_data="lenet.data")
    (folder / "lenet.data").rename(tmp_path / "outside.data")
    (folder / "lenet.data").symlink_to(tmp_path / "outside.data")
    with pytest.raises(UntrustedSource):
        read(file)


def test_external_weights_that_are_missing_or_short_are_refused(tmp_path):
    file = tmp_path / "lenet.onnx"
    ir.save(lenet(False), file, external_data="lenet.data")
    data = tmp_path / "lenet.data"
    data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(InvalidSource, match="Received a file of 1000 bytes"):
        read(file)
    data.unlink()
    with pytest.raises(InvalidSource, match=r"Missing: lenet\.data"):
        read(file)


def _edit_external(file: Path, **entries: str) -> None:
    proto = onnx.load(file, load_external_data=False)
    for tensor in proto.graph.initializer:
        for entry in tensor.external_data:
            entry.value = entries.get(entry.key, entry.value)
    file.write_bytes(proto.SerializeToString())


def test_unknown_operators_travel_through(tmp_path):
    graph = Graph()
    x = graph.input("x", [1, 4])
    for name in ("first", "second"):
        x = graph("Odd", x, name=name, domain="elsewhere", knob=3)
    file = tmp_path / "odd.onnx"
    proto = ir.to_proto(graph.model(x))
    del proto.opset_import[:]
    proto.opset_import.add(version=26)
    file.write_bytes(proto.SerializeToString())
    source = read(file)
    assert [note.place for note in source.notes] == ["elsewhere"]
    model = passes.run(source.model, notes=Notes())
    package = backend.write(model, WriteRequest(plugin.framework("onnx"), tmp_path, WriteOptions()))
    written = onnx.load(tmp_path / package.native_path)
    assert [(node.domain, node.op_type, node.name) for node in written.graph.node] == [
        ("elsewhere", "Odd", "first"),
        ("elsewhere", "Odd", "second"),
    ]
    assert {each.domain: each.version for each in written.opset_import} == {"": 26, "elsewhere": 1}


def test_layers_that_nobody_read_are_refused_at_once(tmp_path):
    graph = Graph()
    x = graph.input("x", [1, 4])
    for name in ("first", "second"):
        x = graph("Odd", x, name=name, domain="caffe")
    model = passes.run(graph.model(x), notes=Notes())
    model.opset_imports.pop("caffe")
    with pytest.raises(UnsupportedModel) as caught:
        backend.write(model, WriteRequest(plugin.framework("onnx"), tmp_path, WriteOptions()))
    assert [line.split(" at ")[1] for line in caught.value.refusals] == ["first", "second"]
    assert not (tmp_path / "model.onnx").exists()


def test_text_is_read(tmp_path):
    file = tmp_path / "tiny.onnxtxt"
    file.write_text('<ir_version: 8, opset_import: ["": 17]> g (float[N, 4] x) => (float[N, 4] y) { y = Relu (x) }')
    source = read(file)
    assert [node.op_type for node in source.model.graph] == ["Relu"]
    feeds = {"x": np.array([[-1, 2, -3, 4]], np.float32)}
    assert outputs(file, feeds)["y"].tolist() == [[0, 2, 0, 4]]
    file.write_text("g (x) =>")
    with pytest.raises(InvalidSource, match="as onnxtxt"):
        read(file)


def test_written_models_are_the_same(path, tmp_path, array):
    (tmp_path / "out").mkdir()
    model = passes.run(read(path).model, notes=Notes())
    package = backend.write(model, WriteRequest(plugin.framework("onnx"), tmp_path / "out", WriteOptions()))
    file = tmp_path / "out" / package.native_path
    onnx.checker.check_model(str(file), full_check=True)
    names = {tensor.name for tensor in onnx.load(path).graph.initializer}
    assert names <= {tensor.name for tensor in onnx.load(file).graph.initializer}
    (left,), (right,) = outputs(path, {"x": array}).values(), outputs(file, {"x": array}).values()
    assert np.array_equal(left, right)
    again = tmp_path / "again"
    again.mkdir()
    backend.write(
        passes.run(read(file).model, notes=Notes()), WriteRequest(plugin.framework("onnx"), again, WriteOptions())
    )
    assert (again / "model.onnx").read_bytes() == file.read_bytes()


def test_moved_weights_take_the_names_of_the_source(tmp_path):
    from interlingua.passes import layout

    model = passes.run(lenet(True), notes=Notes())
    layout.apply(model, data_axes="N C *", ops=(), layout="native", notes=Notes())
    package = backend.write(model, WriteRequest(plugin.framework("onnx"), tmp_path, WriteOptions()))
    assert package.weights["fc1/kernel"].startswith("reshape(transpose(reshape(fc1/kernel")
    again = read(tmp_path / "model.onnx").model
    assert str(metadata.origin(again.graph.initializers["fc1/kernel"])) == "fc1/kernel"
    assert metadata.permutation(again.graph.inputs[0]) is None


# choices of the user


def test_outputs_and_inputs_are_cut_where_the_user_says(path, array):
    names = [node.outputs[0].name for node in read(path).model.graph]
    whole = read(path, outputs=(names[4],))
    found = outputs(path, {"x": array}, outputs=whole.run["outputs"])
    assert list(found) == [names[4]]
    assert len(whole.model.graph) == 5
    part = read(path, inputs=(names[2],), outputs=(names[4],))
    assert [value.name for value in part.model.graph.inputs] == [names[2]]
    middle = outputs(path, {"x": array}, outputs=[names[2]])
    again = outputs(path, middle, outputs=[names[4]])
    assert np.array_equal(again[names[4]], found[names[4]])


def test_unknown_names_get_near_ones(path):
    with pytest.raises(UsageError, match="Near ones") as caught:
        read(path, outputs=("v99",))
    assert "'v99'" in str(caught.value)
    with pytest.raises(UsageError, match="also need: x"):
        names = [node.outputs[0].name for node in read(path).model.graph]
        read(path, inputs=(names[4],), outputs=(names[4], names[1]))


def test_shapes_are_taken_and_checked(path):
    model = read(path, shapes={"": (5, 1, 28, 28)}).model
    assert list(model.graph.inputs[0].shape) == [5, 1, 28, 28]
    for wrong in ((5, 1, 28), (5, 3, 28, 28)):
        with pytest.raises(UsageError):
            read(path, shapes={"x": wrong})
    with pytest.raises(UsageError, match="'y'"):
        read(path, shapes={"y": (1,)})


def test_inspection(path):
    shown = inspector.inspect(recognise(path))
    assert shown.inputs == ("x: float[N, 1, 28, 28]",)
    assert shown.parameters == 6 * 25 + 6 + 16 * 6 * 25 + 16 + 784 * 84 + 84 + 840 + 10
    assert [layer.kind for layer in shown.layers][:3] == ["Conv", "Relu", "MaxPool"]
    assert shown.layers[0].parameters == 156
    assert not shown.missing


def test_inspection_says_what_is_unknown(tmp_path):
    graph = Graph()
    file = tmp_path / "odd.onnx"
    value = graph("Odd", graph.input("x", [1]), domain="elsewhere")
    file.write_bytes(ir.to_proto(graph.model(value)).SerializeToString())
    assert inspector.inspect(recognise(file)).missing == ("the operator elsewhere.Odd is none of the standard's",)


# the runtime


def test_versions():
    value, arrays = runtime.versions({})
    assert value["onnxruntime"] and not arrays


def test_padding_before_pooling_is_computed_rightly(tmp_path):
    """onnxruntime's own optimisation turns Pad by zeros into padding by minus infinity here."""
    graph = Graph(18)
    x = graph.input("x", [1, 1, 6, 6])
    padded = graph("Pad", x, np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64))
    file = tmp_path / "pad.onnx"
    value = graph("MaxPool", padded, kernel_shape=[3, 3], strides=[2, 2])
    file.write_bytes(ir.to_proto(graph.model(value)).SerializeToString())
    (found,) = outputs(file, {"x": np.full((1, 1, 6, 6), -5, np.float32)}).values()
    assert found[0, 0, 0, 0] == 0


@pytest.mark.parametrize("alpha", [1.0, 1.5])
def test_operators_that_onnxruntime_lacks_are_expanded(tmp_path, alpha):
    graph = Graph(26)
    x = graph.input("x", [2, 3])
    file = tmp_path / "swish.onnx"
    value = graph("Relu", graph("Swish", x, alpha=alpha))
    file.write_bytes(ir.to_proto(graph.model(value)).SerializeToString())
    array = weights(2, 3)
    (found,) = outputs(file, {"x": array}).values()
    np.testing.assert_allclose(found, np.maximum(array / (1 + np.exp(-alpha * array)), 0), rtol=1e-5)


def test_trace_gives_inner_values(path, array):
    value, arrays = runtime.trace({"x": array}, path=str(path), names=["v3", "x", "unheard"])
    assert sorted(arrays) == ["v3", "x"] == sorted(value["outputs"])
    everything = runtime.trace({"x": array}, path=str(path))[1]
    assert len(everything) == len(onnx.load(path).graph.node)
    assert np.array_equal(everything["v3"], arrays["v3"])


def test_trace_of_external_weights_leaves_no_file_behind(tmp_path, array):
    file = tmp_path / "lenet.onnx"
    ir.save(lenet(False), file, external_data="lenet.data")
    before = sorted(tmp_path.iterdir())
    assert "v3" in runtime.trace({"x": array}, path=str(file), names=["v3"])[1]
    assert sorted(tmp_path.iterdir()) == before
