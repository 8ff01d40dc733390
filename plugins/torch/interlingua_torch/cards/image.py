"""Images: resizing, sampling at places."""

from interlingua.adapters import choice, flag
from interlingua.cards import Facts, card


def _sampled(facts: Facts) -> bool:
    """Whether PyTorch samples like this: cubic only in the plane."""
    return facts.rank == 2 or facts["mode"] != "cubic"


CARDS = (
    card(
        "GridSample",
        "torch.nn.functional.grid_sample",
        inputs={"X": "input", "grid": "grid"},
        ranks=(2, 3),
        when=_sampled,
        mode=choice("mode", "bilinear", linear="bilinear", nearest="nearest", cubic="bicubic"),
        padding_mode=choice("padding_mode", "zeros", zeros="zeros", border="border", reflection="reflection"),
        align_corners=flag("align_corners"),
        limits=("cubic sampling of volumes",),
        traits={"mode of volumes": "bilinear stands for trilinear"},
    ),
)
