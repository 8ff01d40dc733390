"""Keras files that are none, or are broken or hostile: one clear error each, never a traceback."""

import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from interlingua.artifact import ReadOptions
from interlingua.errors import InterlinguaError, InvalidSource, UnsupportedModel, UntrustedSource
from interlingua_keras.frontend import reader, recognise
from interlingua_keras.frontend.archive import CONFIG, WEIGHTS, open_archive
from interlingua_keras.frontend.network import read_network


def repacked(source: Path, target: Path, change: Callable[[dict[str, bytes]], None], packing: int = 0) -> Path:
    """The archive with other members."""
    with zipfile.ZipFile(source) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(target, "w", packing) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return target


def refused(path: Path, kind: type[InterlinguaError], match: str) -> None:
    with pytest.raises(kind, match=match):
        read_network(open_archive(path))


def reconfigured(saved: Path, target: Path, change: Callable[[dict[str, Any]], None], name: str = "lenet") -> Path:
    def apply(members: dict[str, bytes]) -> None:
        config = json.loads(members[CONFIG])
        change(config)
        members[CONFIG] = json.dumps(config).encode()

    return repacked(saved / f"{name}.keras", target, apply)


def test_other_files_are_not_claimed(tmp_path: Path) -> None:
    for name, data in {"a.txt": b"text", "b.pkl": pickle.dumps([1]), "empty": b""}.items():
        (tmp_path / name).write_bytes(data)
        assert recognise.archive(tmp_path / name) is None and recognise.whole_h5(tmp_path / name) is None
    np.savez(tmp_path / "c.npz", x=np.zeros(3))
    assert recognise.archive(tmp_path / "c.npz") is None
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file["data"] = np.zeros(3)
    assert recognise.whole_h5(tmp_path / "d.h5") is None
    assert recognise.archive(tmp_path) is None


@pytest.mark.slow
def test_content_decides_and_not_the_suffix(saved: Path, tmp_path: Path) -> None:
    shutil.copy(saved / "lenet.keras", tmp_path / "model.bin")
    assert recognise.archive(tmp_path / "model.bin") is not None
    shutil.copy(saved / "lenet.h5", tmp_path / "model.keras")
    assert recognise.archive(tmp_path / "model.keras") is None and recognise.whole_h5(tmp_path / "model.keras")


def test_weights_alone_are_named(saved: Path) -> None:
    with pytest.raises(InvalidSource, match=r"weights only.*model\.save"):
        recognise.whole_h5(saved / "lenet.weights.h5")


@pytest.mark.parametrize("name", ["lenet.keras", "lenet.h5"])
def test_truncated_files(saved: Path, tmp_path: Path, name: str) -> None:
    data = (saved / name).read_bytes()
    for share in (0.001, 0.1, 0.5, 0.99):
        (tmp_path / name).write_bytes(data[: max(int(len(data) * share), 40)])
        refused(tmp_path / name, InvalidSource, "Expected (a )?whole|Expected a Keras model")


def test_a_flipped_byte_in_the_weights_is_seen(saved: Path, tmp_path: Path) -> None:
    data = bytearray((saved / "lenet.keras").read_bytes())
    kernel = next(iter(read_network(open_archive(saved / "lenet.keras")).layer("fc1").variables.values()))
    data[kernel.position + 5] ^= 255
    (tmp_path / "flipped.keras").write_bytes(data)
    refused(tmp_path / "flipped.keras", InvalidSource, "corrupt.*CRC")


def test_members_that_leave_the_archive(saved: Path, tmp_path: Path) -> None:
    for evil in ("../evil", "/etc/evil", "a/../../evil", "C:\\evil"):

        def add(members: dict[str, bytes], evil: str = evil) -> None:
            members[evil] = b"x"

        path = repacked(saved / "lenet.keras", tmp_path / "evil.keras", add)
        refused(path, UntrustedSource, "stay inside")


def test_a_zip_bomb_is_refused_before_it_unpacks(saved: Path, tmp_path: Path) -> None:
    path = repacked(saved / "lenet.keras", tmp_path / "bomb.keras", lambda members: None, zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        size = archive.getinfo(WEIGHTS).file_size
    at = data.rindex(WEIGHTS.encode())
    assert int.from_bytes(data[at - 22 : at - 18], "little") == size
    data[at - 22 : at - 18] = (4_000_000_000).to_bytes(4, "little")
    path.write_bytes(data)
    refused(path, InvalidSource, "declares 4000000000")


def test_packed_members_are_read(saved: Path, tmp_path: Path) -> None:
    path = repacked(saved / "lenet.keras", tmp_path / "packed.keras", lambda members: None, zipfile.ZIP_DEFLATED)
    packed, plain = read_network(open_archive(path)), read_network(open_archive(saved / "lenet.keras"))
    for left, right in zip(packed.layer("fc1").variables.values(), plain.layer("fc1").variables.values(), strict=True):
        np.testing.assert_array_equal(left.load(), right.load())


def test_missing_parts(saved: Path, tmp_path: Path) -> None:
    lenet = saved / "lenet.keras"
    for part, match in ((CONFIG, "has no config.json"), (WEIGHTS, "without it")):
        path = repacked(lenet, tmp_path / "part.keras", lambda members, part=part: members.pop(part))  # type: ignore[misc]
        refused(path, InvalidSource, match)


def test_configurations_that_are_none(saved: Path, tmp_path: Path) -> None:
    target = tmp_path / "config.keras"
    for text in (b"{", b"[]", b"[" * 100_000):

        def change(members: dict[str, bytes], text: bytes = text) -> None:
            members[CONFIG] = text

        refused(repacked(saved / "lenet.keras", target, change), InvalidSource, "Expected (a )?JSON")

    def dangling(config: dict[str, Any]) -> None:
        history = config["config"]["layers"][2]["inbound_nodes"][0]["args"][0]["config"]
        history["keras_history"] = ["nowhere", 0, 0]

    refused(reconfigured(saved, target, dangling), InvalidSource, "reference to call 0 of 'nowhere'")

    def twice(config: dict[str, Any]) -> None:
        config["config"]["layers"].append(config["config"]["layers"][1])

    refused(reconfigured(saved, target, twice), InvalidSource, "'block1_conv1' twice")


def rewritten(saved: Path, target: Path, change: Callable[[h5py.File], None]) -> Path:
    shutil.copy(saved / "lenet.h5", target)
    with h5py.File(target, "r+") as file:
        change(file)
    return target


def test_weights_outside_the_file(saved: Path, tmp_path: Path) -> None:
    kernel = "model_weights/fc1/fc1/kernel"

    def external_link(file: h5py.File) -> None:
        del file[kernel]
        file[kernel] = h5py.ExternalLink("/etc/passwd", "/")

    def external_values(file: h5py.File) -> None:
        del file[kernel]
        file.create_dataset(kernel, (784, 84), "f4", external=[("/etc/passwd", 0, 784 * 84 * 4)])

    for change in (external_link, external_values):
        refused(rewritten(saved, tmp_path / "outside.h5", change), UntrustedSource, "inside the archive")


def resaved(saved: Path, target: Path, change: Callable[[h5py.File], None]) -> Path:
    """The archive with other weights."""
    unpacked = target.with_suffix(".weights")

    def apply(members: dict[str, bytes]) -> None:
        unpacked.write_bytes(members[WEIGHTS])
        with h5py.File(unpacked, "r+") as file:
            change(file)
        members[WEIGHTS] = unpacked.read_bytes()

    return repacked(saved / "lenet.keras", target, apply)


def test_weights_that_do_not_fit_their_layers(saved: Path, tmp_path: Path) -> None:
    dense, kernel = "layers/dense/vars", "layers/conv2d/vars/0"

    def gone(file: h5py.File) -> None:
        del file[f"{dense}/1"]

    def none(file: h5py.File) -> None:
        del file[dense]

    def turned(file: h5py.File) -> None:
        values = file[f"{dense}/0"][()].T
        del file[f"{dense}/0"]
        file[f"{dense}/0"] = values

    def narrow(file: h5py.File) -> None:
        values = file[kernel][()][:3]
        del file[kernel]
        file[kernel] = values

    def other_input(file: h5py.File) -> None:
        del file[kernel]
        file[kernel] = np.zeros((5, 5, 2, 6), np.float32)

    for change, match in (
        (gone, r"Expected the weights kernel, bias. Received 1 \(0\). At fc1"),
        (none, "Expected the weights kernel, bias. Received none. At fc1"),
        (turned, r"'kernel' with axes 'I O' of O = 84, .*Received the shape \(84, 784\). At fc1"),
        (narrow, r"Received the shape \(3, 5, 1, 6\). At block1_conv1"),
        (other_input, r"I = 1.*Received the shape \(5, 5, 2, 6\). At block1_conv1"),
    ):
        artifact = recognise.archive(resaved(saved, tmp_path / "weights.keras", change))
        assert artifact is not None
        with pytest.raises(InvalidSource, match=match):
            reader.read(artifact, ReadOptions())


def test_layers_without_a_card_are_all_told(saved: Path, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        rows = config["config"]["layers"]
        rows[2]["class_name"], rows[6]["config"]["mystery"] = "Mystery", 1
        rows[7]["config"]["activation"] = "quux"

    artifact = recognise.archive(reconfigured(saved, tmp_path / "unknown.keras", change))
    assert artifact is not None
    with pytest.raises(UnsupportedModel) as refused:
        reader.read(artifact, ReadOptions())
    assert [line.split(":")[0] for line in refused.value.refusals] == [
        "Mystery block1_pool1",
        "Dense fc1",
        "Dense before_softmax",
    ]


def test_declared_sizes_are_not_believed(saved: Path, tmp_path: Path) -> None:
    def huge(file: h5py.File) -> None:
        del file["model_weights/fc1/fc1/kernel"]
        file.create_dataset("model_weights/fc1/fc1/kernel", (1 << 40,), "f4", chunks=(1 << 20,))

    def text(file: h5py.File) -> None:
        del file["model_weights/fc1/fc1/kernel"]
        file["model_weights/fc1/fc1/kernel"] = "text"

    def gone(file: h5py.File) -> None:
        del file["model_weights/fc1/fc1/kernel"]

    path = tmp_path / "huge.h5"
    refused(rewritten(saved, path, huge), InvalidSource, "declares 4398046511104 bytes")
    refused(rewritten(saved, path, text), InvalidSource, "weights of numbers")
    refused(rewritten(saved, path, gone), InvalidSource, "Expected the weight 'fc1/kernel'")
