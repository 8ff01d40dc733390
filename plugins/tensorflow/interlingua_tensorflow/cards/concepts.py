"""Concepts beside the ops: inputs and losses."""

from typing import Any

from interlingua.adapters import parameter, same
from interlingua.cards import REQUIRED, Adapter, Card, Parameter, card

_LOSS = {"class axis": "the last", "returns": "one loss a sample"}


def _dtype(name: str, default: Any) -> Any:
    return parameter(name, default, Adapter("dtype", lambda v, f: f"tf.{v}", lambda v, f: str(v).removeprefix("tf.")))


_LAST = Adapter("same", lambda value, facts: value, lambda value, facts: -1 if value is None else value)


def _soft(api: str, versions: str, axis: Parameter, ignored: tuple[str, ...], **more: Any) -> Card:
    return card(
        "softmax_cross_entropy",
        api,
        inputs={"labels": "labels", "logits": "logits"},
        axis=axis,
        implied={"soft_labels": True, "reduction": "none"},
        versions=versions,
        ignored=ignored,
        limits=("class numbers",),
        **more,
    )


CARDS = (
    card(
        "placeholder",
        "tf.placeholder",
        dtype=_dtype("dtype", REQUIRED),
        shape=same("shape", None),
        name=same("name", None),
        versions="<2",
        aliases=("tf.compat.v1.placeholder",),
        write=False,
        traits={"unknown axis": "None"},
    ),
    card(
        "placeholder",
        "tf.TensorSpec",
        shape=same("shape"),
        dtype=_dtype("dtype", "tf.float32"),
        name=same("name", None),
        versions=">=2",
        traits={"unknown axis": "None"},
        remark="TensorFlow 2 feeds nothing: a `tf.function` takes tensors, `TensorSpec` says their shape and dtype.",
    ),
    _soft(
        "tf.nn.softmax_cross_entropy_with_logits",
        ">=2",
        same("axis", -1),
        ("name",),
        traits=_LOSS | {"labels": "probabilities", "gradient": "to logits and labels"},
    ),
    _soft(
        "tf.nn.softmax_cross_entropy_with_logits",
        "<2",
        same("dim", -1),
        ("name", "axis", "_sentinel"),
        traits=_LOSS | {"labels": "probabilities", "gradient": "to logits only"},
    ),
    _soft(
        "tf.nn.softmax_cross_entropy_with_logits_v2",
        "<2",
        parameter("axis", None, _LAST),
        ("name", "dim"),
        aliases=("tf.compat.v1.nn.softmax_cross_entropy_with_logits_v2",),
        traits=_LOSS | {"labels": "probabilities", "gradient": "to logits and labels"},
    ),
    card(
        "softmax_cross_entropy",
        "tf.nn.sparse_softmax_cross_entropy_with_logits",
        inputs={"labels": "labels", "logits": "logits"},
        implied={"soft_labels": False, "reduction": "none", "axis": -1},
        ignored=("name", "_sentinel"),
        limits=("probabilities as labels", "classes that do not stand last"),
        traits=_LOSS | {"labels": "class numbers"},
    ),
)
