"""The shapes of a layer's weights against each other and against its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx_ir as ir

from interlingua import axes, cards
from interlingua.cards import Card
from interlingua.errors import InvalidSource
from interlingua.ir.facts import known, shape_of
from interlingua.records import record

_STATED = ("out_channels", "out_features", "multiplier", "kernel_shape", "group")


def check_weights(
    card: Card,
    arguments: Mapping[str, Any],
    rank: int,
    weights: Mapping[str, ir.Value],
    channels: int | None,
    place: str,
) -> None:
    """Raises where a weight does not have the axes that the card says, in the sizes that are said elsewhere.

    `channels` are those of the input, None where nobody knows.

    Raises:
        InvalidSource: two shapes, or a shape and the configuration, contradict each other.
    """
    sizes = _stated(card, arguments, rank)
    groups = sizes.pop("groups", 1)
    if channels is not None:
        sizes |= {"I": channels // groups, "C": channels}
    for name, slot in card.weights.items():
        shape = known(shape_of(weights[slot.name])) if slot.name in weights else None
        order = slot.axes or record(card.record).input(name).axes
        if shape is None or not order:
            continue
        if order == "O" and "M" in sizes:
            order = "B"  # a depthwise layer's bias has one number for each pair of channel and multiplier
        try:
            sizes |= axes.sizes(order, shape, sizes)
        except ValueError as error:
            said = ", ".join(f"{axis} = {size}" for axis, size in sizes.items()) or "any size"
            raise InvalidSource(
                f"Expected the weight {slot.name!r} with axes {order!r} of {said}. Received the shape {tuple(shape)}.",
                place=place,
            ) from error


def _stated(card: Card, arguments: Mapping[str, Any], rank: int) -> dict[str, int]:
    """The sizes that the configuration states, by the names of the weights' axes."""
    values: dict[str, Any] = {}
    for name in _STATED:
        parameter = card.parameters.get(name)
        if parameter is not None and parameter.name in arguments and parameter.adapter.read is not None:
            values[name] = parameter.adapter.read(arguments[parameter.name], cards.Facts(card.record, {}, rank))
    outputs = values.get("out_channels", values.get("out_features"))
    named = {"O": outputs, "M": values.get("multiplier"), "groups": values.get("group")}
    kernel = {f"S{axis}": size for axis, size in enumerate(values.get("kernel_shape") or ())}
    return kernel | {axis: size for axis, size in named.items() if isinstance(size, int)}
