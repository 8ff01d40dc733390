"""Concepts beside the ops: inputs and losses."""

from typing import Any

from interlingua.adapters import choice, parameter
from interlingua.cards import Adapter, Facts, card


def _to_ignore(value: Any, facts: Facts) -> Any:
    return -100 if value is None else value


CARDS = (
    card(
        "placeholder",
        "torch.export.Dim",
        aliases=("torch.randn",),
        remark="No placeholder: example inputs tell shape and dtype, `Dim` names the axes that may vary.",
        traits={"unknown axis": "Dim('n') for that axis at export"},
    ),
    card(
        "softmax_cross_entropy",
        "torch.nn.functional.cross_entropy",
        inputs={"logits": "input", "labels": "target"},
        reduction=choice("reduction", "mean", none="none", mean="mean", sum="sum"),
        ignore_index=parameter("ignore_index", -100, Adapter("ignore", _to_ignore, lambda value, facts: value)),
        ignored=("weight", "size_average", "reduce", "label_smoothing"),
        traits={
            "class axis": "1",
            "labels": "class numbers, or probabilities where the dtype is floating",
            "returns": "scalar mean",
            "mean denominator": "samples that count",
        },
        aliases=("torch.nn.CrossEntropyLoss",),
    ),
)
