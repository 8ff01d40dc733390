"""Convolutions: functions of data and kernel; the bias is added behind."""

from typing import Any

from interlingua.adapters import per_axis, with_edges
from interlingua.cards import Card, Fixed, Slot, card
from interlingua_tensorflow.adapters import full_shape, ones_unsaid, padding, told_elsewhere

FORMATS = {1: "NWC", 2: "NHWC", 3: "NDHWC"}
_KERNEL = told_elsewhere("kernel_shape", "the shape of the kernel")
_LIMITS = ("a bias, which is added behind",)
_DEPTHWISE = {"W": Slot("filter", "* I M")}


def _depthwise(facts: Any) -> bool:
    return bool(facts["depthwise"])


def _plain(rank: int) -> Card:
    more: dict[str, Any] = {}
    if rank < 3:
        more["group"] = told_elsewhere("group", "the channels of input and kernel")
        more["dilations"] = ones_unsaid("dilations")
    names = {1: ("stride", "filters"), 2: ("strides", "filters"), 3: ("strides", "filters")}[rank]
    strides = with_edges(names[0]) if rank == 3 else per_axis(names[0])
    return card(
        "Conv",
        f"tf.nn.conv{rank}d",
        ranks=(rank,),
        inputs={"X": Slot("input", "N * C")},
        weights={"W": Slot(names[1], "* I O")},
        kernel_shape=_KERNEL,
        strides=strides,
        pads=padding(pairs=rank == 2),
        fixed={"data_format": Fixed(FORMATS[rank], FORMATS[rank])},
        ignored=("name", "dilations") if rank == 3 else ("name",),
        versions=">=2",
        limits=(*_LIMITS, "several groups", "a dilation on a CPU") if rank == 3 else _LIMITS,
        traits={"bias": "none", "pad": "each end by itself" if rank == 2 else "a word"},
        **more,
    )


def _transposed(rank: int) -> Card:
    return card(
        "ConvTranspose",
        f"tf.nn.conv{rank}d_transpose",
        ranks=(rank,),
        inputs={"X": Slot("input", "N * C")},
        weights={"W": Slot("filters", "* O I")},
        kernel_shape=_KERNEL,
        strides=with_edges("strides") if rank == 3 else per_axis("strides"),
        pads=padding("SAME", pairs=rank == 2),
        output_padding=full_shape("output_shape"),
        fixed={"data_format": Fixed(FORMATS[rank], FORMATS[rank])},
        ignored=("name", "dilations"),
        versions=">=2",
        limits=(*_LIMITS, "several groups", "a dilation", "an output shape that is not given"),
        traits={"bias": "none", "output size": "given in full"},
    )


CARDS = (
    card(
        "Conv",
        "tf.nn.depthwise_conv2d",
        ranks=(2,),
        when=_depthwise,
        inputs={"X": Slot("input", "N * C")},
        weights=_DEPTHWISE,
        kernel_shape=_KERNEL,
        strides=with_edges("strides"),
        pads=padding(pairs=True),
        group=told_elsewhere("group", "as many as channels"),
        dilations=ones_unsaid("dilations", written_out=True),
        fixed={"data_format": Fixed(None, None)},
        ignored=("name",),
        versions=">=2",
        limits=(*_LIMITS, "strides that differ"),
        traits={"bias": "none", "pad": "each end by itself"},
    ),
    *(_plain(rank) for rank in FORMATS),
    card(
        "Conv",
        "tf.nn.convolution",
        ranks=(1, 2, 3),
        write=False,
        inputs={"X": Slot("input", "N * C")},
        weights={"W": Slot("filters", "* I O")},
        kernel_shape=_KERNEL,
        strides=ones_unsaid("strides"),
        pads=padding("VALID"),
        group=told_elsewhere("group", "the channels of input and kernel"),
        dilations=ones_unsaid("dilations"),
        fixed={"data_format": Fixed(None, None)},
        ignored=("name",),
        versions=">=2",
        limits=_LIMITS,
        traits={"bias": "none", "pad": "a word"},
    ),
    card(
        "Conv",
        "tf.nn.conv2d",
        ranks=(2,),
        write=False,
        inputs={"X": Slot("input", "N * C")},
        weights={"W": Slot("filter", "* I O")},
        kernel_shape=_KERNEL,
        strides=with_edges("strides"),
        pads=padding(pairs=True),
        dilations=with_edges("dilations", [1, 1, 1, 1]),
        fixed={"data_format": Fixed("NHWC", "NHWC"), "use_cudnn_on_gpu": Fixed(True, True)},
        ignored=("name", "filters"),
        versions="<2",
        limits=(*_LIMITS, "several groups"),
        traits={"bias": "none", "pad": "each end by itself"},
        aliases=("tf.compat.v1.nn.conv2d",),
    ),
    card(
        "Conv",
        "tf.nn.depthwise_conv2d",
        ranks=(2,),
        write=False,
        when=_depthwise,
        inputs={"X": Slot("input", "N * C")},
        weights=_DEPTHWISE,
        kernel_shape=_KERNEL,
        strides=with_edges("strides"),
        pads=padding(),
        group=told_elsewhere("group", "as many as channels"),
        dilations=ones_unsaid("rate", written_out=True),
        fixed={"data_format": Fixed(None, None)},
        ignored=("name", "dilations"),
        versions="<2",
        limits=(*_LIMITS, "strides that differ"),
        traits={"bias": "none", "pad": "a word"},
    ),
    *(_transposed(rank) for rank in FORMATS),
    card(
        "ConvTranspose",
        "tf.nn.conv2d_transpose",
        ranks=(2,),
        write=False,
        inputs={"X": Slot("value", "N * C")},
        weights={"W": Slot("filter", "* O I")},
        kernel_shape=_KERNEL,
        strides=with_edges("strides"),
        pads=padding("SAME"),
        output_padding=full_shape("output_shape"),
        fixed={"data_format": Fixed("NHWC", "NHWC")},
        ignored=("name", "input", "filters", "dilations"),
        versions="<2",
        limits=(*_LIMITS, "several groups", "a dilation", "an output shape that is not given"),
        traits={"bias": "none", "output size": "given in full"},
    ),
)
