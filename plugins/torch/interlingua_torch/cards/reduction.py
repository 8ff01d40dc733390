"""Reductions."""

from interlingua.adapters import flag, parameter, told_otherwise
from interlingua.cards import REQUIRED, Adapter, Facts, Kind, card
from interlingua_torch.adapters import REDUCED


def _is_pooled(facts: Facts) -> bool:
    """Whether the mean is of all spatial axes, which stay."""
    axes, count = facts.get("axes"), facts.rank + 2
    return bool(axes and facts.get("keepdims")) and {axis % count for axis in axes} == {*range(2, count)}


_ONE = Adapter("one_each", lambda value, facts: 1, None, "1 for axes that stay")

CARDS = (
    card(
        "ReduceMean",
        "torch.mean",
        inputs={"data": "input"},
        axes=parameter("dim", None, REDUCED),
        keepdims=flag("keepdim", False),
        aliases=("torch.Tensor.mean",),
        ignored=("dtype",),
    ),
    card(
        "ReduceMean",
        "torch.nn.AdaptiveAvgPool{n}d",
        kind=Kind.LAYER,
        write=False,
        read=False,
        ranks=(1, 2, 3),
        inputs={"data": "input"},
        keepdims=parameter("output_size", REQUIRED, _ONE, "1: the axes stay", positional=True),
        axes=told_otherwise("all behind the channels"),
        when=_is_pooled,
    ),
)
