"""The scale and bias of normalizations, their groups and casts: each rule's first sentence is the transformation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx_ir as ir

from interlingua.ir.edit import is_initializer
from interlingua.ir.facts import known, shape_of
from interlingua.passes.raising.normalization import fitted, per_channel
from interlingua.passes.raising.reading import (
    Reading,
    Rule,
    attribute_float,
    attribute_int,
    filled,
    maker,
    new,
    rank,
    sides,
    stated,
    uniform,
)

_NORMALS = ("LayerNormalization", "RMSNormalization", "GroupNormalization", "InstanceNormalization")


def _sized(node: ir.Node, inner: ir.Node, weight: ir.Value) -> tuple[ir.Value, str] | None:
    """The weight as the normalization wants it, and which normalization that is."""
    shape = shape_of(inner.inputs[0])
    if shape is None:
        return None
    if inner.op_type in ("LayerNormalization", "RMSNormalization"):
        axis = attribute_int(inner, "axis", -1) % len(shape)
        held = fitted(node, weight, shape, tuple(range(axis, len(shape))))
        if held is not None or inner.op_type == "RMSNormalization" or axis != 2:
            return None if held is None else (held, inner.op_type)
        channels = per_channel(node, weight, shape)
        return None if channels is None else (channels, "InstanceNormalization")
    channels = per_channel(node, weight, shape)
    if channels is not None:
        return channels, inner.op_type
    if inner.op_type == "InstanceNormalization":
        held = fitted(node, weight, shape, tuple(range(2, len(shape))))
        return None if held is None else (held, "LayerNormalization")
    return None


def _rebuilt(node: ir.Node, inner: ir.Node, op_type: str, scale: ir.Value, bias: ir.Value | None) -> list[ir.Node]:
    """The normalization again with another scale and bias, as the op of that name."""
    source = inner.inputs[0]
    assert source is not None
    said: dict[str, object] = {"epsilon": attribute_float(inner, "epsilon", 1e-5)}
    if op_type in ("LayerNormalization", "RMSNormalization"):
        said["axis"] = attribute_int(inner, "axis", -1) if inner.op_type == op_type else 2 - (rank(source) or 0)
    if op_type == "GroupNormalization":
        said["num_groups"] = attribute_int(inner, "num_groups", 1)
    if op_type in ("GroupNormalization", "InstanceNormalization") and bias is None:
        size = known(shape_of(scale)) or [1]
        bias = filled(node, f"{node.outputs[0].name}_bias", size, 0.0, scale.dtype or ir.DataType.FLOAT)
    return [new(op_type, [source, scale, bias], said, like=node.outputs[0])]


def unit_scale(inner: ir.Node) -> bool:
    """Whether the normalization's scale is all ones, and no parameter."""
    return len(inner.inputs) > 1 and uniform(inner.inputs[1]) == 1.0


def no_bias(inner: ir.Node) -> bool:
    """Whether the normalization has no bias, or one of zeros that is no parameter."""
    return len(inner.inputs) < 3 or inner.inputs[2] is None or uniform(inner.inputs[2]) == 0.0


def scale(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Mul(LayerNormalization(x, 1), gamma)` by `LayerNormalization(x, gamma)`; others likewise."""
    for value, weight in sides(node):
        inner = maker(value, *_NORMALS)
        if inner is None or not is_initializer(weight) or not unit_scale(inner) or not no_bias(inner):
            continue
        if stated(weight) is not None or not reading.alone(value) or inner.graph is not node.graph:
            continue
        sized = _sized(node, inner, weight)
        if sized is not None and rank(node.outputs[0]) == rank(value):
            reading.nodes[inner] = None
            return _rebuilt(node, inner, sized[1], sized[0], None)
    return None


def bias(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Add(LayerNormalization(x, gamma), beta)` by `LayerNormalization(x, gamma, beta)`; others likewise."""
    for value, weight in sides(node):
        inner = maker(value, "LayerNormalization", "GroupNormalization", "InstanceNormalization")
        if inner is None or not is_initializer(weight) or not no_bias(inner) or inner.graph is not node.graph:
            continue
        if not reading.alone(value) or stated(weight) is not None or rank(node.outputs[0]) != rank(value):
            continue
        sized = _sized(node, inner, weight)
        held = inner.inputs[1]
        if sized is None or held is None:
            continue
        reading.nodes[inner] = None
        if sized[1] == inner.op_type:
            return _rebuilt(node, inner, inner.op_type, held, sized[0])
        if unit_scale(inner):
            size = known(shape_of(sized[0])) or [1]
            ones = filled(node, f"{node.outputs[0].name}_scale", size, 1.0, held.dtype or ir.DataType.FLOAT)
            return _rebuilt(node, inner, sized[1], ones, sized[0])
        reading.nodes.pop(inner)
    return None


def short_floats(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Cast(LayerNormalization(Cast(x, float), 1))` back to x's type by `LayerNormalization(x, 1)`.

    The operator itself computes short floats in float32; `RMSNormalization` likewise.
    """
    inner = reading.made(node.inputs[0], "LayerNormalization", "RMSNormalization")
    outer = None if inner is None else reading.made(inner.inputs[0], "Cast")
    source = None if outer is None else outer.inputs[0]
    if inner is None or source is None or source.dtype is None or not (unit_scale(inner) and no_bias(inner)):
        return None
    if source.dtype not in (ir.DataType.FLOAT16, ir.DataType.BFLOAT16) or inner.outputs[0].dtype != ir.DataType.FLOAT:
        return None
    if node.attributes["to"].as_int() != int(source.dtype):
        return None
    sizes = known(shape_of(inner.inputs[1])) or []
    ones = filled(node, f"{node.outputs[0].name}_scale", sizes, 1.0, source.dtype)
    said = {name: attribute.value for name, attribute in inner.attributes.items()}
    made = new(inner.op_type, [source, ones], said, like=source)
    return [made]


def groups(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Reshape(InstanceNormalization(Reshape(x, [0, G, -1]), 1, 0), like x)` by `GroupNormalization(x)`."""
    inner = reading.made(node.inputs[0], "InstanceNormalization")
    if inner is None or not unit_scale(inner) or not no_bias(inner):
        return None
    first = reading.made(inner.inputs[0], "Reshape")
    source = None if first is None else first.inputs[0]
    shape, middle, after = shape_of(source), shape_of(inner.inputs[0]), shape_of(node.outputs[0])
    if source is None or shape is None or middle is None or after is None or len(middle) != 3 or len(shape) < 3:
        return None
    count, channels = middle[1], shape[1]
    if not isinstance(count, int) or not isinstance(channels, int) or channels % count or shape[0] != middle[0]:
        return None
    if shape != after and not _same_sizes(shape, after):
        return None
    dtype, name = source.dtype or ir.DataType.FLOAT, node.outputs[0].name
    scale = filled(node, f"{name}_scale", (channels,), 1.0, dtype)
    shift = filled(node, f"{name}_bias", (channels,), 0.0, dtype)
    said: dict[str, object] = {"num_groups": count, "epsilon": attribute_float(inner, "epsilon", 1e-5)}
    return [new("GroupNormalization", [source, scale, shift], said, like=node.outputs[0])]


def _same_sizes(first: tuple[int | str | None, ...], second: tuple[int | str | None, ...]) -> bool:
    """Whether two shapes of one number of elements agree but for one size, which is then equal too."""
    if len(first) != len(second):
        return False
    apart = [axis for axis, (left, right) in enumerate(zip(first, second, strict=True)) if left != right]
    return len(apart) == 1 and all(isinstance(size, int) for axis, size in enumerate(first) if axis not in apart)


RULES: Mapping[str, Sequence[Rule]] = {
    "Mul": (scale,),
    "Add": (bias,),
    "Cast": (short_floats,),
    "Reshape": (groups,),
}
