"""Activations."""

from interlingua.records.cases import EVERY, Array, case

_IMAGE = (2, 3, 4, 5)
_ROWS = (3, 7)

CASES = (
    case("Relu", "image", X=_IMAGE),
    case("Relu", "rows", X=_ROWS),
    case("Relu", "volume", X=(2, 2, 3, 2, 3)),
    case("LeakyRelu", "image", X=_IMAGE, alpha=0.25),
    case("LeakyRelu", "small slope", X=_ROWS, alpha=0.01),
    case("PRelu", "by channel, image", X=_IMAGE, slope=(3, 1, 1)),
    case("PRelu", "by channel, line", X=(2, 3, 6), slope=(3, 1)),
    case("PRelu", "by channel, volume", X=(2, 3, 3, 2, 3), slope=(3, 1, 1, 1)),
    case("PRelu", "by channel, rows", X=(4, 3), slope=(3,)),
    case("PRelu", "one slope", X=_IMAGE, slope=(1,)),
    case("PRelu", "computed slope", X=_IMAGE, slope=(3, 1, 1), computed=True),
    case("Elu", "default limit", X=_IMAGE),
    case("Elu", "limit 0.5", X=_IMAGE, alpha=0.5),
    case("Elu", "rows", X=_ROWS, alpha=2.0),
    case("Sigmoid", "image", X=_IMAGE),
    case("Sigmoid", "rows", X=_ROWS),
    case("Tanh", "image", input=_IMAGE),
    case("Tanh", "rows", input=_ROWS),
    case("Softmax", "rows", input=_ROWS),
    case("Softmax", "channels", input=_IMAGE, axis=1),
    case("Softmax", "third axis", input=_IMAGE, axis=2),
    case("Softmax", "last of four", input=_IMAGE, axis=-1),
    case("Softmax", "negative axis", input=(2, 3, 4), axis=-2),
    case("Softmax", "first axis", input=(4, 3), axis=0),
    case("Clip", "both bounds", input=_IMAGE, min=-0.5, max=0.75),
    case("Clip", "zero to six", input=Array(_IMAGE, "wide"), min=0.0, max=6.0),
    case("Clip", "zero to one", input=_IMAGE, min=0.0, max=1.0),
    case("Clip", "minus one to one", input=Array(_IMAGE, "wide"), min=-1.0, max=1.0),
    case("Clip", "lower bound", input=_IMAGE, min=-0.25),
    case("Clip", "upper bound", input=_IMAGE, max=0.25),
    case("Clip", "rows", input=_ROWS, min=-0.5, max=0.75),
    case("LeakyRelu", "default slope", X=_IMAGE, groups=["torch paddle onnx", "keras", "tensorflow", "fluid", "caffe"]),
    case("Elu", "by default", X=_IMAGE, groups=["torch paddle onnx keras tensorflow fluid caffe"]),
    case("Softmax", "default axis", input=_IMAGE, groups=["onnx keras tensorflow paddle fluid", "caffe torch"]),
)

UNPROVED = {
    "Clip": {
        "caffe": {
            "both bounds": "notyet: OpenCV has no layer Clip",
            "zero to six": "notyet: OpenCV has no layer Clip",
            "zero to one": "notyet: OpenCV has no layer Clip",
            "minus one to one": "notyet: OpenCV has no layer Clip",
            "rows": "notyet: OpenCV has no layer Clip",
        },
    },
}

CANNOT = {
    "Clip": {
        "caffe": (
            "lower bound",
            "upper bound",
        ),
    },
    "Elu": {
        "tensorflow": (
            "limit 0.5",
            "rows",
        ),
    },
    "PRelu": {
        "caffe": ("computed slope",),
        "keras": ("computed slope",),
        "paddle": ("computed slope",),
        "tensorflow": (EVERY,),
        "torch": ("computed slope",),
    },
}
