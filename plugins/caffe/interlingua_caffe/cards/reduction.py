"""Reductions: over all axes from one on, which are dropped."""

from typing import Any

from interlingua.adapters import parameter
from interlingua.cards import Adapter, Facts, Fixed
from interlingua.errors import Unsupported
from interlingua_caffe.cards.forms import layer


def _first(value: Any, facts: Facts) -> int:
    rank: int = facts["input_rank"]
    axes: list[int] = sorted(axis % rank for axis in value) if value is not None else list(range(rank))
    if axes != list(range(axes[0], rank)):
        raise Unsupported(f"the axes {axes}: Reduction takes all from one on")
    return axes[0]


_TAIL = Adapter(
    "tail",
    _first,
    lambda value, facts: list(range(value % facts["input_rank"], facts["input_rank"])),
    "from that axis on",
)

CARDS = (
    layer(
        "ReduceMean",
        "Reduction",
        {"data": "bottom[0]"},
        axes=parameter("reduction_param.axis", 0, _TAIL),
        implied={"keepdims": 0},
        fixed={"reduction_param.operation": Fixed("MEAN", "SUM"), "reduction_param.coeff": Fixed(1, 1)},
        limits=("axes that are not the last ones", "keeping the axes"),
    ),
)
