"""Shapes: flattening, reshaping, moving and joining axes."""

from interlingua.cards import Facts, Fixed
from interlingua_caffe.cards.forms import axis, layer, listed

_DATA = {"data": "bottom[0]"}


def _from_the_channels(facts: Facts) -> bool:
    return bool(facts["axis"] == 1)


CARDS = (
    layer(
        "Flatten",
        "Flatten",
        {"input": "bottom[0]"},
        when=_from_the_channels,
        axis=axis("flatten_param.axis", 1),
        fixed={"flatten_param.end_axis": Fixed(-1, -1)},
        traits={"axes before": "stay as they are"},
    ),
    layer(
        "Reshape",
        "Reshape",
        _DATA,
        shape=listed("reshape_param.shape.dim"),
        fixed={"reshape_param.axis": Fixed(0, 0), "reshape_param.num_axes": Fixed(-1, -1)},
        traits={"0": "the size of that axis before"},
    ),
    layer("Transpose", "Permute", _DATA, perm=listed("permute_param.order"), remark="A layer of the SSD branch."),
    layer(
        "Concat",
        "Concat",
        {"inputs": "bottom"},
        axis=axis("concat_param.axis", 1),
        ignored=("concat_param.concat_dim",),
    ),
)
