"""Shapes: reshaping, moving and joining axes, padding."""

from interlingua.records.cases import EVERY, case

_IMAGE = (2, 3, 4, 5)

CASES = (
    case("Flatten", "image", input=_IMAGE),
    case("Flatten", "line", input=(2, 3, 7)),
    case("Flatten", "rows", input=(3, 7)),
    case("Flatten", "all before", input=_IMAGE, axis=0),
    case("Flatten", "in the middle", input=_IMAGE, axis=2),
    case("Flatten", "negative axis", input=_IMAGE, axis=-1),
    case("Reshape", "rows", data=_IMAGE, shape=[2, 60]),
    case("Reshape", "what is left", data=_IMAGE, shape=[2, -1]),
    case("Reshape", "split", data=(2, 12), shape=[2, 3, 4]),
    case("Reshape", "to an image", data=(2, 60), shape=[2, 3, 4, 5]),
    case("Reshape", "copied axes", data=_IMAGE, shape=[0, 0, -1]),
    case("Reshape", "zero is a size", data=(2, 0, 3), shape=[0, 6], allowzero=1),
    case("Transpose", "channels last", data=_IMAGE, perm=[0, 2, 3, 1]),
    case("Transpose", "channels first", data=_IMAGE, perm=[0, 3, 1, 2]),
    case("Transpose", "matrix", data=(3, 7), perm=[1, 0]),
    case("Transpose", "heads", data=_IMAGE, perm=[0, 2, 1, 3]),
    case("Transpose", "batch moves", data=(2, 3, 4), perm=[2, 0, 1]),
    case("Transpose", "reversed", data=(2, 3, 4)),
    case("Concat", "channels", inputs=((2, 3, 4, 5), (2, 2, 4, 5)), axis=1),
    case("Concat", "three of them", inputs=((2, 3, 4, 5), (2, 2, 4, 5), (2, 1, 4, 5)), axis=1),
    case("Concat", "last axis, negative", inputs=((2, 3, 4), (2, 3, 2)), axis=-1),
    case("Concat", "batches", inputs=((2, 3), (1, 3)), axis=0),
    case("Concat", "rows", inputs=((2, 3, 4, 5), (2, 3, 1, 5)), axis=2),
    case("Squeeze", "last axes", data=(2, 3, 1, 1), axes=[2, 3]),
    case("Squeeze", "one axis", data=(2, 1, 4), axes=[1]),
    case("Squeeze", "negative axis", data=(2, 3, 1), axes=[-1]),
    case("Squeeze", "all of size one", data=(2, 1, 4, 1)),
    case("Unsqueeze", "first", data=(3, 4), axes=[0]),
    case("Unsqueeze", "channel", data=(2, 4, 5), axes=[1]),
    case("Unsqueeze", "last, negative", data=(2, 3), axes=[-1]),
    case("Unsqueeze", "two axes", data=(2, 3), axes=[2, 3]),
    case("Pad", "spatial axes", data=_IMAGE, pads=[0, 0, 1, 2, 0, 0, 2, 1]),
    case("Pad", "with a value", data=_IMAGE, pads=[0, 0, 1, 1, 0, 0, 1, 1], constant_value=0.5),
    case("Pad", "channels", data=_IMAGE, pads=[0, 1, 0, 0, 0, 2, 0, 0]),
    case("Pad", "named axes", data=_IMAGE, pads=[1, 2, 2, 1], axes=[2, 3]),
    case("Pad", "line", data=(2, 3, 6), pads=[0, 0, 2, 0, 0, 1]),
    case("Pad", "rows", data=(3, 4), pads=[0, 1, 0, 2]),
    case("Pad", "volume", data=(2, 3, 3, 2, 4), pads=[0, 0, 1, 0, 1, 0, 0, 1, 1, 0]),
    case("Pad", "mirrored", data=_IMAGE, pads=[0, 0, 1, 2, 0, 0, 2, 1], mode="reflect"),
    case("Pad", "repeated edge", data=_IMAGE, pads=[0, 0, 1, 2, 0, 0, 2, 1], mode="edge"),
    case("Pad", "wrapped", data=_IMAGE, pads=[0, 0, 1, 2, 0, 0, 2, 1], mode="wrap"),
    case("Pad", "cut off", data=_IMAGE, pads=[0, 0, -1, 1, 0, 0, 0, -1]),
    case("Concat", "default axis", inputs=((2, 3, 4), (2, 3, 4)), groups=["torch paddle fluid", "keras", "caffe"]),
    case("Squeeze", "by default", data=(2, 1, 4, 1), groups=["torch keras tensorflow paddle onnx"]),
    case("Transpose", "by default", data=(2, 3, 4), groups=["onnx tensorflow"]),
    case("Squeeze", "one of two", data=(2, 1, 4, 1), axes=[1]),
)

CANNOT = {
    "Flatten": {
        "caffe": (
            "all before",
            "in the middle",
            "negative axis",
        ),
        "keras": (
            "all before",
            "in the middle",
            "negative axis",
        ),
        "paddle": (
            "all before",
            "in the middle",
            "negative axis",
        ),
        "tensorflow": (EVERY,),
        "torch": (
            "all before",
            "in the middle",
            "negative axis",
        ),
    },
    "Pad": {
        "caffe": (EVERY,),
        "fluid": (
            "wrapped",
            "cut off",
        ),
        "keras": (
            "repeated edge",
            "wrapped",
            "cut off",
        ),
        "tensorflow": (
            "repeated edge",
            "wrapped",
            "cut off",
        ),
    },
    "Reshape": {
        "caffe": ("zero is a size",),
        "fluid": ("zero is a size",),
        "keras": (
            "copied axes",
            "zero is a size",
        ),
        "paddle": ("zero is a size",),
        "tensorflow": ("copied axes",),
        "torch": ("copied axes",),
    },
    "Squeeze": {
        "caffe": (EVERY,),
    },
    "Unsqueeze": {
        "caffe": (EVERY,),
        "tensorflow": ("two axes",),
        "torch": ("two axes",),
    },
}
