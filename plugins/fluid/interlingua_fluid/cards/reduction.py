"""Reductions."""

from interlingua.adapters import flag
from interlingua.cards import Fixed, card
from interlingua_fluid.cards.forms import axes, non_empty, operator

_UNCAST = {"in_dtype": Fixed(-1, -1), "out_dtype": Fixed(-1, -1)}

CARDS = (
    card(
        "ReduceMean",
        "paddle.fluid.layers.reduce_mean",
        inputs={"data": "input"},
        axes=axes("dim", None),
        keepdims=flag("keep_dim", False),
        ignored=("name",),
        traits={"all axes": "the result has the shape [1]"},
    ),
    operator(
        "ReduceMean",
        "reduce_mean",
        inputs={"data": "X"},
        axes=non_empty("dim", [0]),
        keepdims=flag("keep_dim", False),
        fixed={"reduce_all": Fixed(False, False), **_UNCAST},
    ),
    operator(
        "ReduceMean",
        "reduce_mean",
        inputs={"data": "X"},
        keepdims=flag("keep_dim", False),
        fixed={"reduce_all": Fixed(True, False), **_UNCAST},
        ignored=("dim",),
        remark="The result has the shape [1] where the axes do not stay.",
    ),
    operator(
        "ReduceMean",
        "mean",
        inputs={"data": "X"},
        implied={"keepdims": 0},
        remark="The result has the shape [1].",
    ),
)
