"""Concepts beside the operators: inputs of a graph, and a loss that ONNX has an operator for."""

from typing import Any

from interlingua.adapters import choice, parameter, same
from interlingua.cards import Adapter, Facts, Slot, card
from interlingua.errors import Unsupported

_TYPES = {"FLOAT": "float32", "DOUBLE": "float64", "INT32": "int32", "INT64": "int64", "BOOL": "bool"}


def _element_type(value: Any, facts: Facts) -> Any:
    for theirs, ours in _TYPES.items():
        if ours == value:
            return theirs
    raise Unsupported(f"the element type {value!r}")


def _dtype(value: Any, facts: Facts) -> Any:
    return _TYPES[value]


CARDS = (
    card(
        "placeholder",
        "ValueInfo",
        aliases=("ValueInfoProto",),
        name=same("name"),
        dtype=parameter(
            "elem_type", adapter=Adapter("element_type", _element_type, _dtype, "FLOAT, INT64, …"), default=1
        ),
        shape=same("shape", None),
        traits={"unknown axis": "a name (dim_param) or nothing"},
    ),
    card(
        "softmax_cross_entropy",
        "SoftmaxCrossEntropyLoss",
        inputs={"logits": Slot("scores"), "labels": Slot("labels")},
        implied={"axis": 1, "soft_labels": False},
        reduction=choice("reduction", "mean", none="none", mean="mean", sum="sum"),
        ignore_index=same("ignore_index", None),
        limits=("labels as probabilities",),
        traits={
            "class axis": "1",
            "labels": "class numbers",
            "returns": "scalar mean",
            "mean denominator": "samples that count",
        },
    ),
)
