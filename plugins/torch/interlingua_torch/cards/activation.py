"""Activations: functions first, the layers and methods users also write beside them."""

from typing import Any

from interlingua.adapters import parameter, same, told_otherwise
from interlingua.cards import Adapter, Card, Facts, Fixed, Kind, Slot, card

_INPLACE = {"inplace": Fixed(False, False)}
_SIX = {"min": 0.0, "max": 6.0}
_SIXTH = {"alpha": 0.16666667, "beta": 0.5}


def _both(record: str, function: str, layer: str, name: str = "X", **more: Any) -> tuple[Card, Card]:
    return (
        card(record, function, inputs={name: "input"}, fixed=_INPLACE, **more),
        card(record, layer, kind=Kind.LAYER, write=False, inputs={name: "input"}, fixed=_INPLACE, **more),
    )


def _one_a_channel(facts: Facts) -> bool:
    """Whether the slopes are one in all, or one a channel."""
    return facts.get("slopes") is not None


def _clips(facts: Facts) -> bool:
    return facts.get("min") is not None or facts.get("max") is not None


def _axis(value: Any, facts: Facts) -> Any:
    """The axis that torch takes where none is said: 0 where there are none, one or three axes, else 1."""
    shape = facts.shapes.get("input")
    if value is not None or shape is None:
        return value
    return 0 if len(shape) in (0, 1, 3) else 1


_DIM = Adapter("dim", lambda value, facts: value, _axis, "0 for one or three axes, else 1, where unsaid")


def _keeps(facts: Facts) -> bool:
    return not facts.get("bias")


def _draws(facts: Facts) -> bool:
    return bool(facts.get("bias")) and facts.get("bias") == facts.get("lambd")


def _plain(record: str, function: str, layer: str, name: str = "X", **more: Any) -> tuple[Card, Card]:
    """An activation that never works in place."""
    return (
        card(record, f"torch.nn.functional.{function}", inputs={name: "input"}, **more),
        card(record, f"torch.nn.{layer}", kind=Kind.LAYER, write=False, inputs={name: "input"}, **more),
    )


def _softmax(record: str, function: str, layer: str) -> tuple[Card, Card]:
    axis = parameter("dim", None, _DIM)
    return (
        card(
            record,
            f"torch.nn.functional.{function}",
            inputs={"input": "input"},
            axis=axis,
            ignored=("_stacklevel", "dtype"),
        ),
        card(record, f"torch.nn.{layer}", kind=Kind.LAYER, write=False, inputs={"input": "input"}, axis=axis),
    )


def _has_both_bounds(facts: Facts) -> bool:
    return facts.get("min") is not None and facts.get("max") is not None


CARDS = (
    *_both("Relu", "torch.nn.functional.relu", "torch.nn.ReLU"),
    card("Relu", "torch.relu", write=False, inputs={"X": "input"}, aliases=("torch.Tensor.relu",)),
    *_both("LeakyRelu", "torch.nn.functional.leaky_relu", "torch.nn.LeakyReLU", alpha=same("negative_slope", 0.01)),
    card(
        "PRelu",
        "torch.nn.PReLU",
        kind=Kind.LAYER,
        when=_one_a_channel,
        inputs={"X": "input"},
        weights={"slope": Slot("weight", "C")},
        slopes=same("num_parameters", 1, positional=True),
        ignored=("init", "device", "dtype"),
        limits=("other than one slope in all or one a channel",),
    ),
    card("PRelu", "torch.nn.functional.prelu", write=False, inputs={"X": "input", "slope": Slot("weight", "C")}),
    *_both("Elu", "torch.nn.functional.elu", "torch.nn.ELU", alpha=same("alpha", 1.0)),
    card(
        "Sigmoid",
        "torch.sigmoid",
        inputs={"X": "input"},
        aliases=("torch.nn.functional.sigmoid", "torch.Tensor.sigmoid"),
    ),
    card("Sigmoid", "torch.nn.Sigmoid", kind=Kind.LAYER, write=False, inputs={"X": "input"}),
    card("Tanh", "torch.tanh", inputs={"input": "input"}, aliases=("torch.nn.functional.tanh", "torch.Tensor.tanh")),
    card("Tanh", "torch.nn.Tanh", kind=Kind.LAYER, write=False, inputs={"input": "input"}),
    card(
        "Softmax",
        "torch.nn.functional.softmax",
        inputs={"input": "input"},
        axis=parameter("dim", None, _DIM),
        ignored=("_stacklevel", "dtype"),
        traits={"axis default": "to be said"},
    ),
    card(
        "Softmax",
        "torch.softmax",
        write=False,
        inputs={"input": "input"},
        axis=same("dim"),
        aliases=("torch.Tensor.softmax",),
        ignored=("dtype",),
    ),
    card(
        "Softmax",
        "torch.nn.Softmax",
        kind=Kind.LAYER,
        write=False,
        inputs={"input": "input"},
        axis=parameter("dim", None, _DIM),
        traits={"axis default": "to be said"},
    ),
    *_both("Clip", "torch.nn.functional.relu6", "torch.nn.ReLU6", "input", implied=_SIX),
    card(
        "Clip",
        "torch.clamp",
        inputs={"input": "input"},
        when=_clips,
        min=same("min", None),
        max=same("max", None),
        aliases=("torch.clip", "torch.Tensor.clamp"),
    ),
    *(
        card(
            "Clip",
            api,
            kind=kind,
            write=False,
            when=_has_both_bounds,
            inputs={"input": "input"},
            min=same("min_val", -1.0),
            max=same("max_val", 1.0),
            fixed=_INPLACE,
            ignored=("min_value", "max_value"),
            limits=("one bound only",),
        )
        for api, kind in (("torch.nn.functional.hardtanh", Kind.FUNCTION), ("torch.nn.Hardtanh", Kind.LAYER))
    ),
    *_softmax("LogSoftmax", "log_softmax", "LogSoftmax"),
    *(
        card(
            "Gelu",
            api,
            kind=kind,
            write=kind is Kind.FUNCTION,
            inputs={"X": "input"},
            approximate=same("approximate", "none"),
        )
        for api, kind in (("torch.nn.functional.gelu", Kind.FUNCTION), ("torch.nn.GELU", Kind.LAYER))
    ),
    *_both(
        "Swish",
        "torch.nn.functional.silu",
        "torch.nn.SiLU",
        implied={"alpha": 1.0},
        limits=("a factor of x in the sigmoid",),
    ),
    *_both("Mish", "torch.nn.functional.mish", "torch.nn.Mish"),
    *_both(
        "HardSigmoid",
        "torch.nn.functional.hardsigmoid",
        "torch.nn.Hardsigmoid",
        implied=_SIXTH,
        limits=("another slope than 1/6",),
    ),
    *_both("HardSwish", "torch.nn.functional.hardswish", "torch.nn.Hardswish"),
    *_plain("Softplus", "softplus", "Softplus", fixed={"beta": Fixed(1.0, 1.0), "threshold": Fixed(20.0, 20.0)}),
    *_plain("Softsign", "softsign", "Softsign", "input"),
    *_both("Selu", "torch.nn.functional.selu", "torch.nn.SELU", limits=("other limits and factors than SELU's",)),
    *_both("Celu", "torch.nn.functional.celu", "torch.nn.CELU", alpha=same("alpha", 1.0)),
    *(
        card(
            "ThresholdedRelu",
            api,
            kind=kind,
            write=kind is Kind.FUNCTION,
            inputs={"X": "input"},
            alpha=same("threshold", positional=True),
            fixed={"value": Fixed(0.0), **_INPLACE},
        )
        for api, kind in (("torch.nn.functional.threshold", Kind.FUNCTION), ("torch.nn.Threshold", Kind.LAYER))
    ),
    *(
        card("Shrink", api, inputs={"input": "input"}, when=when, lambd=same("lambd", 0.5), **more)
        for api, when, more in (
            ("torch.nn.functional.hardshrink", _keeps, {"implied": {"bias": 0.0}}),
            ("torch.nn.functional.softshrink", _draws, {"bias": told_otherwise("lambd")}),
        )
    ),
)
