"""Outputs are whole or not there: existing, unwritable, full disk, killed at any moment."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from interlingua import output, pipeline
from interlingua.errors import OutputError, StrictNotes, UnsupportedModel, UsageError
from interlingua.pipeline import ConvertOptions
from interlingua.testing import nets


@pytest.fixture(scope="module")
def lenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nets.saved(nets.lenet(), tmp_path_factory.mktemp("lenet") / "lenet.onnx")


def test_whole_or_not_there(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with pytest.raises(RuntimeError), output.staged(target) as folder:
        (folder / "half").write_text("half")
        raise RuntimeError("in between")
    assert list(tmp_path.iterdir()) == []
    with output.staged(target) as folder:
        (folder / "whole").write_text("whole")
        assert not target.exists()
    assert (target / "whole").read_text() == "whole"


def test_existing_output_is_kept_unless_forced(tmp_path: Path, lenet: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "mine").write_text("mine")
    with pytest.raises(OutputError, match=r"exists.*--force"):
        pipeline.convert(lenet, "onnx", target)
    assert (target / "mine").read_text() == "mine"
    pipeline.convert(lenet, "onnx", target, ConvertOptions(force=True))
    assert not (target / "mine").exists() and (target / "model.onnx").is_file()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


def test_own_folder_is_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="not replaced"):
        output.check(tmp_path, force=True)


def made(kind: str, folder: Path) -> Path:
    path = folder / kind
    if kind == "link":
        (folder / "elsewhere").mkdir()
        path.symlink_to(folder / "elsewhere")
    elif kind == "dangling link":
        path.symlink_to(folder / "nowhere")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        return Path(os.devnull)
    else:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    return path


@pytest.mark.parametrize("force", [False, True], ids=["", "force"])
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("link", "is a link"),
        ("dangling link", "is a link"),
        ("pipe", "is a pipe"),
        ("device", "is a device"),
        ("socket", "no folder and no file"),
    ],
)
def test_what_is_no_folder_is_never_replaced(tmp_path: Path, lenet: Path, kind: str, said: str, force: bool) -> None:
    target = made(kind, tmp_path)
    before = target.lstat()
    there = sorted(tmp_path.iterdir())
    with pytest.raises(OutputError, match=said):
        pipeline.convert(lenet, "onnx", target, ConvertOptions(force=force))
    assert (target.lstat().st_ino, target.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert sorted(tmp_path.iterdir()) == there


def test_what_comes_in_between_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with pytest.raises(OutputError, match="is a pipe"), output.staged(target, force=True):
        os.mkfifo(target)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert target.is_fifo()


def test_file_in_the_way_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Expected a folder to write into"), output.staged(tmp_path / "file" / "out"):
        pass


def test_full_disk_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="room on the disk"), output.staged(tmp_path / "out"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []


def test_refusal_writes_nothing_and_names_all(tmp_path: Path) -> None:
    model = nets.lenet()
    for node in list(model.graph):
        if node.op_type in ("Softmax", "Flatten"):
            node.domain = "strangers"
    import onnx_ir as ir

    model.opset_imports["strangers"] = 1
    ir.save(model, tmp_path / "net.onnx")
    with pytest.raises(UnsupportedModel) as refused:
        pipeline.convert(tmp_path / "net.onnx", "torch", tmp_path / "out")
    assert len(refused.value.refusals) >= 2
    assert "flatten" in str(refused.value) and "predictions" in str(refused.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.onnx"]


def test_strict_fails_on_notes_and_writes_nothing(tmp_path: Path, lenet: Path) -> None:
    import onnx

    proto = onnx.load(lenet)
    proto.training_info.add().initialization.name = "start"
    onnx.save(proto, tmp_path / "noted.onnx")
    with pytest.raises(StrictNotes, match="training information"):
        pipeline.convert(tmp_path / "noted.onnx", "onnx", tmp_path / "out", ConvertOptions(strict=True))
    assert not (tmp_path / "out").exists()
    pipeline.convert(tmp_path / "noted.onnx", "onnx", tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.4, 1.2, 2.0, 3.0])
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_killed_at_any_moment(tmp_path: Path, lenet: Path, seconds: float, sign: signal.Signals) -> None:
    command = [sys.executable, "-m", "interlingua", "convert", str(lenet), "--to", "torch", "-o", str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(seconds)
        ended = process.poll() is not None
        process.send_signal(sign)
        _, said = process.communicate(timeout=60)
    assert "Traceback" not in said
    left = [p.name for p in tmp_path.iterdir() if not p.name.startswith(".")]
    if ended:
        assert left == ["out"]
    else:
        assert left in ([], ["out"])
        assert not left or (tmp_path / "out" / "report.json").is_file()
        assert sign == signal.SIGKILL or left or list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["1 bad", "class"])
def test_a_name_that_no_class_may_have_is_refused(tmp_path: Path, lenet: Path, name: str) -> None:
    with pytest.raises(UsageError, match="class name"):
        pipeline.convert(lenet, "torch", tmp_path / "out", ConvertOptions(class_name=name))
    assert not (tmp_path / "out").exists()
