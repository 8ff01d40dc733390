"""Shapes: reshaping, moving and joining axes, padding."""

import math
from typing import Any

from interlingua.adapters import axes, choice, parameter, same
from interlingua.cards import REQUIRED, Adapter, Facts, Kind, card
from interlingua.errors import Unsupported
from interlingua_keras.cards.forms import DATA_FORMAT, PLAIN, told


def _keeps_batch(facts: Facts) -> bool:
    """Whether a new shape leaves the first axis alone and says all others."""
    target, given = facts.get("shape"), facts.shapes.get("data")
    if not isinstance(target, list) or not target or given is None or facts.get("allowzero"):
        return False
    rest = given[1:]
    if not all(isinstance(size, int) for size in rest) or target.count(-1) + target.count(0) > 1:
        return False
    sizes = math.prod(size for size in rest if isinstance(size, int))
    return (target[0] in (0, -1) or target[0] == given[0]) and -1 not in target[1:] and math.prod(target[1:]) == sizes


def _new_shape(value: Any, facts: Facts) -> Any:
    if 0 in value:
        raise Unsupported(f"a shape with a copied axis: {list(value)}")
    return tuple(value)


def _pairs(facts: Facts) -> list[tuple[int, int]]:
    """ONNX's pads as (begin, end) for every axis."""
    pads, count = facts["pads"], facts["input_rank"]
    said = facts.get("axes") or range(count)
    rows = [(0, 0)] * count
    half = len(pads) // 2
    for position, axis in enumerate(said):
        rows[axis % count] = (pads[position], pads[position + half])
    return rows


def _zeros_around_space(facts: Facts) -> bool:
    rows = _pairs(facts)
    plain = facts["mode"] == "constant" and facts.get("constant_value") in (0, 0.0, None)
    nothing_negative = all(number >= 0 for row in rows for number in row)
    return plain and nothing_negative and facts.rank in (1, 2, 3) and rows[0] == rows[-1] == (0, 0)


def _around_space(value: Any, facts: Facts) -> Any:
    rows = _pairs(facts)[1:-1]
    if len({number for row in rows for number in row}) == 1:
        return rows[0][0]
    return rows[0] if facts.rank == 1 else tuple(rows)


def _read_around_space(value: Any, facts: Facts) -> list[int]:
    count = facts.rank
    if isinstance(value, int):
        rows = [(value, value)] * count
    elif count == 1:
        rows = [(value[0], value[1])]
    else:
        rows = [(row, row) if isinstance(row, int) else (row[0], row[1]) for row in value]
    return [0, *(row[0] for row in rows), 0, 0, *(row[1] for row in rows), 0]


def _every_axis(value: Any, facts: Facts) -> Any:
    rows = _pairs(facts)
    if any(number < 0 for row in rows for number in row):
        raise Unsupported("axes cut off, which is no padding")
    return tuple(rows)


def _read_every_axis(value: Any, facts: Facts) -> list[int]:
    rows = value if isinstance(value[0], list | tuple) else [value] * facts["input_rank"]
    return [row[0] for row in rows] + [row[1] for row in rows]


def _fill(value: Any, facts: Facts) -> Any:
    return value if value and facts["mode"] == "constant" else None


def _is_permutation_of_features(facts: Facts) -> bool:
    order = facts.get("perm")
    return bool(order) and order[0] == 0


_TARGET = Adapter(
    "without_batch", lambda value, facts: tuple(value[1:]), lambda value, facts: [0, *value], "without the batch"
)
_SHAPE = Adapter("new_shape", _new_shape, lambda value, facts: list(value))
_DIMS = Adapter(
    "features",
    lambda value, facts: tuple(value[1:]),
    lambda value, facts: [0, *value],
    "without the batch, counted from 1",
)
_SPACE = Adapter("around_space", _around_space, _read_around_space, "spatial axes only, begin and end of each")
_FILL = Adapter("fill", _fill, lambda value, facts: 0.0 if value is None else float(value), "in mode constant only")
_ALL = Adapter("every_axis", _every_axis, _read_every_axis, "(begin, end) for every axis")

CARDS = (
    card(
        "Flatten",
        "keras.layers.Flatten",
        kind=Kind.LAYER,
        inputs={"input": "inputs"},
        when=lambda facts: facts["axis"] == 1,
        ignored=(*PLAIN, DATA_FORMAT),
    ),
    card(
        "Reshape",
        "keras.layers.Reshape",
        kind=Kind.LAYER,
        when=_keeps_batch,
        inputs={"data": "inputs"},
        shape=parameter("target_shape", REQUIRED, _TARGET, positional=True),
        ignored=PLAIN,
    ),
    card(
        "Reshape",
        "keras.ops.reshape",
        inputs={"data": "x"},
        shape=parameter("newshape", REQUIRED, _SHAPE, positional=True),
        ignored=PLAIN,
    ),
    card(
        "Transpose",
        "keras.layers.Permute",
        kind=Kind.LAYER,
        when=_is_permutation_of_features,
        inputs={"data": "inputs"},
        perm=parameter("dims", REQUIRED, _DIMS, positional=True),
        ignored=PLAIN,
    ),
    card(
        "Transpose",
        "keras.ops.transpose",
        inputs={"data": "x"},
        perm=same("axes", None, positional=True),
        ignored=PLAIN,
    ),
    card(
        "Concat",
        "keras.layers.Concatenate",
        kind=Kind.LAYER,
        inputs={"inputs": "inputs"},
        axis=same("axis", -1),
        ignored=PLAIN,
    ),
    card("Concat", "keras.ops.concatenate", inputs={"inputs": "xs"}, axis=same("axis", 0), ignored=PLAIN),
    card("Squeeze", "keras.ops.squeeze", inputs={"data": "x"}, axes=axes("axis", None), ignored=PLAIN),
    card("Unsqueeze", "keras.ops.expand_dims", inputs={"data": "x"}, axes=axes("axis"), ignored=PLAIN),
    card(
        "Pad",
        "keras.layers.ZeroPadding{n}D",
        kind=Kind.LAYER,
        ranks=(1, 2, 3),
        when=_zeros_around_space,
        inputs={"data": "inputs"},
        pads=parameter("padding", 1, _SPACE, positional=True),
        axes=told("axes", "the spatial axes"),
        ignored=(*PLAIN, DATA_FORMAT),
    ),
    card(
        "Pad",
        "keras.ops.pad",
        inputs={"data": "x"},
        pads=parameter("pad_width", REQUIRED, _ALL, positional=True),
        axes=told("axes", "every axis"),
        mode=choice("mode", "constant", constant="constant", reflect="reflect"),
        constant_value=parameter("constant_values", None, _FILL),
        ignored=PLAIN,
    ),
)
