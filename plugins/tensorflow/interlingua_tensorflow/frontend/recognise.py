"""Recognises TensorFlow's artifacts by content, and names what looks like one and is not."""

from __future__ import annotations

import re
from pathlib import Path

from interlingua.artifact import Artifact
from interlingua.errors import InvalidSource
from interlingua_tensorflow.frontend.graph import kind_of

CHECKPOINT, FROZEN, SAVED_MODEL = "tensorflow-checkpoint", "tensorflow-frozen", "tensorflow-savedmodel"

_TABLE_MAGIC = bytes.fromhex("57fb808b247547db")
_PART = re.compile(r"(?P<prefix>.+)\.(?:index|meta|data-\d{5}-of-\d{5})")
_TEXT = re.compile(
    rb"\s*(#[^\n]*\n\s*)*(node|library|versions|meta_info_def|graph_def|saved_model_schema_version)\s*[:{]"
)
_OBJECTS = b"_CHECKPOINTABLE_OBJECT_GRAPH"


def _beginning(path: Path, count: int = 4096) -> bytes:
    with path.open("rb") as file:
        return file.read(count)


def described(path: Path) -> str:
    """What a file is, by its first bytes, in a few words."""
    head = _beginning(path)
    if not head:
        return "an empty file"
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite model"
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return "an HDF5 file, as Keras writes it"
    if head.startswith(b"PK\x03\x04"):
        return "a zip archive"
    if head.startswith(b"\x80") and b"." in head:
        return "a Python pickle"
    if _TEXT.match(head):
        return "a TensorFlow graph in text form"
    if is_table(path):
        return "a table of weights without a graph"
    return "other bytes"


def is_table(path: Path) -> bool:
    """Whether a file is a TensorFlow table: an index of a checkpoint, or a whole one of the first format."""
    size = path.stat().st_size
    if size < 48:
        return False
    with path.open("rb") as file:
        file.seek(size - 8)
        return file.read(8) == _TABLE_MAGIC


def _refuse_wrong(path: Path, expected: str) -> None:
    """Names a file whose suffix or form is TensorFlow's and whose content is not what is expected.

    Raises:
        InvalidSource: always where such a file was recognised.
    """
    head = _beginning(path)
    if head[4:8] == b"TFL3":
        raise InvalidSource(
            f"Expected {expected}. Received a TensorFlow Lite model ({path.name!r}).",
            hint="Convert the SavedModel or the graph it was made from.",
        )
    if _TEXT.match(head):
        raise InvalidSource(
            f"Expected {expected}. Received a TensorFlow graph in text form ({path.name!r}).",
            hint="Write it in binary form: tf.io.write_graph(graph, folder, name, as_text=False).",
        )
    if path.suffix in (".pb", ".meta"):
        raise InvalidSource(f"Expected {expected}. Received {described(path)} ({path.name!r}).")


def frozen(path: Path) -> Artifact | None:
    """A frozen graph; None where the content is something else's.

    Raises:
        InvalidSource: it is truncated, a graph in text form, a TensorFlow Lite model, or a `.pb` of another kind.
    """
    if not path.is_file() or path.stat().st_size == 0 or path.suffix == ".meta" or path.name == "saved_model.pb":
        return None
    kind = kind_of(path)
    if kind == "graph":
        return Artifact(path, FROZEN, {"graph": path})
    if not kind:
        _refuse_wrong(path, "a frozen TensorFlow graph")
    return None


def saved_model(path: Path) -> Artifact | None:
    """A SavedModel: its folder or its `saved_model.pb`; None where it is none.

    Raises:
        InvalidSource: it is truncated, in text form, or another kind of file.
    """
    folder = path if path.is_dir() else path.parent
    graph = folder / "saved_model.pb"
    if path.is_dir() and not graph.exists() and (folder / "saved_model.pbtxt").exists():
        raise InvalidSource(
            "Expected a SavedModel. Received one in text form (saved_model.pbtxt).",
            hint="Load it and save it again: tf.saved_model.save(tf.saved_model.load(folder), new_folder).",
        )
    if not graph.is_file() or (path.is_file() and path != graph):
        return None
    if graph.stat().st_size == 0:
        raise InvalidSource("Expected a SavedModel. Received an empty saved_model.pb.", place=str(graph))
    if kind_of(graph) != "saved model":
        raise InvalidSource(f"Expected a SavedModel. Received {described(graph)}.", place=str(graph))
    files = {"graph": graph}
    index = folder / "variables" / "variables.index"
    if index.is_file():
        files["weights"] = index
    return Artifact(folder, SAVED_MODEL, files)


def checkpoint(path: Path) -> Artifact | None:
    """A checkpoint with its graph: a `.meta`, a folder or a prefix; None where it is none.

    Raises:
        InvalidSource: the graph is missing or is no graph, several checkpoints stand in the folder and none is chosen.
    """
    if path.is_dir():
        if (path / "saved_model.pb").exists():
            return None
        prefix = _chosen(path)
        return None if prefix is None else _from_prefix(path, prefix)
    part = _PART.fullmatch(path.name)
    if path.is_file():
        if part is not None and (path.suffix != ".meta" or kind_of(path) == "meta"):
            return _from_prefix(path, path.with_name(part["prefix"]))
        if path.suffix == ".meta":
            _refuse_wrong(path, "a TensorFlow graph with its savers (.meta)")
        if is_table(path):
            return _from_prefix(path, path)
        return None
    if any(path.with_name(path.name + suffix).is_file() for suffix in (".index", ".meta")):
        return _from_prefix(path, path)
    return None


def _chosen(folder: Path) -> Path | None:
    """The prefix that the file `checkpoint` of a folder names, else the only one there."""
    state = folder / "checkpoint"
    if state.is_file():
        named = re.search(r'model_checkpoint_path:\s*"([^"]+)"', state.read_text("utf-8", "replace"))
        if named:
            prefix = folder / Path(named[1]).name
            if any(prefix.with_name(prefix.name + suffix).is_file() for suffix in ("", ".index", ".meta")):
                return prefix
    metas = sorted(folder.glob("*.meta"))
    prefixes = sorted(
        {p.with_name(p.name[: -len(suffix)]) for suffix in (".meta", ".index") for p in folder.glob(f"*{suffix}")}
    )
    if len(prefixes) > 1 and metas:
        names = ", ".join(prefix.name for prefix in prefixes[:6])
        raise InvalidSource(
            f"Expected one checkpoint in the folder {str(folder)!r}, or a file `checkpoint` that names one. "
            f"Received {names}.",
            hint=f"Name one of them: {prefixes[0]}",
        )
    return prefixes[0] if len(prefixes) == 1 else None


def _from_prefix(path: Path, prefix: Path) -> Artifact | None:
    graph = prefix.with_name(prefix.name + ".meta")
    index = prefix.with_name(prefix.name + ".index")
    weights = index if index.is_file() else prefix if prefix.is_file() and is_table(prefix) else None
    if not graph.is_file():
        if weights is None:
            return None
        raise _without_graph(prefix, weights)
    if graph.stat().st_size == 0 or kind_of(graph) != "meta":
        raise InvalidSource(
            f"Expected a TensorFlow graph with its savers (.meta). Received {described(graph)}.", place=str(graph)
        )
    files = {"graph": graph}
    if weights is not None:
        files["weights"] = weights
    return Artifact(path, CHECKPOINT, files, {"prefix": str(prefix)})


def _without_graph(prefix: Path, weights: Path) -> InvalidSource:
    """The error for weights alone."""
    expected = f"Expected a graph beside the weights ({prefix.name}.meta). Received weights alone"
    if _OBJECTS in _beginning(weights):
        return InvalidSource(
            f"{expected}, as tf.train.Checkpoint or Model.save_weights of TensorFlow 2 writes them.",
            place=str(prefix),
            hint="In the program that builds the model, load them and write a SavedModel: "
            "tf.saved_model.save(model, folder), or model.export(folder).",
        )
    return InvalidSource(
        f"{expected}.",
        place=str(prefix),
        hint="In the program that builds the network, load them and save them with the graph: "
        f"saver = tf.compat.v1.train.Saver(); saver.restore(session, {prefix.name!r}); "
        "saver.save(session, 'with_graph'). "
        "That writes with_graph.meta, .index and .data.",
    )
