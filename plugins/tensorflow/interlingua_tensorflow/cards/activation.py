"""Activations."""

from interlingua.adapters import same
from interlingua.cards import card
from interlingua_tensorflow.adapters import bound, unsaid_for

_NAME = ("name",)

CARDS = (
    card("Relu", "tf.nn.relu", inputs={"X": "features"}, ignored=_NAME),
    card("LeakyRelu", "tf.nn.leaky_relu", inputs={"X": "features"}, alpha=same("alpha", 0.2), ignored=_NAME),
    card("Elu", "tf.nn.elu", inputs={"X": "features"}, limits=("an alpha other than 1",), ignored=_NAME),
    card("Sigmoid", "tf.sigmoid", inputs={"X": "x"}, aliases=("tf.nn.sigmoid", "tf.math.sigmoid"), ignored=_NAME),
    card("Tanh", "tf.tanh", inputs={"input": "x"}, aliases=("tf.nn.tanh", "tf.math.tanh"), ignored=_NAME),
    card(
        "Softmax",
        "tf.nn.softmax",
        inputs={"input": "logits"},
        axis=unsaid_for("axis", None, -1),
        versions=">=2",
        ignored=_NAME,
        traits={"axis default": "the last"},
    ),
    card(
        "Softmax",
        "tf.nn.softmax",
        inputs={"input": "logits"},
        axis=unsaid_for("axis", None, -1),
        versions="<2",
        write=False,
        ignored=("name", "dim"),
        traits={"axis default": "the last"},
        remark="`dim` is the older name of `axis`.",
    ),
    card("Clip", "tf.nn.relu6", inputs={"input": "features"}, implied={"min": 0.0, "max": 6.0}, ignored=_NAME),
    card(
        "Clip",
        "tf.clip_by_value",
        inputs={"input": "t"},
        min=bound("clip_value_min"),
        max=bound("clip_value_max"),
        limits=("one bound only",),
        ignored=_NAME,
    ),
    card("Clip", "tf.maximum", inputs={"input": "x"}, min=bound("y"), limits=("an upper bound",), ignored=_NAME),
    card("Clip", "tf.minimum", inputs={"input": "x"}, max=bound("y"), limits=("a lower bound",), ignored=_NAME),
)
