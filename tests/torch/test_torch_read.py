"""Exported programs of users' modules and of our own: names, scopes, ties; and files of the wrong kind."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from interlingua import artifact, pipeline
from interlingua.artifact import ReadOptions
from interlingua.errors import InvalidSource, UntrustedSource, UsageError
from interlingua.ir import metadata
from interlingua.worker import Worker

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with what `modules.py` saves."""
    folder = tmp_path_factory.mktemp("torch")
    with Worker(Path(sys.executable), Path(__file__).parent / "modules.py", name="torch") as worker:
        worker.call("save", phase="saving", folder=str(folder))
    yield folder


def test_names_scopes_and_unknown_axes_of_a_users_module(saved: Path) -> None:
    model = pipeline.read(saved / "net.pt2", debug=True).model
    assert [value.name for value in model.graph.inputs] == ["image", "weight"]
    assert str(model.graph.inputs[0].shape).endswith(",3,8,8]")
    layers = [(metadata.place(node).layer, node.op_type) for node in model.graph]
    assert ("features.0.conv", "Conv") in layers and ("features.0.bn", "BatchNormalization") in layers
    assert ("drop", "Dropout") in layers and not any(op in ("Expand", "CastLike") for _, op in layers)
    assert metadata.place(next(n for n in model.graph if n.op_type == "Conv")).line.startswith("modules.py:")
    origins = {str(metadata.origin(value)) for value in model.graph.initializers.values()}
    assert {"features.0.conv.weight", "features.0.bn.running_mean", "gain", "constant(mean)"} <= origins


def test_inputs_cannot_be_chosen_inside(saved: Path) -> None:
    with pytest.raises(UsageError, match="image, weight"):
        pipeline.read(saved / "net.pt2", ReadOptions(inputs=("image",)))


@pytest.mark.parametrize("target", ["torch", "onnx"])
def test_a_users_module_is_converted_and_proved(saved: Path, tmp_path: Path, target: str) -> None:
    report = pipeline.convert(saved / "net.pt2", target, tmp_path / "out")
    assert {proof.verdict for proof in report.proofs} == {"proved"}
    if target == "torch":
        text = (tmp_path / "out" / "model.py").read_text("utf-8")
        assert "self.heads = nn.ModuleList([nn.Linear(6, 5), nn.Linear(6, 5)])" in text
        assert "self.features = nn.Sequential(Block(3, 4), nn.MaxPool2d(2), Block(4, 6))" in text
        assert "self.bn = nn.BatchNorm2d(out_channels)" in text
        assert 'self.register_buffer("mean", torch.empty(3, 1, 1))' in text
        assert "self.gain = nn.Parameter(torch.empty(5))" in text
        assert "self.drop = nn.Dropout(0.2)" in text


def carried(folder: Path) -> dict[str, dict[str, str]]:
    with safe_open(folder / "weights.safetensors", "numpy") as file:
        return {key: json.loads(text) for key, text in file.metadata().items()}


def test_a_tied_weight_stays_one_through_a_chain(saved: Path, tmp_path: Path) -> None:
    source = saved / "tied.pt2"
    for number in (1, 2):
        folder = tmp_path / f"out{number}"
        pipeline.convert(source, "torch", folder)
        assert "self.decode.weight = self.encode.weight" in (folder / "model.py").read_text("utf-8")
        with safe_open(folder / "weights.safetensors", "numpy") as file:
            assert sorted(file.keys()) == ["decode.bias", "encode.bias", "encode.weight"]
        source = folder / "model.pt2"


def without_docstrings(code: str) -> str:
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef) and ast.get_docstring(node) is not None:
            del node.body[0]
    return ast.unparse(tree)


def test_names_of_the_first_source_survive_a_chain(sketch: Any, tmp_path: Path) -> None:
    x = sketch.input("images", (None, 3, 8, 8))
    for scope in ("vgg 16/conv1/conv1_1", "vgg 16/conv2/conv2_1"):
        weights = {
            "W": [sketch.parameter(f"{scope}/weights", 3, 3, 3, 3)],
            "B": [sketch.parameter(f"{scope}/biases", 3)],
        }
        x = sketch.record("Conv", {"X": [x], **weights}, {}, layer=scope)
    written = sketch.prove(sketch.record("Relu", {"X": [x]}, {}, layer="vgg 16/relu"))
    first = carried(written.folder)
    assert first["interlingua.layers"] == {"conv1_1": "vgg 16/conv1/conv1_1", "conv2_1": "vgg 16/conv2/conv2_1"}
    assert first["interlingua.names"]["conv1_1.weight"] == '"vgg 16/conv1/conv1_1/weights"'
    source, code = written.folder / "model.pt2", written.source
    for number in (1, 2):
        folder = tmp_path / f"again{number}"
        report = pipeline.convert(source, "torch", folder)
        assert carried(folder) == first
        assert report.mapped[0].layer.startswith("vgg 16/conv1/conv1_1")
        again = (folder / "model.py").read_text("utf-8")
        assert without_docstrings(again) == without_docstrings(code)
        assert '"""model.py, lines ' in again  # where the source, itself generated, computes it
        source = folder / "model.pt2"


@pytest.mark.parametrize("name", ["state.pth", "legacy.pth"])
def test_a_state_dict_alone_is_no_model(saved: Path, name: str) -> None:
    with pytest.raises(InvalidSource, match="state dict") as refused:
        artifact.recognise(saved / name)
    assert "package.module:factory --weights" in refused.value.hint


def test_a_pickled_module_is_named_and_not_executed(saved: Path) -> None:
    with pytest.raises(UntrustedSource, match=r"wants the class interlingua_runtime\.Tied") as refused:
        pipeline.read(saved / "module.pt")
    assert "--trust" in refused.value.hint


def test_damaged_archives_are_refused(saved: Path, tmp_path: Path) -> None:
    whole = (saved / "net.pt2").read_bytes()
    for number, data in enumerate(
        (whole[: len(whole) // 2], whole[:40], b"PK\x03\x04", whole[:200] + b"\0" * 64 + whole[264:])
    ):
        path = tmp_path / f"damaged{number}.pt2"
        path.write_bytes(data)
        with pytest.raises(InvalidSource):
            pipeline.read(path)


def test_an_archive_with_other_members_is_refused(saved: Path, tmp_path: Path) -> None:
    import zipfile

    path = tmp_path / "other.pt2"
    with zipfile.ZipFile(saved / "net.pt2") as source, zipfile.ZipFile(path, "w") as target:
        for item in source.infolist():
            if "/data/" not in item.filename:
                target.writestr(item, source.read(item))
    with pytest.raises(InvalidSource):
        pipeline.read(path)
