"""A Keras archive as IR: layer by layer through the cards, in the source's own names and axis order."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from interlingua.artifact import Artifact, ReadOptions, Source
from interlingua.errors import InvalidSource, Unsupported, UnsupportedModel, UsageError
from interlingua.ir.build import Builder, opaque
from interlingua.notes import Assumed
from interlingua_keras.frontend.archive import ARCHIVE, open_archive
from interlingua_keras.frontend.layers import Call, UnknownShape, read_layer
from interlingua_keras.frontend.network import Layer, Network, Reference, read_network
from interlingua_keras.frontend.weights import as_json

NAMES = "interlingua.json"
DOMAIN = "keras"
_MOST_OUTPUTS = 64
_LARGEST_NAMES = 64 << 20


def read(artifact: Artifact, options: ReadOptions) -> Source:
    """The model of a `.keras` archive or a whole-model `.h5`; layers without a card travel on as opaque nodes.

    Raises:
        InvalidSource: the archive is broken, weights are missing or do not fit.
        UntrustedSource: it holds Python code.
        UnsupportedModel: a subclassed model, or layers that no card says, all at once.
        UsageError: an input or output is named that the model does not have.
    """
    archive = open_archive(artifact.path)
    asked = options.shapes.get("") or next(iter(options.shapes.values()), None)
    network = read_network(archive, trust=options.trust, input_shape=asked)
    if network.class_name not in ("", "Functional", "Sequential", "Model"):
        options.notes.add(Assumed(network.name, f"{network.class_name} is read as the layers it was saved with"))
    reader = _Reader(network, options, _names(artifact))
    model = reader.model()
    outputs = [value.name for value in model.graph.outputs]
    run = {"path": str(artifact.path), "format": artifact.format, "outputs": outputs}
    return Source(model, artifact, "" if archive.legacy else "keras", run, options.notes)


def _names(artifact: Artifact) -> dict[str, Any]:
    """What a converted archive's layers and weights are called in the source it came from."""
    if artifact.format != ARCHIVE:
        return {}
    with zipfile.ZipFile(artifact.path) as archive:
        if NAMES not in archive.namelist() or archive.getinfo(NAMES).file_size > _LARGEST_NAMES:
            return {}
        return as_json(archive.read(NAMES), NAMES)


def _texts(value: Any) -> Mapping[str, str]:
    return {k: v for k, v in value.items() if isinstance(v, str)} if isinstance(value, Mapping) else {}


class _Reader:
    def __init__(self, network: Network, options: ReadOptions, names: Mapping[str, Any]) -> None:
        self._network = network
        self._options = options
        self._layers = _texts(names.get("layers"))
        self._weights = _texts(names.get("weights"))
        self._builder = Builder(network.name)
        self._refusals: list[str] = []
        self._uses: dict[str, int] = {}
        self._unknown: set[ir.Value] = set()

    def model(self) -> ir.Model:
        """The whole model."""
        given = [self._input(self._network.layer(reference.layer)) for reference in self._network.inputs]
        outputs = self._run(self._network, given, ())
        if self._refusals:
            raise UnsupportedModel(
                f"Expected layers that a card of keras can read. Received {len(self._refusals)} that none can:",
                self._refusals,
                hint="Replace them in Keras by other layers, or register a card.",
            )
        named = [(name, value) for (name, _), value in zip(self._network.outputs, outputs, strict=True)]
        chosen = self._options.outputs
        if chosen:
            known = dict(named)
            missing = [name for name in chosen if name not in known]
            if missing:
                raise UsageError(f"Expected outputs of the model ({', '.join(known)}). Received {', '.join(missing)}.")
            if list(chosen) != list(known):
                raise UsageError(
                    f"Expected all outputs of the model ({', '.join(known)}). Received {', '.join(chosen)}."
                )
        names = [reference.layer for reference in self._network.inputs]
        if self._options.inputs and list(self._options.inputs) != names:
            raise UsageError(
                f"Expected the model's inputs ({', '.join(names)}). Received {', '.join(self._options.inputs)}."
            )
        return self._builder.model(named)

    def _input(self, layer: Layer) -> ir.Value:
        shape = self._options.shapes.get(layer.name) or layer.input_shape
        if not shape:
            raise InvalidSource(
                f"Expected the shape of the input {layer.name!r}. Received none.",
                hint="Say it: --input-shape None,224,224,3",
            )
        dtype = {"float64": "DOUBLE", "float32": "FLOAT"}.get(layer.dtype, layer.dtype.upper())
        if dtype not in ir.DataType.__members__:
            raise InvalidSource(f"Expected an input of numbers. Received {layer.dtype!r}.", place=layer.name)
        sizes: list[int | str | None] = list(shape)
        if sizes and sizes[0] is None:
            sizes[0] = "batch"
        return self._builder.input(layer.name, sizes, ir.DataType[dtype])

    def _run(self, network: Network, given: Sequence[ir.Value], path: tuple[str, ...]) -> list[ir.Value]:
        """The outputs of one call of a network."""
        values = dict(zip(network.inputs, given, strict=True))
        calls = {(layer.name, index) for layer in network.layers for index in range(len(layer.calls))}
        layers = {layer.name: layer for layer in network.layers}
        wanted = [reference for _, reference in network.outputs]
        waiting, open_calls = list(reversed(wanted)), set[tuple[str, int]]()
        while waiting:
            reference = waiting[-1]
            key = (reference.layer, reference.call)
            if reference in values:
                waiting.pop()
                continue
            if key not in calls:
                raise InvalidSource(f"Expected an output of the network {network.name!r}. Received {reference}.")
            call = Call.of(layers[reference.layer], layers[reference.layer].calls[reference.call])
            before = [other for other in call.references if other not in values]
            if before:
                if key in open_calls:
                    raise InvalidSource(f"Expected a network without circles. Received one at {reference.layer!r}.")
                open_calls.add(key)
                waiting.extend(reversed(before))
                continue
            results = self._call(layers[reference.layer], call, values, path)
            for index, value in enumerate(results):
                values[Reference(reference.layer, reference.call, index)] = value
            if reference not in values:
                raise InvalidSource(
                    f"Expected output {reference.output} of {reference.layer!r}. Received {len(results)}."
                )
        return [values[reference] for reference in wanted]

    def _call(
        self, layer: Layer, call: Call, values: Mapping[Reference, ir.Value], path: tuple[str, ...]
    ) -> list[ir.Value]:
        inner = (*path, layer.name)
        tensors = [values[reference] for reference in call.references]
        if layer.network is not None:
            if len(tensors) != len(layer.network.inputs):
                raise InvalidSource(
                    f"Expected {len(layer.network.inputs)} inputs for {layer.name!r}. Received {len(tensors)}."
                )
            return self._run(layer.network, tensors, inner)
        own = "/".join(inner)
        place = self._layers.get(own, own)
        self._uses[place] = self._uses.get(place, 0) + 1
        used = place if self._uses[place] == 1 else f"{place}#{self._uses[place]}"
        follows = not self._unknown.isdisjoint(tensors)
        try:
            value = read_layer(self._builder, layer, call.bound(values), own, used, self._weight)
            if follows:
                self._unknown.add(value)
            return [value]
        except (Unsupported, InvalidSource) as refusal:
            if isinstance(refusal, InvalidSource) and not follows:
                raise
            if not (follows and isinstance(refusal, InvalidSource | UnknownShape)):
                self._refusals.append(f"{layer.class_name} {own}: {refusal}")
            value = opaque(self._builder, DOMAIN, layer.class_name, tensors, used)
            self._unknown.add(value)
            return [value] * _MOST_OUTPUTS

    def _weight(self, own: str, name: str, layer: Layer, key: str) -> ir.Value:
        """A parameter under the name that the source gave it: of the Keras archive, or of what that came from."""
        variable = layer.variables[key]
        said = self._weights.get(f"{own}/{name}", "")
        source = said if said and "(" not in said else f"{self._layers.get(own, own)}/{name}"
        tensor = ir.LazyTensor(
            lambda: ir.tensor(np.asarray(variable.load())),
            dtype=ir.DataType.from_numpy(variable.dtype),
            shape=ir.Shape(variable.shape),
            name=source,
        )
        return self._builder.weight(source, tensor)
