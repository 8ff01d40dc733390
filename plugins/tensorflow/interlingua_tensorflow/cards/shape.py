"""Shapes: reshaping, moving and joining axes, padding."""

from typing import Any

from interlingua.adapters import axes, choice, same, single
from interlingua.cards import REQUIRED, Facts, card
from interlingua.errors import Unsupported
from interlingua_tensorflow.adapters import as_written, told_elsewhere

_NAME = ("name",)


def _new_shape(value: Any, facts: Facts) -> Any:
    if 0 in value and not facts.get("allowzero"):
        raise Unsupported(f"a shape with a copied axis: {list(value)}")
    return list(value)


def pairs_of(facts: Facts) -> list[list[int]]:
    """ONNX's pads as a pair for each axis of the data."""
    count, value = facts["input_rank"], facts["pads"]
    said = facts.get("axes")
    pairs = [[0, 0] for _ in range(count)]
    for position, axis in enumerate(range(count) if said is None else said):
        pairs[axis] = [value[position], value[position + len(value) // 2]]
    return pairs


def _pairs(value: Any, facts: Facts) -> Any:
    if any(number < 0 for number in value):
        raise Unsupported(f"pads {list(value)} that cut off")
    return pairs_of(facts)


def _from_pairs(value: Any, facts: Facts) -> Any:
    return [pair[0] for pair in value] + [pair[1] for pair in value]


CARDS = (
    card(
        "Flatten",
        "tf.layers.flatten",
        inputs={"input": "inputs"},
        implied={"axis": 1},
        fixed={"data_format": "channels_last"},
        versions="<2",
        write=False,
        aliases=("tf.compat.v1.layers.flatten",),
        ignored=_NAME,
    ),
    card(
        "Reshape",
        "tf.reshape",
        inputs={"data": "tensor"},
        shape=as_written("shape", REQUIRED, _new_shape, lambda value, facts: list(value), ""),
        allowzero=told_elsewhere("allowzero", "a 0 in the shape, which is a size"),
        ignored=_NAME,
    ),
    card(
        "Transpose",
        "tf.transpose",
        inputs={"data": "a"},
        perm=same("perm", None, positional=True),
        ignored=("name", "conjugate"),
    ),
    card("Concat", "tf.concat", inputs={"inputs": "values"}, axis=same("axis"), ignored=_NAME),
    card("Squeeze", "tf.squeeze", inputs={"data": "input"}, axes=axes("axis", None), versions=">=2", ignored=_NAME),
    card(
        "Squeeze",
        "tf.squeeze",
        inputs={"data": "input"},
        axes=axes("axis", None),
        versions="<2",
        write=False,
        ignored=("name", "squeeze_dims"),
    ),
    card("Unsqueeze", "tf.expand_dims", inputs={"data": "input"}, axes=single("axis"), ignored=("name", "dim")),
    card(
        "Pad",
        "tf.pad",
        inputs={"data": "tensor"},
        pads=as_written("paddings", REQUIRED, _pairs, _from_pairs, "a pair for each axis"),
        axes=told_elsewhere("axes", "the pairs"),
        mode=choice("mode", "CONSTANT", constant="CONSTANT", reflect="REFLECT"),
        constant_value=same("constant_values", 0),
        ignored=_NAME,
    ),
)
