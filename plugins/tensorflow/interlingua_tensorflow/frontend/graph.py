"""GraphDef, MetaGraphDef and SavedModel read from their bytes: nodes without the values of their tensors.

The nodes have the form of TensorFlow's own messages as far as `runtime_graph` looks at them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from interlingua.errors import InvalidSource
from interlingua.formats.wire import BYTES, VARINT, Field, decode, fields
from interlingua.onnx.mapped import mapped

_DIM = {1: Field("size", "int")}
_SHAPE = {2: Field("dim", _DIM, repeated=True), 3: Field("unknown_rank", "bool")}
_TENSOR = {1: Field("dtype", "int"), 2: Field("tensor_shape", _SHAPE)}
_LIST = {7: Field("shape", _SHAPE, repeated=True)}
_VALUE = {1: Field("list", _LIST), 6: Field("type", "int"), 7: Field("shape", _SHAPE), 8: Field("tensor", _TENSOR)}
_ATTRIBUTE = {1: Field("key", "string"), 2: Field("value", _VALUE)}
_NODE = {
    1: Field("name", "string"),
    2: Field("op", "string"),
    3: Field("input", "string", repeated=True),
    5: Field("attr", _ATTRIBUTE, repeated=True),
}
_FUNCTION = {3: Field("node_def", _NODE, repeated=True)}
_LIBRARY = {1: Field("function", _FUNCTION, repeated=True)}
GRAPH = {1: Field("node", _NODE, repeated=True), 2: Field("library", _LIBRARY)}
_TENSOR_INFO = {1: Field("name", "string"), 2: Field("dtype", "int"), 3: Field("tensor_shape", _SHAPE)}
_SIDE = {1: Field("key", "string"), 2: Field("value", _TENSOR_INFO)}
_SIGNATURE = {1: Field("inputs", _SIDE, repeated=True), 2: Field("outputs", _SIDE, repeated=True)}
_SIGNATURES = {1: Field("key", "string"), 2: Field("value", _SIGNATURE)}
_INFO = {4: Field("tags", "string", repeated=True), 5: Field("tensorflow_version", "string")}
META = {1: Field("info", _INFO), 2: Field("graph", GRAPH), 5: Field("signatures", _SIGNATURES, repeated=True)}
SAVED_MODEL = {1: Field("version", "int"), 2: Field("metas", META, repeated=True)}

_OP = re.compile(r"[A-Z_][A-Za-z0-9_>]*")
_NODE_FIELDS = frozenset(range(1, 9))


@dataclasses.dataclass(frozen=True)
class Graph:
    """A graph's nodes by name, its signatures' tensor names by role, and how many function bodies it holds."""

    nodes: Mapping[str, Any]
    signatures: Mapping[str, tuple[Mapping[str, str], Mapping[str, str]]]
    functions: int = 0


class _Attributes(dict[str, Any]):
    """An attribute map; one that is absent reads as an empty attribute, as in protocol buffers."""

    def __missing__(self, key: str) -> Any:
        return _attribute({})


def _shape(said: Mapping[str, Any]) -> SimpleNamespace:
    dims = [SimpleNamespace(size=dim.get("size", 0)) for dim in said.get("dim", [])]
    return SimpleNamespace(dim=dims, unknown_rank=said.get("unknown_rank", False))


def _attribute(said: Mapping[str, Any]) -> SimpleNamespace:
    tensor = said.get("tensor", {})
    return SimpleNamespace(
        type=said.get("type", 0),
        shape=_shape(said.get("shape", {})),
        list=SimpleNamespace(shape=[_shape(shape) for shape in said.get("list", {}).get("shape", [])]),
        tensor=SimpleNamespace(dtype=tensor.get("dtype", 0), tensor_shape=_shape(tensor.get("tensor_shape", {}))),
    )


def _node(said: Mapping[str, Any]) -> SimpleNamespace:
    attributes = _Attributes({row.get("key", ""): _attribute(row.get("value", {})) for row in said["attr"]})
    return SimpleNamespace(name=said.get("name", ""), op=said.get("op", ""), input=said["input"], attr=attributes)


def _graph(said: Mapping[str, Any], signatures: Mapping[str, Any]) -> Graph:
    nodes = {node.name: node for node in map(_node, said.get("node", []))}
    return Graph(nodes, signatures, len(said.get("library", {}).get("function", [])))


def _signatures(meta: Mapping[str, Any]) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    def side(rows: list[Mapping[str, Any]]) -> dict[str, str]:
        return {row.get("key", ""): row.get("value", {}).get("name", "") for row in rows}

    found = {row.get("key", ""): row.get("value", {}) for row in meta.get("signatures", [])}
    return {
        key: (side(value.get("inputs", [])), side(value.get("outputs", [])))
        for key, value in found.items()
        if not key.startswith("__") and value.get("outputs")
    }


def read(path: Path, format: str) -> Graph:
    """The graph in a file; tensors are skipped, not loaded.

    Raises:
        InvalidSource: the file is truncated or no such message.
    """
    try:
        with mapped(path) as view:
            return _read(view, format)
    except InvalidSource as error:
        raise InvalidSource(error.message, place=str(path)) from None


def _read(view: memoryview, format: str) -> Graph:
    if format == "tensorflow-frozen":
        return _graph(decode(view, GRAPH), {})
    if format == "tensorflow-checkpoint":
        meta = decode(view, META)
    else:
        metas = decode(view, SAVED_MODEL)["metas"]
        served = [meta for meta in metas if "serve" in meta.get("info", {}).get("tags", [])]
        if not metas:
            raise InvalidSource("Expected a SavedModel with a graph. Received one without.")
        meta = (served or metas)[0]
    return _graph(meta.get("graph", {}), _signatures(meta))


def kind_of(path: Path) -> str:
    """Which TensorFlow message a file holds by its first bytes: "graph", "meta", "saved model", or "".

    Raises:
        InvalidSource: it begins as one of them and ends too early.
    """
    with mapped(path) as view:
        return _kind(view, str(path))


def _kind(view: memoryview, place: str) -> str:
    begun = ""
    try:
        for number, wire, value in fields(view):
            if not begun:
                begun = _begun(number, wire, value)
                if not begun:
                    return ""
            elif begun == "meta?" and number == 2 and wire == BYTES:
                begun = "meta" if _is_graph(value) else ""
            elif begun == "saved model?" and number == 2 and wire == BYTES:
                begun = "saved model" if _holds_graph(value) else ""
            if not begun:
                return ""
    except InvalidSource as error:
        if begun:
            raise InvalidSource(
                f"Expected a whole TensorFlow graph. Received a truncated one: {error.message}", place=place
            ) from None
        return ""
    return "" if begun.endswith("?") else begun


def _begun(number: int, wire: int, value: Any) -> str:
    if number == 1 and wire == VARINT and value < 16:
        return "saved model?"
    if wire != BYTES or number not in (1, 2, 4):
        return ""
    if number == 1 and _is_node(value):
        return "graph"
    if number == 1:
        return "meta?"
    return "meta" if number == 2 and _is_graph(value) else ""


def _holds_graph(value: memoryview) -> bool:
    return any(number == 2 and wire == BYTES and _is_graph(inner) for number, wire, inner in _safely(value))


def _is_graph(value: memoryview) -> bool:
    first = next(_safely(value), None)
    if first is None:
        return False
    number, wire, inner = first
    return wire == BYTES and (_is_node(inner) if number == 1 else number in (2, 4))


def _is_node(value: memoryview) -> bool:
    """Whether the bytes are a NodeDef: a name, then an op spelled as TensorFlow's ops are."""
    said: dict[int, Any] = {}
    for number, wire, inner in _safely(value):
        if number not in _NODE_FIELDS or wire != BYTES:
            return False
        said.setdefault(number, inner)
    if 1 not in said or 2 not in said:
        return False
    return _OP.fullmatch(bytes(said[2][:200]).decode("utf-8", "replace")) is not None


def _safely(value: memoryview) -> Iterator[tuple[int, int, Any]]:
    try:
        yield from fields(value)
    except InvalidSource:
        yield 0, 0, None
