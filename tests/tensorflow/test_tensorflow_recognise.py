"""TensorFlow's files are known by their content; wrong kinds are named, and inspected without TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from interlingua import artifact, plugin
from interlingua.artifact import Artifact, Inspection
from interlingua.errors import InvalidSource

Maker = Callable[..., Path]


def inspected(found: Artifact) -> Inspection:
    _, form = plugin.format_named(found.format)
    result: Inspection = plugin.resolve(form.inspector)(found)
    return result


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "format"),
    [
        ("", "tensorflow-checkpoint"),
        ("model.meta", "tensorflow-checkpoint"),
        ("model", "tensorflow-checkpoint"),
        ("model.index", "tensorflow-checkpoint"),
        ("model.data-00000-of-00001", "tensorflow-checkpoint"),
        ("frozen.pb", "tensorflow-frozen"),
        ("saved_model", "tensorflow-savedmodel"),
        ("saved_model/saved_model.pb", "tensorflow-savedmodel"),
    ],
)
def test_each_form_is_recognised_and_inspected(lenet: Path, path: str, format: str) -> None:
    found = artifact.recognise(lenet / path)
    assert found.format == format
    seen = inspected(found)
    assert seen.outputs == ("predictions",)
    assert seen.parameters == 69362 and not seen.missing
    assert [layer.parameters for layer in seen.layers if layer.kind == "Conv2D"] == [150, 2400]


def test_a_suffix_is_not_needed(lenet: Path, tmp_path: Path) -> None:
    (tmp_path / "net").write_bytes((lenet / "frozen.pb").read_bytes())
    assert artifact.recognise(tmp_path / "net").format == "tensorflow-frozen"


def test_inspecting_imports_no_framework(lenet: Path) -> None:
    program = (
        "import sys, json; from pathlib import Path; from interlingua import artifact, plugin;"
        f"found = artifact.recognise(Path({str(lenet / 'model.meta')!r}));"
        "seen = plugin.resolve(plugin.format_named(found.format)[1].inspector)(found);"
        "print(json.dumps([seen.parameters, [n for n in ('tensorflow', 'tf2onnx', 'keras') if n in sys.modules]]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [69362, []]


def test_missing_values_are_inspected_as_missing(lenet: Path, tmp_path: Path) -> None:
    (tmp_path / "model.meta").write_bytes((lenet / "model.meta").read_bytes())
    seen = inspected(artifact.recognise(tmp_path / "model.meta"))
    assert len(seen.missing) == 1 and "values" in seen.missing[0]


@pytest.mark.slow
def test_several_ends_are_inspected_as_missing_outputs(patterns: Path) -> None:
    seen = inspected(artifact.recognise(patterns / "two_ends"))
    assert any("left (Relu), right (Tanh)" in text for text in seen.missing)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("net.pb", b"\x1c\x00\x00\x00TFL3" + b"\0" * 64, "TensorFlow Lite model"),
        ("net.tflite", b"\x1c\x00\x00\x00TFL3" + b"\0" * 64, "TensorFlow Lite model"),
        ("net.pb", b'node {\n  name: "x"\n  op: "Placeholder"\n}\n', "in text form"),
        ("net.pbtxt", b'node {\n  name: "x"\n  op: "Placeholder"\n}\n', "in text form"),
        ("net.pb", b"\x89HDF\r\n\x1a\n" + b"\0" * 64, "HDF5"),
        ("net.meta", b"PK\x03\x04" + b"\0" * 64, "zip archive"),
        ("net.pb", b"\xff\xfe\xfd" * 30, "other bytes"),
        ("net.meta", b"\x00" * 40, "other bytes"),
    ],
)
def test_a_wrong_kind_is_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidSource, match=said):
        artifact.recognise(tmp_path / name)


@pytest.mark.parametrize("file", ["frozen.pb", "model.meta", "saved_model/saved_model.pb"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_truncated_graph_is_told(lenet: Path, tmp_path: Path, file: str, share: float) -> None:
    content = (lenet / file).read_bytes()
    target = tmp_path / Path(file).name
    target.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InvalidSource):
        artifact.recognise(target)


def test_an_empty_graph_is_told(tmp_path: Path) -> None:
    (tmp_path / "model.meta").write_bytes(b"")
    (tmp_path / "model.index").write_bytes(b"x" * 60)
    with pytest.raises(InvalidSource, match="empty"):
        artifact.recognise(tmp_path / "model.meta")


def test_weights_alone_say_how_to_get_the_graph(lenet: Path, tmp_path: Path) -> None:
    for part in ("model.index", "model.data-00000-of-00001"):
        (tmp_path / part).write_bytes((lenet / part).read_bytes())
    for path in ("model.index", "model", ""):
        with pytest.raises(InvalidSource, match="weights alone") as caught:
            artifact.recognise(tmp_path / path)
        assert "Saver" in caught.value.hint


def test_objects_of_tensorflow_2_are_told_apart(patterns: Path, tmp_path: Path) -> None:
    for part in ("index", "data-00000-of-00001"):
        content = (patterns / "saved_function/saved/variables" / f"variables.{part}").read_bytes()
        (tmp_path / f"ckpt.{part}").write_bytes(content)
    with pytest.raises(InvalidSource, match=r"tf\.train\.Checkpoint") as caught:
        artifact.recognise(tmp_path / "ckpt")
    assert "tf.saved_model.save" in caught.value.hint


def test_several_checkpoints_in_a_folder_are_named(lenet: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        for part in ("meta", "index", "data-00000-of-00001"):
            (tmp_path / f"{name}.{part}").write_bytes((lenet / f"model.{part}").read_bytes())
    with pytest.raises(InvalidSource, match="first, second"):
        artifact.recognise(tmp_path)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "second"\n')
    assert artifact.recognise(tmp_path).facts["prefix"] == str(tmp_path / "second")


def test_a_declared_size_beyond_the_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "net.pb").write_bytes(b"\x0a\xff\xff\xff\xff\x7f\x0a\x01x\x12\x05Const")
    with pytest.raises(InvalidSource):
        artifact.recognise(tmp_path / "net.pb")
