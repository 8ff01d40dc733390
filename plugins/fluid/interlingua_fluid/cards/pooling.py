"""Pooling: `fluid.layers.pool2d` does all of it, and so does the operator."""

from typing import Any

from interlingua.adapters import each_axis, flag, flip, halves, per_axis
from interlingua.cards import REQUIRED, Card, Fixed, Kind, Slot, card
from interlingua_fluid.cards.forms import edges, layouts, operator, rounds_alike

_TRAITS = {"stride default": "1", "pad": "each end by itself"}
_LIMITS = ("windows that begin behind the input, where ceil_mode makes them and ONNX does not",)
_ARGUMENTS = ("use_cudnn", "name")


def _window(record: str, kind: str, rank: int, **more: Any) -> Card:
    data = "NCHW" if rank == 2 else "NCDHW"
    return card(
        record,
        f"paddle.fluid.layers.pool{rank}d",
        ranks=(rank,),
        inputs={"X": "input"},
        when=rounds_alike,
        kernel_shape=per_axis("pool_size", -1),
        strides=per_axis("pool_stride", 1),
        pads=edges("pool_padding", 0),
        ceil_mode=flag("ceil_mode", False),
        **more,
        limits=_LIMITS,
        fixed={
            "pool_type": Fixed(kind, "max"),
            "global_pooling": Fixed(False, False),
            "data_format": Fixed(data, data),
        },
        ignored=(*_ARGUMENTS, "exclusive") if kind == "max" else _ARGUMENTS,
        traits=_TRAITS | ({"mean denominator": "the window without its padding"} if kind == "avg" else {}),
    )


def _global(rank: int) -> Card:
    data = "NCHW" if rank == 2 else "NCDHW"
    return card(
        "GlobalAveragePool",
        f"paddle.fluid.layers.pool{rank}d",
        ranks=(rank,),
        inputs={"X": "input"},
        fixed={
            "pool_type": Fixed("avg", "max"),
            "global_pooling": Fixed(True, False),
            "data_format": Fixed(data, data),
        },
        ignored=(*_ARGUMENTS, "pool_size", "pool_stride", "pool_padding", "ceil_mode", "exclusive"),
    )


def _dygraph(record: str, kind: str, **more: Any) -> Card:
    return card(
        record,
        "paddle.fluid.dygraph.Pool2D",
        kind=Kind.LAYER,
        write=False,
        ranks=(2,),
        inputs={"X": "input"},
        kernel_shape=per_axis("pool_size", -1),
        strides=per_axis("pool_stride", 1),
        pads=halves("pool_padding", 0),
        ceil_mode=flag("ceil_mode", False),
        **more,
        fixed={"pool_type": Fixed(kind, "max"), "global_pooling": Fixed(False, False)},
        ignored=("use_cudnn", "exclusive") if kind == "max" else ("use_cudnn",),
        when=rounds_alike,
        limits=("padding that differs at the two ends of an axis", *_LIMITS),
        traits={"stride default": "1", "pad": "symmetric"},
    )


_WORDS: dict[str, dict[str, Any]] = {
    "EXPLICIT": {"pads": edges("paddings")},
    "VALID": {"implied": {"pads": "VALID"}},
    "SAME": {"implied": {"pads": "SAME_UPPER"}},
}


def _operators(rank: int) -> list[Card]:
    """The operator by kind, axis order and padding word; `ksize` is the output's size where it is adaptive."""
    api, found = f"pool{rank}d", []
    orders = layouts("NCHW", "NHWC", "X") if rank == 2 else layouts("NCDHW", "NDHWC", "X")
    for order, slot in orders:
        common: dict[str, Any] = {"ranks": (rank,), "inputs": {"X": slot}}
        for word, padding in _WORDS.items():
            for record, kind in (("MaxPool", "max"), ("AveragePool", "avg")):
                more: dict[str, Any] = {"count_include_pad": flip("exclusive", True)} if kind == "avg" else {}
                ignored: tuple[str, ...] = ("exclusive",) if kind == "max" else ()
                found.append(
                    operator(
                        record,
                        api,
                        **common,
                        kernel_shape=each_axis("ksize"),
                        strides=each_axis("strides"),
                        ceil_mode=flag("ceil_mode", False),
                        **padding,
                        **more,
                        fixed={
                            **order,
                            "pooling_type": Fixed(kind, REQUIRED),
                            "padding_algorithm": Fixed(word, "EXPLICIT"),
                            "global_pooling": Fixed(False, False),
                            "adaptive": Fixed(False, False),
                        },
                        ignored=ignored if word == "EXPLICIT" else (*ignored, "paddings"),
                    )
                )
        whole = {**order, "pooling_type": Fixed("avg", REQUIRED)}
        rest = ("strides", "paddings", "padding_algorithm", "ceil_mode", "exclusive")
        for selected, told in (
            ({"global_pooling": Fixed(True, False)}, ("ksize", "adaptive")),
            ({"adaptive": Fixed(True, False), "ksize": Fixed([1] * rank, REQUIRED)}, ("global_pooling",)),
        ):
            found.append(
                operator("GlobalAveragePool", api, **common, fixed={**whole, **selected}, ignored=(*rest, *told))
            )
    return found


def _adaptive(rank: int) -> Card:
    return card(
        "GlobalAveragePool",
        f"paddle.fluid.layers.adaptive_pool{rank}d",
        write=False,
        ranks=(rank,),
        inputs={"X": Slot("input")},
        fixed={
            "pool_size": Fixed(1, REQUIRED),
            "pool_type": Fixed("avg", "max"),
            "require_index": Fixed(False, False),
        },
        ignored=("name",),
    )


_EXCLUSIVE = {"count_include_pad": flip("exclusive", True)}

CARDS = (
    _window("MaxPool", "max", 2),
    _window("MaxPool", "max", 3),
    _window("AveragePool", "avg", 2, **_EXCLUSIVE),
    _window("AveragePool", "avg", 3, **_EXCLUSIVE),
    _global(2),
    _global(3),
    _adaptive(2),
    _adaptive(3),
    _dygraph("MaxPool", "max"),
    _dygraph("AveragePool", "avg", **_EXCLUSIVE),
    *_operators(2),
    *_operators(3),
)
