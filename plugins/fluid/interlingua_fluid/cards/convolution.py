"""Convolutions: `fluid.layers.conv2d` and its kin, and the operators of the same names."""

from typing import Any

from interlingua.adapters import each_axis, halves, per_axis, same
from interlingua.cards import Card, Fixed, Kind, Slot, card
from interlingua_fluid.cards.forms import edges, groups, layouts, operator, switch, unfused, whole_size

_TRAITS = {"bias": "on by default", "pad": "each end by itself"}
_ARGUMENTS = ("use_cudnn", "act", "name")


def _layer(record: str, api: str, **more: Any) -> Card:
    return card(
        record,
        api,
        inputs={"X": "input"},
        out_channels=same("num_filters", positional=True),
        **more,
        ignored=_ARGUMENTS,
        traits=_TRAITS,
    )


def _forward(api: str, rank: int, data: str) -> Card:
    return _layer(
        "Conv",
        api,
        ranks=(rank,),
        weights={"W": Slot("param_attr"), "B": Slot("bias_attr")},
        kernel_shape=per_axis("filter_size", positional=True),
        strides=per_axis("stride", 1),
        pads=edges("padding", 0),
        dilations=per_axis("dilation", 1),
        group=groups("groups"),
        has_bias=switch("bias_attr"),
        fixed={"data_format": Fixed(data, data)},
    )


def _transposed(api: str, rank: int, data: str) -> Card:
    return _layer(
        "ConvTranspose",
        api,
        ranks=(rank,),
        weights={"W": Slot("param_attr"), "B": Slot("bias_attr")},
        output_padding=whole_size("output_size"),
        kernel_shape=per_axis("filter_size", None),
        pads=edges("padding", 0),
        strides=per_axis("stride", 1),
        dilations=per_axis("dilation", 1),
        group=groups("groups"),
        has_bias=switch("bias_attr"),
        fixed={"data_format": Fixed(data, data)},
        limits=("an output padding where the output's size is open",),
    )


def _dygraph(api: str) -> Card:
    return card(
        "Conv",
        api,
        kind=Kind.LAYER,
        write=False,
        ranks=(2, 3),
        inputs={"X": "input"},
        weights={"W": Slot("weight"), "B": Slot("bias")},
        in_channels=same("num_channels", positional=True),
        out_channels=same("num_filters", positional=True),
        kernel_shape=per_axis("filter_size", positional=True),
        strides=per_axis("stride", 1),
        pads=halves("padding", 0),
        dilations=per_axis("dilation", 1),
        group=groups("groups"),
        has_bias=switch("bias_attr"),
        ignored=("param_attr", "use_cudnn", "act", "dtype"),
        limits=("padding that differs at the two ends of an axis",),
        traits={"bias": "on by default", "pad": "symmetric"},
    )


def _operators(record: str, api: str, rank: int, fused: tuple[str, ...]) -> list[Card]:
    """The operator in both axis orders and with each word for its padding."""
    orders = layouts("NCHW", "NHWC", "Input") if rank == 2 else layouts("NCDHW", "NDHWC", "Input")
    return [
        operator(
            record,
            api,
            ranks=(rank,),
            inputs={"X": slot},
            weights={"W": Slot("Filter"), "B": Slot("Bias")},
            strides=each_axis("strides"),
            group=same("groups", 1),
            fixed={**order, **unfused(*fused), "padding_algorithm": Fixed(word, "EXPLICIT")},
            **padding,
        )
        for order, slot in orders
        for word, padding in _PADDINGS.items()
    ]


_PADDINGS: dict[str, dict[str, Any]] = {
    "EXPLICIT": {"pads": edges("paddings"), "dilations": each_axis("dilations")},
    "VALID": {"implied": {"pads": "VALID"}, "dilations": each_axis("dilations"), "ignored": ("paddings",)},
    "SAME": {
        "implied": {"pads": "SAME_UPPER"},
        "ignored": ("paddings", "dilations"),
        "remark": "SAME takes no dilation: the operator sets it to 1.",
    },
}
_FUSED_2D = ("fuse_relu", "fuse_brelu", "fuse_activation", "fuse_residual_connection")
_FUSED_3D = ("fuse_relu", "fuse_activation", "fuse_residual_connection")
_FUSED_TRANSPOSED = ("fuse_relu", "fuse_activation")


def _transposed_operators(api: str, rank: int, fused: tuple[str, ...]) -> list[Card]:
    """The operator in both axis orders; that of volumes is stored with the words for images too."""
    return [
        operator(
            "ConvTranspose",
            api,
            ranks=(rank,),
            inputs={"X": slot},
            weights={"W": Slot("Filter"), "B": Slot("Bias")},
            strides=each_axis("strides"),
            pads=edges("paddings"),
            dilations=each_axis("dilations"),
            group=same("groups", 1),
            fixed={**order, **unfused(*fused), "padding_algorithm": Fixed("EXPLICIT", "EXPLICIT")},
            ignored=("output_size",),
            limits=("padding by the words SAME and VALID",),
        )
        for order, slot in layouts("NCHW", "NHWC", "Input")
    ]


CARDS = (
    _forward("paddle.fluid.layers.conv2d", 2, "NCHW"),
    _forward("paddle.fluid.layers.conv3d", 3, "NCDHW"),
    _transposed("paddle.fluid.layers.conv2d_transpose", 2, "NCHW"),
    _transposed("paddle.fluid.layers.conv3d_transpose", 3, "NCDHW"),
    _dygraph("paddle.fluid.dygraph.Conv{n}D"),
    *_operators("Conv", "conv2d", 2, _FUSED_2D),
    *_operators("Conv", "depthwise_conv2d", 2, _FUSED_2D),
    *_operators("Conv", "conv3d", 3, _FUSED_3D),
    *_transposed_operators("conv2d_transpose", 2, _FUSED_TRANSPOSED),
    *_transposed_operators("depthwise_conv2d_transpose", 2, _FUSED_TRANSPOSED),
    *_transposed_operators("conv3d_transpose", 3, ()),
)
