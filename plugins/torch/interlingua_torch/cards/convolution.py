"""Convolutions: layers where the kernel is a weight, functions where the model computes it."""

from typing import Any

from interlingua.adapters import flag, halves, per_axis, same, told_otherwise
from interlingua.cards import Card, Fixed, Kind, Slot, card

_LIMITS = ("padding that differs at the two ends of an axis",)


def _layer(record: str, api: str, **extra: Any) -> Card:
    return card(
        record,
        api,
        kind=Kind.LAYER,
        ranks=(1, 2, 3),
        inputs={"X": "input"},
        weights={"W": Slot("weight"), "B": Slot("bias")},
        in_channels=same("in_channels", positional=True),
        out_channels=same("out_channels", positional=True),
        kernel_shape=per_axis("kernel_size", positional=True),
        strides=per_axis("stride", 1),
        pads=halves("padding", 0),
        **extra,
        limits=_LIMITS,
        ignored=("device", "dtype"),
        traits={"bias": "on by default", "pad": "symmetric"},
    )


def _function(record: str, api: str, **extra: Any) -> Card:
    return card(
        record,
        api,
        ranks=(1, 2, 3),
        inputs={"X": "input", "W": "weight", "B": Slot("bias", default=None)},
        kernel_shape=told_otherwise("the weight's shape"),
        strides=per_axis("stride", 1),
        pads=halves("padding", 0),
        **extra,
        limits=_LIMITS,
        traits={"bias": "off by default", "pad": "symmetric"},
    )


CARDS = (
    _layer(
        "Conv",
        "torch.nn.Conv{n}d",
        dilations=per_axis("dilation", 1),
        group=same("groups", 1),
        has_bias=flag("bias", True),
        fixed={"padding_mode": Fixed("zeros", "zeros")},
    ),
    _function("Conv", "torch.nn.functional.conv{n}d", dilations=per_axis("dilation", 1), group=same("groups", 1)),
    _layer(
        "ConvTranspose",
        "torch.nn.ConvTranspose{n}d",
        output_padding=per_axis("output_padding", 0),
        group=same("groups", 1),
        has_bias=flag("bias", True),
        dilations=per_axis("dilation", 1),
        fixed={"padding_mode": Fixed("zeros", "zeros")},
    ),
    _function(
        "ConvTranspose",
        "torch.nn.functional.conv_transpose{n}d",
        output_padding=per_axis("output_padding", 0),
        group=same("groups", 1),
        dilations=per_axis("dilation", 1),
    ),
)
