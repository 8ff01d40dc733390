"""Concepts that ONNX has no operator for, or that stand outside the graph."""

from interlingua.records import Input, attribute, record_of

RECORDS = (
    record_of(
        "placeholder",
        "a graph's input with a partly unknown shape",
        [],
        [
            attribute("shape", None, "the shape, None for an unknown axis"),
            attribute("dtype", "float32", "the element type"),
            attribute("name", None, "the input's name"),
        ],
        outputs=[Input("input")],
        synonyms=["input", "data", "feed", "InputSpec", "TensorSpec"],
        concept=True,
    ),
    record_of(
        "softmax_cross_entropy",
        "cross entropy of a softmax of logits with labels",
        [Input("logits", "N C *"), Input("labels", "N *")],
        [
            attribute("axis", 1, "the axis of the classes"),
            attribute("soft_labels", False, "labels are probabilities, not class numbers"),
            attribute("reduction", "mean", "none, sum or mean over the samples"),
            attribute("ignore_index", None, "the class number that does not count"),
        ],
        outputs=[Input("loss", "N *")],
        synonyms=["cross entropy", "softmax loss", "SoftmaxWithLoss"],
        concept=True,
    ),
)
