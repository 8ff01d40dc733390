"""Reductions."""

from interlingua.adapters import axes, flag
from interlingua.cards import card

CARDS = (
    card(
        "ReduceMean",
        "tf.reduce_mean",
        inputs={"data": "input_tensor"},
        axes=axes("axis", None),
        keepdims=flag("keepdims", False),
        aliases=("tf.math.reduce_mean",),
        ignored=("name",),
        versions=">=2",
    ),
    card(
        "ReduceMean",
        "tf.reduce_mean",
        inputs={"data": "input_tensor"},
        axes=axes("axis", None),
        keepdims=flag("keepdims", None),
        ignored=("name", "reduction_indices", "keep_dims"),
        versions="<2",
        write=False,
    ),
)
