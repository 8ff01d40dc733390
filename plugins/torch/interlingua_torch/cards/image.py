"""Images: resizing, sampling at places."""

from interlingua.adapters import choice, flag
from interlingua.cards import card

CARDS = (
    card(
        "GridSample",
        "torch.nn.functional.grid_sample",
        inputs={"X": "input", "grid": "grid"},
        ranks=(2, 3),
        mode=choice("mode", "bilinear", linear="bilinear", nearest="nearest", cubic="bicubic"),
        padding_mode=choice("padding_mode", "zeros", zeros="zeros", border="border", reflection="reflection"),
        align_corners=flag("align_corners"),
        limits=("cubic sampling of volumes",),
        traits={"mode of volumes": "bilinear stands for trilinear"},
    ),
)
