"""Activations."""

from interlingua.records import Input, attribute, constant, derived, record_of

_X = [Input("X")]

RECORDS = (
    record_of("Relu", "max(x, 0)", _X, synonyms=["rectified linear"]),
    record_of(
        "LeakyRelu",
        "x where x ≥ 0, else alpha · x",
        _X,
        [attribute("alpha", 0.01, "slope below zero")],
        synonyms=["leaky"],
    ),
    record_of(
        "PRelu",
        "x where x ≥ 0, else slope · x with a learned slope",
        [Input("X", "N C *"), Input("slope", "", learned=True)],
        [derived("slopes", "how many slopes: one for each channel, or one in all")],
        outputs=[Input("Y", "N C *")],
        synonyms=["parametric relu"],
    ),
    record_of("Elu", "x where x > 0, else alpha · (exp(x) − 1)", _X, [attribute("alpha", 1.0, "limit below zero")]),
    record_of("Sigmoid", "1 / (1 + exp(−x))", _X, synonyms=["logistic"]),
    record_of("Tanh", "hyperbolic tangent", [Input("input")], outputs=[Input("output")]),
    record_of(
        "Softmax",
        "exp(x) over its sum along an axis",
        [Input("input")],
        [attribute("axis", -1, "the axis that sums to one")],
        outputs=[Input("output")],
    ),
    record_of(
        "Clip",
        "x held between min and max",
        [Input("input")],
        [constant("min", None, "lower bound"), constant("max", None, "upper bound")],
        outputs=[Input("output")],
        synonyms=["clamp", "hardtanh", "relu6", "clip_by_value"],
    ),
    record_of(
        "LogSoftmax",
        "the logarithm of Softmax",
        [Input("input")],
        [attribute("axis", -1, "the axis whose exponentials sum to one")],
        outputs=[Input("output")],
    ),
    record_of(
        "Hardmax",
        "1 at the first maximum along an axis, else 0",
        [Input("input")],
        [attribute("axis", -1, "the axis of which one element is 1")],
        outputs=[Input("output")],
    ),
    record_of(
        "Gelu",
        "x · Φ(x) with the distribution of the normal law, exactly or by tanh",
        _X,
        [attribute("approximate", "none", "none or tanh")],
    ),
    record_of("Swish", "x · sigmoid(alpha · x)", _X, [attribute("alpha", 1.0)], synonyms=["silu"]),
    record_of("Mish", "x · tanh(softplus(x))", _X),
    record_of(
        "HardSigmoid", "alpha · x + beta held between 0 and 1", _X, [attribute("alpha", 0.2), attribute("beta", 0.5)]
    ),
    record_of("HardSwish", "x · HardSigmoid(x) with alpha 1/6", _X),
    record_of("Softplus", "log(1 + exp(x))", _X),
    record_of("Softsign", "x / (1 + |x|)", [Input("input")], outputs=[Input("output")]),
    record_of(
        "Selu",
        "gamma · Elu(x)",
        _X,
        [attribute("alpha", 1.6732632, "limit below zero"), attribute("gamma", 1.050701, "factor of it all")],
    ),
    record_of(
        "Celu",
        "x where x ≥ 0, else alpha · (exp(x / alpha) − 1)",
        _X,
        [attribute("alpha", 1.0, "limit below zero")],
    ),
    record_of("ThresholdedRelu", "x where x > alpha, else 0", _X, [attribute("alpha", 1.0, "the threshold")]),
    record_of(
        "Shrink",
        "x drawn toward zero by bias beyond lambd on either side, 0 between",
        [Input("input")],
        [attribute("bias", 0.0, "by how much"), attribute("lambd", 0.5, "from where")],
        outputs=[Input("output")],
        synonyms=["softshrink", "hardshrink"],
    ),
)
