"""Concepts beside the ops: inputs and losses."""

from typing import Any

from interlingua.adapters import choice, parameter, same
from interlingua.cards import Adapter, Card, Facts, Fixed, Kind, Slot, card


def _to_ignore(value: Any, facts: Facts) -> Any:
    return -100 if value is None else value


def _from_ignore(value: Any, facts: Facts) -> Any:
    return value


_IGNORE = parameter("ignore_index", -100, Adapter("ignore", _to_ignore, _from_ignore))
_DTYPE = Adapter("dtype", lambda value, facts: value, lambda value, facts: value or "float32", "by name")


def _one_number_a_sample(facts: Facts) -> bool:
    """Whether the loss has the canonical shape: of soft labels Paddle keeps the class axis, with size 1."""
    return not (facts.get("soft_labels") and facts.get("reduction") == "none")


def _loss(api: str, kind: Kind) -> Card:
    return card(
        "softmax_cross_entropy",
        api,
        kind=kind,
        write=kind is Kind.FUNCTION,
        when=_one_number_a_sample,
        limits=("one loss a sample of soft labels: the class axis stays with size 1",),
        inputs={"logits": "input", "labels": "label"},
        ignore_index=_IGNORE,
        reduction=choice("reduction", "mean", none="none", mean="mean", sum="sum"),
        soft_labels=same("soft_label", False),
        axis=same("axis", -1),
        fixed={"use_softmax": Fixed(True, True), "weight": Fixed(None, None), "label_smoothing": Fixed(0.0, 0.0)},
        ignored=("name",),
        traits={
            "class axis": "the last",
            "labels": "class numbers, or probabilities where soft_label says so",
            "returns": "scalar mean",
            "mean denominator": "samples that count",
        },
    )


def _classes_last(facts: Facts) -> bool:
    """Whether the classes stand on the last axis."""
    shape = facts.shapes.get("logits")
    return facts["axis"] == -1 or (shape is not None and facts["axis"] == len(shape) - 1)


CARDS = (
    card(
        "placeholder",
        "paddle.static.InputSpec",
        shape=same("shape"),
        dtype=same("dtype", "float32"),
        name=same("name", None),
        ignored=("stop_gradient",),
        traits={"unknown axis": "None or −1"},
        remark="Describes an input of paddle.jit.save and paddle.jit.to_static.",
    ),
    card(
        "placeholder",
        "paddle.static.data",
        name=same("name"),
        shape=same("shape"),
        dtype=parameter("dtype", None, _DTYPE),
        ignored=("lod_level",),
        traits={"unknown axis": "None or −1"},
        remark="Only in static mode (paddle.enable_static()).",
    ),
    _loss("paddle.nn.functional.cross_entropy", Kind.FUNCTION),
    _loss("paddle.nn.CrossEntropyLoss", Kind.LAYER),
    card(
        "softmax_cross_entropy",
        "paddle.nn.functional.softmax_with_cross_entropy",
        write=False,
        when=_classes_last,
        inputs={"logits": "logits", "labels": Slot("label", "N * 1")},
        outputs={"loss": "N * 1"},
        implied={"reduction": "none"},
        soft_labels=same("soft_label", False),
        ignore_index=_IGNORE,
        axis=same("axis", -1),
        fixed={"return_softmax": Fixed(False, False)},
        ignored=("numeric_stable_mode",),
        traits={
            "class axis": "the last",
            "labels": "class numbers, or probabilities where soft_label says so",
            "returns": "one loss a sample, the class axis kept with size 1",
        },
    ),
)
