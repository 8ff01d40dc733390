"""Concepts: the loss is called for its numbers, the placeholder for the shape it declares."""

from interlingua.records.cases import Array, case

_LOGITS = (5, 4)
_CLASSES = Array((5,), "classes", 4)
_SHARES = Array(_LOGITS, "shares")

CASES = (
    case("softmax_cross_entropy", "each sample", logits=_LOGITS, labels=_CLASSES, reduction="none"),
    case("softmax_cross_entropy", "mean", logits=_LOGITS, labels=_CLASSES),
    case("softmax_cross_entropy", "sum", logits=_LOGITS, labels=_CLASSES, reduction="sum"),
    case("softmax_cross_entropy", "one class does not count", logits=_LOGITS, labels=_CLASSES, ignore_index=1),
    case("softmax_cross_entropy", "probabilities, each sample", logits=_LOGITS, labels=_SHARES, soft_labels=True, reduction="none"),
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
        "softmax_cross_entropy", "classes in the middle", logits=(2, 4, 3), labels=Array((2, 3), "classes", 4), axis=1, reduction="none"
    ),
    case("softmax_cross_entropy", "classes last", logits=(2, 3, 4), labels=Array((2, 3), "classes", 4), axis=-1, reduction="none"),
    case(
        "softmax_cross_entropy", "probabilities in the middle", logits=(2, 4, 3), labels=Array((2, 4, 3), "middle"), axis=1,
        soft_labels=True, reduction="none",
    ),
    case(
        "softmax_cross_entropy", "one class does not count, each sample", logits=_LOGITS, labels=_CLASSES, ignore_index=1, reduction="none"
    ),
)
