"""Concepts beside the ops: inputs and losses."""

from interlingua.adapters import choice, same
from interlingua_caffe.cards.forms import axis, layer, listed

CARDS = (
    layer(
        "placeholder",
        "Input",
        {},
        shape=listed("input_param.shape.dim"),
        aliases=("input", "input_dim", "input_shape"),
        traits={"unknown axis": "none: every size is said; the runtime may reshape", "dtype": "float32"},
    ),
    layer(
        "softmax_cross_entropy",
        "SoftmaxWithLoss",
        {"logits": "bottom[0]", "labels": "bottom[1]"},
        axis=axis("softmax_param.axis", 1),
        reduction=choice("loss_param.normalization", "VALID", mean="VALID", sum="NONE"),
        ignore_index=same("loss_param.ignore_label", None),
        ignored=("loss_param.normalize", "softmax_param.engine"),
        traits={
            "class axis": "1",
            "labels": "class numbers",
            "returns": "scalar mean",
            "mean denominator": "samples that count",
        },
    ),
)
