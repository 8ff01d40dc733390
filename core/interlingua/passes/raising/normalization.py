"""Normalizations that exporters spell: each rule's first sentence is the transformation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx_ir as ir

from interlingua.ir.edit import is_initializer
from interlingua.ir.facts import known, shape_of
from interlingua.ir.weights import moved
from interlingua.passes.raising.reading import (
    Reading,
    Rule,
    attribute_int,
    filled,
    home,
    integers,
    maker,
    near,
    new,
    number,
    rank,
    sides,
    stated,
)


def mean_over(
    reading: Reading, value: ir.Value | None, *, keeps: bool = True
) -> tuple[ir.Value, tuple[int, ...]] | None:
    """What a mean that `keeps` its axes, or does not, is of, and over which axes, counted from the first."""
    node = reading.made(value, "ReduceMean", "GlobalAveragePool")
    source = None if node is None else node.inputs[0]
    count = rank(source)
    if node is None or source is None or count is None:
        return None
    if node.op_type == "GlobalAveragePool":
        return (source, tuple(range(2, count))) if keeps else None
    axes = integers(node.inputs[1]) if len(node.inputs) > 1 else None
    if not axes or attribute_int(node, "keepdims", 1) != keeps:
        return None
    return source, tuple(sorted(axis % count for axis in axes))


def square(reading: Reading, value: ir.Value | None) -> ir.Value | None:
    """What a square is of: `Pow(X, 2)` or `Mul(X, X)`."""
    node = reading.made(value, "Pow", "Mul")
    if node is None:
        return None
    if node.op_type == "Pow":
        return node.inputs[0] if number(node.inputs[1]) == 2 else None
    return node.inputs[0] if node.inputs[0] is node.inputs[1] else None


def centred(reading: Reading, value: ir.Value | None) -> tuple[ir.Value, tuple[int, ...]] | None:
    """What its own mean is taken from, and over which axes."""
    node = reading.made(value, "Sub")
    if node is None or node.inputs[0] is None:
        return None
    mean = mean_over(reading, node.inputs[1])
    return (node.inputs[0], mean[1]) if mean is not None and mean[0] is node.inputs[0] else None


def _deviation(reading: Reading, value: ir.Value | None) -> tuple[ir.Value, tuple[int, ...], float] | None:
    """`Sqrt(mean of squares + epsilon)`: what is squared, the axes of the mean, and epsilon."""
    node = reading.made(value, "Sqrt", "Pow")
    if node is None or (node.op_type == "Pow" and not near(number(node.inputs[1]), 0.5)):
        return None
    return _variance(reading, node.inputs[0])


def _variance(reading: Reading, value: ir.Value | None) -> tuple[ir.Value, tuple[int, ...], float] | None:
    node = reading.made(value, "Add")
    if node is None:
        return None
    for each, constant in sides(node):
        epsilon = stated(constant)
        if epsilon is None or epsilon < 0:
            continue
        mean = mean_over(reading, each)
        squared = None if mean is None else square(reading, mean[0])
        if mean is not None and squared is not None:
            return squared, mean[1], epsilon
    return None


def _inverse_deviation(reading: Reading, value: ir.Value | None) -> tuple[ir.Value, tuple[int, ...], float] | None:
    """`1 / Sqrt(mean of squares + epsilon)`, in each of its spellings."""
    node = reading.made(value, "Reciprocal", "Div", "Pow")
    if node is None:
        return None
    if node.op_type == "Reciprocal":
        return _deviation(reading, node.inputs[0])
    if node.op_type == "Pow":
        return _variance(reading, node.inputs[0]) if near(number(node.inputs[1]), -0.5) else None
    return _deviation(reading, node.inputs[1]) if near(stated(node.inputs[0]), 1.0) else None


def _scaled(node: ir.Node, reading: Reading) -> tuple[ir.Value, tuple[ir.Value, tuple[int, ...], float]] | None:
    """The value that the node divides by a deviation, and that deviation."""
    if node.op_type == "Div":
        found = _deviation(reading, node.inputs[1])
        return None if found is None or node.inputs[0] is None else (node.inputs[0], found)
    for value, other in sides(node):
        mark = reading.mark()
        found = _inverse_deviation(reading, other)
        if found is not None:
            return value, found
        reading.back(mark)
    return None


def normalization(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `(x − mean(x)) / Sqrt(mean((x − mean(x))²) + epsilon)` by `LayerNormalization(x, 1)`.

    The axes must be the last ones. Over all spatial axes of an image it becomes `InstanceNormalization(x, 1, 0)`;
    `x / Sqrt(mean(x²) + epsilon)` becomes `RMSNormalization(x, 1)`.
    """
    found = _scaled(node, reading)
    if found is None:
        return None
    above, (squared, axes, epsilon) = found
    mark = reading.mark()
    top = centred(reading, above)
    inner = top if above is squared else centred(reading, squared)
    if top is None or inner is None or top[0] is not inner[0] or top[1] != axes or inner[1] != axes:
        reading.back(mark)
        return _normalized(node, "RMSNormalization", above, axes, epsilon) if above is squared else None
    return _normalized(node, "LayerNormalization", top[0], axes, epsilon)


def _normalized(
    node: ir.Node, op_type: str, source: ir.Value, axes: tuple[int, ...], epsilon: float
) -> Sequence[ir.Node] | None:
    shape, count = shape_of(source), rank(source)
    if (
        shape is None
        or count is None
        or axes != tuple(range(count - len(axes), count))
        or rank(node.outputs[0]) != count
    ):
        return None
    dtype, output = source.dtype or ir.DataType.FLOAT, node.outputs[0]
    if op_type == "LayerNormalization" and len(axes) > 1 and axes[0] == 2 and isinstance(shape[1], int):
        scale = filled(node, f"{output.name}_scale", (shape[1],), 1.0, dtype)
        bias = filled(node, f"{output.name}_bias", (shape[1],), 0.0, dtype)
        return [new("InstanceNormalization", [source, scale, bias], {"epsilon": epsilon}, like=output)]
    sizes = known(shape[axes[0] :])
    if sizes is None:
        return None
    scale = filled(node, f"{output.name}_scale", sizes, 1.0, dtype)
    return [new(op_type, [source, scale], {"axis": -len(axes), "epsilon": epsilon}, like=output)]


def normalization_by_moments(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `x · i + (beta − mean(x) · i)` with `i = gamma / Sqrt(variance + epsilon)` by `LayerNormalization`."""
    for first, second in sides(node):
        mark = reading.mark()
        made = _by_moments(node, reading, first, second)
        if made is not None:
            return made
        reading.back(mark)
    return None


def _by_moments(node: ir.Node, reading: Reading, first: ir.Value, second: ir.Value) -> Sequence[ir.Node] | None:
    product = reading.made(first, "Mul")
    rest = _shifted(reading, second)
    if product is None or rest is None:
        return None
    mean, factor, beta = rest
    source = next((value for value, other in sides(product) if other is factor), None)
    averaged = mean_over(reading, mean)
    scaled = _inverse_and_weight(reading, factor)
    if source is None or averaged is None or scaled is None or averaged[0] is not source:
        return None
    (squared, axes, epsilon), gamma = scaled
    inner = centred(reading, squared)
    if inner is None or inner[0] is not source or inner[1] != axes or averaged[1] != axes:
        return None
    shape, count = shape_of(source), rank(source)
    if (
        shape is None
        or count is None
        or axes != tuple(range(count - len(axes), count))
        or rank(node.outputs[0]) != count
    ):
        return None
    weight = None if gamma is None else fitted(node, gamma, shape, axes)
    shift = None if beta is None else fitted(node, beta, shape, axes)
    if (gamma is not None and weight is None) or (beta is not None and shift is None):
        return None
    sizes = known(shape[axes[0] :])
    if sizes is None:
        return None
    if weight is None:
        weight = filled(node, f"{node.outputs[0].name}_scale", sizes, 1.0, source.dtype or ir.DataType.FLOAT)
    attributes: dict[str, object] = {"axis": -len(axes), "epsilon": epsilon}
    return [new("LayerNormalization", [source, weight, shift], attributes, like=node.outputs[0])]


def _shifted(reading: Reading, value: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value | None] | None:
    """`beta − mean · i`, or `beta + (−mean) · i`, or `(−mean) · i`: the mean, i, and beta."""
    node = reading.made(value, "Sub", "Add", "Mul")
    if node is None:
        return None
    if node.op_type == "Mul":
        turned = _turned_mean(reading, node)
        return None if turned is None else (*turned, None)
    if node.op_type == "Sub":
        inner = reading.made(node.inputs[1], "Mul")
        for mean, factor in () if inner is None else sides(inner):
            if maker(mean, "ReduceMean", "GlobalAveragePool") is not None:
                return mean, factor, node.inputs[0]
        return None
    for beta, other in sides(node):
        inner = maker(other, "Mul")
        turned = None if inner is None else _turned_mean(reading, inner)
        if turned is not None and inner is not None:
            reading.nodes[inner] = None
            return (*turned, beta)
    return None


def _turned_mean(reading: Reading, node: ir.Node) -> tuple[ir.Value, ir.Value] | None:
    for turned, factor in sides(node):
        negated = reading.made(turned, "Neg")
        if negated is not None and maker(negated.inputs[0], "ReduceMean", "GlobalAveragePool") is not None:
            assert negated.inputs[0] is not None
            return negated.inputs[0], factor
    return None


def _inverse_and_weight(
    reading: Reading, value: ir.Value
) -> tuple[tuple[ir.Value, tuple[int, ...], float], ir.Value | None] | None:
    mark = reading.mark()
    bare = _inverse_deviation(reading, value)
    if bare is not None:
        return bare, None
    reading.back(mark)
    node = reading.made(value, "Mul")
    for inverse, gamma in () if node is None else sides(node):
        if is_initializer(gamma):
            found = _inverse_deviation(reading, inverse)
            return None if found is None else (found, gamma)
    return None


def fitted(
    node: ir.Node, weight: ir.Value, shape: tuple[int | str | None, ...], axes: tuple[int, ...]
) -> ir.Value | None:
    """The weight as the normalized axes have it; None where it has other sizes."""
    sizes, wanted = known(shape_of(weight)), known(shape[axes[0] :])
    if not is_initializer(weight) or sizes is None or wanted is None or len(sizes) > len(shape):
        return None
    aligned = [1] * (len(shape) - len(sizes)) + sizes
    if aligned[axes[0] :] != wanted or any(size != 1 for size in aligned[: axes[0]]):
        return None
    return moved(home(node), weight, [("reshape", tuple(wanted))])


def per_channel(node: ir.Node, weight: ir.Value, shape: tuple[int | str | None, ...]) -> ir.Value | None:
    """The weight as one axis, where it has one number a channel of N C *."""
    sizes = known(shape_of(weight))
    if not is_initializer(weight) or sizes is None or len(shape) < 2 or len(sizes) > len(shape):
        return None
    aligned = [1] * (len(shape) - len(sizes)) + sizes
    if any(size != (shape[1] if axis == 1 else 1) for axis, size in enumerate(aligned)):
        return None
    return moved(home(node), weight, [("reshape", (aligned[1],))])


RULES: Mapping[str, Sequence[Rule]] = {
    "Div": (normalization,),
    "Mul": (normalization,),
    "Add": (normalization_by_moments,),
}
