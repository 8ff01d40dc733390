"""Normalizations and dropout."""

from interlingua.adapters import same
from interlingua.cards import Fixed, Kind, Slot, card
from interlingua_keras.cards.forms import AXIS, told, trained

_STATISTICS = ("beta", "gamma", "moving_mean", "moving_variance")

CARDS = (
    card(
        "BatchNormalization",
        "keras.layers.BatchNormalization",
        kind=Kind.LAYER,
        inputs={"X": Slot("inputs", "N * C")},
        weights={
            "scale": Slot("gamma", default=None),
            "B": Slot("beta", default=None),
            "input_mean": Slot("moving_mean"),
            "input_var": Slot("moving_variance"),
        },
        outputs={"Y": "N * C"},
        momentum=same("momentum", 0.99),
        epsilon=same("epsilon", 1e-3),
        fixed={"renorm": Fixed(False, False)},
        ignored=(*trained(*_STATISTICS), AXIS, "center", "scale", "synchronized", "renorm_clipping", "renorm_momentum"),
        traits={"momentum": "weight of the old value", "running variance": "biased"},
    ),
    card(
        "BatchNormalization",
        "keras.ops.batch_normalization",
        write=False,
        read=False,
        inputs={
            "X": Slot("x", "N * C"),
            "input_mean": "mean",
            "input_var": "variance",
            "B": Slot("offset", default=None),
            "scale": Slot("scale", default=None),
        },
        outputs={"Y": "N * C"},
        fixed={AXIS: Fixed(-1)},
        momentum=told("momentum", "nothing is learned"),
        epsilon=same("epsilon", 1e-3),
    ),
    card(
        "LRN",
        "keras.ops.average_pool",
        read=False,
        inputs={"X": Slot("inputs", "N * C")},
        outputs={"Y": "N * C"},
        size=same("pool_size"),
        alpha=told("alpha", "written out"),
        beta=told("beta", "written out"),
        bias=told("bias", "written out"),
        remark="No layer: x / (bias + alpha · mean)**beta, the mean of squares over channels by average_pool.",
    ),
    card(
        "Dropout",
        "keras.layers.Dropout",
        kind=Kind.LAYER,
        inputs={"data": "inputs"},
        ratio=same("rate", positional=True),
        fixed={"noise_shape": Fixed(None, None)},
        seed=same("seed", None),
        ignored=trained(),
    ),
)
