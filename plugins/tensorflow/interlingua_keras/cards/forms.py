"""What Keras' layers have in common: arguments without a counterpart, layouts, weights that a switch leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interlingua.adapters import parameter
from interlingua.cards import REQUIRED, Adapter, Facts, Parameter

DATA_FORMAT = "data_format"
"""The argument that says a layer's layout; `AXIS` does for BatchNormalization."""

CHANNELS_FIRST = "channels_first"
AXIS = "axis"

ACTIVATION = "activation"
"""The argument that fuses an activation by its name; a layer whose card ignores it takes one."""

NAME = "name"
PLAIN = (NAME, "trainable", "dtype", "autocast")
"""Arguments of every layer that its op does not depend on."""

SWITCHES: Mapping[str, str] = {"use_bias": "bias", "scale": "gamma", "center": "beta"}
"""Arguments whose False leaves out a weight."""


def trained(*weights: str) -> tuple[str, ...]:
    """The arguments about the training of a layer's weights, beside those of every layer."""
    kinds = ("initializer", "regularizer", "constraint")
    return (*PLAIN, "activity_regularizer", *(f"{weight}_{kind}" for weight in weights for kind in kinds))


def channels_last(facts: Facts) -> int | None:
    """How many channels the input has, None where nobody knows."""
    shape = facts.shapes.get("X")
    size = shape[1] if shape and len(shape) > 1 else None
    return size if isinstance(size, int) else None


def told(canonical: str, remark: str = "") -> Parameter:
    """A canonical parameter that Keras has no argument for because something else tells it."""
    return parameter(f"({canonical})", None, Adapter("told", lambda value, facts: None, None, remark), remark)


def lists(value: Any) -> Any:
    """The value with tuples as lists, as JSON would give it back."""
    return [lists(item) for item in value] if isinstance(value, list | tuple) else value


def without_batch(name: str, default: Any = REQUIRED, *, positional: bool = False) -> Parameter:
    """A shape whose batch axis Keras leaves out."""

    def lower(value: Any, facts: Facts) -> Any:
        return tuple(value[1:])

    def read(value: Any, facts: Facts) -> Any:
        return [None, *value]

    return parameter(name, default, Adapter("without_batch", lower, read, "without the batch axis"), "", positional)
