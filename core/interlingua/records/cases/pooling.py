"""Pooling over windows and over whole spatial axes."""

from interlingua.records.cases import Case, case

_LINE, _IMAGE, _VOLUME = (2, 3, 11), (2, 3, 8, 6), (2, 3, 6, 4, 5)
_ODD = (2, 3, 7, 9)


def _windows(op: str) -> list[Case]:
    """What both kinds of pooling have."""
    return [
        case(op, "line", X=_LINE, kernel_shape=[3], strides=[2]),
        case(op, "line, padded", X=_LINE, kernel_shape=[3], strides=[2], pads=[1, 1]),
        case(op, "halved", X=_IMAGE, kernel_shape=[2, 2], strides=[2, 2]),
        case(op, "odd sizes", X=_ODD, kernel_shape=[2, 2], strides=[2, 2]),
        case(op, "every step", X=_IMAGE, kernel_shape=[3, 3]),
        case(op, "overlapping", X=_ODD, kernel_shape=[3, 3], strides=[2, 2]),
        case(op, "uneven", X=_ODD, kernel_shape=[3, 2], strides=[2, 1]),
        case(op, "padded", X=_ODD, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        case(op, "padded unevenly", X=_ODD, kernel_shape=[4, 3], strides=[1, 2], pads=[2, 1, 2, 1]),
        case(op, "same size rounded up", X=_IMAGE, kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1]),
        case(op, "same size", X=_IMAGE, kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        case(op, "four pads", X=_ODD, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 0, 2]),
        case(op, "rounded up", X=_IMAGE, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        case(op, "rounded up, padded", X=_IMAGE, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1),
        case(op, "rounded up into the padding", X=_ODD, kernel_shape=[2, 2], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1),
        case(op, "line, rounded up", X=(2, 3, 10), kernel_shape=[3], strides=[2], ceil_mode=1),
        case(op, "volume, rounded up", X=(2, 3, 6, 4, 6), kernel_shape=[3, 3, 3], strides=[2, 2, 2], ceil_mode=1),
        case(op, "volume", X=_VOLUME, kernel_shape=[2, 2, 2], strides=[2, 2, 2]),
        case(op, "volume, padded", X=_VOLUME, kernel_shape=[3, 3, 3], strides=[2, 1, 2], pads=[1] * 6),
        case(op, "dilated", X=_ODD, kernel_shape=[2, 2], dilations=[2, 3]),
    ]


CASES = (
    *_windows("MaxPool"),
    case("MaxPool", "order of the indices", X=_IMAGE, kernel_shape=[2, 2], strides=[2, 2], storage_order=1),
    *_windows("AveragePool"),
    case("AveragePool", "padding counts", X=_ODD, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1),
    case("AveragePool", "line, padding counts", X=_LINE, kernel_shape=[3], strides=[2], pads=[1, 1], count_include_pad=1),
    case("AveragePool", "volume, padding counts", X=_VOLUME, kernel_shape=[3, 3, 3], pads=[1] * 6, count_include_pad=1),
    case("AveragePool", "four pads count", X=_ODD, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 0, 2], count_include_pad=1),
    case(
        "AveragePool",
        "padding counts, rounded up",
        X=_IMAGE,
        kernel_shape=[3, 3],
        strides=[2, 2],
        pads=[1, 1, 1, 1],
        count_include_pad=1,
        ceil_mode=1,
    ),
    case("GlobalAveragePool", "line", X=_LINE),
    case("GlobalAveragePool", "image", X=_IMAGE),
    case("GlobalAveragePool", "volume", X=_VOLUME),
    case(
        "MaxPool",
        "default stride",
        X=_IMAGE,
        kernel_shape=[2, 2],
        groups=["torch paddle keras", "onnx fluid caffe"],
    ),
    case("MaxPool", "default rounding", X=_IMAGE, kernel_shape=[3, 3], strides=[2, 2], groups=["torch paddle keras onnx fluid", "caffe"]),
    case("AveragePool", "default stride", X=_IMAGE, kernel_shape=[2, 2], groups=["torch paddle keras", "onnx fluid caffe"]),
    case(
        "AveragePool",
        "default mean of padded windows",
        X=_ODD,
        kernel_shape=[3, 3],
        strides=[2, 2],
        pads=[1, 1, 1, 1],
        groups=["torch caffe", "paddle onnx fluid keras tensorflow"],
    ),
)
