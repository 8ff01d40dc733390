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
)
