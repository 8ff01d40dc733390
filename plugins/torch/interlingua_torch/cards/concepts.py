"""Concepts beside the ops: inputs and losses."""

from typing import Any

from interlingua.adapters import choice, parameter, told_otherwise
from interlingua.cards import Adapter, Card, Facts, Fixed, Kind, card


def _to_ignore(value: Any, facts: Facts) -> Any:
    return -100 if value is None else value


def _loss(api: str, kind: Kind) -> Card:
    return card(
        "softmax_cross_entropy",
        api,
        kind=kind,
        write=kind is Kind.FUNCTION,
        inputs={"logits": "input", "labels": "target"},
        reduction=choice("reduction", "mean", none="none", mean="mean", sum="sum"),
        ignore_index=parameter("ignore_index", -100, Adapter("ignore", _to_ignore, lambda value, facts: value)),
        soft_labels=told_otherwise("labels of a floating dtype are probabilities"),
        fixed={"weight": Fixed(None, None), "label_smoothing": Fixed(0.0, 0.0)},
        ignored=("size_average", "reduce"),
        traits={
            "class axis": "1",
            "labels": "class numbers, or probabilities where the dtype is floating",
            "returns": "scalar mean",
            "mean denominator": "samples that count",
        },
    )


CARDS = (
    card(
        "placeholder",
        "torch.export.Dim",
        remark="No placeholder: example inputs tell shape and dtype, `Dim` names the axes that may vary.",
        traits={"unknown axis": "Dim('n') for that axis at export"},
    ),
    card("interlingua::StopGradient", "torch.Tensor.detach", kind=Kind.METHOD, inputs={"X": "self"}),
    _loss("torch.nn.functional.cross_entropy", Kind.FUNCTION),
    _loss("torch.nn.CrossEntropyLoss", Kind.LAYER),
)
