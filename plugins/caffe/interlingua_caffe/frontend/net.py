"""A Caffe network in memory: the layers of the test phase, values named once each, weights matched by layer name."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from interlingua.artifact import Artifact, ReadOptions
from interlingua.errors import InvalidSource, UsageError
from interlingua.notes import Approximated, Dropped
from interlingua_caffe.frontend.inputs import InputShapes, Shape
from interlingua_caffe.frontend.phase import tested
from interlingua_caffe.frontend.recognise import kind_of
from interlingua_caffe.frontend.upgrade import INPUT, upgrade
from interlingua_caffe.proto import Message
from interlingua_caffe.proto.text import Unknown, parse, render
from interlingua_caffe.proto.wire import Blob, stored_layers


@dataclasses.dataclass(frozen=True)
class Stored:
    """A learned blob: the name Caffe's HDF5 snapshots give it (`conv1/0`), and what the file holds."""

    name: str
    blob: Blob


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer. `inputs` and `outputs` are values, each computed once; `tops` are the blobs as the prototxt has them.

    `unknown` are the fields of forks that the schema does not know, as dotted paths.
    """

    name: str
    type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tops: tuple[str, ...]
    message: Message
    stored: tuple[Stored, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Net:
    """A network that can be computed: inputs with their shapes, layers in order, outputs."""

    name: str
    inputs: dict[str, Shape]
    layers: tuple[Layer, ...]
    outputs: tuple[str, ...]
    has_weights: bool


def parsed(path: Path) -> tuple[Message, list[Unknown]]:
    """The network of a prototxt in today's form, and the fields nobody knows.

    Raises:
        InvalidSource: the file is no network.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidSource(
            f"Expected a Caffe network as protobuf text. Received {path.name!r}, which is no text.", place=str(path)
        ) from error
    net, unknown = parse(text, str(path))
    return upgrade(net), unknown


def is_sink(layer: Message) -> bool:
    """Whether a layer only measures or swallows (losses, Accuracy, Silence): a network at work has none of them."""
    return layer.type.endswith("Loss") or layer.type in ("Accuracy", "Silence", "HDF5Output")


def is_source(layer: Message) -> bool:
    """Whether a layer feeds data from outside."""
    return not layer.bottom and (layer.type.endswith("Data") or layer.type in (INPUT, "Python"))


def _working(layers: Iterable[Message], options: ReadOptions) -> list[Message]:
    kept = []
    for layer in layers:
        if is_sink(layer):
            options.notes.add(Dropped(layer.name, f"{layer.type}: a network at work does not compute it."))
            continue
        if is_source(layer) and layer.HasField("transform_param"):
            said = " ".join(render(layer.transform_param).split())
            options.notes.add(
                Dropped(layer.name, f"transform_param {{ {said} }}: what feeds the network has to do it.")
            )
        kept.append(layer)
    return kept


class _Names:
    """Gives every value one name: a layer's own where it has one top, a blob's where that is an output."""

    def __init__(self, reserved: Iterable[str]) -> None:
        self._taken = set(reserved)

    def take(self, name: str) -> str:
        unique, number = name, 1
        while unique in self._taken:
            number += 1
            unique = f"{name}_{number}"
        self._taken.add(unique)
        return unique


def _ends(layers: Sequence[Message]) -> list[tuple[int, str]]:
    """The blobs that nothing takes after they were last computed, each with the layer that computes it."""
    producer: dict[str, int] = {}
    used: set[tuple[int, str]] = set()
    for index, layer in enumerate(layers):
        for bottom in layer.bottom:
            if bottom in producer:
                used.add((producer[bottom], bottom))
        producer.update(dict.fromkeys(layer.top, index))
    everything = [(index, top) for index, layer in enumerate(layers) for top in layer.top]
    return [end for end in everything if end not in used]


def _wanted(layers: Sequence[Message], options: ReadOptions) -> list[tuple[int, str]]:
    """The outputs asked for, by blob (as it is at the end) or by layer; all open ends otherwise."""
    if not options.outputs:
        return [(index, top) for index, top in _ends(layers) if not is_source(layers[index])]
    by_name: dict[str, tuple[int, str]] = {layer.name: (i, layer.top[0]) for i, layer in enumerate(layers) if layer.top}
    by_name |= {top: (index, top) for index, layer in enumerate(layers) for top in layer.top}
    found = []
    for name in options.outputs:
        if name not in by_name:
            near = difflib.get_close_matches(name, by_name, n=3)
            raise UsageError(
                f"Expected outputs that the network has. Received {name!r}.",
                hint=f"Near: {', '.join(near)}." if near else f"It has: {', '.join(top for _, top in _ends(layers))}.",
            )
        found.append(by_name[name])
    return found


def _needed(layers: Sequence[Message], wanted: Iterable[tuple[int, str]]) -> set[int]:
    """The layers that the wanted blobs depend on."""
    before: list[dict[str, int]] = []
    producer: dict[str, int] = {}
    for index, layer in enumerate(layers):
        for bottom in layer.bottom:
            if bottom not in producer:
                raise InvalidSource(
                    f"Expected a blob that a layer above computes. Received {bottom!r}.", place=f"layer {layer.name!r}"
                )
        before.append({bottom: producer[bottom] for bottom in layer.bottom})
        producer.update(dict.fromkeys(layer.top, index))
    needed: set[int] = set()
    open_ = [index for index, _ in wanted]
    while open_:
        index = open_.pop()
        if index not in needed:
            needed.add(index)
            open_.extend(before[index].values())
    return needed


def load(artifact: Artifact, options: ReadOptions) -> Net:
    """The network of an artifact as it works, with its weights.

    Raises:
        InvalidSource: what is missing (a shape, weights), torn or contradictory.
        UsageError: an input or output was named that the network does not have.
    """
    graph = artifact.files["graph"]
    message, unknown = parsed(graph)
    layers = _working(tested(message), options)
    wanted = _wanted(layers, options)
    if not wanted:
        raise InvalidSource(
            "Expected a network that computes something. Received one without layers at test.", place=str(graph)
        )
    needed = _needed(layers, wanted)
    return _assembled(message.name or graph.stem, layers, needed, wanted, _stored(artifact, options), unknown, options)


def _stored(artifact: Artifact, options: ReadOptions) -> dict[str, tuple[Blob, ...]] | None:
    """The blobs of the weights file by layer, the last of equal names as in Caffe; None where there is no file."""
    path = options.weights or artifact.files.get("weights")
    if path is None:
        return None
    if not path.is_file():
        raise InvalidSource(f"Expected a `.caffemodel` with the weights. Received {str(path)!r}, which does not exist.")
    if kind_of(path) != "weights":
        raise InvalidSource(
            f"Expected a `.caffemodel` with the weights. Received {path.name!r}, which is none.", place=str(path)
        )
    return {layer.name: layer.blobs for layer in stored_layers(path) if layer.blobs}


def _assembled(
    name: str,
    layers: Sequence[Message],
    needed: set[int],
    wanted: Sequence[tuple[int, str]],
    stored: Mapping[str, tuple[Blob, ...]] | None,
    unknown: Sequence[Unknown],
    options: ReadOptions,
) -> Net:
    names = _Names(top for _, top in wanted)
    ends = {end: end[1] for end in wanted}
    kept = [layers[index] for index in sorted(needed)]
    shapes = InputShapes([layer for layer in kept if is_source(layer)], kept, options)
    shared: dict[str, Stored] = {}
    current: dict[str, str] = {}
    used = {bottom for index in needed for bottom in layers[index].bottom}
    inputs: dict[str, Shape] = {}
    built = []
    for index in sorted(needed):
        layer = layers[index]
        if is_source(layer):
            for top in layer.top:
                if top in used or (index, top) in ends:
                    inputs[top] = shapes.of(layer, top)
                    current[top] = names.take(top) if (index, top) not in ends else top
            continue
        bottoms = tuple(current[bottom] for bottom in layer.bottom)
        for top in layer.top:
            own = layer.name if len(layer.top) == 1 and layer.name else top
            current[top] = ends.get((index, top)) or names.take(own)
        blobs = (stored or {}).get(layer.name, ())
        built.append(
            Layer(
                layer.name,
                layer.type,
                bottoms,
                tuple(current[top] for top in layer.top),
                tuple(layer.top),
                layer,
                _shared(layer, blobs, shared),
                tuple(field.path for field in unknown if field.layer == layer.name),
            )
        )
    for built_layer in built:
        if any(stored_blob.blob.numbers.itemsize > 4 for stored_blob in built_layer.stored):
            options.notes.add(Approximated(built_layer.name, "float64 weights are read as float32"))
    return Net(name, inputs, tuple(built), tuple(top for _, top in wanted), stored is not None)


def _shared(layer: Message, blobs: Sequence[Blob], shared: dict[str, Stored]) -> tuple[Stored, ...]:
    """The layer's blobs; one whose `param` has a name is the first blob of that name."""
    found = []
    for index in range(max(len(blobs), len(layer.param))):
        label = layer.param[index].name if index < len(layer.param) else ""
        if label in shared:
            found.append(shared[label])
        elif index < len(blobs):
            found.append(Stored(f"{layer.name}/{index}", blobs[index]))
            if label:
                shared[label] = found[-1]
    return tuple(found)
