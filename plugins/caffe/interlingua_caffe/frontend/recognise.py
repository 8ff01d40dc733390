"""What a path holds, by its content: a network, its weights, or another of Caffe's files, which is named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from interlingua.artifact import Artifact
from interlingua.errors import InvalidSource
from interlingua.formats.wire import BYTES, VARINT
from interlingua_caffe.proto.scan import Entry, Malformed, outline
from interlingua_caffe.proto.wire import first_fields, mapped

FORMAT = "caffe"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_LARGEST_TEXT = 16 << 20
_NET_TEXT = re.compile(r"\blayers?\s*:?\s*[{<]")
_SOLVER_TEXT = re.compile(r"^\s*(net|train_net|net_param|base_lr|solver_type|max_iter)\s*:", re.MULTILINE)
_NET_BINARY = {1: BYTES, 2: BYTES, 3: BYTES, 4: VARINT, 5: VARINT, 6: BYTES, 7: VARINT, 8: BYTES, 100: BYTES}
_BLOB_BINARY = {1: VARINT, 2: VARINT, 3: VARINT, 4: VARINT, 5: BYTES, 6: BYTES, 7: BYTES}
_SOLVERSTATE_BINARY = {1: VARINT, 2: BYTES, 3: BYTES, 4: VARINT}


def recognise(path: Path) -> Artifact | None:
    """The network at `path`, with the weights that stand beside it.

    Raises:
        InvalidSource: another of Caffe's files, weights without a network, a choice that nobody made, broken text.
    """
    if path.is_dir():
        return _in_folder(path)
    if not path.is_file() or path.stat().st_size == 0:
        return None
    kind = kind_of(path)
    if kind == "network":
        return _artifact(path, path, _weights_beside(path))
    if kind == "weights":
        return _artifact(path, _network_beside(path), path)
    if kind:
        raise InvalidSource(_WRONG[kind].format(name=path.name), place=str(path), hint=_HINTS[kind])
    return None


_WRONG = {
    "solver": "Expected a Caffe network. Received a solver definition (`{name}`); its `net:` line names the network.",
    "solverstate": "Expected a Caffe network. Received a solver's state (`{name}`), which only names weights.",
    "mean": "Expected a Caffe network. Received a mean image (`{name}`), which is subtracted before the network runs.",
    "hdf5": "Expected Caffe weights as a `.caffemodel`. Received them in HDF5 (`{name}`).",
}
_HINTS = {
    "solver": "Name that network, or its deploy.prototxt.",
    "solverstate": "Name the network's prototxt, with its `.caffemodel` beside it.",
    "mean": "Name the network's prototxt, with its `.caffemodel` beside it.",
    "hdf5": "Save them once more with `snapshot_format: BINARYPROTO`, or `net.save('net.caffemodel')` in pycaffe.",
}


def kind_of(path: Path) -> str:
    """network, weights, solver, solverstate, mean or hdf5; empty for what is none of Caffe's.

    Raises:
        InvalidSource: a network's text that cannot be parsed, or a `.caffemodel` that is no serialised network.
    """
    data = mapped(path)
    if bytes(data[:8]) == _HDF5:
        return "hdf5" if ".caffemodel" in path.name else ""
    text = _text(data)
    if text is not None:
        return _kind_of_text(text, path)
    kind = _kind_of_binary(data)
    if not kind and path.suffix == ".caffemodel":
        raise InvalidSource(
            f"Expected the weights of a Caffe network. Received {path.name!r}, which is truncated, corrupt or none.",
            place=str(path),
        )
    return kind


def _text(data: memoryview) -> str | None:
    """The text, where it may be protobuf text of Caffe's."""
    if len(data) > _LARGEST_TEXT or b"\x00" in bytes(data[:4096]):
        return None
    try:
        text = str(data, "utf-8")
    except UnicodeDecodeError:
        return None
    return text if _NET_TEXT.search(text) or _SOLVER_TEXT.search(text) else None


def _kind_of_text(text: str, path: Path) -> str:
    try:
        names = {entry.name for entry in outline(text)}
    except Malformed as error:
        if path.suffix == ".prototxt":
            raise InvalidSource(
                f"Expected a Caffe network as protobuf text. Received {error}.", place=str(path)
            ) from error
        return ""
    if names & {"layer", "layers"}:
        return "network"
    return "solver" if _SOLVER_TEXT.search(text) and names & {"net", "train_net", "net_param", "base_lr"} else ""


def _printable(raw: Any) -> bool:
    try:
        return isinstance(raw, memoryview) and len(raw) > 0 and str(raw, "utf-8").isprintable()
    except UnicodeDecodeError:
        return False


def _kind_of_binary(data: memoryview) -> str:
    blob = first_fields(data, _BLOB_BINARY)
    if blob and 5 in blob and ({1, 2, 3, 4} <= blob.keys() or 7 in blob):
        return "mean"
    state = first_fields(data, _SOLVERSTATE_BINARY)
    if state and 1 in state and any(_printable(raw) and b".caffemodel" in bytes(raw) for raw in state.get(2, ())):
        return "solverstate"
    net = first_fields(data, _NET_BINARY)
    if not net or len(net.get(1, ())) > 1 or not all(map(_printable, net.get(1, ()))):
        return ""
    return "weights" if any(_is_layer(raw) for raw in [*net.get(100, ())[:1], *net.get(2, ())[:1]]) else ""


def _is_layer(data: memoryview) -> bool:
    """Whether the bytes begin as a layer of any form: a name in field 1 or 4, or a whole older layer in field 1."""
    layer = first_fields(data) or {}
    if any(_printable(raw) for raw in [*layer.get(1, ())[:1], *layer.get(4, ())[:1]]):
        return True
    return any(_is_layer(raw) for raw in layer.get(1, ())[:1] if isinstance(raw, memoryview))


def _in_folder(folder: Path) -> Artifact | None:
    texts, binaries = sorted(folder.glob("*.prototxt")), sorted(folder.glob("*.caffemodel"))
    if not texts and not binaries:
        return None
    if not texts:
        raise _without_network(binaries[0])
    network = _chosen_network(folder, texts)
    return _artifact(folder, network, _weights_beside(network))


def _chosen_network(folder: Path, texts: list[Path]) -> Path:
    """The only network; of several the one called deploy, else the one that says its input's shape."""
    networks = [path for path in texts if path.stat().st_size and kind_of(path) == "network"]
    if not networks:
        kinds = {kind_of(path): path for path in texts if path.stat().st_size}
        if "solver" in kinds:
            raise InvalidSource(
                _WRONG["solver"].format(name=kinds["solver"].name), place=str(folder), hint=_HINTS["solver"]
            )
        raise InvalidSource(
            f"Expected a Caffe network in the folder. Received {texts[0].name!r}, which is none.", place=str(folder)
        )
    for narrowed in (networks, [p for p in networks if "deploy" in p.stem], [p for p in networks if _says_shape(p)]):
        if len(narrowed) == 1:
            return narrowed[0]
    listed = ", ".join(path.name for path in networks)
    raise InvalidSource(
        f"Expected one Caffe network in the folder. Received {len(networks)}: {listed}.",
        place=str(folder),
        hint="Name one of them.",
    )


def _says_shape(path: Path) -> bool:
    def has_input(entry: Entry) -> bool:
        return entry.name == "input" or any(
            inner.name in ("input_param", "memory_data_param") for inner in entry.children
        )

    return any(has_input(entry) for entry in outline(path.read_text(encoding="utf-8")))


def _weights_beside(network: Path) -> Path | None:
    """The weights of the same name, else the only ones; None where there are none or the choice is open."""
    found = sorted(network.parent.glob("*.caffemodel"))
    same = [path for path in found if path.stem == network.stem]
    chosen = same or (found if len(found) == 1 else [])
    return chosen[0] if chosen else None


def _network_beside(weights: Path) -> Path:
    texts = sorted(weights.parent.glob("*.prototxt"))
    same = [path for path in texts if path.stem == weights.stem]
    if not texts:
        raise _without_network(weights)
    return same[0] if same else _chosen_network(weights.parent, texts)


def _without_network(weights: Path) -> InvalidSource:
    return InvalidSource(
        f"Expected a Caffe network. Received its weights alone (`{weights.name}`): the network's prototxt is missing.",
        place=str(weights),
        hint=f"Put its deploy.prototxt beside them, or name the prototxt and give `--weights {weights.name}`.",
    )


def _artifact(named: Path, network: Path, weights: Path | None) -> Artifact:
    files = {"graph": network} | ({"weights": weights} if weights else {})
    return Artifact(named, FORMAT, files)
