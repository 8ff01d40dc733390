"""Batch normalization that a module spells: each rule's first sentence is the transformation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import is_initializer
from interlingua.ir.facts import known, shape_of
from interlingua.ir.weights import moved
from interlingua.passes.raising.affine import no_bias, unit_scale
from interlingua.passes.raising.normalization import centred, mean_over, square
from interlingua.passes.raising.reading import (
    Reading,
    Rule,
    attribute_float,
    attribute_int,
    filled,
    home,
    maker,
    near,
    new,
    number,
    rank,
    sides,
    stated,
)


def batch_statistics(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `(x − mean) / Sqrt(variance + epsilon)` with weights for mean and variance by `BatchNormalization`.

    A following scale and bias are taken in by `batch_affine`. Statistics that the exporter folded into one factor and
    one addend, or into a convolution, are no longer known and stay what they are.
    """
    for difference, deviation in ((node.inputs[0], node.inputs[1]),) if node.op_type == "Div" else sides(node):
        mark = reading.mark()
        above = reading.made(difference, "Sub")
        variance = _weight_deviation(reading, deviation, inverse=node.op_type == "Mul")
        if above is not None and variance is not None and above.inputs[0] is not None:
            source, mean = above.inputs[0], above.inputs[1]
            made = _batch(node, source, mean, *variance)
            if made is not None:
                return made
        reading.back(mark)
    return None


def _weight_deviation(reading: Reading, value: ir.Value | None, *, inverse: bool) -> tuple[ir.Value, float] | None:
    if inverse:
        node = reading.made(value, "Reciprocal", "Div", "Pow")
        if node is None:
            return None
        if node.op_type == "Pow":
            return _weight_and_epsilon(reading, node.inputs[0]) if near(number(node.inputs[1]), -0.5) else None
        if node.op_type == "Div" and not near(stated(node.inputs[0]), 1.0):
            return None
        value = node.inputs[-1]
    root = reading.made(value, "Sqrt", "Pow")
    if root is None or (root.op_type == "Pow" and not near(number(root.inputs[1]), 0.5)):
        return None
    return _weight_and_epsilon(reading, root.inputs[0])


def _weight_and_epsilon(reading: Reading, value: ir.Value | None) -> tuple[ir.Value, float] | None:
    node = reading.made(value, "Add")
    for weight, constant in () if node is None else sides(node):
        epsilon = stated(constant)
        if epsilon is not None and epsilon >= 0:
            return weight, epsilon
    return None


def _one_a_channel(node: ir.Node, value: ir.Value, shape: tuple[int | str | None, ...]) -> ir.Value | None:
    """The weight as one axis, where it, reshaped or not, has one number a channel of N C *."""
    sizes, weight = known(shape_of(value)), value
    while not is_initializer(weight):
        view = maker(weight, "Reshape", "Unsqueeze", "Squeeze")
        if view is None or view.inputs[0] is None:
            return None
        weight = view.inputs[0]
    if sizes is None or len(shape) < 2 or len(sizes) > len(shape):
        return None
    aligned = [1] * (len(shape) - len(sizes)) + sizes
    if any(size != (shape[1] if axis == 1 else 1) for axis, size in enumerate(aligned)):
        return None
    return moved(home(node), weight, [("reshape", (aligned[1],))])


def _batch(
    node: ir.Node, source: ir.Value, mean: ir.Value | None, variance: ir.Value, epsilon: float
) -> Sequence[ir.Node] | None:
    shape = shape_of(source)
    if shape is None or mean is None or rank(node.outputs[0]) != len(shape) or is_initializer(source):
        return None
    average, spread = _one_a_channel(node, mean, shape), _one_a_channel(node, variance, shape)
    if average is None or spread is None or metadata.is_constant(average):
        return None
    size, dtype, name = known(shape_of(average)) or [1], source.dtype or ir.DataType.FLOAT, node.outputs[0].name
    ones, zeros = filled(node, f"{name}_scale", size, 1.0, dtype), filled(node, f"{name}_bias", size, 0.0, dtype)
    return [
        new("BatchNormalization", [source, ones, zeros, average, spread], {"epsilon": epsilon}, like=node.outputs[0])
    ]


def batch_affine(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Mul(BatchNormalization(x, 1, 0, …), gamma)` and `Add(…, beta)` by one `BatchNormalization`."""
    for value, weight in sides(node):
        inner = maker(value, "BatchNormalization")
        shape = shape_of(value)
        if inner is None or shape is None or not reading.alone(value):
            continue
        held = _one_a_channel(node, weight, shape)
        plain = no_bias(inner) and (unit_scale(inner) or node.op_type == "Add")
        if held is None or not plain or rank(node.outputs[0]) != len(shape) or stated(weight) is not None:
            continue
        reading.nodes[inner] = None
        inputs = list(inner.inputs)
        inputs[1 if node.op_type == "Mul" else 2] = held
        said = {name: attribute.value for name, attribute in inner.attributes.items()}
        return [new("BatchNormalization", inputs, said, like=node.outputs[0])]
    return None


def own_statistics(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `BatchNormalization(x, scale, bias, mean(x), variance(x))`, of one sample, by `InstanceNormalization`.

    Exporters write so what trains batch normalization on its input alone, as scaled weight standardization does.
    """
    source, gamma, beta, mean, variance = node.inputs
    shape, count = shape_of(source), rank(source)
    if source is None or shape is None or count is None or count < 3 or shape[0] != 1 or not isinstance(shape[1], int):
        return None
    others = tuple(axis for axis in range(count) if axis != 1)
    if attribute_int(node, "training_mode", 0) or any(each.uses() for each in node.outputs[1:]):
        return None
    if mean_over(reading, mean, keeps=False) != (source, others):
        return None
    spread = mean_over(reading, variance, keeps=False)
    squared = None if spread is None or spread[1] != others else square(reading, spread[0])
    if squared is None or centred(reading, squared) != (source, others):
        return None
    attributes: dict[str, object] = {"epsilon": attribute_float(node, "epsilon", 1e-5)}
    return [new("InstanceNormalization", [source, gamma, beta], attributes, like=node.outputs[0])]


RULES: Mapping[str, Sequence[Rule]] = {
    "BatchNormalization": (own_statistics,),
    "Mul": (batch_affine,),
    "Add": (batch_affine,),
}

EARLY: Mapping[str, Sequence[Rule]] = {
    "Div": (batch_statistics,),
    "Mul": (batch_statistics, batch_affine),
    "Add": (batch_affine,),
}
"""Rules that must see weights before what is computed from weights alone is folded into them."""
