"""Reductions over axes."""

from interlingua.records.cases import case

_IMAGE = (2, 3, 4, 5)

_NO_NUMBERS = "never: the framework has no tensors without axes; the mean of everything has the shape [1]"

CASES = (
    case("ReduceMean", "channels", data=_IMAGE, axes=[1]),
    case("ReduceMean", "spatial axes", data=_IMAGE, axes=[2, 3]),
    case("ReduceMean", "spatial axes away", data=_IMAGE, axes=[2, 3], keepdims=0),
    case("ReduceMean", "last axis, negative", data=_IMAGE, axes=[-1], keepdims=0),
    case("ReduceMean", "negative pair", data=_IMAGE, axes=[-2, -1]),
    case("ReduceMean", "first axis", data=(4, 3), axes=[0], keepdims=0),
    case("ReduceMean", "sequence", data=(2, 5, 4), axes=[1], keepdims=0),
    case("ReduceMean", "everything", data=_IMAGE),
    case("ReduceMean", "everything, to a number", data=(3, 7), keepdims=0),
    case("ReduceMean", "no axes, nothing", data=(3, 7), noop_with_empty_axes=1),
    case(
        "ReduceMean", "default axes left out", data=(3, 7), groups=["onnx", "torch keras tensorflow paddle fluid caffe"]
    ),
)

UNPROVED = {
    "ReduceMean": {
        "caffe": {
            "last axis, negative": "notyet: OpenCV has no layer Reduction",
            "everything, to a number": "notyet: OpenCV has no layer Reduction",
            "default axes left out": "notyet: OpenCV has no layer Reduction",
        },
        "fluid": {
            "everything, to a number": _NO_NUMBERS,
            "default axes left out": _NO_NUMBERS,
        },
    },
}

CANNOT = {
    "ReduceMean": {
        "caffe": (
            "channels",
            "spatial axes",
            "negative pair",
            "first axis",
            "sequence",
            "everything",
            "no axes, nothing",
        ),
        "fluid": ("no axes, nothing",),
        "keras": ("no axes, nothing",),
        "paddle": ("no axes, nothing",),
        "tensorflow": ("no axes, nothing",),
        "torch": ("no axes, nothing",),
    },
}
