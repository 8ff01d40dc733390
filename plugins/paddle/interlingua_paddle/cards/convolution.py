"""Convolutions: layers where the kernel is a weight, functions beside them."""

from typing import Any

from interlingua.adapters import parameter, per_axis, same, told_otherwise
from interlingua.cards import Adapter, Card, Facts, Fixed, Kind, Slot, card
from interlingua_paddle.adapters import pairs

FORMATS = {1: "NCL", 2: "NCHW", 3: "NCDHW"}
_TRAITS = {"pad": "each end by itself"}
BIAS = parameter(
    "bias_attr",
    None,
    Adapter(
        "attr",
        lambda value, facts: None if value else False,
        lambda value, facts: int(value is not False),
        "False for none",
    ),
)


def _owns_its_weights(facts: Facts) -> bool:
    return "W" in facts.constants and ("B" not in facts.shapes or "B" in facts.constants)


def _window(record: str) -> dict[str, Any]:
    """The parameters of the kernel's steps in the order in which people write them."""
    added = {"output_padding": per_axis("output_padding", 0)} if record == "ConvTranspose" else {}
    return {
        "strides": per_axis("stride", 1),
        "pads": pairs("padding", 0),
        **added,
        "dilations": per_axis("dilation", 1),
    }


def _layer(record: str, api: str, rank: int, **more: Any) -> Card:
    fixed = {"data_format": Fixed(FORMATS[rank], FORMATS[rank]), **more.pop("fixed", {})}
    return card(
        record,
        api,
        kind=Kind.LAYER,
        ranks=(rank,),
        when=_owns_its_weights,
        inputs={"X": Slot("x")},
        weights={"W": Slot("weight"), "B": Slot("bias")},
        in_channels=same("in_channels", positional=True),
        out_channels=same("out_channels", positional=True),
        kernel_shape=per_axis("kernel_size", positional=True),
        **_window(record),
        group=same("groups", 1),
        has_bias=BIAS,
        fixed=fixed,
        ignored=("weight_attr", *(("bias", "device", "dtype") if record == "Conv" else ())),
        traits=_TRAITS | {"bias": "on by default"},
        **more,
    )


def _function(record: str, api: str, rank: int, **more: Any) -> Card:
    fixed = {"data_format": Fixed(FORMATS[rank], FORMATS[rank]), **more.pop("fixed", {})}
    return card(
        record,
        api,
        ranks=(rank,),
        inputs={"X": Slot("x"), "W": Slot("weight"), "B": Slot("bias", default=None)},
        kernel_shape=told_otherwise("the weight's shape"),
        **_window(record),
        group=same("groups", 1),
        fixed=fixed,
        ignored=("name",),
        traits=_TRAITS | {"bias": "off by default"},
        **more,
    )


_PADDING_MODE = {"padding_mode": Fixed("zeros", "zeros")}

CARDS = (
    *(_layer("Conv", f"paddle.nn.Conv{rank}D", rank, fixed=_PADDING_MODE) for rank in FORMATS),
    *(_function("Conv", f"paddle.nn.functional.conv{rank}d", rank) for rank in FORMATS),
    *(_layer("ConvTranspose", f"paddle.nn.Conv{rank}DTranspose", rank) for rank in FORMATS),
    *(
        _function(
            "ConvTranspose",
            f"paddle.nn.functional.conv{rank}d_transpose",
            rank,
            fixed={"output_size": Fixed(None, None)},
        )
        for rank in FORMATS
    ),
)
