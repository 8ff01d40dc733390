"""What is written is complete, the same every time, and stands where it was asked for."""

from __future__ import annotations

import hashlib

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from passes_graphs import Graph, weights

from interlingua import convert, pipeline, plugin
from interlingua.artifact import WriteOptions
from interlingua.errors import UsageError
from interlingua.onnx import writer


@pytest.fixture
def file(tmp_path):
    graph = Graph(24)
    x = graph.input("x", ["batch", 64])
    named = graph.weight(weights(64, 48), "encoder.weight")
    hidden = graph("Gelu", graph("MatMul", x, named, name="encoder/product"), name="encoder/gelu")
    proto = ir.to_proto(graph.model(graph("Add", hidden, weights(48), name="shift")))
    proto.doc_string, proto.graph.doc_string = "a model", "a graph"
    proto.graph.node[0].doc_string = "the product"
    for key, value in (("interlingua.signature", "{}"), ("author", "somebody")):
        proto.metadata_props.add(key=key, value=value)
    path = tmp_path / "source.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def written(file, folder, **options):
    folder.mkdir()
    source = pipeline.read(file)
    pipeline.write(source.model, plugin.framework("onnx"), folder, WriteOptions(**options))
    assert not len(source.notes)
    return onnx.load(folder / "model.onnx", load_external_data=False)


def test_names_documentation_and_metadata_are_kept(file, tmp_path):
    proto = written(file, tmp_path / "out")
    assert {each.key: each.value for each in proto.metadata_props} == {
        "interlingua.signature": "{}",
        "author": "somebody",
    }
    assert (proto.doc_string, proto.graph.doc_string) == ("a model", "a graph")
    assert [node.name for node in proto.graph.node] == ["encoder/product", "encoder/gelu", "shift"]
    assert proto.graph.node[0].doc_string == "the product"
    assert "encoder.weight" in {tensor.name for tensor in proto.graph.initializer}
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


@pytest.mark.parametrize("options", [{}, {"external_data": True}, {"opset": 13}])
def test_bytes_are_the_same_every_time(file, tmp_path, options):
    digests = []
    for name in ("one", "two"):
        written(file, tmp_path / name, **options)
        digests.append([hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted((tmp_path / name).iterdir())])
    assert digests[0] == digests[1]


def test_weights_beside_the_graph(file, tmp_path):
    proto = written(file, tmp_path / "out", external_data=True)
    tensor = next(each for each in proto.graph.initializer if each.name == "encoder.weight")
    assert tensor.data_location == onnx.TensorProto.EXTERNAL and not tensor.raw_data
    entries = {each.key: each.value for each in tensor.external_data}
    assert entries["location"] == "model.onnx.data" and int(entries["offset"]) % writer.ALIGNMENT == 0
    onnx.checker.check_model(str(tmp_path / "out" / "model.onnx"), full_check=True)
    x = weights(3, 64)
    found = onnxruntime.InferenceSession(str(tmp_path / "out" / "model.onnx")).run(None, {"x": x})[0]
    expected = onnxruntime.InferenceSession(str(file)).run(None, {"x": x})[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    again = pipeline.read(tmp_path / "out" / "model.onnx").model.graph.initializers["encoder.weight"]
    np.testing.assert_array_equal(again.const_value.numpy(), weights(64, 48))


def test_too_large_models_get_a_file_of_weights_by_themselves(file, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "LIMIT", 10_000)
    written(file, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["model.onnx", "model.onnx.data"]


@pytest.mark.parametrize("dtype", ["FLOAT16", "BFLOAT16", "FLOAT8E4M3FN", "INT4", "UINT4", "COMPLEX64", "DOUBLE"])
@pytest.mark.parametrize("external", [False, True])
def test_weights_of_every_type_keep_their_bytes(dtype, external, tmp_path):
    kind = ir.DataType[dtype]
    array = np.random.default_rng(3).integers(0, 7, (48, 257)).astype(kind.numpy())
    node = ir.node("Identity", [])
    value = ir.Value(name="w", const_value=ir.tensor(array, dtype=kind, name="w"))
    value.shape, value.type = ir.Shape(array.shape), ir.TensorType(kind)
    node = ir.node("Identity", [value])
    node.outputs[0].name, node.outputs[0].type = "y", ir.TensorType(kind)
    graph = ir.Graph([], node.outputs, nodes=[node], initializers=[value], opset_imports={"": 26}, name="g")
    files = writer.save(ir.Model(graph, ir_version=10), tmp_path / "model.onnx", external_data=external)
    assert len(files) == 1 + external
    held = ir.load(tmp_path / "model.onnx").graph.initializers["w"].const_value
    assert held.dtype == kind and held.tobytes() == ir.tensor(array, dtype=kind).tobytes()


@pytest.mark.parametrize("options", [{"opset": 17}, {"external_data": True}])
def test_options_of_onnx_are_refused_elsewhere(file, tmp_path, options):
    with pytest.raises(UsageError, match="ONNX's"):
        convert(file, "torch", tmp_path / "out", verify=False, **options)
    assert not (tmp_path / "out").exists()


def test_conversion_to_an_older_opset_is_proved(file, tmp_path):
    report = convert(file, "onnx", tmp_path / "out", opset=15, external_data=True)
    assert report.proofs and {proof.verdict for proof in report.proofs} == {"proved"}
    assert onnx.load(tmp_path / "out" / "model.onnx").opset_import[0].version == 15
