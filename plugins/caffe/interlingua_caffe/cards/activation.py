"""Activations."""

from interlingua.adapters import parameter, same
from interlingua.cards import Adapter, Facts, Fixed, Slot
from interlingua_caffe.cards.forms import X, axis, layer

_SLOPE = "relu_param.negative_slope"


def _both_bounds(facts: Facts) -> bool:
    return facts.get("min") is not None and facts.get("max") is not None


_SHARED = Adapter("shared", lambda value, facts: value == 1, None, "one slope for all channels")

CARDS = (
    layer("Relu", "ReLU", X, fixed={_SLOPE: Fixed(0.0, 0.0)}, ignored=("relu_param.engine",)),
    layer("LeakyRelu", "ReLU", X, alpha=same(_SLOPE, 0.0), ignored=("relu_param.engine",)),
    layer(
        "PRelu",
        "PReLU",
        X,
        weights={"slope": Slot("blobs[0]", "C")},
        slopes=parameter("prelu_param.channel_shared", False, _SHARED),
        ignored=("prelu_param.filler",),
    ),
    layer("Elu", "ELU", X, alpha=same("elu_param.alpha", 1.0)),
    layer("Sigmoid", "Sigmoid", X, ignored=("sigmoid_param.engine",)),
    layer("Tanh", "TanH", {"input": "bottom[0]"}, ignored=("tanh_param.engine",)),
    layer(
        "Softmax",
        "Softmax",
        {"input": "bottom[0]"},
        axis=axis("softmax_param.axis", 1),
        ignored=("softmax_param.engine",),
        traits={"axis default": "1"},
    ),
    layer(
        "Clip",
        "Clip",
        {"input": "bottom[0]"},
        when=_both_bounds,
        min=same("clip_param.min"),
        max=same("clip_param.max"),
        limits=("one bound only",),
    ),
)
