"""Reductions."""

from interlingua.adapters import axes, flag
from interlingua.cards import card

CARDS = (
    card(
        "ReduceMean",
        "torch.mean",
        inputs={"data": "input"},
        axes=axes("dim", None),
        keepdims=flag("keepdim", False),
        ignored=("dtype",),
    ),
)
