"""Activations: functions first, the layers users also write beside them."""

from typing import Any

from interlingua.adapters import counted, same
from interlingua.cards import Card, Fixed, Kind, Slot, card

_INPLACE = {"inplace": Fixed(False, False)}


def _both(record: str, function: str, layer: str, **more: Any) -> tuple[Card, Card]:
    inplace: dict[str, Any] = {"fixed": _INPLACE} if more.pop("inplace", True) else {}
    name = more.pop("input_name", "X")
    return (
        card(record, function, inputs={name: "input"}, **inplace, **more),
        card(record, layer, kind=Kind.LAYER, write=False, inputs={name: "input"}, **inplace, **more),
    )


CARDS = (
    *_both("Relu", "torch.nn.functional.relu", "torch.nn.ReLU", aliases=("torch.relu",)),
    *_both("LeakyRelu", "torch.nn.functional.leaky_relu", "torch.nn.LeakyReLU", alpha=same("negative_slope", 0.01)),
    card(
        "PRelu",
        "torch.nn.PReLU",
        kind=Kind.LAYER,
        inputs={"X": "input"},
        weights={"slope": Slot("weight", "C")},
        slopes=counted("num_parameters", 1),
        ignored=("init", "device", "dtype"),
    ),
    card("PRelu", "torch.nn.functional.prelu", write=False, inputs={"X": "input", "slope": Slot("weight", "C")}),
    *_both("Elu", "torch.nn.functional.elu", "torch.nn.ELU", alpha=same("alpha", 1.0)),
    card("Sigmoid", "torch.sigmoid", inputs={"X": "input"}, aliases=("torch.nn.functional.sigmoid",)),
    card("Sigmoid", "torch.nn.Sigmoid", kind=Kind.LAYER, write=False, inputs={"X": "input"}),
    card("Tanh", "torch.tanh", inputs={"input": "input"}, aliases=("torch.nn.functional.tanh",)),
    card("Tanh", "torch.nn.Tanh", kind=Kind.LAYER, write=False, inputs={"input": "input"}),
    card(
        "Softmax",
        "torch.nn.functional.softmax",
        inputs={"input": "input"},
        axis=same("dim"),
        aliases=("torch.softmax",),
        ignored=("_stacklevel", "dtype"),
        traits={"axis default": "none: to be said"},
    ),
    card(
        "Softmax",
        "torch.nn.Softmax",
        kind=Kind.LAYER,
        write=False,
        inputs={"input": "input"},
        axis=same("dim", None),
    ),
    card("Clip", "torch.clamp", inputs={"input": "input"}, min=same("min", None), max=same("max", None), aliases=("torch.clip",)),
    card(
        "Clip",
        "torch.nn.Hardtanh",
        kind=Kind.LAYER,
        write=False,
        inputs={"input": "input"},
        min=same("min_val", -1.0),
        max=same("max_val", 1.0),
        fixed=_INPLACE,
    ),
)
