"""Concepts beside the ops: inputs and losses."""

from typing import Any

from interlingua.adapters import parameter, same
from interlingua.cards import REQUIRED, Adapter, Facts, Fixed, Slot, card
from interlingua.errors import Unsupported


def _open(value: Any, facts: Facts) -> Any:
    return [None if isinstance(axis, str) else axis for axis in value]


def _named(value: Any, facts: Facts) -> Any:
    return [None if axis in (None, -1) else axis for axis in value]


def _without_batch(value: Any, facts: Facts) -> Any:
    if not value or isinstance(value[0], int) or not all(isinstance(axis, int) for axis in value[1:]):
        raise Unsupported("layers.data puts an open batch axis in front and takes no other open axis")
    return list(value[1:])


def _with_batch(value: Any, facts: Facts) -> Any:
    return _named(value if -1 in value or None in value else [None, *value], facts)


def _class_number(value: Any, facts: Facts) -> Any:
    return -100 if value is None else value


_OPEN = Adapter("open", _open, _named, "None or −1 for an open axis")
_BATCHED = Adapter("without_batch", _without_batch, _with_batch, "without the batch axis, which is put in front")
_IGNORE = Adapter("ignore", _class_number, lambda value, facts: value, "−100 where unsaid")
_BOOL = Adapter("boolean", lambda value, facts: bool(value), lambda value, facts: bool(value))


def _classes_last(facts: Facts) -> bool:
    """Whether the classes stand on the last axis."""
    shape = facts.shapes.get("logits")
    return facts["axis"] == -1 or (shape is not None and facts["axis"] == len(shape) - 1)


CARDS = (
    card(
        "placeholder",
        "paddle.fluid.data",
        name=same("name", positional=True),
        shape=parameter("shape", REQUIRED, _OPEN, positional=True),
        dtype=same("dtype", "float32"),
        ignored=("lod_level",),
        traits={"unknown axis": "None or −1", "checked": "what is fed must have this shape and type"},
    ),
    card(
        "placeholder",
        "paddle.fluid.layers.data",
        write=False,
        name=same("name"),
        shape=parameter("shape", REQUIRED, _BATCHED),
        dtype=same("dtype", "float32"),
        fixed={"append_batch_size": Fixed(True, True)},
        ignored=("lod_level", "type", "stop_gradient"),
        traits={
            "unknown axis": "−1; a batch axis is put in front unless one is −1 or append_batch_size=False",
            "gradient": "stop_gradient=False lets it reach the input",
        },
    ),
    card(
        "softmax_cross_entropy",
        "paddle.fluid.layers.softmax_with_cross_entropy",
        when=_classes_last,
        inputs={"logits": "logits", "labels": Slot("label", "N * 1")},
        outputs={"loss": "N * 1"},
        soft_labels=parameter("soft_label", False, _BOOL),
        ignore_index=parameter("ignore_index", -100, _IGNORE),
        axis=same("axis", -1),
        implied={"reduction": "none"},
        ignored=("numeric_stable_mode", "return_softmax"),
        traits={
            "class axis": "the last",
            "labels": "class numbers, or probabilities where soft_label says so",
            "returns": "one loss a sample, the class axis kept with size 1",
        },
    ),
)
