"""Pooling over windows and over all spatial axes."""

from typing import Any

from interlingua.adapters import parameter, per_axis, policy, stride_or_kernel
from interlingua.cards import Adapter, Card, Facts, Fixed, Kind, Slot, card
from interlingua.errors import Unsupported
from interlingua_keras.cards.forms import DATA_FORMAT, PLAIN, told

_TRAITS = {"stride default": "the window's size", "pad": "a word"}


def _never_counted(value: Any, facts: Facts) -> Any:
    if value and any(facts["pads"]):
        raise Unsupported("padding never counts in the mean")


def _window(record: str, layer: str, function: str, aliases: tuple[str, ...], **more: Any) -> tuple[Card, Card]:
    common: dict[str, Any] = {
        "ranks": (1, 2, 3),
        "inputs": {"X": Slot("inputs", "N * C")},
        "outputs": {"Y": "N * C"},
        "strides": stride_or_kernel("strides"),
        "pads": policy("padding", "valid", same="same", valid="valid"),
        **({"storage_order": told("storage_order", "no indices")} if record == "MaxPool" else {}),
        "ignored": (*PLAIN, DATA_FORMAT),
        "traits": _TRAITS,
        "limits": ("'valid' or 'same' padding only", "the output's size is rounded down"),
        **more,
    }
    size = per_axis("pool_size", 2, positional=True) if record == "MaxPool" else per_axis("pool_size", positional=True)
    return (
        card(record, layer, kind=Kind.LAYER, kernel_shape=size, aliases=aliases, **common),
        card(record, function, write=False, kernel_shape=per_axis("pool_size", positional=True), **common),
    )


def _spatial(facts: Facts) -> list[int]:
    return list(range(1, facts.rank + 1))


def _over_space(facts: Facts) -> bool:
    axes, count = facts.get("axes"), facts.get("input_rank")
    if not axes or count is None or facts.rank not in (1, 2, 3):
        return False
    return sorted(axis % count for axis in axes) == _spatial(facts)


def _said_keepdims(facts: Facts) -> dict[str, Any]:
    return {"keepdims": True} if facts["keepdims"] else {}


def _read_mean(arguments: Any, facts: Facts) -> dict[str, Any]:
    return {"axes": _spatial(facts), "keepdims": 0}


CARDS = (
    *_window("MaxPool", "keras.layers.MaxPooling{n}D", "keras.ops.max_pool", aliases=("keras.layers.MaxPool{n}D",)),
    *_window(
        "AveragePool",
        "keras.layers.AveragePooling{n}D",
        "keras.ops.average_pool",
        aliases=("keras.layers.AvgPool{n}D",),
        count_include_pad=parameter("(padding counts)", None, Adapter("never", _never_counted, None)),
        traits=_TRAITS | {"mean denominator": "the window without its padding"},
    ),
    card(
        "GlobalAveragePool",
        "keras.layers.GlobalAveragePooling{n}D",
        kind=Kind.LAYER,
        ranks=(1, 2, 3),
        inputs={"X": Slot("inputs", "N * C")},
        outputs={"Y": "N * C"},
        fixed={"keepdims": Fixed(True, False)},
        ignored=(*PLAIN, DATA_FORMAT),
        aliases=("keras.layers.GlobalAvgPool{n}D",),
    ),
    card(
        "ReduceMean",
        "keras.layers.GlobalAveragePooling{n}D",
        kind=Kind.LAYER,
        ranks=(1, 2, 3),
        when=_over_space,
        inputs={"data": "inputs"},
        fixed={"keepdims": Fixed(False, False)},
        lower_=_said_keepdims,
        read_=_read_mean,
        ignored=(*PLAIN, DATA_FORMAT),
        aliases=("keras.layers.GlobalAvgPool{n}D",),
    ),
)
