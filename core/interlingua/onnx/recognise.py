"""Recognises ONNX models by their bytes, without loading them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from interlingua.artifact import Artifact
from interlingua.errors import InvalidSource
from interlingua.formats import wire
from interlingua.onnx.mapped import mapped

SUFFIXES = (".onnx",)
TEXT_SUFFIXES = (".onnxtxt", ".onnxtext", ".onnx.txt")
OTHER_TEXTS = {
    **dict.fromkeys((".textproto", ".txtpb", ".pbtxt"), ("textproto", b"ir_version:")),
    **dict.fromkeys((".json", ".onnxjson"), ("json", b'"irVersion"')),
}
"""Protocol buffers' own text forms, by suffix: the form, and what the beginning of such a file holds."""

_IR_VERSION, _PRODUCER, _GRAPH, _OPSETS, _TRAINING, _FUNCTIONS = 1, 2, 7, 8, 20, 25
_BYTES_FIELDS = {2, 3, 4, 6, 7, 8, 14, 20, 25, 26}
_INTEGER_FIELDS = {1, 5}
_OPSET = {1: wire.Field("domain", "string"), 2: wire.Field("version", "int")}


def recognise(path: Path) -> Artifact | None:
    """The ONNX model at `path`; None where the content is another format's.

    Raises:
        InvalidSource: the file claims by its suffix to be ONNX and is not, with what it is instead.
    """
    if not path.is_file():
        return None
    if text_form(path):
        return Artifact(path, "onnx", {"graph": path}, {"text": True})
    claims = path.name.endswith(SUFFIXES)
    try:
        facts = _facts(path)
    except InvalidSource as error:
        if not claims:
            return None
        raise InvalidSource(f"{error.message} {_guess(path)}".strip(), place=str(path)) from None
    if facts is None:
        if claims:
            raise InvalidSource(f"Expected an ONNX model. Received a file without a graph. {_guess(path)}".strip())
        return None
    return Artifact(path, "onnx", {"graph": path}, facts)


def text_form(path: Path) -> str:
    """The text form that the file is in ("onnxtxt", "textproto", "json"); empty where it is none."""
    if path.name.endswith(TEXT_SUFFIXES):
        return "onnxtxt"
    form, mark = OTHER_TEXTS.get(path.suffix, ("", b""))
    if not form:
        return ""
    with path.open("rb") as stream:
        return form if mark in stream.read(4096) else ""


def _facts(path: Path) -> dict[str, Any] | None:
    """What the outermost message says; None where it is a message of another kind."""
    facts: dict[str, Any] = {"text": False, "opsets": {}}
    with mapped(path) as data:
        if len(data) == 0:
            raise InvalidSource("Expected an ONNX model. Received an empty file.")
        has_graph = False
        for number, kind, value in wire.fields(data):
            known = _INTEGER_FIELDS if kind == wire.VARINT else _BYTES_FIELDS
            if number not in known or kind not in (wire.VARINT, wire.BYTES):
                return None
            if number == _IR_VERSION:
                facts["ir_version"] = value
            elif number == _PRODUCER:
                facts["producer"] = bytes(value[:200]).decode("utf-8", "replace")
            elif number == _OPSETS:
                opset = wire.decode(value, _OPSET)
                facts["opsets"][opset.get("domain", "")] = opset.get("version", 0)
            elif number == _GRAPH:
                has_graph = True
        value = None
    return facts if has_graph and "ir_version" in facts else None


def _guess(path: Path) -> str:
    """What a file that is no ONNX model seems to be."""
    with path.open("rb") as stream:
        head = stream.read(512)
    if head[:2] == b"\x80\x02" or (head[:1] == b"\x80" and b"torch" in head):
        return "It looks like a Python pickle."
    if head.startswith(b"PK\x03\x04"):
        return "It looks like a zip archive."
    if head.startswith(b"\x89HDF"):
        return "It looks like an HDF5 file."
    if head[4:8] == b"TFL3":
        return "It looks like a TensorFlow Lite model."
    if head.lstrip().startswith((b"{", b"<")):
        return "It looks like a text file."
    if head.startswith(b"version https://git-lfs"):
        return "It is a Git LFS pointer: fetch the file itself with `git lfs pull`."
    return ""
