"""Folders, files and prefixes of inference models, and what a wrong kind is called."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from interlingua import artifact, pipeline
from interlingua.artifact import ReadOptions
from interlingua.errors import InvalidSource, UntrustedSource, UsageError
from interlingua.formats.program_desc import Program
from interlingua.proof import execute
from interlingua_fluid.frontend import folder as folders

pytestmark = pytest.mark.legacy


@pytest.fixture
def model(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made / "lenet", tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def combined(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made / "combined", tmp_path / "combined")
    return tmp_path / "combined"


def outputs(path: Path, made: Path, options: ReadOptions | None = None) -> np.ndarray:
    """What the source itself gives, run by Fluid from what the frontend says of it."""
    source = pipeline.read(path, options)
    with np.load(made / "lenet.npz") as file:
        arrays = {"x": file["x"]}
    (value,) = execute.run(source.runtime, arrays, source.run, phase="test")
    (again,) = execute.run_ir(source.model, arrays)
    assert np.abs(value - again).max() < 1e-6 * np.abs(value).max()
    return value


def test_both_layouts_in_every_way_to_name_them(made: Path, model: Path, combined: Path) -> None:
    with np.load(made / "lenet.npz") as file:
        expected = file["output"]
    named = {
        model: "fluid",
        model / "__model__": "fluid",
        combined: "fluid-combined",
        combined / "__params__": "fluid-combined",
    }
    for path, name in named.items():
        assert artifact.recognise(path).format == name
        assert np.array_equal(outputs(path, made), expected)


def test_renamed_files_by_prefix_folder_and_file(made: Path, combined: Path) -> None:
    (combined / "__model__").rename(combined / "net.pdmodel")
    (combined / "__params__").rename(combined / "net.pdiparams")
    with np.load(made / "lenet.npz") as file:
        expected = file["output"]
    for path in (combined, combined / "net", combined / "net.pdmodel"):
        assert artifact.recognise(path).format == "fluid-combined"
        assert np.array_equal(outputs(path, made), expected)


def test_weights_of_another_name_or_place(made: Path, combined: Path, tmp_path: Path) -> None:
    (combined / "__params__").rename(combined / "weights")
    assert artifact.recognise(combined).format == "fluid-combined"
    (combined / "weights").rename(tmp_path / "elsewhere")
    with pytest.raises(InvalidSource, match="weights of 8 variables"):
        pipeline.read(combined)
    value = outputs(combined, made, ReadOptions(weights=tmp_path / "elsewhere"))
    assert value.shape == (3, 10)


def test_weights_without_a_program_are_named(model: Path, combined: Path) -> None:
    (combined / "__model__").unlink()
    for path in (combined, combined / "__params__"):
        with pytest.raises(InvalidSource, match="`__params__`"):
            artifact.recognise(path)
    (model / "__model__").unlink()
    with pytest.raises(InvalidSource, match="folder of variables without the program"):
        artifact.recognise(model)


def test_wrong_kinds_under_fluids_name_are_named(model: Path) -> None:
    (model / "__model__").write_bytes(b'{"base_code": {"magic": "pir", "version": 1}}')
    with pytest.raises(InvalidSource, match="PIR"):
        artifact.recognise(model)
    (model / "__model__").write_bytes(b"\x08\x07\x12\x04onnx")
    with pytest.raises(InvalidSource, match=r"[Rr]eceived"):
        artifact.recognise(model)


def test_a_truncated_program_or_weight_is_one_clear_error(model: Path, combined: Path) -> None:
    weight = model / "fc1.w_0"
    weight.write_bytes(weight.read_bytes()[:-8])
    with pytest.raises(InvalidSource, match="bytes for a float32 tensor"):
        pipeline.read(model)
    weight.unlink()
    with pytest.raises(InvalidSource, match=r"Received none for fc1\.w_0"):
        pipeline.read(model)
    (combined / "__params__").write_bytes((combined / "__params__").read_bytes() + b"junk")
    with pytest.raises(InvalidSource, match="no more"):
        pipeline.read(combined)
    graph = combined / "__model__"
    graph.write_bytes(graph.read_bytes()[:500])
    with pytest.raises(InvalidSource, match="whole protocol-buffer message"):
        artifact.recognise(combined)


def test_weights_of_another_shape_are_refused(model: Path) -> None:
    shutil.copy(model / "fc1.b_0", model / "before_softmax.b_0")
    with pytest.raises(InvalidSource, match=r"Expected the shape \[10\]. Received \[84\]"):
        pipeline.read(model)


def test_a_variable_outside_the_folder_is_refused(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = Program.saved
    monkeypatch.setattr(Program, "saved", lambda program: [*saved(program), "../secret"])
    found = folders.recognise(model)
    assert found is not None
    with pytest.raises(UntrustedSource, match="leads out"):
        folders.open_model(found)


def test_chosen_outputs_cut_the_program(made: Path, model: Path) -> None:
    options = ReadOptions(outputs=("block2_pool1.tmp_0",))
    assert outputs(model, made, options).shape == (3, 16, 7, 7)
    with pytest.raises(UsageError, match="Near ones: block2_pool1"):
        pipeline.read(model, ReadOptions(outputs=("block2_pool.tmp_0",)))
    with pytest.raises(UsageError, match="The outputs also need: x"):
        pipeline.read(model, ReadOptions(inputs=("fc1.tmp_0",), outputs=("block2_pool1.tmp_0",)))


def test_given_shapes_are_checked(model: Path) -> None:
    source = pipeline.read(model, ReadOptions(shapes={"": (4, None, None, None)}))
    assert source.model.graph.inputs[0].shape == (4, 1, 28, 28)
    with pytest.raises(UsageError, match="Expected the size 28 on axis 2"):
        pipeline.read(model, ReadOptions(shapes={"x": (None, 1, 32, 32)}))
    with pytest.raises(UsageError, match="Expected 4 sizes"):
        pipeline.read(model, ReadOptions(shapes={"x": (None, 784)}))
