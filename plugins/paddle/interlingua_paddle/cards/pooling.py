"""Pooling."""

from typing import Any

from interlingua.adapters import per_axis, stride_or_kernel
from interlingua.cards import REQUIRED, Card, Fixed, Kind, card
from interlingua_paddle.adapters import ceil_mode, exclusive, window_pairs
from interlingua_paddle.cards.convolution import FORMATS

_TRAITS = {"stride default": "the window's size", "pad": "each end by itself"}
_LIMITS = ("dilation",)


def _format(rank: int) -> dict[str, Fixed]:
    return {} if rank == 1 else {"data_format": Fixed(FORMATS[rank], FORMATS[rank])}


def _max(api: str, kind: Kind, rank: int) -> Card:
    return card(
        "MaxPool",
        api,
        kind=kind,
        ranks=(rank,),
        write=kind is Kind.FUNCTION,
        inputs={"X": "x"},
        kernel_shape=per_axis("kernel_size", positional=True),
        strides=stride_or_kernel("stride"),
        pads=window_pairs("padding", 0),
        ceil_mode=ceil_mode("ceil_mode"),
        fixed={"return_mask": Fixed(False, False), **_format(rank)},
        ignored=("name",),
        limits=_LIMITS,
        traits=_TRAITS,
    )


def _mean(api: str, kind: Kind, rank: int) -> Card:
    return card(
        "AveragePool",
        api,
        kind=kind,
        ranks=(rank,),
        write=kind is Kind.FUNCTION,
        inputs={"X": "x"},
        kernel_shape=per_axis("kernel_size", positional=True),
        strides=stride_or_kernel("stride"),
        pads=window_pairs("padding", 0),
        ceil_mode=ceil_mode("ceil_mode"),
        count_include_pad=exclusive("exclusive"),
        fixed={**({} if rank == 1 else {"divisor_override": Fixed(None, None)}), **_format(rank)},
        ignored=("name",),
        limits=(
            *_LIMITS,
            "padding that differs at the two ends of an axis and counts in the mean",
            "ceil_mode where a last window lies in padding that counts in the mean",
        ),
        traits=_TRAITS | {"mean denominator": "the window without its padding"},
    )


def _whole(api: str, kind: Kind, rank: int, **more: Any) -> Card:
    return card(
        "GlobalAveragePool",
        api,
        kind=kind,
        ranks=(rank,),
        write=kind is Kind.FUNCTION,
        inputs={"X": "x"},
        fixed={"output_size": Fixed(1, REQUIRED), **_format(rank)},
        ignored=("name",),
        **more,
    )


CARDS = (
    *(_max(f"paddle.nn.functional.max_pool{rank}d", Kind.FUNCTION, rank) for rank in FORMATS),
    *(_max(f"paddle.nn.MaxPool{rank}D", Kind.LAYER, rank) for rank in FORMATS),
    *(_mean(f"paddle.nn.functional.avg_pool{rank}d", Kind.FUNCTION, rank) for rank in FORMATS),
    *(_mean(f"paddle.nn.AvgPool{rank}D", Kind.LAYER, rank) for rank in FORMATS),
    *(_whole(f"paddle.nn.functional.adaptive_avg_pool{rank}d", Kind.FUNCTION, rank) for rank in FORMATS),
    *(_whole(f"paddle.nn.AdaptiveAvgPool{rank}D", Kind.LAYER, rank) for rank in FORMATS),
)
