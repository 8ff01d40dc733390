"""Activations: layers with a name of their own first, then the functions that fuse by name."""

from typing import Any

from interlingua.adapters import same
from interlingua.cards import Card, Facts, Fixed, Kind, Slot, card
from interlingua_keras.cards.forms import ACTIVATION, PLAIN, trained


def _layer(record: str, api: str, **more: Any) -> Card:
    name = more.pop("input_name", "X")
    return card(record, api, kind=Kind.LAYER, inputs={name: "inputs"}, ignored=PLAIN, **more)


def _named(record: str, word: str, input_name: str = "X") -> Card:
    """The layer that applies an activation by its name."""
    api = "keras.layers.Activation"
    return _layer(record, api, input_name=input_name, fixed={ACTIVATION: Fixed(word)}, traits={"writes": "by name"})


def _function(record: str, word: str, **more: Any) -> Card:
    """The function that `activation="word"` names."""
    name = more.pop("input_name", "X")
    api = f"keras.activations.{word}"
    return card(record, api, inputs={name: "x"}, ignored=PLAIN, aliases=(f"keras.ops.{word}",), **more)


_PLAIN_RELU = {"max_value": Fixed(None, None), "negative_slope": Fixed(0.0, 0.0), "threshold": Fixed(0.0, 0.0)}
_CAPPED = {"negative_slope": Fixed(0.0, 0.0), "threshold": Fixed(0.0, 0.0)}
_SLOPED = {"max_value": Fixed(None, None), "threshold": Fixed(0.0, 0.0)}


def _starts_at_zero(facts: Facts) -> bool:
    return bool(facts.get("min") == 0 and facts.get("max") is not None)


def _has_both_bounds(facts: Facts) -> bool:
    return facts.get("min") is not None and facts.get("max") is not None


CARDS = (
    _layer("Relu", "keras.layers.ReLU", fixed=_PLAIN_RELU),
    _function("Relu", "relu", fixed=_PLAIN_RELU),
    _layer("LeakyRelu", "keras.layers.LeakyReLU", alpha=same("negative_slope", 0.3)),
    _layer("LeakyRelu", "keras.layers.ReLU", write=False, alpha=same("negative_slope", 0.0), fixed=_SLOPED),
    _function("LeakyRelu", "leaky_relu", alpha=same("negative_slope", 0.2)),
    card(
        "PRelu",
        "keras.layers.PReLU",
        kind=Kind.LAYER,
        inputs={"X": Slot("inputs", "N * C")},
        weights={"slope": Slot("alpha", remark="of the input's shape, 1 on the shared axes")},
        ignored=(*trained("alpha"), "shared_axes"),
        traits={"slope": "one for each element unless shared_axes says which axes share"},
    ),
    _layer("Elu", "keras.layers.ELU", alpha=same("alpha", 1.0)),
    _function("Elu", "elu", alpha=same("alpha", 1.0)),
    _named("Sigmoid", "sigmoid"),
    _function("Sigmoid", "sigmoid"),
    _named("Tanh", "tanh", "input"),
    _function("Tanh", "tanh", input_name="input"),
    _layer("Softmax", "keras.layers.Softmax", input_name="input", axis=same("axis", -1)),
    _function("Softmax", "softmax", input_name="input", axis=same("axis", -1)),
    _layer(
        "Clip",
        "keras.layers.ReLU",
        input_name="input",
        when=_starts_at_zero,
        implied={"min": 0.0},
        max=same("max_value"),
        fixed=_CAPPED,
    ),
    _function("Clip", "relu6", input_name="input", implied={"min": 0.0, "max": 6.0}),
    card(
        "Clip",
        "keras.ops.clip",
        inputs={"input": "x"},
        ignored=PLAIN,
        when=_has_both_bounds,
        min=same("x_min", positional=True),
        max=same("x_max", positional=True),
        limits=("one bound only",),
    ),
    card("Clip", "keras.ops.maximum", inputs={"input": "x1"}, read=False, min=same("x2", positional=True)),
    card("Clip", "keras.ops.minimum", inputs={"input": "x1"}, read=False, max=same("x2", positional=True)),
)
