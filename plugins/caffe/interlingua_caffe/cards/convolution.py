"""Convolutions of one to three spatial axes, and transposed ones."""

from typing import Any

from interlingua.adapters import flag, same
from interlingua.cards import Card, Fixed, Slot
from interlingua_caffe.cards.forms import X, layer, pads, sizes

_KERNEL = "or kernel_h and kernel_w"
_IGNORED = ("weight_filler", "bias_filler", "engine", "force_nd_im2col")


def _convolution(record: str, api: str, **more: Any) -> Card:
    return layer(
        record,
        api,
        X,
        ranks=(1, 2, 3),
        weights={"W": Slot("blobs[0]"), "B": Slot("blobs[1]", default=None)},
        out_channels=same("convolution_param.num_output"),
        has_bias=flag("convolution_param.bias_term", True),
        kernel_shape=sizes("convolution_param.kernel_size"),
        pads=pads("convolution_param.pad"),
        strides=sizes("convolution_param.stride", 1),
        dilations=sizes("convolution_param.dilation", 1),
        group=same("convolution_param.group", 1),
        fixed={"convolution_param.axis": Fixed(1, 1)},
        ignored=tuple(f"convolution_param.{name}" for name in _IGNORED),
        traits={"bias": "on by default", "pad": "symmetric", "sizes": "one field, or *_h and *_w"},
        remark=f"Sizes: kernel_size {_KERNEL}; stride and pad likewise.",
        **more,
    )


CARDS = (
    _convolution("Conv", "Convolution"),
    _convolution(
        "ConvTranspose",
        "Deconvolution",
        limits=("padding that differs at the two ends of an axis", "more at the output's end"),
    ),
)
