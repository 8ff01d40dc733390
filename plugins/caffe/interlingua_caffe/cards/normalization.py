"""Normalizations and dropout. Caffe's BatchNorm only normalizes: scale and shift are a Scale layer after it."""

from interlingua.adapters import same
from interlingua.cards import Fixed, Slot
from interlingua_caffe.cards.forms import X, layer, odd

CARDS = (
    layer(
        "BatchNormalization",
        "BatchNorm",
        X,
        weights={"input_mean": Slot("blobs[0]"), "input_var": Slot("blobs[1]")},
        epsilon=same("batch_norm_param.eps", 1e-5),
        momentum=same("batch_norm_param.moving_average_fraction", 0.999),
        fixed={"batch_norm_param.use_global_stats": Fixed(True, True)},
        ignored=("batch_norm_param.filler", "batch_norm_param.bias_filler"),
        limits=("scale and shift: the Scale layer after it",),
        traits={
            "statistics": "stored times blobs[2], their running weight",
            "use_global_stats default": "true at test, false in training",
            "running variance": "unbiased",
        },
    ),
    layer(
        "LRN",
        "LRN",
        X,
        ranks=(2,),
        size=odd("lrn_param.local_size", 5),
        alpha=same("lrn_param.alpha", 1.0),
        beta=same("lrn_param.beta", 0.75),
        bias=same("lrn_param.k", 1.0),
        fixed={"lrn_param.norm_region": Fixed("ACROSS_CHANNELS", "ACROSS_CHANNELS")},
        ignored=("lrn_param.engine",),
        limits=("a window of even size", "one or three spatial axes"),
        traits={"alpha": "divided by the window's size"},
    ),
    layer(
        "Dropout",
        "Dropout",
        {"data": "bottom[0]"},
        ratio=same("dropout_param.dropout_ratio", 0.5),
        fixed={
            "dropout_param.scale_train": Fixed(True, True),
            "dropout_param.sample_weights_test": Fixed(False, False),
        },
    ),
)
