"""Activations that exporters spell: each rule's first sentence is the transformation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from interlingua.passes.raising.reading import (
    Reading,
    Rule,
    affine,
    attribute_float,
    factors,
    filled,
    is_polynomial,
    maker,
    near,
    new,
    number,
    polynomial,
    same_rank,
    sides,
    stated,
    uniform,
)

_CUBIC = 0.044715
_ROOT = math.sqrt(2 / math.pi)
_SIX = 6.0
_BETA = 0.5
_SIXTH = 1 / 6
_FIFTH = 0.2
_THRESHOLD = 20.0
_SELU = {"alpha": 1.6732632, "gamma": 1.0507010}


def _one(op_type: str, node: ir.Node, source: ir.Value, attributes: dict[str, object] | None = None) -> list[ir.Node]:
    return [new(op_type, [source], attributes, like=node.outputs[0])]


def gelu(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `0.5 · x · (1 + erf(x / √2))`, in any order of its factors, by `Gelu(x)`, and its tanh form likewise."""
    coefficient, found = factors(reading, node.outputs[0])
    if len(found) != 2:
        return None
    for source, gate in (found, found[::-1]):
        mark = reading.mark()
        held = affine(reading, gate, lambda value: maker(value, "Erf", "Tanh") is not None)
        if held is not None and near(held[0], held[2], source) and near(coefficient * held[0], 0.5, source):
            inner = reading.made(held[1], "Erf", "Tanh")
            assert inner is not None
            terms = polynomial(reading, inner.inputs[0], source)
            exact = inner.op_type == "Erf"
            wanted = {1: math.sqrt(0.5)} if exact else {1: _ROOT, 3: _ROOT * _CUBIC}
            if is_polynomial(terms, wanted, source) and same_rank(node.outputs[0], source):
                return _one("Gelu", node, source, {"approximate": "none" if exact else "tanh"})
        reading.back(mark)
    return None


def gelu_by_complement(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `0.5 · x · erfc(−x / √2)` by `Gelu(x)`."""
    coefficient, found = factors(reading, node.outputs[0])
    if len(found) != 2 or not near(coefficient, 0.5, node.outputs[0]):
        return None
    for source, gate in (found, found[::-1]):
        mark = reading.mark()
        inner = gate.producer()
        if inner is not None and inner.op_type == "Erfc" and inner.graph is node.graph:
            reading.nodes[inner] = None
            terms = polynomial(reading, inner.inputs[0], source)
            if is_polynomial(terms, {1: -math.sqrt(0.5)}, source):
                made = _one("Gelu", node, source, {"approximate": "none"})
                made[0].outputs[0].shape = source.shape
                return made
        reading.back(mark)
    return None


def swish(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Mul(x, Sigmoid(alpha · x))` by `Swish(x, alpha)`."""
    for source, gate in sides(node):
        mark = reading.mark()
        inner = reading.made(gate, "Sigmoid")
        terms = None if inner is None else polynomial(reading, inner.inputs[0], source)
        if terms is not None and set(terms) == {1} and terms[1] > 0 and same_rank(node.outputs[0], source):
            alpha = terms[1]
            return _one("Swish", node, source, {} if near(alpha, 1.0, source) else {"alpha": alpha})
        reading.back(mark)
    return None


def swish_by_exponential(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Div(x, 1 + Exp(−x))` by `Swish(x)`, and `Div(1, 1 + Exp(−x))` by `Sigmoid(x)`."""
    above, below = node.inputs[0], node.inputs[1]
    held = affine(reading, below, lambda value: maker(value, "Exp") is not None)
    if above is None or held is None or not (near(held[0], 1.0, above) and near(held[2], 1.0, above)):
        return None
    inner = reading.made(held[1], "Exp")
    turned = None if inner is None else reading.made(inner.inputs[0], "Neg")
    if turned is None or turned.inputs[0] is None:
        return None
    source = turned.inputs[0]
    if near(stated(above), 1.0) and same_rank(node.outputs[0], source):
        return _one("Sigmoid", node, source)
    return _one("Swish", node, source) if above is source else None


def mish(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Mul(x, Tanh(Softplus(x)))` by `Mish(x)`."""
    for source, gate in sides(node):
        mark = reading.mark()
        outer = reading.made(gate, "Tanh")
        inner = None if outer is None else reading.made(outer.inputs[0], "Softplus")
        if inner is not None and inner.inputs[0] is source:
            return _one("Mish", node, source)
        reading.back(mark)
    return None


def _clipped(reading: Reading, value: ir.Value | None) -> tuple[ir.Value, float, float] | None:
    """The value that is held between two numbers, through `Clip`, `Relu`, `Min` and `Max`."""
    low, high, found = -math.inf, math.inf, None
    while value is not None:
        mark = reading.mark()
        node = reading.made(value, "Clip", "Relu", "Min", "Max")
        source, bounds = (None, None) if node is None else _bounds(node)
        if source is None or bounds is None or bounds[0] > high or low > bounds[1]:
            reading.back(mark)
            break
        low, high = max(low, bounds[0]), min(high, bounds[1])
        value = found = source
    return None if found is None else (found, low, high)


def _bounds(node: ir.Node) -> tuple[ir.Value | None, tuple[float, float] | None]:
    if node.op_type == "Relu":
        return node.inputs[0], (0.0, math.inf)
    if node.op_type == "Clip":
        held = [number(value) for value in node.inputs[1:]]
        if any(value is not None and limit is None for value, limit in zip(node.inputs[1:], held, strict=True)):
            return None, None
        low, high = [*held, None, None][:2]
        return node.inputs[0], (-math.inf if low is None else low, math.inf if high is None else high)
    if len(node.inputs) != 2:
        return None, None
    for source, other in sides(node):
        limit = stated(other)
        if limit is not None:
            return source, ((-math.inf, limit) if node.op_type == "Min" else (limit, math.inf))
    return None, None


def relu6(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Min(Relu(x), 6)`, and any nesting of `Min`, `Max`, `Relu` and `Clip` with numbers, by one `Clip`."""
    held = _clipped(reading, node.outputs[0])
    if held is None or len(reading.nodes) < 2 or not same_rank(node.outputs[0], held[0]) or not held[1] <= held[2]:
        return None
    given = {name: value for value in _constants(reading) if (name := number(value)) is not None}
    if (held[1] not in given and held[1] != 0) or held[2] not in given:
        return None
    dtype = node.outputs[0].dtype
    if dtype is None or given[held[2]].dtype != dtype:
        return None
    low = next((value for value in _constants(reading) if number(value) == held[1] and value.dtype == dtype), None)
    if low is None:
        from interlingua.passes.raising.reading import filled

        low = filled(node, f"{node.outputs[0].name}_min", (), held[1], dtype)
    return [new("Clip", [held[0], _scalar(node, low), _scalar(node, given[held[2]])], like=node.outputs[0])]


def _constants(reading: Reading) -> list[ir.Value]:
    return [value for node in reading.nodes for value in node.inputs if value is not None and number(value) is not None]


def _scalar(node: ir.Node, value: ir.Value) -> ir.Value:
    """The number without axes, as `Clip` wants its bounds."""

    if value.shape is not None and len(value.shape) == 0:
        return value
    held = number(value)
    assert held is not None and value.dtype is not None
    return filled(node, f"{value.name}_scalar", (), held, value.dtype)


def hard_sigmoid(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Clip(x + 3, 0, 6) / 6`, or `Clip(x / 6 + 0.5, 0, 1)`, by `HardSigmoid(x)`; Keras' 0.2 likewise."""
    coefficient, found = (1.0, [node.outputs[0]])
    if node.op_type in ("Div", "Mul"):
        coefficient, found = factors(reading, node.outputs[0])
    if len(found) != 1 or coefficient <= 0:
        return None
    clipped = _clipped(reading, found[0])
    if clipped is None or clipped[1] != 0 or not near(clipped[2] * coefficient, 1.0, node.outputs[0]):
        return None
    held = affine(reading, clipped[0], lambda value: maker(value, "Add", "Sub", "Mul", "Div", "Neg") is None)
    if held is None:
        return None
    scale, source, shift = held[0] * coefficient, held[1], held[2] * coefficient
    fits = any(near(scale, wanted, source) for wanted in (_SIXTH, _FIFTH)) and near(shift, _BETA, source)
    if not fits or not same_rank(node.outputs[0], source):
        return None
    return _one("HardSigmoid", node, source, {"alpha": _SIXTH if near(scale, _SIXTH, source) else _FIFTH, "beta": 0.5})


def hard_swish(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `x · Clip(x + 3, 0, 6) / 6`, and `x · HardSigmoid(x)`, by `HardSwish(x)`."""
    coefficient, found = factors(reading, node.outputs[0])
    if len(found) != 2:
        return None
    for source, gate in (found, found[::-1]):
        mark = reading.mark()
        inner = reading.made(gate, "HardSigmoid")
        if inner is not None:
            alpha, beta = attribute_float(inner, "alpha", 0.2), attribute_float(inner, "beta", 0.5)
            same = near(alpha, _SIXTH) and near(beta, _BETA) and near(coefficient, 1.0, source)
            if same and inner.inputs[0] is source:
                return _one("HardSwish", node, source)
        reading.back(mark)
        clipped = _clipped(reading, gate)
        if clipped is not None and near(coefficient * _SIX, 1.0, source) and clipped[1:] == (0.0, _SIX):
            terms = polynomial(reading, clipped[0], source)
            if is_polynomial(terms, {0: 3.0, 1: 1.0}, source) and same_rank(node.outputs[0], source):
                return _one("HardSwish", node, source)
        reading.back(mark)
    return None


def softplus(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Log(1 + Exp(x))` by `Softplus(x)`, which is x where the exponential overflows."""
    held = affine(reading, node.inputs[0], lambda value: maker(value, "Exp") is not None)
    if held is None or not (near(held[0], 1.0, node.outputs[0]) and near(held[2], 1.0, node.outputs[0])):
        return None
    inner = reading.made(held[1], "Exp")
    source = None if inner is None else inner.inputs[0]
    return None if source is None or not same_rank(node.outputs[0], source) else _one("Softplus", node, source)


def thresholded_softplus(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Where(x > 20, x, Softplus(x))` by `Softplus(x)`: beyond 20 the two round to the same float."""
    condition = reading.made(node.inputs[0], "Greater")
    source, soft = node.inputs[1], node.inputs[2]
    if condition is None or source is None or soft is None or node.outputs[0].dtype == ir.DataType.DOUBLE:
        return None
    limit = number(condition.inputs[1])
    tested = polynomial(reading, condition.inputs[0], source)
    coefficient, found = factors(reading, soft)
    inner = reading.made(found[0], "Softplus") if len(found) == 1 else None
    terms = None if inner is None else polynomial(reading, inner.inputs[0], source)
    if limit is None or limit < _THRESHOLD or terms is None or set(terms) != {1} or not is_polynomial(tested, terms):
        return None
    sharpness = terms[1]
    if inner is None or not near(coefficient * sharpness, 1.0, source) or not same_rank(node.outputs[0], source):
        return None
    if near(sharpness, 1.0, source):
        return _one("Softplus", node, source)
    last = soft.producer()
    if last is None or last.op_type not in ("Div", "Mul"):
        return None
    scaled = new("Mul", [source, _same_number(inner, last, sharpness)], like=node.outputs[0])
    made = new("Softplus", [scaled.outputs[0]], like=node.outputs[0])
    ending = [made.outputs[0] if stated(value) is None else value for value in last.inputs]
    return [scaled, made, new(last.op_type, ending, like=node.outputs[0])]


def _same_number(inner: ir.Node, last: ir.Node, wanted: float) -> ir.Value:
    scale = maker(inner.inputs[0], "Mul")
    for value in () if scale is None else scale.inputs:
        if value is not None and near(number(value), wanted):
            return value

    source = inner.inputs[0]
    assert source is not None
    return filled(last, f"{source.name}_beta", (), wanted, source.dtype or ir.DataType.FLOAT)


def _branches(node: ir.Node, reading: Reading) -> tuple[ir.Value, ir.Value] | None:
    """What a `Where` on the sign gives above zero and below; x itself must be above."""
    condition = reading.made(node.inputs[0], "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
    if condition is None or number(condition.inputs[1]) != 0.0:
        return None
    above, below = node.inputs[1], node.inputs[2]
    if condition.op_type in ("Less", "LessOrEqual"):
        above, below = below, above
    if above is None or below is None or condition.inputs[0] is not above:
        return None
    return above, below


def leaky_relu(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Where(x ≥ 0, x, alpha · x)` by `LeakyRelu(x, alpha)`."""
    found = _branches(node, reading)
    if found is None:
        return None
    source, below = found
    terms = polynomial(reading, below, source)
    if terms is None or set(terms) != {1} or not same_rank(node.outputs[0], source):
        return None
    return _one("LeakyRelu", node, source, {"alpha": terms[1]})


def largest_leaky_relu(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Max(x, alpha · x)` with alpha between 0 and 1 by `LeakyRelu(x, alpha)`."""
    if len(node.inputs) != 2:
        return None
    for source, other in sides(node):
        mark = reading.mark()
        terms = None if stated(other) is not None else polynomial(reading, other, source, 2)
        if terms is not None and set(terms) == {1} and 0 < terms[1] < 1 and same_rank(node.outputs[0], source):
            return _one("LeakyRelu", node, source, {"alpha": terms[1]})
        reading.back(mark)
    return None


def fixed_leaky_relu(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `PRelu(x, s)`, where the source's code states one number as all slopes s, by `LeakyRelu(x, s)`."""
    source, slope = node.inputs[0], uniform(node.inputs[1])
    if source is None or source.dtype is None or not source.dtype.is_floating_point() or slope is None:
        return None
    exact = source.dtype != ir.DataType.DOUBLE or float(np.float32(slope)) == slope
    return _one("LeakyRelu", node, source, {"alpha": slope}) if exact else None


def elu(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Where(x > 0, x, alpha · (Exp(x) − 1))` by `Elu(x, alpha)`."""
    found = _branches(node, reading)
    if found is None:
        return None
    source, below = found
    held = affine(reading, below, lambda value: maker(value, "Exp") is not None)
    inner = None if held is None else reading.made(held[1], "Exp")
    if held is None or inner is None or not near(held[2], -held[0], source) or held[0] <= 0:
        return None
    argument = inner.inputs[0]
    if argument is not source:
        clipped = _clipped(reading, argument)  # the exponential of Min(x, 0), which cannot overflow
        if clipped is None or clipped != (source, -math.inf, 0.0):
            return None
    return _one("Elu", node, source, {"alpha": held[0]}) if same_rank(node.outputs[0], source) else None


def selu(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Mul(Elu(x, 1.67326…), 1.05070…)` by `Selu(x)`."""
    for factor, value in sides(node):
        inner = reading.made(value, "Elu")
        if inner is None or inner.inputs[0] is None:
            continue
        alpha = attribute_float(inner, "alpha", 1.0)
        if near(stated(factor), _SELU["gamma"], node.outputs[0]) and near(alpha, _SELU["alpha"]):
            return _one("Selu", node, inner.inputs[0]) if same_rank(node.outputs[0], inner.inputs[0]) else None
    return None


RULES: Mapping[str, Sequence[Rule]] = {
    "Mul": (gelu, gelu_by_complement, swish, mish, hard_swish, hard_sigmoid, selu),
    "Div": (gelu, swish_by_exponential, hard_swish, hard_sigmoid),
    "Log": (softplus,),
    "Where": (thresholded_softplus, leaky_relu, elu),
    "PRelu": (fixed_leaky_relu,),
    "Max": (largest_leaky_relu, relu6),
    "Min": (relu6,),
    "Clip": (hard_sigmoid, relu6),
    "Relu": (),
}
