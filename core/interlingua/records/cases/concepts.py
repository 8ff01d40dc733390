"""Concepts: the loss is called for its numbers, the placeholder for the shape it declares."""

from interlingua.records.cases import EVERY, Array, case

_LOGITS = (5, 4)
_CLASSES = Array((5,), "classes", 4)
_SHARES = Array(_LOGITS, "shares")

CASES = (
    case("softmax_cross_entropy", "each sample", logits=_LOGITS, labels=_CLASSES, reduction="none"),
    case("softmax_cross_entropy", "mean", logits=_LOGITS, labels=_CLASSES),
    case("softmax_cross_entropy", "sum", logits=_LOGITS, labels=_CLASSES, reduction="sum"),
    case("softmax_cross_entropy", "one class does not count", logits=_LOGITS, labels=_CLASSES, ignore_index=1),
    case(
        "softmax_cross_entropy",
        "probabilities, each sample",
        logits=_LOGITS,
        labels=_SHARES,
        soft_labels=True,
        reduction="none",
    ),
    case("softmax_cross_entropy", "probabilities, mean", logits=_LOGITS, labels=_SHARES, soft_labels=True),
    case(
        "softmax_cross_entropy",
        "default reduction",
        logits=_LOGITS,
        labels=_CLASSES,
        soft_labels=False,
        groups=["torch paddle onnx caffe", "fluid tensorflow keras"],
    ),
    case("placeholder", "batch of images", shape=[None, 3, 8, 6], dtype="float32", name="x"),
    case("placeholder", "batch of rows", shape=[None, 3], dtype="float32", name="rows"),
    case("placeholder", "known shape", shape=[2, 3], dtype="float32", name="known"),
    case("placeholder", "unknown axis inside", shape=[2, None, 4], dtype="float32", name="inside"),
    case("placeholder", "numbers of classes", shape=[None, 1], dtype="int64", name="classes"),
    case(
        "softmax_cross_entropy",
        "classes in the middle",
        logits=(2, 4, 3),
        labels=Array((2, 3), "classes", 4),
        axis=1,
        reduction="none",
    ),
    case(
        "softmax_cross_entropy",
        "classes last",
        logits=(2, 3, 4),
        labels=Array((2, 3), "classes", 4),
        axis=-1,
        reduction="none",
    ),
    case(
        "softmax_cross_entropy",
        "probabilities in the middle",
        logits=(2, 4, 3),
        labels=Array((2, 4, 3), "middle"),
        axis=1,
        soft_labels=True,
        reduction="none",
    ),
    case(
        "softmax_cross_entropy",
        "one class does not count, each sample",
        logits=_LOGITS,
        labels=_CLASSES,
        ignore_index=1,
        reduction="none",
    ),
)

UNPROVED = {
    "placeholder": {
        "keras called": {
            "known shape": "never: the batch axis is always open unless batch_size tells it",
            "unknown axis inside": "never: the batch axis is always open unless batch_size tells it",
        },
    },
}

CANNOT = {
    "placeholder": {
        "caffe": (EVERY,),
        "torch": (EVERY,),
    },
    "softmax_cross_entropy": {
        "caffe": (
            "each sample",
            "probabilities, each sample",
            "probabilities, mean",
            "classes in the middle",
            "classes last",
            "probabilities in the middle",
            "one class does not count, each sample",
        ),
        "fluid": (
            "mean",
            "sum",
            "one class does not count",
            "probabilities, mean",
            "classes in the middle",
            "probabilities in the middle",
        ),
        "keras": ("classes in the middle",),
        "onnx": (
            "probabilities, each sample",
            "probabilities, mean",
            "classes last",
            "probabilities in the middle",
        ),
        "paddle": (
            "probabilities, each sample",
            "probabilities in the middle",
        ),
        "tensorflow": (
            "each sample",
            "mean",
            "sum",
            "one class does not count",
            "probabilities, mean",
            "classes in the middle",
            "one class does not count, each sample",
        ),
        "torch": ("classes last",),
    },
}
