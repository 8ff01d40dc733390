"""Normalizations and dropout."""

from interlingua.adapters import one_minus, same
from interlingua.cards import Card, Fixed, Kind, Slot, card
from interlingua_torch.adapters import odd

_MOMENTUM = {"momentum": "weight of the new value", "running variance": "unbiased"}


def _batch_norm(rank: int) -> Card:
    return card(
        "BatchNormalization",
        f"torch.nn.BatchNorm{max(rank, 1)}d",
        kind=Kind.LAYER,
        ranks=(rank,),
        inputs={"X": "input"},
        weights={
            "scale": Slot("weight"),
            "B": Slot("bias"),
            "input_mean": Slot("running_mean"),
            "input_var": Slot("running_var"),
        },
        channels=same("num_features", positional=True),
        epsilon=same("eps", 1e-5),
        momentum=one_minus("momentum", 0.1),
        fixed={
            "affine": Fixed(True, True),
            "track_running_stats": Fixed(True, True),
            "bias": Fixed(True, True),
        },
        ignored=("device", "dtype"),
        traits=_MOMENTUM,
    )


CARDS = (
    *(_batch_norm(rank) for rank in (1, 2, 3, 0)),
    card(
        "BatchNormalization",
        "torch.nn.functional.batch_norm",
        inputs={
            "X": "input",
            "input_mean": "running_mean",
            "input_var": "running_var",
            "scale": Slot("weight", default=None),
            "B": Slot("bias", default=None),
        },
        momentum=one_minus("momentum", 0.1),
        epsilon=same("eps", 1e-5),
        fixed={"training": Fixed(False, False)},
        traits=_MOMENTUM,
    ),
    card(
        "LRN",
        "torch.nn.functional.local_response_norm",
        inputs={"X": "input"},
        size=odd("size"),
        alpha=same("alpha", 1e-4),
        beta=same("beta", 0.75),
        bias=same("k", 1.0),
        limits=("windows of even size",),
    ),
    card(
        "LRN",
        "torch.nn.LocalResponseNorm",
        kind=Kind.LAYER,
        write=False,
        inputs={"X": "input"},
        size=odd("size"),
        alpha=same("alpha", 1e-4),
        beta=same("beta", 0.75),
        bias=same("k", 1.0),
        limits=("windows of even size",),
    ),
    card(
        "Dropout",
        "torch.nn.Dropout",
        kind=Kind.LAYER,
        inputs={"data": "input"},
        ratio=same("p", 0.5, positional=True),
        fixed={"inplace": Fixed(False, False)},
    ),
    card(
        "Dropout",
        "torch.nn.functional.dropout",
        write=False,
        inputs={"data": "input"},
        ratio=same("p", 0.5, positional=True),
        fixed={"training": Fixed(False, True), "inplace": Fixed(False, False)},
        traits={"training default": "drops unless told not to"},
    ),
)
