"""Normalizations and dropout."""

from interlingua.adapters import by_size, one_minus, radius, same
from interlingua.cards import Facts, Fixed, Slot, card
from interlingua_tensorflow.adapters import told_elsewhere

_KEPT = told_elsewhere("momentum", "the program, which keeps the running statistics itself")
_STATISTICS = {
    "input_mean": Slot("mean"),
    "input_var": Slot("variance"),
    "B": Slot("offset"),
    "scale": Slot("scale"),
}


def _training(facts: Facts) -> bool:
    return bool(facts.get("training_mode"))


CARDS = (
    card(
        "BatchNormalization",
        "tf.nn.batch_normalization",
        inputs={"X": Slot("x", "N * C")},
        weights=_STATISTICS,
        epsilon=same("variance_epsilon"),
        momentum=_KEPT,
        ignored=("name",),
        traits={"momentum": "none: the program keeps running statistics"},
    ),
    card(
        "BatchNormalization",
        "tf.nn.fused_batch_norm",
        versions="<2",
        ranks=(2,),
        write=False,
        inputs={"X": Slot("x", "N * C")},
        weights={
            "scale": Slot("scale"),
            "B": Slot("offset"),
            "input_mean": Slot("mean", default=None),
            "input_var": Slot("variance", default=None),
        },
        epsilon=same("epsilon", 0.001),
        momentum=_KEPT,
        fixed={"is_training": Fixed(False, True), "data_format": Fixed("NHWC", "NHWC")},
        aliases=("tf.compat.v1.nn.fused_batch_norm",),
        ignored=("name", "exponential_avg_factor"),
        traits={
            "returns": "output, mean, variance",
            "training default": "the batch's own statistics until told otherwise",
        },
    ),
    card(
        "LRN",
        "tf.nn.local_response_normalization",
        ranks=(2,),
        inputs={"X": Slot("input", "N * C")},
        size=radius("depth_radius", 5),
        bias=same("bias", 1.0),
        alpha=by_size("alpha", 1.0),
        beta=same("beta", 0.5),
        aliases=("tf.nn.lrn",),
        ignored=("name",),
        limits=("a window of even size", "other than four axes"),
    ),
    card(
        "Dropout",
        "tf.nn.dropout",
        versions=">=2",
        inputs={"data": "x"},
        ratio=same("rate", positional=True),
        seed=same("seed", None),
        ignored=("noise_shape", "name"),
        traits={"training default": "drops unless told not to"},
    ),
    card(
        "Dropout",
        "tf.nn.dropout",
        versions="<2",
        write=False,
        when=_training,
        inputs={"data": "x"},
        ratio=one_minus("keep_prob", None),
        seed=same("seed", None),
        ignored=("noise_shape", "name", "rate"),
        traits={"training default": "drops unless told not to"},
        remark="`keep_prob` is what stays; since 1.13 `rate` may be given instead.",
    ),
)
