"""Pooling."""

from typing import Any

from interlingua.adapters import flag, parameter, per_axis, stride_or_kernel
from interlingua.cards import REQUIRED, Adapter, Card, Facts, Fixed, Kind, card
from interlingua.errors import Unsupported
from interlingua_torch.adapters import counted_padding, half_window

_TRAITS = {"stride default": "the window's size", "pad": "symmetric"}


def _even(value: int, facts: Facts) -> int:
    if value % 2:
        raise Unsupported(f"the exponent {value}, of which torch keeps the sign")
    return value


_EVEN = Adapter("even", _even, lambda value, facts: int(value), "even exponents, of which no sign is left")
_LIMITS = ("padding that differs at the two ends of an axis", "padding of more than half the window")


def _max(api: str, kind: Kind) -> Card:
    return card(
        "MaxPool",
        api,
        kind=kind,
        ranks=(1, 2, 3),
        write=kind is Kind.FUNCTION,
        inputs={"X": "input"},
        kernel_shape=per_axis("kernel_size", positional=True),
        strides=stride_or_kernel("stride"),
        pads=half_window("padding", 0),
        dilations=per_axis("dilation", 1),
        ceil_mode=flag("ceil_mode", False),
        fixed={"return_indices": Fixed(False, False)},
        limits=_LIMITS,
        traits=_TRAITS,
    )


def _average(api: str, kind: Kind, ranks: tuple[int, ...], **more: Any) -> Card:
    return card(
        "AveragePool",
        api,
        kind=kind,
        ranks=ranks,
        write=kind is Kind.FUNCTION,
        inputs={"X": "input"},
        kernel_shape=per_axis("kernel_size", positional=True),
        strides=stride_or_kernel("stride"),
        pads=half_window("padding", 0),
        ceil_mode=flag("ceil_mode", False),
        count_include_pad=counted_padding("count_include_pad"),
        limits=_LIMITS,
        traits=_TRAITS | {"mean denominator": "the window with its padding"},
        **more,
    )


def _norm(api: str, kind: Kind) -> Card:
    return card(
        "LpPool",
        api,
        kind=kind,
        ranks=(1, 2, 3),
        write=kind is Kind.FUNCTION,
        inputs={"X": "input"},
        p=parameter("norm_type", REQUIRED, _EVEN, positional=True),
        kernel_shape=per_axis("kernel_size", positional=True),
        strides=stride_or_kernel("stride"),
        limits=("padding", "odd exponents", "sizes rounded up"),
        fixed={"ceil_mode": Fixed(False, False)},
        traits={"stride default": "the window's size"},
    )


def _adaptive(rank: int, api: str, kind: Kind) -> Card:
    return card(
        f"interlingua::AdaptiveAveragePool{rank}D",
        api,
        kind=kind,
        ranks=(rank,),
        write=kind is Kind.FUNCTION,
        inputs={"X": "input"},
        output_size=per_axis("output_size", positional=True),
    )


_DIVISOR = {"divisor_override": Fixed(None, None)}

CARDS = (
    _max("torch.nn.functional.max_pool{n}d", Kind.FUNCTION),
    _max("torch.nn.MaxPool{n}d", Kind.LAYER),
    _average("torch.nn.functional.avg_pool{n}d", Kind.FUNCTION, (2, 3), fixed=_DIVISOR),
    _average("torch.nn.functional.avg_pool1d", Kind.FUNCTION, (1,)),
    _average("torch.nn.AvgPool{n}d", Kind.LAYER, (2, 3), fixed=_DIVISOR),
    _average("torch.nn.AvgPool1d", Kind.LAYER, (1,)),
    card(
        "GlobalAveragePool",
        "torch.nn.functional.adaptive_avg_pool{n}d",
        ranks=(1, 2, 3),
        inputs={"X": "input"},
        fixed={"output_size": Fixed(1, REQUIRED)},
    ),
    card(
        "GlobalAveragePool",
        "torch.nn.AdaptiveAvgPool{n}d",
        kind=Kind.LAYER,
        write=False,
        ranks=(1, 2, 3),
        inputs={"X": "input"},
        fixed={"output_size": Fixed(1, REQUIRED)},
    ),
    _norm("torch.nn.functional.lp_pool{n}d", Kind.FUNCTION),
    _norm("torch.nn.LPPool{n}d", Kind.LAYER),
    card(
        "GlobalMaxPool",
        "torch.nn.functional.adaptive_max_pool{n}d",
        ranks=(1, 2, 3),
        inputs={"X": "input"},
        fixed={"output_size": Fixed(1, REQUIRED), "return_indices": Fixed(False, False)},
    ),
    card(
        "GlobalMaxPool",
        "torch.nn.AdaptiveMaxPool{n}d",
        kind=Kind.LAYER,
        write=False,
        ranks=(1, 2, 3),
        inputs={"X": "input"},
        fixed={"output_size": Fixed(1, REQUIRED), "return_indices": Fixed(False, False)},
    ),
    *(_adaptive(rank, f"torch.nn.functional.adaptive_avg_pool{rank}d", Kind.FUNCTION) for rank in (1, 2, 3)),
    *(_adaptive(rank, f"torch.nn.AdaptiveAvgPool{rank}d", Kind.LAYER) for rank in (1, 2, 3)),
)
