"""Shapes: reshaping, moving and joining axes, padding."""

from interlingua.adapters import axes, choice, parameter, same, told_otherwise
from interlingua.cards import REQUIRED, Facts, Fixed, Kind, card
from interlingua_paddle.adapters import NEW_AXES, PADS

_NAME = ("name",)


def _keeps_the_first(facts: Facts) -> bool:
    return bool(facts["axis"] == 1)


CARDS = (
    card(
        "Flatten",
        "paddle.flatten",
        aliases=("paddle.Tensor.flatten",),
        inputs={"input": "x"},
        axis=same("start_axis", 0, positional=True),
        when=_keeps_the_first,
        fixed={"stop_axis": Fixed(-1, -1)},
        ignored=_NAME,
        limits=("other axes than the first that stay",),
    ),
    card(
        "Flatten",
        "paddle.nn.Flatten",
        kind=Kind.LAYER,
        write=False,
        inputs={"input": "x"},
        axis=same("start_axis", 1),
        when=_keeps_the_first,
        fixed={"stop_axis": Fixed(-1, -1)},
    ),
    card(
        "Reshape",
        "paddle.reshape",
        inputs={"data": "x"},
        shape=same("shape", positional=True),
        aliases=("paddle.Tensor.reshape",),
        ignored=_NAME,
        traits={"zero in the shape": "the input's axis"},
    ),
    card(
        "Transpose",
        "paddle.transpose",
        inputs={"data": "x"},
        perm=same("perm", positional=True),
        aliases=("paddle.Tensor.transpose",),
        ignored=_NAME,
    ),
    card(
        "Transpose",
        "paddle.permute",
        write=False,
        inputs={"data": "input"},
        perm=same("dims"),
        aliases=("paddle.Tensor.permute",),
    ),
    card(
        "Concat",
        "paddle.concat",
        inputs={"inputs": "x"},
        axis=same("axis", 0),
        aliases=("paddle.cat", "paddle.concatenate"),
        ignored=("name", "out"),
    ),
    card(
        "Squeeze",
        "paddle.squeeze",
        aliases=("paddle.Tensor.squeeze",),
        inputs={"data": "x"},
        axes=axes("axis", None, positional=True),
        ignored=_NAME,
        traits={"an axis not of size 1": "stays"},
    ),
    card(
        "Unsqueeze",
        "paddle.unsqueeze",
        aliases=("paddle.Tensor.unsqueeze",),
        inputs={"data": "x"},
        axes=parameter("axis", REQUIRED, NEW_AXES, positional=True),
        ignored=_NAME,
    ),
    card(
        "Pad",
        "paddle.nn.functional.pad",
        inputs={"data": "x"},
        pads=parameter("pad", REQUIRED, PADS, positional=True),
        axes=told_otherwise("the length of the pads"),
        mode=choice("mode", "constant", constant="constant", reflect="reflect", edge="replicate", wrap="circular"),
        constant_value=same("value", 0.0),
        fixed={"pad_from_left_axis": Fixed(True, True)},
        ignored=("name", "data_format"),
        limits=("the batch and channel axes by another mode than constant",),
    ),
)
