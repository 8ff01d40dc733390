"""Activations."""

import math

from interlingua.adapters import same
from interlingua.cards import Card, Slot, card
from interlingua_fluid.cards.forms import bound, operator


def _plain(record: str, name: str, slot: str = "X") -> tuple[Card, Card]:
    """A function without parameters, and the operator of the same name."""
    return (
        card(record, f"paddle.fluid.layers.{name}", inputs={slot: "x"}, ignored=("name",)),
        operator(
            record,
            name,
            inputs={slot: "X"},
        ),
    )


CARDS = (
    *_plain("Relu", "relu"),
    *_plain("Sigmoid", "sigmoid"),
    *_plain("Tanh", "tanh", "input"),
    card(
        "LeakyRelu",
        "paddle.fluid.layers.leaky_relu",
        inputs={"X": "x"},
        alpha=same("alpha", 0.02),
        ignored=("name",),
    ),
    operator("LeakyRelu", "leaky_relu", inputs={"X": "X"}, alpha=same("alpha", 0.02)),
    card("Elu", "paddle.fluid.layers.elu", inputs={"X": "x"}, alpha=same("alpha", 1.0), ignored=("name",)),
    operator("Elu", "elu", inputs={"X": "X"}, alpha=same("alpha", 1.0)),
    card(
        "PRelu",
        "paddle.fluid.layers.prelu",
        inputs={"X": "x"},
        weights={"slope": Slot("param_attr", remark="[1], [1, C, 1, 1] or the shape of x with 1 for the batch")},
        ignored=("name", "mode"),
        traits={"slope": "`mode` says how many: all, channel, element"},
    ),
    operator("PRelu", "prelu", inputs={"X": "X"}, weights={"slope": "Alpha"}, ignored=("mode",)),
    card(
        "Softmax",
        "paddle.fluid.layers.softmax",
        inputs={"input": "input"},
        axis=same("axis", -1),
        ignored=("use_cudnn", "name"),
    ),
    operator("Softmax", "softmax", inputs={"input": "X"}, axis=same("axis", -1), ignored=("data_format",)),
    card(
        "Clip",
        "paddle.fluid.layers.relu6",
        inputs={"input": "x"},
        when=lambda facts: facts.get("min") == 0 and facts.get("max") == 6,
        implied={"min": 0.0},
        max=same("threshold", 6.0),
        ignored=("name",),
    ),
    card(
        "Clip",
        "paddle.fluid.layers.clip",
        inputs={"input": "x"},
        min=bound("min", -math.inf, positional=True),
        max=bound("max", math.inf, positional=True),
        ignored=("name",),
    ),
    operator("Clip", "clip", inputs={"input": "X"}, min=bound("min", -math.inf), max=bound("max", math.inf)),
    operator("Clip", "relu6", inputs={"input": "X"}, implied={"min": 0.0}, max=same("threshold", 6.0)),
    operator("Clip", "brelu", inputs={"input": "X"}, min=same("t_min", 0.0), max=same("t_max", 24.0)),
)
