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
)
