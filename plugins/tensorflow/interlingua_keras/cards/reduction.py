"""Reductions."""

from interlingua.adapters import axes, flag
from interlingua.cards import card
from interlingua_keras.cards.forms import PLAIN

CARDS = (
    card(
        "ReduceMean",
        "keras.ops.mean",
        inputs={"data": "x"},
        axes=axes("axis", None),
        keepdims=flag("keepdims", False),
        ignored=PLAIN,
    ),
)
