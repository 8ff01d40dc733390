"""Reductions."""

from interlingua.adapters import axes, flag
from interlingua.cards import Fixed, card

CARDS = (
    card(
        "ReduceMean",
        "paddle.mean",
        aliases=("paddle.Tensor.mean",),
        inputs={"data": "x"},
        axes=axes("axis", None),
        keepdims=flag("keepdim", False),
        fixed={"dtype": Fixed(None, None)},
        ignored=("name", "out"),
    ),
)
