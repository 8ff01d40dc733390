"""Normalizations and dropout."""

from typing import Any

from interlingua.records.cases import Array, Case, case

_IMAGE = (2, 3, 5, 4)


def _batch(name: str, shape: tuple[int, ...], **more: Any) -> Case:
    channels = (shape[1],)
    weights: dict[str, Any] = {
        "scale": channels,
        "B": channels,
        "input_mean": channels,
        "input_var": Array(channels, "positive"),
    }
    return case("BatchNormalization", name, X=shape, **weights, **more)


CASES = (
    _batch("image", _IMAGE),
    _batch("line", (2, 3, 7)),
    _batch("volume", (2, 3, 3, 2, 4)),
    _batch("rows", (4, 3)),
    _batch("large epsilon", _IMAGE, epsilon=0.1),
    _batch("rows, large epsilon", (4, 3), epsilon=0.1),
    _batch("line, large epsilon", (2, 3, 7), epsilon=0.1),
    _batch("volume, large epsilon", (2, 3, 3, 2, 4), epsilon=0.1),
    _batch("small epsilon", _IMAGE, epsilon=0.001),
    _batch("momentum", _IMAGE, momentum=0.7),
    _batch("computed statistics", _IMAGE, computed=True),
    case("LRN", "five channels", X=(2, 8, 4, 3), size=5),
    case("LRN", "three channels", X=(2, 8, 4, 3), size=3, alpha=0.3, beta=0.5, bias=2.0),
    case("LRN", "alpha", X=(2, 8, 4, 3), size=5, alpha=0.5),
    case("LRN", "beta", X=(2, 8, 4, 3), size=5, alpha=0.5, beta=0.25),
    case("LRN", "bias", X=(2, 8, 4, 3), size=5, alpha=0.5, bias=3.0),
    case("LRN", "even window", X=(2, 8, 4, 3), size=4, alpha=0.3),
    case("LRN", "line", X=(2, 8, 5), size=5, alpha=0.3),
    case("Dropout", "image", data=_IMAGE),
    case("Dropout", "share", data=(3, 7), ratio=0.3),
    case("Dropout", "seed", data=(3, 7), seed=7),
    case(
        "BatchNormalization",
        "default epsilon",
        X=_IMAGE,
        scale=(3,),
        B=(3,),
        input_mean=(3,),
        input_var=Array((3,), "tiny"),
        groups=["torch paddle onnx fluid caffe", "keras"],
    ),
    case(
        "LRN",
        "default factors",
        X=Array((2, 8, 4, 3), "wide"),
        size=5,
        groups=["torch paddle onnx keras", "caffe", "fluid", "tensorflow"],
    ),
)

UNPROVED = {
    "LRN": {
        "caffe": {
            "three channels": "notyet: OpenCV does not honour lrn_param.k",
            "bias": "notyet: OpenCV does not honour lrn_param.k",
        },
        "onnx": {
            "even window": "notyet: onnxruntime has no kernel for windows of even size",
            "line": "notyet: onnxruntime's kernel wants four axes",
        },
        "onnx called": {
            "even window": "notyet: onnxruntime has no kernel for windows of even size",
            "line": "notyet: onnxruntime's kernel wants four axes",
        },
    },
}

CANNOT = {
    "BatchNormalization": {
        "caffe": ("computed statistics",),
        "fluid": (
            "large epsilon",
            "rows, large epsilon",
            "line, large epsilon",
            "volume, large epsilon",
        ),
        "keras": ("computed statistics",),
    },
    "Dropout": {
        "caffe": ("seed",),
        "paddle": ("seed",),
        "torch": ("seed",),
    },
    "LRN": {
        "caffe": (
            "even window",
            "line",
        ),
        "fluid": (
            "even window",
            "line",
        ),
        "paddle": ("even window",),
        "tensorflow": (
            "even window",
            "line",
        ),
        "torch": ("even window",),
    },
}
