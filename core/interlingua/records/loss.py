"""Losses that stand in the graph."""

from interlingua.records import Input, attribute, record_of

_PARAMETERS = [
    attribute("reduction", "mean", "none, sum or mean over the samples"),
    attribute("ignore_index", None, "the class number that does not count"),
]

RECORDS = (
    record_of(
        "NegativeLogLikelihoodLoss",
        "minus the logarithmic probability of the right class",
        [Input("input"), Input("target"), Input("weight", optional=True)],
        _PARAMETERS,
        outputs=[Input("loss")],
        synonyms=["nll_loss"],
    ),
    record_of(
        "SoftmaxCrossEntropyLoss",
        "cross entropy of a softmax of scores with class numbers",
        [Input("scores"), Input("labels"), Input("weights", optional=True)],
        _PARAMETERS,
        outputs=[Input("output"), Input("log_prob")],
        synonyms=["cross_entropy"],
    ),
)
