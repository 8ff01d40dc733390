"""Convolutions, plain and transposed, of one to three spatial axes."""

from interlingua.records.cases import case

_LINE, _IMAGE, _VOLUME = (2, 4, 11), (2, 4, 9, 8), (2, 4, 6, 5, 7)

CASES = (
    case("Conv", "line", X=_LINE, W=(6, 4, 3), B=(6,)),
    case("Conv", "line, strided and padded", X=_LINE, W=(6, 4, 3), B=(6,), strides=[2], pads=[1, 1]),
    case("Conv", "line, dilated", X=_LINE, W=(6, 4, 3), B=(6,), dilations=[2]),
    case("Conv", "line, grouped", X=_LINE, W=(6, 2, 3), B=(6,), group=2),
    case("Conv", "line, depthwise", X=_LINE, W=(4, 1, 3), B=(4,), group=4),
    case("Conv", "image", X=_IMAGE, W=(6, 4, 3, 3), B=(6,)),
    case("Conv", "no bias", X=_IMAGE, W=(6, 4, 3, 3)),
    case("Conv", "uneven kernel", X=_IMAGE, W=(6, 4, 3, 2), B=(6,)),
    case("Conv", "one by one", X=_IMAGE, W=(6, 4, 1, 1), B=(6,)),
    case("Conv", "strided", X=_IMAGE, W=(6, 4, 3, 3), B=(6,), strides=[2, 2]),
    case("Conv", "uneven strides", X=_IMAGE, W=(6, 4, 3, 3), B=(6,), strides=[2, 1]),
    case("Conv", "padded", X=_IMAGE, W=(6, 4, 3, 3), B=(6,), pads=[1, 1, 1, 1]),
    case("Conv", "padded and strided", X=_IMAGE, W=(6, 4, 3, 3), B=(6,), pads=[1, 1, 1, 1], strides=[2, 2]),
    case("Conv", "uneven pads", X=_IMAGE, W=(6, 4, 3, 3), B=(6,), pads=[2, 1, 2, 1]),
    case("Conv", "more at the end", X=_IMAGE, W=(6, 4, 2, 2), B=(6,), pads=[0, 0, 1, 1]),
    case("Conv", "same size rounded up, strided", X=(2, 4, 8, 8), W=(6, 4, 3, 3), B=(6,), pads=[0, 0, 1, 1], strides=[2, 2]),
    case("Conv", "four pads", X=_IMAGE, W=(6, 4, 3, 3), B=(6,), pads=[1, 0, 2, 3]),
    case("Conv", "dilated", X=_IMAGE, W=(6, 4, 3, 3), B=(6,), dilations=[2, 2]),
    case("Conv", "uneven dilations", X=_IMAGE, W=(6, 4, 3, 3), B=(6,), dilations=[2, 1]),
    case("Conv", "dilated, same size", X=_IMAGE, W=(6, 4, 3, 3), B=(6,), dilations=[2, 2], pads=[2, 2, 2, 2]),
    case("Conv", "dilated and strided", X=_IMAGE, W=(6, 4, 3, 3), B=(6,), dilations=[2, 2], strides=[2, 2]),
    case("Conv", "grouped", X=_IMAGE, W=(6, 2, 3, 3), B=(6,), group=2),
    case("Conv", "depthwise", X=_IMAGE, W=(4, 1, 3, 3), B=(4,), group=4),
    case("Conv", "depthwise, two for each", X=_IMAGE, W=(8, 1, 3, 3), B=(8,), group=4),
    case("Conv", "depthwise, same size", X=_IMAGE, W=(4, 1, 3, 3), group=4, pads=[1, 1, 1, 1]),
    case("Conv", "depthwise, strided", X=_IMAGE, W=(4, 1, 3, 3), B=(4,), group=4, strides=[2, 2]),
    case("Conv", "depthwise, dilated", X=_IMAGE, W=(4, 1, 3, 3), B=(4,), group=4, dilations=[2, 2]),
    case("Conv", "volume", X=_VOLUME, W=(6, 4, 3, 2, 3), B=(6,)),
    case("Conv", "volume, strided and padded", X=_VOLUME, W=(6, 4, 3, 3, 3), B=(6,), strides=[2, 1, 2], pads=[1] * 6),
    case("Conv", "volume, grouped", X=_VOLUME, W=(6, 2, 3, 2, 3), B=(6,), group=2),
    case("Conv", "volume, dilated", X=_VOLUME, W=(6, 4, 2, 2, 2), B=(6,), dilations=[2, 1, 3]),
    case("Conv", "computed kernel", X=_IMAGE, W=(6, 4, 3, 3), B=(6,), pads=[1, 1, 1, 1], computed=True),
    case("ConvTranspose", "line", X=_LINE, W=(4, 6, 3), B=(6,)),
    case("ConvTranspose", "line, strided", X=_LINE, W=(4, 6, 3), B=(6,), strides=[2], pads=[1, 1]),
    case("ConvTranspose", "image", X=_IMAGE, W=(4, 6, 3, 3), B=(6,)),
    case("ConvTranspose", "no bias", X=_IMAGE, W=(4, 6, 3, 3)),
    case("ConvTranspose", "uneven kernel", X=_IMAGE, W=(4, 6, 3, 2), B=(6,)),
    case("ConvTranspose", "strided", X=_IMAGE, W=(4, 6, 3, 3), B=(6,), strides=[2, 2]),
    case("ConvTranspose", "doubled", X=_IMAGE, W=(4, 6, 4, 4), B=(6,), strides=[2, 2], pads=[1, 1, 1, 1]),
    case("ConvTranspose", "uneven strides", X=_IMAGE, W=(4, 6, 3, 3), B=(6,), strides=[2, 3]),
    case("ConvTranspose", "padded", X=_IMAGE, W=(4, 6, 3, 3), B=(6,), pads=[1, 1, 1, 1]),
    case(
        "ConvTranspose", "output padding", X=_IMAGE, W=(4, 6, 3, 3), B=(6,), strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]
    ),
    case("ConvTranspose", "more at the end", X=_IMAGE, W=(4, 6, 3, 3), B=(6,), strides=[2, 2], pads=[0, 0, 1, 1]),
    case("ConvTranspose", "grouped", X=_IMAGE, W=(4, 3, 3, 3), B=(6,), group=2),
    case("ConvTranspose", "depthwise", X=_IMAGE, W=(4, 1, 3, 3), B=(4,), group=4, strides=[2, 2]),
    case("ConvTranspose", "dilated", X=_IMAGE, W=(4, 6, 3, 3), B=(6,), dilations=[2, 2]),
    case("ConvTranspose", "volume", X=_VOLUME, W=(4, 6, 2, 3, 2), B=(6,), strides=[2, 1, 2]),
    case("ConvTranspose", "computed kernel", X=_IMAGE, W=(4, 6, 3, 3), B=(6,), strides=[2, 2], computed=True),
    case("Conv", "line, no bias", X=_LINE, W=(6, 4, 3)),
    case("Conv", "volume, no bias", X=_VOLUME, W=(6, 4, 3, 2, 3)),
    case("ConvTranspose", "line, no bias", X=_LINE, W=(4, 6, 3)),
    case("ConvTranspose", "line, dilated", X=_LINE, W=(4, 6, 3), B=(6,), dilations=[2]),
    case("ConvTranspose", "line, grouped", X=_LINE, W=(4, 3, 3), B=(6,), group=2),
    case("ConvTranspose", "line, output padding", X=_LINE, W=(4, 6, 3), B=(6,), strides=[2], output_padding=[1]),
    case("ConvTranspose", "volume, no bias", X=_VOLUME, W=(4, 6, 2, 3, 2)),
    case("ConvTranspose", "volume, padded", X=_VOLUME, W=(4, 6, 3, 3, 3), B=(6,), strides=[2, 1, 2], pads=[1] * 6),
    case("ConvTranspose", "volume, dilated", X=_VOLUME, W=(4, 6, 2, 2, 2), B=(6,), dilations=[2, 1, 2]),
    case("ConvTranspose", "volume, grouped", X=_VOLUME, W=(4, 3, 2, 2, 2), B=(6,), group=2),
    case(
        "ConvTranspose", "volume, output padding", X=_VOLUME, W=(4, 6, 3, 3, 3), B=(6,), strides=[2, 2, 2], output_padding=[1, 1, 1]
    ),
)

UNPROVED = {
    "Conv": {
        "fluid": {
            "computed kernel": "never: a layer makes its own parameters; the framework has no function for it",
        },
    },
    "ConvTranspose": {
        "caffe": {
            "line": "notyet: OpenCV deconvolves no data of one spatial axis",
            "line, strided": "notyet: OpenCV deconvolves no data of one spatial axis",
            "line, no bias": "notyet: OpenCV deconvolves no data of one spatial axis",
            "line, grouped": "notyet: OpenCV deconvolves no data of one spatial axis",
            "volume": "notyet: OpenCV deconvolves no data of three spatial axes",
            "volume, no bias": "notyet: OpenCV deconvolves no data of three spatial axes",
            "volume, padded": "notyet: OpenCV deconvolves no data of three spatial axes",
            "volume, grouped": "notyet: OpenCV deconvolves no data of three spatial axes",
            "dilated": "notyet: OpenCV does not honour the dilation of a deconvolution",
            "line, dilated": "notyet: OpenCV does not honour the dilation of a deconvolution",
            "volume, dilated": "notyet: OpenCV does not honour the dilation of a deconvolution",
        },
        "fluid": {
            "computed kernel": "never: a layer makes its own parameters; the framework has no function for it",
        },
    },
}

CANNOT = {
    "Conv": {
        "caffe": (
            "more at the end",
            "same size rounded up, strided",
            "four pads",
            "computed kernel",
        ),
        "fluid": (
            "line",
            "line, strided and padded",
            "line, dilated",
            "line, grouped",
            "line, depthwise",
            "line, no bias",
        ),
        "keras": (
            "padded and strided",
            "uneven pads",
            "four pads",
            "dilated and strided",
            "volume, strided and padded",
            "computed kernel",
        ),
        "tensorflow": (
            "volume, strided and padded",
            "volume, grouped",
            "volume, dilated",
        ),
        "torch": (
            "more at the end",
            "same size rounded up, strided",
            "four pads",
        ),
    },
    "ConvTranspose": {
        "caffe": (
            "output padding",
            "more at the end",
            "computed kernel",
            "line, output padding",
            "volume, output padding",
        ),
        "fluid": (
            "line",
            "line, strided",
            "output padding",
            "line, no bias",
            "line, dilated",
            "line, grouped",
            "line, output padding",
            "volume, output padding",
        ),
        "keras": (
            "line, strided",
            "output padding",
            "grouped",
            "depthwise",
            "computed kernel",
            "line, grouped",
            "volume, padded",
            "volume, grouped",
        ),
        "tensorflow": (
            "grouped",
            "depthwise",
            "dilated",
            "line, dilated",
            "line, grouped",
            "volume, padded",
            "volume, dilated",
            "volume, grouped",
        ),
        "torch": (
            "more at the end",
        ),
    },
}
