"""A Keras configuration as a network of layers: who is called on whose outputs, with which weights.

It knows how Keras serialises, and nothing of what any layer computes: that stands on the cards.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from interlingua.errors import InvalidSource, UnsupportedModel, UntrustedSource
from interlingua_keras.frontend.archive import Archive
from interlingua_keras.frontend.weights import Variable

Shape = tuple[int | None, ...]
_DEEPEST = 64
_INPUT = "InputLayer"


@dataclasses.dataclass(frozen=True)
class Reference:
    """One output of one call: of the layer `layer`, its call number `call`, its output number `output`."""

    layer: str
    call: int = 0
    output: int = 0


@dataclasses.dataclass(frozen=True)
class Call:
    """One use of a layer: its arguments, with `Reference` where a tensor goes in (also inside lists)."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer or function. `variables` are in the layer's own order; `network` is there for a model inside."""

    name: str
    class_name: str
    module: str
    config: Mapping[str, Any]
    calls: tuple[Call, ...]
    variables: Mapping[str, Variable]
    network: Network | None = None

    @property
    def is_input(self) -> bool:
        """Whether it stands for an input of the network."""
        return self.class_name == _INPUT

    @property
    def input_shape(self) -> Shape | None:
        """The shape an input layer declares, with the batch axis."""
        shape = self.config.get("batch_shape", self.config.get("batch_input_shape"))
        return _shape(shape, self.name)

    @property
    def dtype(self) -> str:
        """The type it computes in: a type's name or that of a mixed policy."""
        said = self.config.get("dtype", "float32")
        if isinstance(said, Mapping):
            said = said.get("config", {}).get("name", said.get("class_name"))
        return str(said or "float32")


@dataclasses.dataclass(frozen=True)
class Network:
    """Layers in the order of the file, and which outputs go in and out; `outputs` by name."""

    name: str
    layers: tuple[Layer, ...]
    inputs: tuple[Reference, ...]
    outputs: tuple[tuple[str, Reference], ...]
    class_name: str = ""

    def layer(self, name: str) -> Layer:
        """The layer of that name.

        Raises:
            InvalidSource: there is none.
        """
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise InvalidSource(f"Expected a layer of the network {self.name!r}. Received a reference to {name!r}.")

    def walk(self, parents: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Layer]]:
        """Every layer with the networks it stands in, inner ones after the layer that holds them."""
        for layer in self.layers:
            yield parents, layer
            if layer.network:
                yield from layer.network.walk((*parents, layer.name))


def read_network(archive: Archive, *, trust: bool = False, input_shape: Shape | None = None) -> Network:
    """The whole network of an archive.

    `input_shape` is for a Sequential that was saved without one.

    Raises:
        InvalidSource: the configuration contradicts itself, or weights are missing.
        UntrustedSource: it holds Python code (a Lambda) and `trust` is not given.
        UnsupportedModel: it is a subclassed model, whose computation is in no file.
    """
    if not trust:
        _refuse_code(archive.config)
    found = _Parser(archive, input_shape).network(archive.config, (), ())
    return dataclasses.replace(found, class_name=str(archive.config.get("class_name", "")))


def _refuse_code(config: Any, depth: int = 0, place: str = "") -> None:
    """Raises where a configuration holds marshalled Python code."""
    if depth > _DEEPEST * 4:
        raise InvalidSource("Expected a Keras configuration. Received one nested without end.")
    if isinstance(config, list):
        for item in config:
            _refuse_code(item, depth + 1, place)
    elif isinstance(config, dict):
        name = config.get("name") or (config.get("config", {}) or {}).get("name") if "class_name" in config else ""
        place = str(name or place)
        if config.get("class_name") in ("__lambda__", "Lambda"):
            raise UntrustedSource(
                "Expected layers. Received Python code, which loading the model would execute.",
                place=place,
                hint="Rebuild it with keras.layers or keras.ops instead of the Lambda; `--trust` allows the code.",
            )
        for value in config.values():
            _refuse_code(value, depth + 1, place)


def snake(name: str) -> str:
    """A class's name as Keras spells it in `model.weights.h5`."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _shape(value: Any, place: str) -> Shape | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not all(n is None or (isinstance(n, int) and n >= 0) for n in value):
        raise InvalidSource(f"Expected a shape. Received {value!r}.", place=place)
    return tuple(value)


class _Parser:
    def __init__(self, archive: Archive, input_shape: Shape | None) -> None:
        self._archive = archive
        self._input_shape = input_shape

    def network(self, entry: Mapping[str, Any], parents: tuple[str, ...], keys: tuple[str, ...]) -> Network:
        """The network of a model's configuration; `parents` are the models around it, `keys` their weights' groups."""
        if len(parents) > _DEEPEST:
            raise InvalidSource("Expected a Keras model. Received models nested without end.")
        config = entry.get("config")
        if isinstance(config, list):  # a Sequential before Keras 2.3
            config = {"name": "sequential", "layers": config}
        layers = config.get("layers") if isinstance(config, Mapping) else None
        if not isinstance(config, Mapping) or not isinstance(layers, list):
            kind = entry.get("class_name", "nothing")
            raise UnsupportedModel(
                f"Expected a functional or Sequential model. Received {kind!r}, a subclassed one,"
                " whose computation is Python code outside the file.",
                hint="In Keras: model.export('saved_model') and convert that folder,"
                " or save keras.Model(inputs, model.call(inputs)).",
            )
        name = str(config.get("name") or entry.get("name") or "model")
        entries = [self._entry(layer, name) for layer in layers]
        if "input_layers" in config or "output_layers" in config:
            return self._functional(name, config, entries, parents, keys)
        return self._sequential(name, config, entries, parents, keys)

    def _entry(self, entry: Any, place: str) -> Mapping[str, Any]:
        if not isinstance(entry, Mapping) or not isinstance(entry.get("config"), Mapping | list):
            raise InvalidSource(
                "Expected a layer with a class and a configuration. Received something else.", place=place
            )
        return entry

    def _layers(
        self,
        entries: Sequence[Mapping[str, Any]],
        calls: Sequence[tuple[Call, ...]],
        parents: tuple[str, ...],
        keys: tuple[str, ...],
    ) -> tuple[Layer, ...]:
        counts: dict[str, int] = {}
        made: list[Layer] = []
        for entry, used in zip(entries, calls, strict=True):
            class_name, module = str(entry.get("class_name")), str(entry.get("module") or "")
            config = entry["config"]
            name = str(entry.get("name") or (config.get("name") if isinstance(config, Mapping) else None) or class_name)
            key = ""
            if not module.startswith("keras.src.ops"):
                stem = snake(class_name)
                key = f"{stem}_{counts[stem]}" if stem in counts else stem
                counts[stem] = counts.get(stem, 0) + 1
            inner = None
            if isinstance(config, list) or isinstance(config.get("layers"), list):
                inner = self.network(entry, (*parents, name), (*keys, key))
            at = keys if self._archive.kind == "keras" else parents
            variables = self._archive.store.variables(at, name, key) if key and inner is None else {}
            made.append(
                Layer(name, class_name, module, config if isinstance(config, Mapping) else {}, used, variables, inner)
            )
        names = [layer.name for layer in made]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InvalidSource(f"Expected layers of different names. Received {', '.join(map(repr, twice))} twice.")
        return tuple(made)

    def _functional(
        self,
        name: str,
        config: Mapping[str, Any],
        entries: Sequence[Mapping[str, Any]],
        parents: tuple[str, ...],
        keys: tuple[str, ...],
    ) -> Network:
        calls = [tuple(_call(node, name) for node in entry.get("inbound_nodes") or ()) for entry in entries]
        layers = self._layers(entries, calls, parents, keys)
        inputs = tuple(reference for _, reference in _references(config.get("input_layers"), name))
        outputs = tuple(_named(_references(config.get("output_layers"), name)))
        network = Network(name, layers, inputs, outputs)
        _check(network)
        return network

    def _sequential(
        self,
        name: str,
        config: Mapping[str, Any],
        entries: Sequence[Mapping[str, Any]],
        parents: tuple[str, ...],
        keys: tuple[str, ...],
    ) -> Network:
        if not entries:
            raise InvalidSource(f"Expected a Sequential with layers. Received {name!r}, which has none.")
        has_input = entries[0].get("class_name") == _INPUT
        body = list(entries[1:] if has_input else entries)
        if has_input:
            first = Layer(
                str(entries[0]["config"].get("name") or "input_layer"),
                _INPUT,
                "keras.layers",
                entries[0]["config"],
                (),
                {},
            )
        else:
            own = entries[0]["config"]
            said = own.get("batch_input_shape") if isinstance(own, Mapping) else None
            shape = said or config.get("build_input_shape") or (self._input_shape if not parents else None)
            if shape is None and not parents:
                raise InvalidSource(
                    f"Expected the input's shape. Received the Sequential {name!r}, which was saved without one.",
                    hint="Say it: --input-shape None,224,224,3",
                )
            first = Layer(
                "input_layer", _INPUT, "keras.layers", {"batch_shape": list(shape) if shape else None}, (), {}
            )
        before = first.name
        calls = []
        for entry in body:
            calls.append((Call((Reference(before),), {}),))
            inside = entry["config"]
            before = str(
                entry.get("name")
                or (inside.get("name") if isinstance(inside, Mapping) else None)
                or entry.get("class_name")
            )
        layers = self._layers(body, calls, parents, keys)
        return Network(name, (first, *layers), (Reference(first.name),), ((before, Reference(before)),))


def _call(node: Any, place: str) -> Call:
    """One inbound node: Keras 3's arguments with tensors in them, or Keras 2's [[layer, call, output, kwargs], …]."""
    if isinstance(node, Mapping):
        args, named = node.get("args", []), node.get("kwargs", {})
        if not isinstance(args, list) or not isinstance(named, Mapping):
            raise InvalidSource("Expected the arguments of a call. Received something else.", place=place)
        return Call(tuple(_value(arg, place) for arg in args), {str(n): _value(v, place) for n, v in named.items()})
    if not isinstance(node, list):
        raise InvalidSource(f"Expected how a layer is called. Received {node!r}.", place=place)
    tensors: list[Reference] = []
    kwargs: dict[str, Any] = {}
    for item in node if node and isinstance(node[0], list) else [node]:
        if not (isinstance(item, list) and len(item) in (3, 4)):
            raise InvalidSource(f"Expected [layer, call, output]. Received {item!r}.", place=place)
        tensors.append(_reference(item[:3], place))
        if len(item) == 4 and isinstance(item[3], Mapping):
            kwargs |= {str(n): _legacy_value(v, place) for n, v in item[3].items()}
    return Call((tensors[0] if len(tensors) == 1 else tensors,), kwargs)


def _legacy_value(value: Any, place: str) -> Any:
    history = isinstance(value, list) and len(value) in (3, 4) and isinstance(value[0], str)
    return _reference(value[:3], place) if history and all(isinstance(n, int) for n in value[1:3]) else value


def _reference(value: Any, place: str) -> Reference:
    if not (isinstance(value, list) and len(value) == 3 and isinstance(value[0], str)) or not all(
        isinstance(n, int) and n >= 0 for n in value[1:]
    ):
        raise InvalidSource(f"Expected [layer, call, output]. Received {value!r}.", place=place)
    return Reference(value[0], value[1], value[2])


def _value(value: Any, place: str, depth: int = 0) -> Any:
    """A serialised argument: tensors as `Reference`, Python's slices, tuples and ellipses as themselves."""
    if depth > _DEEPEST:
        raise InvalidSource("Expected an argument. Received one nested without end.", place=place)
    if isinstance(value, list):
        return [_value(item, place, depth + 1) for item in value]
    if not isinstance(value, Mapping):
        return value
    kind, config = value.get("class_name"), value.get("config")
    inside = config if isinstance(config, Mapping) else {}
    if kind == "__keras_tensor__":
        return _reference(inside.get("keras_history"), place)
    if kind == "__ellipsis__":
        return Ellipsis
    if kind == "__slice__":
        return slice(inside.get("start"), inside.get("stop"), inside.get("step"))
    if kind == "__tuple__":
        return tuple(_value(item, place, depth + 1) for item in inside.get("value", config or ()))
    if kind in ("__tensor__", "__numpy__"):
        return inside.get("value")
    return {str(name): _value(item, place, depth + 1) for name, item in value.items()}


def _references(value: Any, place: str, name: str = "") -> Iterator[tuple[str, Reference]]:
    """The references in a nested list or dictionary, with its keys, which are taken in order as Keras does."""
    if isinstance(value, Mapping):
        for key in sorted(value):
            yield from _references(value[key], place, str(key))
    elif isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
        yield name, _reference(value, place)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item, place, name)
    else:
        raise InvalidSource(f"Expected the inputs or outputs of the network. Received {value!r}.", place=place)


def _named(references: Iterator[tuple[str, Reference]]) -> Iterator[tuple[str, Reference]]:
    """Names for outputs: the dictionary's key, else the layer's name; a second one of a name gets a number."""
    seen: dict[str, int] = {}
    for key, reference in references:
        name = key or reference.layer
        seen[name] = seen.get(name, 0) + 1
        yield (name if seen[name] == 1 else f"{name}_{seen[name] - 1}"), reference


def _inside(value: Any) -> Iterator[Reference]:
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _inside(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _inside(item)


def references(call: Call) -> list[Reference]:
    """The tensors that go into a call, in order."""
    return [*_inside(call.args), *_inside(call.kwargs)]


def _check(network: Network) -> None:
    """Raises where a reference leads nowhere."""
    calls = {layer.name: 1 if layer.is_input else len(layer.calls) for layer in network.layers}
    wanted = [(layer.name, ref) for layer in network.layers for call in layer.calls for ref in references(call)]
    wanted += [("its inputs", ref) for ref in network.inputs] + [("its outputs", ref) for _, ref in network.outputs]
    for user, reference in wanted:
        if reference.call >= calls.get(reference.layer, 0):
            raise InvalidSource(
                f"Expected layers of the network {network.name!r}. Received a reference to call {reference.call}"
                f" of {reference.layer!r}.",
                place=user,
            )
    if not network.inputs or not network.outputs:
        raise InvalidSource(f"Expected a network with inputs and outputs. Received {network.name!r} without.")
