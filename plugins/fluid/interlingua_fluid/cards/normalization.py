"""Normalizations and dropout."""

from interlingua.adapters import by_size, same
from interlingua.cards import Card, Facts, Fixed, Kind, Slot, card
from interlingua_fluid.cards.forms import layouts, operator, unfused

_WEIGHTS = {
    "scale": Slot("param_attr"),
    "B": Slot("bias_attr"),
    "input_mean": Slot("moving_mean_name"),
    "input_var": Slot("moving_variance_name"),
}
_STATISTICS = {"momentum": "weight of the old value", "running variance": "biased"}
_KEEPS = "upscale_in_train"
_LIMITS = ("an epsilon above 0.001",)


def _small_epsilon(facts: Facts) -> bool:
    return bool(facts["epsilon"] <= 1e-3)


def _batch_norm_operators() -> list[Card]:
    return [
        operator(
            "BatchNormalization",
            "batch_norm",
            inputs={"X": slot},
            weights={"scale": "Scale", "B": "Bias", "input_mean": "Mean", "input_var": "Variance"},
            epsilon=same("epsilon", 1e-5),
            momentum=same("momentum", 0.9),
            fixed={**order, **unfused("fuse_with_relu"), "trainable_statistics": Fixed(False, False)},
            ignored=("use_global_stats",),
            traits=_STATISTICS,
        )
        for order, slot in layouts("NCHW", "NHWC", "X", "data_layout")
    ]


def _lrn_operators() -> list[Card]:
    return [
        operator(
            "LRN",
            "lrn",
            inputs={"X": slot},
            size=same("n", 5),
            bias=same("k", 2.0),
            alpha=by_size("alpha", 1e-4),
            beta=same("beta", 0.75),
            fixed=order,
        )
        for order, slot in layouts("NCHW", "NHWC", "X")
    ]


CARDS = (
    card(
        "BatchNormalization",
        "paddle.fluid.layers.batch_norm",
        when=_small_epsilon,
        inputs={"X": "input"},
        weights=_WEIGHTS,
        momentum=same("momentum", 0.9),
        epsilon=same("epsilon", 1e-5),
        fixed={"data_layout": Fixed("NCHW", "NCHW"), "use_global_stats": Fixed(False, False)},
        ignored=("act", "is_test", "in_place", "name", "do_model_average_for_mean_and_var"),
        limits=_LIMITS,
        traits=_STATISTICS | {"training default": "the batch's own statistics until told otherwise"},
    ),
    card(
        "BatchNormalization",
        "paddle.fluid.dygraph.BatchNorm",
        when=_small_epsilon,
        kind=Kind.LAYER,
        write=False,
        inputs={"X": "input"},
        weights={"scale": "weight", "B": "bias", "input_mean": "_mean", "input_var": "_variance"},
        channels=same("num_channels", positional=True),
        momentum=same("momentum", 0.9),
        epsilon=same("epsilon", 1e-5),
        fixed={"data_layout": Fixed("NCHW", "NCHW"), "use_global_stats": Fixed(False, False)},
        ignored=(
            *("act", "is_test", "param_attr", "bias_attr", "dtype", "in_place", "moving_mean_name"),
            *("moving_variance_name", "do_model_average_for_mean_and_var", "trainable_statistics"),
        ),
        limits=_LIMITS,
        traits=_STATISTICS,
    ),
    *_batch_norm_operators(),
    card(
        "LRN",
        "paddle.fluid.layers.lrn",
        inputs={"X": "input"},
        ranks=(2,),
        when=lambda facts: bool(facts["size"] % 2),
        size=same("n", 5),
        bias=same("k", 1.0),
        alpha=by_size("alpha", 1e-4),
        beta=same("beta", 0.75),
        fixed={"data_format": Fixed("NCHW", "NCHW")},
        ignored=("name",),
        limits=("a window of even size",),
    ),
    *_lrn_operators(),
    card(
        "Dropout",
        "paddle.fluid.layers.dropout",
        inputs={"data": "x"},
        ratio=same("dropout_prob", positional=True),
        seed=same("seed", None),
        fixed={"dropout_implementation": Fixed(_KEEPS, "downgrade_in_infer")},
        ignored=("is_test", "name"),
        traits={
            "dropout_implementation": "the default, downgrade_in_infer, scales by 1 − p at inference, not in training"
        },
    ),
    card(
        "Dropout",
        "paddle.fluid.dygraph.Dropout",
        kind=Kind.LAYER,
        write=False,
        inputs={"data": "input"},
        ratio=same("p", 0.5, positional=True),
        seed=same("seed", None),
        fixed={"dropout_implementation": Fixed(_KEEPS, "downgrade_in_infer")},
        ignored=("is_test",),
    ),
    operator(
        "Dropout",
        "dropout",
        inputs={"data": "X"},
        ratio=same("dropout_prob", 0.5),
        fixed={"dropout_implementation": Fixed(_KEEPS, "downgrade_in_infer")},
        ignored=("fix_seed", "seed"),
    ),
)
