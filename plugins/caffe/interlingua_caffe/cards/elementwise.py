"""Arithmetic element by element. A constant operand of one number is a field of Power, one for each channel a blob."""

from typing import Any

from interlingua.cards import Card, Fixed, Slot
from interlingua_caffe.cards.forms import AB, X, layer, number, one_axis, same_shapes, told_axis

_OPERATION = "eltwise_param.operation"
_COEFFICIENTS = "eltwise_param.coeff"
_NEUTRAL = {"power_param.power": 1.0, "power_param.scale": 1.0, "power_param.shift": 0.0}


def _eltwise(record: str, operation: str, coefficients: Any = None) -> Card:
    return layer(
        record,
        "Eltwise",
        AB,
        when=same_shapes("A", "B"),
        fixed={_OPERATION: Fixed(operation, "SUM"), _COEFFICIENTS: Fixed(coefficients, None)},
        ignored=("eltwise_param.stable_prod_grad",),
        limits=("operands of different shapes",),
        traits={"broadcasting": "none"},
    )


def _power(record: str, field: str, data: str, operand: str) -> Card:
    name = f"power_param.{field}"
    return layer(
        record,
        "Power",
        {data: "bottom[0]", operand: Slot(name, default=_NEUTRAL[name])},
        when=number(operand),
        fixed={other: Fixed(value, value) for other, value in _NEUTRAL.items() if other != name},
    )


def _exponential(record: str, api: str, owner: str) -> Card:
    defaults = {"base": -1.0, "scale": 1.0, "shift": 0.0}
    return layer(
        record,
        api,
        X,
        fixed={f"{owner}.{name}": Fixed(value, value) for name, value in defaults.items()},
        traits={"base −1": "e"},
    )


CARDS = (
    _eltwise("Add", "SUM"),
    _power("Add", "shift", "A", "B"),
    layer(
        "Add",
        "Bias",
        {"A": "bottom[0]"},
        when=one_axis("A", "B"),
        weights={"B": Slot("blobs[0]", "C")},
        fixed={"bias_param.num_axes": Fixed(1, 1)},
        lower_=told_axis("bias_param.axis", "A", "B"),
        ignored=("bias_param.axis", "bias_param.filler"),
    ),
    _eltwise("Sub", "SUM", [1.0, -1.0]),
    _eltwise("Mul", "PROD"),
    _power("Mul", "scale", "A", "B"),
    layer(
        "Mul",
        "Scale",
        {"A": "bottom[0]"},
        when=one_axis("A", "B"),
        weights={"B": Slot("blobs[0]", "C")},
        fixed={
            "scale_param.num_axes": Fixed(1, 1),
            "scale_param.bias_term": Fixed(False, False),
        },
        lower_=told_axis("scale_param.axis", "A", "B"),
        ignored=("scale_param.axis", "scale_param.filler", "scale_param.bias_filler"),
        traits={"bias": "off by default"},
    ),
    layer(
        "Sqrt",
        "Power",
        X,
        fixed={**{n: Fixed(v, v) for n, v in _NEUTRAL.items()}, "power_param.power": Fixed(0.5, 1.0)},
    ),
    _power("Pow", "power", "X", "Y"),
    _exponential("Exp", "Exp", "exp_param"),
    _exponential("Log", "Log", "log_param"),
    layer("Abs", "AbsVal", X),
)
