"""Saved programs are recognised by content; what only looks like one is named."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from interlingua.errors import InvalidSource, UntrustedSource
from interlingua_paddle.frontend.inspect import inspect
from interlingua_paddle.frontend.recognise import recognise


def test_program_weights_prefix_and_folder_are_one_artifact(lenet: Path) -> None:
    (lenet / "report.json").write_text(json.dumps({"notes": []}))
    for path in (lenet, lenet / "model", lenet / "model.json", lenet / "model.pdiparams"):
        artifact = recognise(path)
        assert artifact is not None
        assert artifact.format == "paddle"
        assert dict(artifact.files) == {"graph": lenet / "model.json", "weights": lenet / "model.pdiparams"}


def test_a_program_is_known_by_its_content_not_its_name(lenet: Path, tmp_path: Path) -> None:
    shutil.copy(lenet / "model.json", tmp_path / "program.txt")
    assert recognise(tmp_path / "program.txt") is not None
    (tmp_path / "other.json").write_text('{"base_code": 1}')
    assert recognise(tmp_path / "other.json") is None
    (tmp_path / "binary.json").write_bytes(bytes(range(256)))
    assert recognise(tmp_path / "binary.json") is None


def test_weights_alone_are_named(lenet: Path, tmp_path: Path) -> None:
    shutil.copy(lenet / "model.pdiparams", tmp_path / "m.pdiparams")
    for path in (tmp_path / "m.pdiparams", tmp_path / "m", tmp_path):
        with pytest.raises(InvalidSource, match="weights alone") as error:
            recognise(path)
        assert "'m.json'" in error.value.hint


def test_a_pickled_state_dict_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "net.pdparams"
    path.write_bytes(np.zeros(2).dumps())
    with pytest.raises(UntrustedSource, match="pickled state dict") as error:
        recognise(path)
    assert "paddle.jit.save" in error.value.hint


def test_a_legacy_program_is_pointed_to_its_plugin(tmp_path: Path) -> None:
    (tmp_path / "net.pdmodel").write_bytes(b"\n\x01\x02")
    (tmp_path / "net.pdiparams").write_bytes(b"\0" * 16)
    for path in (tmp_path / "net.pdmodel", tmp_path / "net.pdiparams", tmp_path / "net"):
        with pytest.raises(InvalidSource, match="ProgramDesc") as error:
            recognise(path)
        assert "fluid" in error.value.hint


def test_two_programs_in_a_folder_are_both_named(lenet: Path, tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        shutil.copy(lenet / "model.json", tmp_path / name)
    with pytest.raises(InvalidSource, match=r"a\.json, b\.json"):
        recognise(tmp_path)


def test_a_foreign_folder_is_left_to_others(tmp_path: Path) -> None:
    assert recognise(tmp_path) is None
    assert recognise(tmp_path / "nothing") is None


def test_inspection_shows_layers_and_what_is_missing(lenet: Path, tmp_path: Path) -> None:
    artifact = recognise(lenet)
    assert artifact is not None
    shown = inspect(artifact)
    assert shown.inputs == ("x: float32 ?×1×28×28",)
    assert shown.outputs == ("fetch_name_0: float32 ?×10",)
    assert shown.parameters == 69362
    assert sum(layer.parameters for layer in shown.layers) == shown.parameters
    assert [(layer.name, layer.kind, layer.output, layer.parameters) for layer in shown.layers if layer.parameters] == [
        ("block1_conv1", "pd_op.conv2d", "?×6×28×28", 156),
        ("block2_conv1", "pd_op.conv2d", "?×16×14×14", 2416),
        ("fc1", "paddle.nn.functional.linear", "?×84", 65940),
        ("before_softmax", "paddle.nn.functional.linear", "?×10", 850),
    ]
    assert shown.missing == ()
    shutil.copy(lenet / "model.json", tmp_path / "m.json")
    alone = recognise(tmp_path / "m.json")
    assert alone is not None
    assert inspect(alone).missing == ("the weights, m.pdiparams",)
