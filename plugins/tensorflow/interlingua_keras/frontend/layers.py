"""One Keras layer or function as nodes, through its card; fused activations and layouts are taken apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from interlingua import cards
from interlingua.cards import Card, Kind
from interlingua.errors import InvalidSource, Unsupported
from interlingua.ir import metadata
from interlingua.ir.build import Builder, read_call
from interlingua.ir.facts import shape_of
from interlingua.records import record
from interlingua_keras.cards.forms import ACTIVATION, AXIS, CHANNELS_FIRST, DATA_FORMAT, PLAIN, SWITCHES
from interlingua_keras.frontend import network, special
from interlingua_keras.frontend.checks import check_weights
from interlingua_keras.frontend.legacy import legacy
from interlingua_keras.frontend.network import Layer, Reference
from interlingua_keras.frontend.shapes import infer

FRAMEWORK = "keras"
Argument = Any
WeightOf = Callable[[str, str, Layer, str], ir.Value]

_MASKS = ("mask", "training", "initial_state")


class UnknownShape(Unsupported):
    """What goes into a layer has no shape, since nobody knows the layer that it comes from."""


@dataclasses.dataclass(frozen=True)
class Call:
    """A call with its references in order, and how to put values in their places."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    @classmethod
    def of(cls, layer: Layer, call: network.Call) -> Call:
        """The call without arguments that say nothing at inference.

        A mask or a state that is given stays, and is refused.
        """
        kwargs = {
            name: value for name, value in call.kwargs.items() if name not in _MASKS or value not in (None, False)
        }
        return cls(call.args, kwargs)

    @property
    def references(self) -> list[Reference]:
        """The tensors that go in, in order."""
        return network.references(network.Call(self.args, self.kwargs))

    def bound(self, values: Mapping[Reference, ir.Value]) -> Call:
        """The call with values for its references."""

        def put(item: Any) -> Any:
            if isinstance(item, Reference):
                return values[item]
            if isinstance(item, list | tuple):
                return [put(part) for part in item]
            return item

        return Call(tuple(put(arg) for arg in self.args), {name: put(value) for name, value in self.kwargs.items()})


def read_layer(builder: Builder, layer: Layer, call: Call, own: str, place: str, weight: WeightOf) -> ir.Value:
    """The output of one call of a layer. `own` is its path in Keras, `place` what the source calls it.

    Raises:
        Unsupported: no card knows the layer, or one of its arguments.
        InvalidSource: weights are missing or do not fit.
    """
    if layer.dtype not in ("float32", "float64") and layer.variables:
        raise Unsupported(f"it computes in {layer.dtype}")
    api = _api(layer)
    arguments = {legacy(layer.class_name, name): value for name, value in layer.config.items() if name not in PLAIN}
    known_card = _card(api, arguments)
    tensors = _inputs(builder, known_card, call, arguments, place)
    weights = _weights(known_card, layer, arguments, own, place, weight)
    activation = arguments.pop(ACTIVATION, None) if ACTIVATION in known_card.ignored else None
    value = _in_layout(builder, known_card, arguments, tensors, weights, place, api)
    infer(value, place)
    return fused(builder, activation, value, place)


def _api(layer: Layer) -> str:
    """The public name of a layer's class, or of the function that an operation belongs to."""
    if not layer.module.startswith("keras.src.ops"):
        if layer.module and layer.module.split(".")[0] not in ("keras", "tensorflow", "tf_keras"):
            raise Unsupported(f"a class of {layer.module}, whose code is not in the file")
        return f"keras.layers.{layer.class_name}"
    return f"keras.ops.{network.snake(layer.class_name)}"


def _card(api: str, arguments: Mapping[str, Any]) -> Card:
    return cards.find_to_read(FRAMEWORK, api, arguments)


def _rank(card: Card, api: str, value: ir.Value) -> int:
    """The number of spatial axes: the API's own, else what the input has beside batch and channels."""
    for rank in card.ranks:
        if "{n}" in card.api and api in (name.format(n=rank) for name in (card.api, *card.aliases)):
            return rank
    shape = shape_of(value)
    if shape is None and record(card.record).inputs[0].axes != "N C *":
        return 0
    if shape is None:
        raise UnknownShape("the number of axes of its input is not known")
    return max(len(shape) - 2, 0)


def _inputs(
    builder: Builder, card: Card, call: Call, arguments: dict[str, Any], place: str
) -> dict[str, list[ir.Value]]:
    """The tensor inputs by canonical name; what else the call says joins the arguments."""
    described = record(card.record)
    given = list(call.args)
    names = list(card.inputs)
    found: dict[str, list[ir.Value]] = {}
    if len(names) == 1 and described.input(names[0]).variadic:
        found[names[0]] = [_value(builder, item, place, None) for item in _listed(given.pop(0))]
    elif card.kind is Kind.LAYER and len(names) > 1:
        return _chained(builder, card, _listed(given.pop(0)), place)
    else:
        like = next((item for item in given if isinstance(item, ir.Value)), None)
        for name in names:
            slot = card.inputs[name].name
            item = given.pop(0) if given else call.kwargs.get(slot)
            if item is None:
                raise Unsupported(f"a call without its input {slot}")
            found[name] = [_value(builder, item, place, like)]
    if given:
        raise Unsupported(f"a call with {len(given)} more arguments than its card knows")
    taken = {card.inputs[name].name for name in names}
    arguments.update({name: value for name, value in call.kwargs.items() if name not in taken})
    return found


def _listed(item: Any) -> list[Any]:
    return list(item) if isinstance(item, list | tuple) else [item]


def _value(builder: Builder, item: Any, place: str, like: ir.Value | None) -> ir.Value:
    """A tensor, or a number as a constant of the type of the tensor beside it."""
    if isinstance(item, ir.Value):
        return item
    dtype = like.dtype.numpy() if like is not None and like.dtype is not None else np.float32
    try:
        array = np.asarray(item, dtype)
    except (ValueError, TypeError) as error:
        raise Unsupported(f"an argument that is neither tensor nor number: {item!r}") from error
    return builder.constant(f"{place}.constant", array)


def _chained(builder: Builder, card: Card, items: Sequence[Any], place: str) -> dict[str, list[ir.Value]]:
    """The two inputs of a merging layer; of more, all but the last are merged first."""
    left, right = card.inputs
    values = [_value(builder, item, place, None) for item in items]
    if len(values) < 2:
        raise Unsupported(f"a merging layer of {len(values)} tensor")
    before = values[0]
    for value in values[1:-1]:
        before = builder.record(card.record, {left: [before], right: [value]}, {}, layer=place)
        infer(before, place)
    return {left: [before], right: [values[-1]]}


def _weights(
    card: Card, layer: Layer, arguments: Mapping[str, Any], own: str, place: str, weight: WeightOf
) -> dict[str, ir.Value]:
    """The layer's weights by Keras' names: named in the file, or numbered in the order of the card.

    Raises:
        InvalidSource: more or fewer than the configuration says, or shapes that contradict each other.
    """
    left_out = {name for switch, name in SWITCHES.items() if arguments.get(switch) is False}
    names = [slot.name for slot in card.weights.values() if slot.name not in left_out]
    keys = list(layer.variables)
    numbered = all(key.isdecimal() for key in keys)
    rows = dict(zip(names, keys, strict=False)) if numbered else {legacy(layer.class_name, key): key for key in keys}
    if len(keys) != len(names) or set(rows) != set(names):
        wanted, received = ", ".join(names) or "none", "none" if not keys else f"{len(keys)} ({', '.join(keys)})"
        raise InvalidSource(f"Expected the weights {wanted}. Received {received}.", place=place)
    return {name: weight(own, name, layer, rows[name]) for name in names}


def _in_layout(
    builder: Builder,
    card: Card,
    arguments: dict[str, Any],
    tensors: dict[str, list[ir.Value]],
    weights: dict[str, ir.Value],
    place: str,
    api: str,
) -> ir.Value:
    """The layer on data as its card has it; data in another layout is turned before and back after."""
    first = next(iter(tensors.values()))[0]
    count = len(shape_of(first) or ())
    order = _order(card, arguments, count)
    if order is None:
        return _record(builder, card, arguments, tensors, weights, place, api)
    name = next(iter(tensors))
    turned = builder.transpose(first, order, layer=place)
    value = _record(builder, card, arguments, {**tensors, name: [turned]}, weights, place, api)
    infer(value, place)
    if len(shape_of(value) or ()) != count:
        return value
    back = [order.index(axis) for axis in range(count)]
    return builder.transpose(value, back, layer=place)


def _order(card: Card, arguments: dict[str, Any], count: int) -> list[int] | None:
    """The transpose that puts the channels last, None where they are."""
    if DATA_FORMAT in card.ignored and arguments.get(DATA_FORMAT) == CHANNELS_FIRST and count > 2:
        return [0, *range(2, count), 1]
    if AXIS in card.ignored:
        if not count:
            raise UnknownShape("the number of axes of its input is not known")
        said = arguments.get(AXIS, -1)
        axis = said[0] if isinstance(said, list) and len(said) == 1 else said
        if not isinstance(axis, int) or not count or not -count <= axis < count or axis % count == 0:
            raise Unsupported(f"axis {said!r} of an input of {count} axes")
        if axis % count != count - 1:
            return [*(other for other in range(count) if other != axis % count), axis % count]
    return None


def _record(
    builder: Builder,
    card: Card,
    arguments: Mapping[str, Any],
    tensors: Mapping[str, Sequence[ir.Value]],
    weights: dict[str, ir.Value],
    place: str,
    api: str,
) -> ir.Value:
    rank = _rank(card, api, next(iter(tensors.values()))[0])
    complete = special.WEIGHTS.get(card.record)
    whole = complete(builder, card, tensors, weights, place) if complete else weights
    check_weights(card, arguments, rank, whole, _channels(tensors), place)
    spell_out = special.CALLS.get(card.record)
    value = spell_out(builder, card, arguments, tensors, whole, place) if spell_out else None
    if value is not None:
        return value
    value = read_call(builder, card, arguments, tensors, whole, layer=place, rank=rank)
    node = value.producer()
    if card.record == "Transpose" and node is not None:
        metadata.set_own(node)
    return value


def _channels(tensors: Mapping[str, Sequence[ir.Value]]) -> int | None:
    """The size of the last axis of the first input, where it is known."""
    shape = shape_of(next(iter(tensors.values()))[0])
    size = shape[-1] if shape else None
    return size if isinstance(size, int) else None


def fused(builder: Builder, activation: Any, value: ir.Value, place: str) -> ir.Value:
    """The activation that a layer fuses, by its name or as a layer's configuration, as nodes of their own."""
    if activation is None or activation == "linear":
        return value
    if isinstance(activation, str):
        api, config = f"keras.activations.{activation}", {}
    elif isinstance(activation, Mapping) and activation.get("class_name") == "function":
        return fused(builder, str(activation.get("config")), value, place)
    elif isinstance(activation, Mapping) and isinstance(activation.get("config"), Mapping):
        api = f"keras.layers.{activation.get('class_name')}"
        config = {name: item for name, item in activation["config"].items() if name not in PLAIN}
    else:
        raise Unsupported(f"the activation {activation!r}")
    card = _card(api, config)
    if card.weights:
        raise Unsupported(f"a fused activation with weights, {api}")
    (name,) = card.inputs
    result = read_call(builder, card, config, {name: [value]}, {}, layer=place, rank=_rank(card, api, value))
    infer(result, place)
    return result
