"""Types that the IR has no word for: kept on inputs, outputs and the values between them, and written again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import interlingua
from interlingua import passes
from interlingua.ir import foreign_types
from interlingua.notes import Notes

ML = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]
MAP = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
ZIP = helper.make_node("ZipMap", ["x"], ["maps"], domain="ai.onnx.ml", classlabels_int64s=[3, 5])


def mapped(path: Path) -> Path:
    """A map that nobody declares stands between two operators, a sequence of maps at an output."""
    nodes = [
        ZIP,
        helper.make_node("SequenceAt", ["maps", "first"], ["map"]),
        helper.make_node("CastMap", ["map"], ["row"], domain="ai.onnx.ml", cast_to="TO_FLOAT", map_form="DENSE"),
        helper.make_node("Identity", ["maps"], ["all"]),
    ]
    outputs = [
        helper.make_tensor_value_info("row", TensorProto.FLOAT, [1, 2]),
        helper.make_value_info("all", helper.make_sequence_type_proto(MAP)),
    ]
    first = onnx.numpy_helper.from_array(np.array(1, np.int64), "first")
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 2])]
    onnx.save(
        helper.make_model(helper.make_graph(nodes, "g", inputs, outputs, [first]), opset_imports=ML, ir_version=10),
        path,
    )
    return path


def test_a_map_between_operators_keeps_its_inferred_type(tmp_path: Path) -> None:
    source = interlingua.read(mapped(tmp_path / "maps.onnx"))
    values = {value.name: value for node in source.model.graph for value in node.outputs}
    assert foreign_types.type_of(values["map"]) == MAP
    assert foreign_types.type_of(values["all"]) == helper.make_sequence_type_proto(MAP)
    interlingua.write(source, "onnx", tmp_path / "out")
    written = onnx.load(tmp_path / "out" / "model.onnx")
    assert {each.name: each.type for each in written.graph.value_info}["map"] == MAP


@pytest.mark.parametrize("kind", ["sequence_type", "optional_type"])
def test_a_container_whose_elements_are_open_stays_open(kind: str) -> None:
    said = onnx.TypeProto()
    getattr(said, kind).elem_type.tensor_type.shape.SetInParent()
    assert foreign_types.has_word(said) and not foreign_types.names_elements(said)
    getattr(said, kind).elem_type.tensor_type.elem_type = TensorProto.FLOAT
    assert foreign_types.names_elements(said)


def test_a_sequence_of_what_nobody_knows_is_read(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Loose", ["x"], ["loose"], domain="com.example"),
        helper.make_node("SequenceConstruct", ["loose"], ["several"]),
        helper.make_node("SequenceAt", ["several", "first"], ["y"]),
    ]
    first = onnx.numpy_helper.from_array(np.array(0, np.int64), "first")
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.example", 1)]
    model = helper.make_model(helper.make_graph(nodes, "g", inputs, outputs, [first]), opset_imports=opsets)
    onnx.save(model, tmp_path / "loose.onnx")
    source = interlingua.read(tmp_path / "loose.onnx")
    passes.run(source.model, notes=Notes())
    assert [node.op_type for node in source.model.graph][:2] == ["Loose", "SequenceConstruct"]


def test_a_sequence_of_maps_that_is_written_computes_the_same(tmp_path: Path) -> None:
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 2])]
    outputs = [helper.make_value_info("maps", helper.make_sequence_type_proto(MAP))]
    graph = helper.make_graph([ZIP], "g", inputs, outputs)
    onnx.save(helper.make_model(graph, opset_imports=ML, ir_version=10), tmp_path / "maps.onnx")
    interlingua.write(interlingua.read(tmp_path / "maps.onnx"), "onnx", tmp_path / "out")
    x = np.array([[0.5, 2.0], [-1.0, 4.0]], np.float32)
    expected = [{3: 0.5, 5: 2.0}, {3: -1.0, 5: 4.0}]
    for file in (tmp_path / "maps.onnx", tmp_path / "out" / "model.onnx"):
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        assert session.run(["maps"], {"x": x}) == [expected]
