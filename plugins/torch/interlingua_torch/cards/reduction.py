"""Reductions."""

from interlingua.adapters import flag, parameter
from interlingua.cards import card
from interlingua_torch.adapters import REDUCED

CARDS = (
    card(
        "ReduceMean",
        "torch.mean",
        inputs={"data": "input"},
        axes=parameter("dim", None, REDUCED),
        keepdims=flag("keepdim", False),
        aliases=("torch.Tensor.mean",),
        ignored=("dtype",),
    ),
)
