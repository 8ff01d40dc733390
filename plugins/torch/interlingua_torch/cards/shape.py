"""Shapes: reshaping, moving and joining axes, padding."""

from typing import Any

from interlingua.adapters import axes, choice, parameter, same, single, told_otherwise
from interlingua.cards import REQUIRED, Card, Facts, Fixed, Kind, card
from interlingua_torch.adapters import NOTHING, ORDER, PADS, SHAPE, SPATIAL_PADS


def _keeps_the_first_axis(facts: Facts) -> bool:
    """Whether there is a first axis to keep, and the others are to be joined."""
    return bool(facts["axis"] == 1 and facts.get("input_rank", 2) >= 2)


def _pad_layer(name: str, mode: str, **more: Any) -> Card:
    """A layer that pads the spatial axes by one mode."""
    return card(
        "Pad",
        f"torch.nn.{name}{{n}}d",
        kind=Kind.LAYER,
        write=False,
        read=False,
        ranks=(1, 2, 3),
        inputs={"data": "input"},
        implied={"mode": mode},
        pads=parameter("padding", REQUIRED, SPATIAL_PADS, positional=True),
        axes=told_otherwise("the length of the pads"),
        **more,
    )


CARDS = (
    card(
        "Flatten",
        "torch.flatten",
        inputs={"input": "input"},
        axis=same("start_dim", 0, positional=True),
        when=_keeps_the_first_axis,
        fixed={"end_dim": Fixed(-1, -1)},
        aliases=("torch.Tensor.flatten",),
        limits=("other axes than the first that stay",),
        traits={"start default": "0: all axes are joined"},
    ),
    card(
        "Flatten",
        "torch.nn.Flatten",
        kind=Kind.LAYER,
        write=False,
        inputs={"input": "input"},
        axis=same("start_dim", 1),
        fixed={"end_dim": Fixed(-1, -1)},
        when=_keeps_the_first_axis,
    ),
    card(
        "Reshape",
        "torch.reshape",
        inputs={"data": "input"},
        shape=parameter("shape", REQUIRED, SHAPE, positional=True),
        allowzero=told_otherwise("a zero is a zero"),
        aliases=("torch.Tensor.reshape", "torch.Tensor.view"),
    ),
    card(
        "Transpose",
        "torch.permute",
        inputs={"data": "input"},
        perm=parameter("dims", REQUIRED, ORDER, positional=True),
        aliases=("torch.Tensor.permute",),
    ),
    card(
        "Concat",
        "torch.cat",
        inputs={"inputs": "tensors"},
        axis=same("dim", 0),
        aliases=("torch.concat", "torch.concatenate"),
    ),
    card(
        "Squeeze",
        "torch.squeeze",
        inputs={"data": "input"},
        axes=axes("dim", None, positional=True),
        aliases=("torch.Tensor.squeeze",),
        traits={"an axis not of size 1": "stays"},
    ),
    card(
        "Unsqueeze",
        "torch.unsqueeze",
        inputs={"data": "input"},
        axes=single("dim", positional=True),
        aliases=("torch.Tensor.unsqueeze",),
        limits=("several axes in one call",),
    ),
    card(
        "Pad",
        "torch.nn.functional.pad",
        inputs={"data": "input"},
        pads=parameter("pad", REQUIRED, PADS, positional=True),
        axes=told_otherwise("the length of the pads"),
        mode=choice("mode", "constant", constant="constant", reflect="reflect", edge="replicate", wrap="circular"),
        constant_value=parameter("value", None, NOTHING),
        limits=("the batch and channel axes by another mode than constant",),
    ),
    _pad_layer("ZeroPad", "constant"),
    _pad_layer("ConstantPad", "constant", constant_value=same("value", positional=True)),
    _pad_layer("ReflectionPad", "reflect"),
    _pad_layer("ReplicationPad", "edge"),
    _pad_layer("CircularPad", "wrap"),
    card(
        "DepthToSpace",
        "torch.nn.functional.pixel_shuffle",
        inputs={"input": "input"},
        blocksize=same("upscale_factor", positional=True),
        implied={"mode": "CRD"},
        limits=("the place in the block before the channel",),
        traits={"channel of a place in the block": "channel first, then the place"},
    ),
)
