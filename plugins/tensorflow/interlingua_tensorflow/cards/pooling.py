"""Pooling."""

from typing import Any

from interlingua.adapters import each_axis, per_axis, with_edges
from interlingua.cards import Card, Fixed, Slot, card
from interlingua_tensorflow.adapters import ones_unsaid, padding
from interlingua_tensorflow.cards.convolution import FORMATS

_TRAITS = {"stride default": "to be said"}
_MEAN = {"mean denominator": "the window without its padding"}


def _max(rank: int) -> Card:
    return card(
        "MaxPool",
        f"tf.nn.max_pool{rank}d",
        ranks=(rank,),
        inputs={"X": Slot("input", "N * C")},
        kernel_shape=per_axis("ksize"),
        strides=per_axis("strides"),
        pads=padding(pairs=rank == 2),
        fixed={"data_format": Fixed(FORMATS[rank], FORMATS[rank])},
        ignored=("name",),
        versions=">=2" if rank == 2 else "",
        limits=("a dilation", "a size that is rounded up"),
        traits=_TRAITS,
    )


def _average(rank: int) -> Card:
    return card(
        "AveragePool",
        f"tf.nn.avg_pool{rank}d",
        ranks=(rank,),
        inputs={"X": Slot("input", "N * C")},
        kernel_shape=per_axis("ksize"),
        strides=per_axis("strides"),
        pads=padding(),
        fixed={"data_format": Fixed(FORMATS[rank], FORMATS[rank])},
        ignored=("name",),
        versions=">=2" if rank == 2 else "",
        limits=("padding by numbers", "a dilation", "a size that is rounded up"),
        traits=_TRAITS | _MEAN,
    )


def _general(record: str, api: str, versions: str, data: str, **more: Any) -> Card:
    first = versions == "<2"
    return card(
        record,
        api,
        ranks=(2,) if first else (1, 2, 3),
        write=False,
        inputs={"X": Slot(data, "N * C")},
        kernel_shape=with_edges("ksize") if first else per_axis("ksize"),
        strides=with_edges("strides") if first else per_axis("strides"),
        pads=padding(),
        fixed={"data_format": Fixed("NHWC", "NHWC") if first else Fixed(None, None)},
        ignored=("name", "input") if first else ("name",),
        versions=versions,
        aliases=(f"tf.compat.v1.nn.{api.rpartition('.')[2]}",) if first else (),
        **more,
    )


def _pool(record: str, kind: str, traits: dict[str, str]) -> Card:
    return card(
        record,
        "tf.nn.pool",
        ranks=(1, 2, 3),
        inputs={"X": Slot("input", "N * C")},
        kernel_shape=each_axis("window_shape"),
        strides=ones_unsaid("strides", written_out=True),
        pads=padding("VALID"),
        dilations=ones_unsaid("dilations", written_out=True),
        fixed={"pooling_type": kind, "data_format": Fixed(None, None)},
        ignored=("name",),
        versions=">=2",
        traits={"stride default": "1", **traits},
    )


CARDS = (
    *(_max(rank) for rank in FORMATS),
    *(_average(rank) for rank in FORMATS),
    _general("MaxPool", "tf.nn.max_pool", ">=2", "input", traits=_TRAITS),
    _general("MaxPool", "tf.nn.max_pool", "<2", "value", traits=_TRAITS),
    _general("AveragePool", "tf.nn.avg_pool", ">=2", "input", traits=_TRAITS | _MEAN),
    _general("AveragePool", "tf.nn.avg_pool", "<2", "value", traits=_TRAITS | _MEAN),
    _pool("MaxPool", "MAX", {}),
    _pool("AveragePool", "AVG", _MEAN),
)
