"""Activations: functions first, the layers users also write beside them."""

from typing import Any

from interlingua.adapters import same
from interlingua.cards import Card, Facts, Fixed, Kind, Slot, card
from interlingua_paddle.adapters import bound


def _both(
    record: str,
    function: str,
    layer: str,
    name: str = "X",
    aliases: tuple[str, ...] = (),
    out: bool = False,
    **more: Any,
) -> tuple[Card, Card]:
    return (
        card(
            record, function, inputs={name: "x"}, aliases=aliases, ignored=("name", "out") if out else ("name",), **more
        ),
        card(record, layer, kind=Kind.LAYER, write=False, inputs={name: "x"}, ignored=("name",), **more),
    )


def _one_each_channel(facts: Facts) -> bool:
    """Whether the slope is a weight, one number in all or one a channel."""
    slope, data = facts.shapes.get("slope"), facts.shapes.get("X")
    if "slope" not in facts.constants or slope is None:
        return False
    wide = [position for position, size in enumerate(slope) if size != 1]
    return not wide or (data is not None and len(wide) == 1 and wide[0] - len(slope) == 1 - len(data))


def _lower_prelu(facts: Facts) -> dict[str, Any]:
    count = max((size for size in facts.shapes["slope"] or () if isinstance(size, int)), default=1)
    return {} if count == 1 else {"num_parameters": count}


CARDS = (
    card(
        "PRelu",
        "paddle.nn.PReLU",
        kind=Kind.LAYER,
        when=_one_each_channel,
        inputs={"X": "x"},
        weights={"slope": Slot("_weight", "C")},
        lower_=_lower_prelu,
        fixed={"data_format": Fixed("NCHW", "NCHW")},
        ignored=("init", "weight_attr", "name", "num_parameters"),
        limits=("other than one slope in all or one a channel",),
    ),
    card(
        "PRelu",
        "paddle.nn.functional.prelu",
        write=False,
        inputs={"X": "x", "slope": Slot("weight", "C")},
        fixed={"data_format": Fixed("NCHW", "NCHW")},
        ignored=("name",),
    ),
    *_both("Relu", "paddle.nn.functional.relu", "paddle.nn.ReLU"),
    *_both("LeakyRelu", "paddle.nn.functional.leaky_relu", "paddle.nn.LeakyReLU", alpha=same("negative_slope", 0.01)),
    *_both("Elu", "paddle.nn.functional.elu", "paddle.nn.ELU", alpha=same("alpha", 1.0)),
    *_both(
        "Sigmoid",
        "paddle.nn.functional.sigmoid",
        "paddle.nn.Sigmoid",
        aliases=("paddle.sigmoid", "paddle.Tensor.sigmoid"),
        out=True,
    ),
    *_both(
        "Tanh",
        "paddle.tanh",
        "paddle.nn.Tanh",
        "input",
        aliases=("paddle.nn.functional.tanh", "paddle.Tensor.tanh"),
        out=True,
    ),
    card(
        "Softmax",
        "paddle.nn.functional.softmax",
        inputs={"input": "x"},
        axis=same("axis", -1),
        fixed={"dtype": Fixed(None, None)},
        ignored=("name", "out"),
    ),
    card(
        "Softmax",
        "paddle.softmax",
        write=False,
        inputs={"input": "input"},
        axis=bound("dim", None),
        fixed={"dtype": Fixed(None, None)},
        aliases=("paddle.Tensor.softmax",),
        ignored=("out",),
    ),
    card(
        "Softmax",
        "paddle.nn.Softmax",
        kind=Kind.LAYER,
        write=False,
        inputs={"input": "x"},
        axis=same("axis", -1),
        ignored=("name",),
    ),
    card(
        "Clip",
        "paddle.clip",
        inputs={"input": "x"},
        min=same("min", None),
        max=same("max", None),
        aliases=("paddle.clamp", "paddle.Tensor.clip", "paddle.Tensor.clamp"),
        ignored=("name", "out"),
    ),
    *(
        card(
            "Clip",
            api,
            kind=kind,
            write=False,
            inputs={"input": "x"},
            min=bound("min", -1.0),
            max=bound("max", 1.0),
            ignored=("name",),
        )
        for api, kind in (
            ("paddle.nn.functional.hardtanh", Kind.FUNCTION),
            ("paddle.nn.Hardtanh", Kind.LAYER),
        )
    ),
    *(
        card(
            "Clip",
            api,
            kind=kind,
            write=False,
            inputs={"input": "x"},
            implied={"min": 0.0, "max": 6.0},
            ignored=("name",),
        )
        for api, kind in (("paddle.nn.functional.relu6", Kind.FUNCTION), ("paddle.nn.ReLU6", Kind.LAYER))
    ),
)
