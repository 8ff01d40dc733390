"""What kind of Keras file one is, told by its content, and its two parts: the configuration and the weights."""

from __future__ import annotations

import dataclasses
import io
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from interlingua.errors import InvalidSource, UntrustedSource
from interlingua_keras.frontend import weights

ARCHIVE = "keras"
WHOLE_H5 = "keras-h5"
CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
LARGEST_CONFIG = 256 << 20
PIECE = 1 << 20
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    struct.error,
    RuntimeError,
    ValueError,
)


@dataclasses.dataclass(frozen=True)
class Archive:
    """A whole Keras model on disk: `kind` is "keras" or "keras-h5", `version` the Keras that saved it."""

    path: Path
    kind: str
    version: str
    config: dict[str, Any]
    store: weights.Store

    @property
    def legacy(self) -> bool:
        """Whether Keras 2 or older saved it."""
        return self.version.split(".")[0] in ("1", "2")


def kind(path: Path) -> str | None:
    """The kind of Keras model at `path`, None where it is something else.

    Raises:
        InvalidSource: it is Keras' and no whole model: weights only, an unfinished archive.
        UntrustedSource: the archive would write outside its folder.
    """
    if not path.is_file():
        return None
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith(b"PK\x03\x04"):
        return _kind_of_zip(path, head)
    if head.startswith(weights.MAGIC):
        return _kind_of_h5(path)
    return None


def _kind_of_zip(path: Path, head: bytes) -> str | None:
    ours = any(head[30:].startswith(name.encode()) for name in (CONFIG, METADATA, WEIGHTS))
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except _BROKEN as error:
        if ours or path.suffix == ".keras":
            raise InvalidSource(
                f"Expected a whole `.keras` archive. Received {path.name!r}, whose directory cannot be read: {error}.",
                hint="The file is truncated or corrupt; fetch or save it again.",
            ) from error
        return None
    if CONFIG in names and (METADATA in names or WEIGHTS in names):
        _refuse_escapes(names)
        return ARCHIVE
    if WEIGHTS in names or path.suffix == ".keras":
        raise InvalidSource(
            f"Expected a `.keras` archive. Received {path.name!r}, which has no {CONFIG}.",
            hint="Save the whole model: model.save('model.keras').",
        )
    return None


def _refuse_escapes(names: list[str]) -> None:
    for name in names:
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
            raise UntrustedSource(
                f"Expected an archive whose files stay inside it. Received the member {name!r}.",
                hint="Somebody made this archive to write elsewhere; do not load it.",
            )
    twice = {name for name in names if names.count(name) > 1} if len(names) < 1000 else set()
    if twice:
        raise InvalidSource(f"Expected each file of the archive once. Received twice: {', '.join(sorted(twice))}.")


def _kind_of_h5(path: Path) -> str | None:
    with weights.open_file(path, repr(path.name)) as file:
        if "model_config" in file.attrs:
            return WHOLE_H5
        if "layers" in file or "layer_names" in file.attrs or path.name.endswith(".weights.h5"):
            raise InvalidSource(
                f"Expected a whole Keras model. Received {path.name!r}, which holds weights only.",
                hint="Load it into its model in Keras (model.load_weights) and save that: model.save('model.keras').",
            )
    return None


def open_archive(path: Path) -> Archive:
    """The Keras model at `path`; its file stays open for as long as a variable of it is kept.

    Raises:
        InvalidSource: it is broken, or no whole Keras model.
        UntrustedSource: it refers to files outside itself.
    """
    found = kind(path)
    if found == ARCHIVE:
        return _open_zip(path)
    if found == WHOLE_H5:
        return _open_h5(path)
    raise InvalidSource(f"Expected a Keras model (.keras or .h5). Received {path.name!r}, which is none.")


def _open_zip(path: Path) -> Archive:
    try:
        with zipfile.ZipFile(path) as archive:
            config = weights.as_json(_small(archive, CONFIG), CONFIG)
            has_metadata = METADATA in archive.namelist()
            metadata = weights.as_json(_small(archive, METADATA), METADATA) if has_metadata else {}
            if WEIGHTS not in archive.namelist():
                raise InvalidSource(
                    f"Expected {WEIGHTS} in the archive. Received {path.name!r} without it.",
                    hint="Save the whole model: model.save('model.keras').",
                )
            file, place = _weights_member(path, archive)
    except _BROKEN as error:
        raise InvalidSource(
            f"Expected a whole `.keras` archive. Received {path.name!r}, which is corrupt: {error}.",
            hint="Fetch or save it again.",
        ) from error
    root = weights.open_file(file, f"{WEIGHTS} of {path.name!r}")
    return Archive(path, ARCHIVE, str(metadata.get("keras_version", "3")), config, weights.NumberedStore(root, place))


def _small(archive: zipfile.ZipFile, name: str) -> bytes:
    size = archive.getinfo(name).file_size
    if size > LARGEST_CONFIG:
        raise InvalidSource(
            f"Expected at most {LARGEST_CONFIG} bytes of {name}. Received a header that declares {size}."
        )
    with archive.open(name) as file:
        return file.read(size + 1)


def _weights_member(path: Path, archive: zipfile.ZipFile) -> tuple[BinaryIO | io.RawIOBase, weights.Place]:
    """The weights as a file, checked against the archive's checksum; where they lie in it as they are, also where.

    A packed member is unpacked into a nameless temporary file, one piece at a time.
    """
    info = archive.getinfo(WEIGHTS)
    packed = info.compress_type != zipfile.ZIP_STORED
    if info.flag_bits & 1:
        raise InvalidSource(f"Expected weights in the open. Received {WEIGHTS} encrypted.")
    if info.file_size > max(info.compress_size, 1) * (weights.MOST_INFLATION if packed else 1):
        raise InvalidSource(
            f"Expected {WEIGHTS} as large as its bytes. Received a header that declares {info.file_size}"
            f" over {info.compress_size}."
        )
    unpacked: BinaryIO | None = tempfile.TemporaryFile() if packed else None  # noqa: SIM115
    with archive.open(WEIGHTS) as member:
        while piece := member.read(PIECE):
            if unpacked:
                unpacked.write(piece)
    if unpacked:
        return unpacked, weights.Place(None)
    with path.open("rb") as file:
        file.seek(info.header_offset)
        header = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    start = info.header_offset + _LOCAL_HEADER.size + header[-2] + header[-1]
    return _Slice(path, start, info.file_size), weights.Place(path, start)


class _Slice(io.RawIOBase):
    """A part of a file as a read-only file of its own."""

    def __init__(self, path: Path, start: int, size: int) -> None:
        self._file = path.open("rb")
        self._start, self._size, self._at = start, size, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._start + self._at)
        data = self._file.read(min(len(buffer), max(self._size - self._at, 0)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def _open_h5(path: Path) -> Archive:
    root = weights.open_file(path, repr(path.name))
    text = weights.attribute(root, "model_config") or ""
    group = dict(weights.members(root)).get("model_weights")
    if group is None:
        raise InvalidSource(
            f"Expected `model_weights` in {path.name!r}. Received a model without weights.",
            hint="Save the whole model: model.save('model.keras').",
        )
    version = weights.attribute(root, "keras_version") or "2"
    config = weights.as_json(text, "model_config")
    return Archive(path, WHOLE_H5, version, config, weights.NamedStore(group, weights.Place(path)))
