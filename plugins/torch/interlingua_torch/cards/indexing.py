"""Indexing: elements picked by place, and put there."""

from interlingua.adapters import same
from interlingua.cards import REQUIRED, card

CARDS = (
    card(
        "GatherElements",
        "torch.gather",
        inputs={"data": "input", "indices": "index"},
        axis=same("dim", REQUIRED),
        aliases=("torch.Tensor.gather", "torch.take_along_dim"),
        traits={"negative indices": "out of range"},
    ),
)
