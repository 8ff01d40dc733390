"""The weights of a Keras archive, out of HDF5: listed at once, read when asked for.

Two orders of the same thing: `model.weights.h5` in a `.keras` archive numbers the variables of each layer
(`layers/conv2d/vars/0`), a whole-model `.h5` names them (`model_weights/conv1/conv1/kernel`).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from interlingua.errors import InvalidSource, UntrustedSource

MAGIC = b"\x89HDF\r\n\x1a\n"
MOST_GROUPS = 1_000_000
MOST_INFLATION = 1_100  # deflate cannot go beyond 1032 : 1


@dataclasses.dataclass(frozen=True)
class Variable:
    """One variable, still on disk. `position` is its place in `path` where its bytes lie there as they are."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    dataset: h5py.Dataset
    path: Path | None
    position: int

    def load(self) -> npt.NDArray[Any]:
        """The values; a memory map where the file allows it."""
        if self.path is None or not self.shape or 0 in self.shape:
            return np.asarray(self.dataset[()])
        return np.memmap(self.path, self.dtype, "r", self.position, self.shape)

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the HDF5 bytes lie as they are: the file, and the position of their first byte in it."""

    path: Path | None
    start: int = 0


def open_file(source: Any, what: str) -> h5py.File:
    """The HDF5 file of a path or a file object.

    Raises:
        InvalidSource: it is truncated or no HDF5.
    """
    try:
        return h5py.File(source, "r")
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).split("(")[-1].rstrip(")")
        raise InvalidSource(
            f"Expected whole HDF5 weights. Received {what}, which HDF5 cannot open: {reason}.",
            hint="The file is truncated or corrupt; fetch or save it again.",
        ) from error


def variable(dataset: h5py.Dataset, place: Place) -> Variable:
    """A dataset as a variable, once its header is found to be honest.

    Raises:
        UntrustedSource: its values are in another file.
        InvalidSource: it is no array of numbers, or declares more than the file can hold.
    """
    name = dataset.name
    if dataset.is_virtual or dataset.external:
        raise UntrustedSource(
            f"Expected weights inside the archive. Received {name!r}, whose values are in another file.",
            hint="Save the model with its weights inside.",
        )
    if dataset.dtype.kind not in "fiub" or dataset.dtype.hasobject or dataset.shape is None:
        raise InvalidSource(f"Expected weights of numbers. Received {name!r} of type {dataset.dtype}.")
    declared = int(np.prod(dataset.shape, dtype=object)) * dataset.dtype.itemsize
    stored = dataset.id.get_storage_size()
    packed = dataset.chunks is not None and bool(dataset.compression or dataset.shuffle or dataset.scaleoffset)
    if declared > stored * (MOST_INFLATION if packed else 1):
        raise InvalidSource(
            f"Expected the values of {name!r}. Received a header that declares {declared} bytes"
            f" over {stored} in the file.",
            hint="The file is truncated or was made to exhaust memory.",
        )
    offset = dataset.id.get_offset() if dataset.chunks is None else None
    raw = offset is not None and place.path is not None and dataset.dtype.isnative
    return Variable(
        tuple(dataset.shape),
        dataset.dtype,
        dataset,
        place.path if raw else None,
        place.start + offset if raw and offset is not None else 0,
    )


def members(group: h5py.Group) -> Iterator[tuple[str, h5py.Group | h5py.Dataset]]:
    """What a group holds by itself.

    Raises:
        UntrustedSource: a link leads out of the file.
        InvalidSource: a link leads nowhere, or in a circle.
    """
    for name in group:
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise UntrustedSource(
                f"Expected weights inside the archive. Received {group.name}/{name}, a link to {link.filename!r}.",
                hint="Save the model with its weights inside.",
            )
        if not isinstance(link, h5py.HardLink):
            raise InvalidSource(f"Expected weights. Received {group.name}/{name}, a link.")
        try:
            yield name, group[name]
        except (KeyError, OSError, RuntimeError) as error:
            raise InvalidSource(
                f"Expected weights. Received {group.name}/{name}, which is corrupt: {error}."
            ) from error


def walk(group: h5py.Group, place: Place, deepest: int = 32) -> Iterator[tuple[str, Variable]]:
    """Every variable under a group, by its path from there."""
    if deepest == 0:
        raise InvalidSource(f"Expected weights. Received groups nested without end at {group.name!r}.")
    for name, member in members(group):
        if isinstance(member, h5py.Dataset):
            yield name, variable(member, place)
        elif isinstance(member, h5py.Group):
            yield from ((f"{name}/{rest}", found) for rest, found in walk(member, place, deepest - 1))


def attribute(group: h5py.Group, name: str) -> str | None:
    """A text attribute, None where it is not there."""
    value = group.attrs.get(name)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value) if value is not None else None


def attributes(group: h5py.Group, name: str) -> list[str]:
    """A list of texts; long ones stand in pieces `name0`, `name1`, …"""
    pieces = [name] if name in group.attrs else []
    if not pieces:
        while f"{name}{len(pieces)}" in group.attrs:
            pieces.append(f"{name}{len(pieces)}")
    texts = [text for piece in pieces for text in np.atleast_1d(group.attrs[piece])]
    return [text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text) for text in texts]


def _number(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdecimal() else (MOST_GROUPS, name)


class NumberedStore:
    """The weights of a `.keras` archive: groups by class, variables by number, the layer's name as an attribute."""

    def __init__(self, root: h5py.Group, place: Place) -> None:
        self._root = root
        self._place = place
        self._by_name: dict[str, list[h5py.Group]] | None = None

    def group(self, parents: Sequence[str], name: str, key: str) -> h5py.Group | None:
        """The group of a layer called `name` in the network at `parents`; `key` is its group by class and order."""
        at = "/".join(f"layers/{parent}" for parent in parents)
        siblings = self._root.get(f"{at}/layers" if at else "layers")
        if isinstance(siblings, h5py.Group):
            for _, member in members(siblings):
                if isinstance(member, h5py.Group) and self._called(member) == name:
                    return member
            found = siblings.get(key)
            if isinstance(found, h5py.Group) and self._called(found) in (None, name):
                return found
        elsewhere = self._named().get(name, [])
        return elsewhere[0] if len(elsewhere) == 1 else None

    def _called(self, group: h5py.Group) -> str | None:
        own = group.get("vars")
        return attribute(own, "name") if isinstance(own, h5py.Group) else None

    def _named(self) -> Mapping[str, list[h5py.Group]]:
        """Groups by layer name over all networks: a layer shared between two is saved in one only."""
        if self._by_name is None:
            self._by_name = {}
            waiting = [self._root]
            while waiting:
                group = waiting.pop()
                for name, member in members(group):
                    if isinstance(member, h5py.Group) and name not in ("vars", "optimizer"):
                        waiting.append(member)
                        called = self._called(member)
                        if called is not None:
                            self._by_name.setdefault(called, []).append(member)
                if len(waiting) > MOST_GROUPS:
                    raise InvalidSource("Expected weights. Received more groups than a model has layers.")
        return self._by_name

    def variables(self, parents: Sequence[str], name: str, key: str) -> dict[str, Variable]:
        """A layer's variables in the layer's own order: "0", "1", …, those of its parts as "cell/0"."""
        group = self.group(parents, name, key)
        if group is None:
            return {}
        found = {path.replace("vars/", ""): value for path, value in walk(group, self._place)}
        return dict(sorted(found.items(), key=lambda item: [_number(part) for part in item[0].split("/")]))


class NamedStore:
    """The weights of a whole-model `.h5`: a group for each layer of the outermost network, variables by name."""

    def __init__(self, root: h5py.Group, place: Place) -> None:
        self._place = place
        self._groups: dict[str, list[tuple[str, h5py.Dataset]]] = {}
        known = {name: member for name, member in members(root) if isinstance(member, h5py.Group)}
        for layer in attributes(root, "layer_names"):
            group = known.get(layer)
            if group is None:
                raise InvalidSource(
                    f"Expected the weights of the layer {layer!r}. Received none: its group is missing."
                )
            by_path = dict(walk(group, place))
            rows: list[tuple[str, h5py.Dataset]] = []
            for name in attributes(group, "weight_names"):
                if name not in by_path:
                    raise InvalidSource(f"Expected the weight {name!r} of the layer {layer!r}. Received none.")
                rows.append((name.split(":")[0], by_path[name].dataset))
            self._groups[layer] = rows

    def variables(self, parents: Sequence[str], name: str, key: str) -> dict[str, Variable]:
        """A layer's variables by name (`kernel`), those of its parts by path (`forward_l/lstm_cell/kernel`).

        The layers of an inner network stand in the outermost layer's group, told apart by the path.
        """
        rows = self._groups.get(parents[0] if parents else name, [])
        found: dict[str, Variable] = {}
        for path, dataset in rows:
            parts = path.split("/")
            if parents:
                if name not in parts[:-1]:
                    continue
                parts = parts[parts.index(name) + 1 :]
            elif name in parts[:-1]:
                parts = parts[parts.index(name) + 1 :]
            else:
                parts = parts[-1:]
            short = "/".join(parts)
            if short in found:
                outermost = parents[0] if parents else name
                raise InvalidSource(
                    f"Expected one weight {short!r} for the layer {name!r}. Received several in {outermost!r}.",
                    hint="Save the model as `.keras`, which tells inner layers of one name apart.",
                )
            found[short] = variable(dataset, self._place)
        return found


Store = NumberedStore | NamedStore


def as_json(text: str | bytes, what: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        InvalidSource: it is none.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidSource(f"Expected JSON in {what}. Received text that is none: {error}.") from error
    if not isinstance(value, dict):
        raise InvalidSource(f"Expected a JSON object in {what}. Received {type(value).__name__}.")
    return value
