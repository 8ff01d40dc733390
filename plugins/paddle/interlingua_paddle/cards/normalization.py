"""Normalizations and dropout."""

from typing import Any

from interlingua.adapters import same
from interlingua.cards import Card, Fixed, Kind, Slot, card
from interlingua_paddle.adapters import odd

_FORMATS = {0: "NCL", 1: "NCL", 2: "NCHW", 3: "NCDHW"}
_MOMENTUM = {"momentum": "weight of the old value", "running variance": "biased"}


def _batch_norm(rank: int) -> Card:
    return card(
        "BatchNormalization",
        f"paddle.nn.BatchNorm{max(rank, 1)}D",
        kind=Kind.LAYER,
        ranks=(rank,),
        inputs={"X": "x"},
        weights={
            "scale": Slot("weight"),
            "B": Slot("bias"),
            "input_mean": Slot("_mean"),
            "input_var": Slot("_variance"),
        },
        channels=same("num_features", positional=True),
        momentum=same("momentum", 0.9),
        epsilon=same("epsilon", 1e-5),
        fixed={
            "weight_attr": Fixed(None, None),
            "bias_attr": Fixed(None, None),
            "data_format": Fixed(_FORMATS[rank], _FORMATS[rank]),
            "use_global_stats": Fixed(None, None),
        },
        ignored=("name",),
        traits=_MOMENTUM,
    )


def _response(api: str, kind: Kind, **more: Any) -> Card:
    return card(
        "LRN",
        api,
        kind=kind,
        write=kind is Kind.FUNCTION,
        inputs={"X": "x"},
        size=odd("size"),
        alpha=same("alpha", 1e-4),
        beta=same("beta", 0.75),
        bias=same("k", 1.0),
        fixed={"data_format": Fixed("NCHW", "NCHW")},
        ignored=("name",),
        limits=("windows of even size",),
        **more,
    )


_DROPOUT = {
    "axis": Fixed(None, None),
    "mode": Fixed("upscale_in_train", "upscale_in_train"),
    "inplace": Fixed(False, False),
}

CARDS = (
    *(_batch_norm(rank) for rank in _FORMATS),
    card(
        "BatchNormalization",
        "paddle.nn.functional.batch_norm",
        inputs={
            "X": "x",
            "input_mean": "running_mean",
            "input_var": "running_var",
            "scale": Slot("weight", default=None),
            "B": Slot("bias", default=None),
        },
        momentum=same("momentum", 0.9),
        epsilon=same("epsilon", 1e-5),
        fixed={
            "training": Fixed(False, False),
            "data_format": Fixed("NCHW", "NCHW"),
            "use_global_stats": Fixed(None, None),
        },
        ignored=("name",),
        traits=_MOMENTUM,
    ),
    _response("paddle.nn.functional.local_response_norm", Kind.FUNCTION),
    _response("paddle.nn.LocalResponseNorm", Kind.LAYER),
    card(
        "Dropout",
        "paddle.nn.Dropout",
        kind=Kind.LAYER,
        inputs={"data": "x"},
        ratio=same("p", 0.5, positional=True),
        fixed=_DROPOUT,
        ignored=("name",),
    ),
    card(
        "Dropout",
        "paddle.nn.functional.dropout",
        write=False,
        inputs={"data": "x"},
        ratio=same("p", 0.5, positional=True),
        fixed={**_DROPOUT, "training": Fixed(False, True)},
        ignored=("name",),
        traits={"training default": "drops unless told not to"},
    ),
)
