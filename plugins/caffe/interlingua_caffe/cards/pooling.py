"""Pooling of two spatial axes: Caffe rounds the output's size up unless told otherwise."""

from __future__ import annotations

import dataclasses
from typing import Any

from interlingua.adapters import halves, parameter, per_axis
from interlingua.cards import Adapter, Card, Facts, Fixed
from interlingua.errors import Unsupported
from interlingua_caffe.cards.forms import X, layer

_POOL, _GLOBAL = "pooling_param.pool", "pooling_param.global_pooling"
_LIMITS = ("padding that differs at the two ends of an axis", "one or three spatial axes", "dilated windows")


def windows(size: int, kernel: int, stride: int, pad: int, *, up: bool) -> int:
    """How many windows Caffe takes along an axis: a last one that would begin in the padding is left out."""
    room = size + 2 * pad - kernel
    count = (-(-room // stride) if up else room // stride) + 1
    return count - 1 if pad and (count - 1) * stride >= size + pad else count


def rounding_matters(facts: Facts) -> bool:
    """Whether rounding up and down give different sizes for this input; where a size is unknown they may."""
    shape, rank = facts.shapes.get("X"), facts.rank
    sizes = shape[2:] if shape else (None,) * rank
    rows = zip(sizes, facts["kernel_shape"], facts["strides"], facts["pads"][:rank], strict=True)
    return any(
        not isinstance(size, int)
        or windows(size, kernel, stride, pad, up=True) != windows(size, kernel, stride, pad, up=False)
        for size, kernel, stride, pad in rows
        if stride > 1 or not isinstance(size, int)
    )


def _lower_rounding(value: Any, facts: Facts) -> str:
    return "CEIL" if value or not rounding_matters(facts) else "FLOOR"


_ROUNDING = Adapter("rounding", _lower_rounding, lambda value, facts: int(value == "CEIL"), "up where unsaid")


def _pads(name: str) -> Any:
    base = halves(name, 0)

    def lower(value: Any, facts: Facts) -> Any:
        if any(pad >= size for pad, size in zip(value, [*facts["kernel_shape"]] * 2, strict=True)):
            raise Unsupported(f"pads {list(value)} are not less than the window {list(facts['kernel_shape'])}")
        return base.adapter.lower(value, facts)

    return parameter(name, 0, dataclasses.replace(base.adapter, lower=lower))


def _pooling(record: str, pool: str, **more: Any) -> Card:
    return layer(
        record,
        "Pooling",
        X,
        ranks=(2,),
        kernel_shape=per_axis("pooling_param.kernel_size"),
        strides=per_axis("pooling_param.stride", 1),
        pads=_pads("pooling_param.pad"),
        ceil_mode=parameter("pooling_param.round_mode", "CEIL", _ROUNDING),
        fixed={_POOL: Fixed(pool, "MAX"), _GLOBAL: Fixed(False, False)},
        ignored=("pooling_param.engine",),
        limits=_LIMITS,
        **more,
    )


_TRAITS = {"stride default": "1", "size": "rounded up"}
_AVERAGE = _pooling(
    "AveragePool",
    "AVE",
    implied={"count_include_pad": 1},
    traits=_TRAITS | {"mean denominator": "the window with its padding"},
)


def _lower_average(facts: Facts) -> dict[str, Any]:
    """Without padding it does not matter whether padding counts in the divisor."""
    counted = (
        facts if any(facts["pads"]) else dataclasses.replace(facts, values={**facts.values, "count_include_pad": 1})
    )
    return _AVERAGE._lower_parameters(counted)


CARDS = (
    _pooling("MaxPool", "MAX", traits=_TRAITS),
    dataclasses.replace(_AVERAGE, lower_=_lower_average),
    layer(
        "GlobalAveragePool",
        "Pooling",
        X,
        ranks=(2,),
        fixed={_POOL: Fixed("AVE", "MAX"), _GLOBAL: Fixed(True, False)},
        ignored=("pooling_param.engine",),
    ),
)
