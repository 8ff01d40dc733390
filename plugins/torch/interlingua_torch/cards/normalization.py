"""Normalizations and dropout."""

from typing import Any

from interlingua.adapters import flag, one_minus, parameter, same, told_otherwise
from interlingua.cards import REQUIRED, Adapter, Card, Facts, Fixed, Kind, Slot, card
from interlingua.errors import Unsupported
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


def _trains(facts: Facts) -> bool:
    """Whether the batch's own statistics are used."""
    return bool(facts.get("training_mode"))


def _batch_statistics(rank: int) -> Card:
    return card(
        "BatchNormalization",
        f"torch.nn.BatchNorm{max(rank, 1)}d",
        kind=Kind.LAYER,
        ranks=(rank,),
        when=_trains,
        inputs={"X": "input"},
        weights={"scale": Slot("weight"), "B": Slot("bias")},
        channels=same("num_features", positional=True),
        epsilon=same("eps", 1e-5),
        momentum=told_otherwise("no running statistics"),
        implied={"training_mode": 1},
        fixed={"track_running_stats": Fixed(False, True), "affine": Fixed(True, True)},
        ignored=("device", "dtype"),
        limits=("running statistics",),
    )


def _instance_norm(rank: int) -> Card:
    return card(
        "InstanceNormalization",
        f"torch.nn.InstanceNorm{rank}d",
        kind=Kind.LAYER,
        ranks=(rank,),
        inputs={"input": "input"},
        weights={"scale": Slot("weight"), "B": Slot("bias")},
        channels=same("num_features", positional=True),
        epsilon=same("eps", 1e-5),
        fixed={"affine": Fixed(True, False), "track_running_stats": Fixed(False, False)},
        ignored=("momentum", "device", "dtype"),
        traits={"scale and shift": "off by default"},
    )


def _lower_sizes(value: Any, facts: Facts) -> Any:
    if value is None:
        raise Unsupported("sizes that are not known before the model runs")
    return value[0] if len(value) == 1 else tuple(value)


def _read_sizes(value: Any, facts: Facts) -> list[int]:
    return [value] if isinstance(value, int) else list(value)


_SIZES = Adapter("sizes", _lower_sizes, _read_sizes, "a number where it is one axis")


def _two_exponents(value: int, facts: Facts) -> float:
    return float(value)


_EXPONENT = Adapter("exponent", _two_exponents, lambda value, facts: int(value), "a float")


CARDS = (
    *(_batch_norm(rank) for rank in (1, 2, 3, 0)),
    *(_batch_statistics(rank) for rank in (1, 2, 3, 0)),
    card(
        "BatchNormalization",
        "torch.nn.functional.batch_norm",
        when=_trains,
        inputs={"X": "input"},
        weights={"B": Slot("bias", default=None), "scale": Slot("weight", default=None)},
        epsilon=same("eps", 1e-5),
        momentum=told_otherwise("no running statistics"),
        implied={"training_mode": 1},
        fixed={
            "running_mean": Fixed(None, REQUIRED),
            "running_var": Fixed(None, REQUIRED),
            "training": Fixed(True, False),
        },
    ),
    *(_instance_norm(rank) for rank in (1, 2, 3)),
    card(
        "InstanceNormalization",
        "torch.nn.functional.instance_norm",
        inputs={"input": "input"},
        weights={"B": Slot("bias", default=None), "scale": Slot("weight", default=None)},
        epsilon=same("eps", 1e-5),
        fixed={"use_input_stats": Fixed(True, True)},
        ignored=("momentum",),
    ),
    card(
        "LayerNormalization",
        "torch.nn.LayerNorm",
        kind=Kind.LAYER,
        inputs={"X": "input"},
        weights={"Scale": Slot("weight"), "B": Slot("bias")},
        normalized_shape=parameter("normalized_shape", REQUIRED, _SIZES, positional=True),
        epsilon=same("eps", 1e-5),
        has_bias=flag("bias", True),
        fixed={"elementwise_affine": Fixed(True, True)},
        ignored=("device", "dtype"),
        limits=("statistics as results",),
    ),
    card(
        "GroupNormalization",
        "torch.nn.GroupNorm",
        kind=Kind.LAYER,
        inputs={"X": "input"},
        weights={"scale": Slot("weight"), "bias": Slot("bias")},
        num_groups=same("num_groups", positional=True),
        channels=same("num_channels", positional=True),
        epsilon=same("eps", 1e-5),
        fixed={"affine": Fixed(True, True)},
        ignored=("device", "dtype"),
    ),
    card(
        "GroupNormalization",
        "torch.nn.functional.group_norm",
        inputs={"X": "input"},
        weights={"bias": Slot("bias", default=None), "scale": Slot("weight", default=None)},
        num_groups=same("num_groups", positional=True),
        epsilon=same("eps", 1e-5),
    ),
    card(
        "RMSNormalization",
        "torch.nn.RMSNorm",
        kind=Kind.LAYER,
        inputs={"X": "input"},
        weights={"scale": Slot("weight")},
        normalized_shape=parameter("normalized_shape", REQUIRED, _SIZES, positional=True),
        epsilon=same("eps", None),
        fixed={"elementwise_affine": Fixed(True, True)},
        ignored=("device", "dtype"),
        traits={"epsilon default": "the element type's"},
    ),
    card(
        "LpNormalization",
        "torch.nn.functional.normalize",
        inputs={"input": "input"},
        p=parameter("p", 2.0, _EXPONENT),
        axis=same("dim", 1),
        ignored=("eps", "out"),
    ),
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
