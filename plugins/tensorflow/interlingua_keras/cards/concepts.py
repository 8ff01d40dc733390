"""Concepts beside the ops: inputs and losses."""

from typing import Any

from interlingua.adapters import choice, parameter, same
from interlingua.cards import Adapter, Card, Facts, Fixed, Kind, card
from interlingua_keras.cards.forms import without_batch

_DTYPE = Adapter("dtype", lambda value, facts: value, lambda value, facts: value or "float32", "by name")
_REDUCTIONS = {"none": "none", "mean": "sum_over_batch_size", "sum": "sum"}


def _classes_last(facts: Facts) -> bool:
    """Whether the classes stand on the last axis."""
    shape = facts.shapes.get("logits")
    return facts["axis"] == -1 or (shape is not None and facts["axis"] == len(shape) - 1)


def _entropy(api: str, soft: bool, **more: Any) -> Card:
    fixed = {"from_logits": Fixed(True, False), **({"label_smoothing": Fixed(0.0, 0.0)} if soft else {})}
    parameters: dict[str, Any] = {} if soft else {"ignore_index": same("ignore_class", None)}
    return card(
        "softmax_cross_entropy",
        api,
        inputs={"labels": "y_true", "logits": "y_pred"},
        when=None if soft else _classes_last,
        fixed=fixed,
        implied={"soft_labels": soft, **more.pop("implied", {})},
        axis=same("axis", -1),
        ignored=("name", "dtype"),
        traits={"labels": "probabilities" if soft else "class numbers", "class axis": "the last", **more.pop("traits")},
        **parameters,
        **more,
    )


def _function(api: str, soft: bool) -> Card:
    return _entropy(api, soft, implied={"reduction": "none"}, traits={"returns": "one loss a sample"})


def _class(api: str, soft: bool) -> Card:
    reduction = choice("reduction", "sum_over_batch_size", **_REDUCTIONS)
    return _entropy(
        api,
        soft,
        kind=Kind.LAYER,
        reduction=reduction,
        traits={"returns": "scalar mean", "mean denominator": "all samples"},
    )


CARDS = (
    card(
        "placeholder",
        "keras.Input",
        limits=("a batch axis of known size: batch_size tells it",),
        shape=without_batch("shape", positional=True),
        dtype=parameter("dtype", None, _DTYPE),
        name=same("name", None),
        ignored=("sparse", "ragged", "optional", "batch_size", "batch_shape", "tensor"),
        aliases=("keras.layers.InputLayer",),
        traits={"unknown axis": "None", "batch axis": "left out"},
    ),
    _function("keras.losses.sparse_categorical_crossentropy", False),
    _function("keras.losses.categorical_crossentropy", True),
    _class("keras.losses.SparseCategoricalCrossentropy", False),
    _class("keras.losses.CategoricalCrossentropy", True),
)
