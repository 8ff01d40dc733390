"""Bodies of composite operators; each function's first sentence is the expansion.

The standard's bodies of these reshape by computed shapes, or use operators that small frameworks lack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx_ir as ir

from interlingua.codegen.attention_body import attention
from interlingua.codegen.body import Body
from interlingua.ir import metadata
from interlingua.ir.edit import graph_of
from interlingua.ir.facts import known, shape_of
from interlingua.ir.weights import moved

_ROOT = float(np.sqrt(2 / np.pi))
_CUBIC = 0.044715


def swish(body: Body) -> ir.Value | None:
    """`Swish(x)` is `x · Sigmoid(alpha · x)`."""
    alpha = body.decimal("alpha", 1.0)
    inner = body.source if alpha == 1 else body("Mul", body.source, alpha)
    return body("Mul", body.source, body("Sigmoid", inner))


def softplus(body: Body) -> ir.Value | None:
    """`Softplus(x)` is `Relu(x) + Log(1 + Exp(−|x|))`, which does not overflow."""
    turned = body("Mul", body("Abs", body.source), -1.0)
    return body("Add", body("Relu", body.source), body("Log", body("Add", body("Exp", turned), 1.0)))


def mish(body: Body) -> ir.Value | None:
    """`Mish(x)` is `x · Tanh(Softplus(x))`."""
    return body("Mul", body.source, body("Tanh", body("Softplus", body.source)))


def hard_sigmoid(body: Body) -> ir.Value | None:
    """`HardSigmoid(x)` is `Clip(alpha · x + beta, 0, 1)`."""
    scaled = body("Mul", body.source, body.decimal("alpha", 0.2))
    return body("Clip", body("Add", scaled, body.decimal("beta", 0.5)), 0.0, 1.0)


def hard_swish(body: Body) -> ir.Value | None:
    """`HardSwish(x)` is `x · Clip(x + 3, 0, 6) / 6`."""
    clipped = body("Clip", body("Add", body.source, 3.0), 0.0, 6.0)
    return body("Mul", body("Mul", body.source, clipped), 1 / 6)


def gelu(body: Body) -> ir.Value | None:
    """`Gelu(x)` is `0.5 · x · (1 + Erf(x / √2))`; near it, `0.5 · x · (1 + Tanh(√(2/π) · (x + 0.044715 · x³)))`."""
    held, source = body.node.attributes.get("approximate"), body.source
    if held is not None and held.as_string() == "tanh":
        cube = body("Mul", body("Mul", source, source), source)
        inner = body("Mul", body("Add", source, body("Mul", cube, _CUBIC)), _ROOT)
        gate = body("Tanh", inner)
    else:
        gate = body("Erf", body("Mul", source, float(np.sqrt(0.5))))
    return body("Mul", body("Mul", source, 0.5), body("Add", gate, 1.0))


def selu(body: Body) -> ir.Value | None:
    """`Selu(x)` is `gamma · Elu(x, alpha)`."""
    inner = body("Elu", body.source, alpha=body.decimal("alpha", 1.6732632))
    return body("Mul", inner, body.decimal("gamma", 1.0507010))


def log_softmax(body: Body) -> ir.Value | None:
    """`LogSoftmax(x)` is `Log(Softmax(x))`."""
    return body("Log", body("Softmax", body.source, axis=body.whole("axis", -1)))


def _normalized(body: Body, source: ir.Value, axes: Sequence[int], *, centred: bool = True) -> ir.Value | None:
    """`(x − mean(x)) / Sqrt(mean((x − mean(x))²) + epsilon)` over axes that are kept, or without the mean."""
    shape = shape_of(source)
    if shape is None:
        return None
    kept = [1 if axis in axes else size for axis, size in enumerate(shape)]
    over = body.constant(np.asarray(axes, np.int64))
    if centred:
        mean = body("ReduceMean", source, over, keepdims=1, shape=kept)
        source = body("Sub", source, mean, shape=shape)
    squares = body("Mul", source, source, shape=shape)
    variance = body("ReduceMean", squares, over, keepdims=1, shape=kept)
    spread = body("Sqrt", body("Add", variance, body.decimal("epsilon", 1e-5), shape=kept), shape=kept)
    return body("Div", source, spread, shape=shape)


def _is_float(body: Body) -> bool:
    """Whether the node computes in the element type it is given: short floats are computed in float32."""
    return body.source.dtype in (ir.DataType.FLOAT, ir.DataType.DOUBLE) and len(body.node.outputs) == 1


def layer_normalization(body: Body) -> ir.Value | None:
    """`LayerNormalization(x, scale, bias)` is `(x − mean) / Sqrt(variance + epsilon) · scale + bias`."""
    count = len(shape_of(body.source) or ())
    if not count or not _is_float(body):
        return None
    axis = body.whole("axis", -1) % count
    inner = _normalized(body, body.source, range(axis, count))
    return None if inner is None else _with_affine(body, inner, body.input(1), body.optional(2))


def rms_normalization(body: Body) -> ir.Value | None:
    """`RMSNormalization(x, scale)` is `x / Sqrt(mean(x²) + epsilon) · scale`."""
    count = len(shape_of(body.source) or ())
    if not count or not _is_float(body):
        return None
    axis = body.whole("axis", -1) % count
    inner = _normalized(body, body.source, range(axis, count), centred=False)
    return None if inner is None else _with_affine(body, inner, body.input(1), None)


def instance_normalization(body: Body) -> ir.Value | None:
    """`InstanceNormalization(x, scale, bias)` is `(x − mean) / Sqrt(variance + epsilon)` over spatial axes, scaled."""
    count = len(shape_of(body.source) or ())
    if count < 3 or not _is_float(body):
        return None
    inner = _normalized(body, body.source, range(2, count))
    return None if inner is None else _with_channels(body, inner, count)


def group_normalization(body: Body) -> ir.Value | None:
    """`GroupNormalization(x, scale, bias)` is a normalization of `Reshape(x, [0, groups, -1])`, scaled by channel."""
    shape = shape_of(body.source)
    if (
        shape is None
        or len(shape) < 3
        or not _is_float(body)
        or sum(not isinstance(size, int) for size in shape[1:]) > 1
    ):
        return None
    groups, sizes = body.whole("num_groups", 1), known(shape[1:])
    length = None if sizes is None else int(np.prod(sizes)) // groups
    inside = body.constant(np.asarray([0, groups, -1], np.int64))
    outside = body.constant(np.asarray([0, *(size if isinstance(size, int) else -1 for size in shape[1:])], np.int64))
    apart = body("Reshape", body.source, inside, shape=(shape[0], groups, length))
    inner = _normalized(body, apart, (2,))
    if inner is None:
        return None
    return _with_channels(body, body("Reshape", inner, outside, shape=shape), len(shape))


def _with_affine(body: Body, inner: ir.Value, scale: ir.Value, bias: ir.Value | None) -> ir.Value:
    """The value times a scale, plus a bias, without what does nothing."""
    if not _all(scale, 1.0):
        inner = body("Mul", inner, scale)
    if bias is not None and not _all(bias, 0.0):
        inner = body("Add", inner, bias)
    return inner if body.nodes[-1].outputs[0] is inner else body("Identity", inner)


def _with_channels(body: Body, inner: ir.Value, count: int) -> ir.Value:
    """The value scaled and shifted by channel, the weights turned into `[C, 1, …]`."""
    held: list[ir.Value] = []
    for weight in (body.input(1), body.input(2)):
        size = known(shape_of(weight)) or [-1]
        steps = [("reshape", (size[0], *[1] * (count - 2)))]
        if weight.is_initializer() and weight.const_value is not None:
            held.append(moved(graph_of(body.node), weight, steps))
        else:
            wanted = body.constant(np.asarray(steps[0][1], np.int64))
            held.append(body("Reshape", weight, wanted, shape=steps[0][1]))
    return _with_affine(body, inner, held[0], held[1])


def _all(value: ir.Value, number: float) -> bool:
    """Whether the value is a constant that nobody trains, all of whose elements are that number."""
    if not value.is_initializer() or value.const_value is None or not metadata.is_constant(value):
        return False
    return bool((value.const_value.numpy() == number).all())


def _blocks(body: Body, before: Sequence[int], order: Sequence[int], after: Sequence[int]) -> ir.Value | None:
    """`Reshape(Transpose(Reshape(x, before), order), after)`."""
    batch = (shape_of(body.source) or (None,))[0]
    inside: list[int | str | None] = [batch, *before[1:]]
    first = body("Reshape", body.source, body.constant(np.asarray(before, np.int64)), shape=inside)
    turned = body("Transpose", first, perm=list(order), shape=[inside[axis] for axis in order])
    return body("Reshape", turned, body.constant(np.asarray(after, np.int64)))


def depth_to_space(body: Body) -> ir.Value | None:
    """`DepthToSpace(x)` is `Reshape(Transpose(Reshape(x)))`, by columns or by rows first as its mode says."""
    sizes = known((shape_of(body.source) or (None, None))[1:])
    if sizes is None or len(sizes) != 3:
        return None
    (channels, height, width), block = sizes, body.whole("blocksize", 1)
    rest = channels // block**2
    mode = body.node.attributes.get("mode")
    after = [0, rest, height * block, width * block]
    if mode is not None and mode.as_string() == "CRD":
        return _blocks(body, [0, rest, block, block, height, width], (0, 1, 4, 2, 5, 3), after)
    return _blocks(body, [0, block, block, rest, height, width], (0, 3, 4, 1, 5, 2), after)


def space_to_depth(body: Body) -> ir.Value | None:
    """`SpaceToDepth(x)` is `Reshape(Transpose(Reshape(x)))`."""
    sizes = known((shape_of(body.source) or (None, None))[1:])
    if sizes is None or len(sizes) != 3:
        return None
    (channels, height, width), block = sizes, body.whole("blocksize", 1)
    before = [0, channels, height // block, block, width // block, block]
    return _blocks(body, before, (0, 3, 5, 1, 2, 4), [0, channels * block**2, height // block, width // block])


BODIES: Mapping[str, Callable[[Body], ir.Value | None]] = {
    "Attention": attention,
    "DepthToSpace": depth_to_space,
    "Gelu": gelu,
    "GroupNormalization": group_normalization,
    "HardSigmoid": hard_sigmoid,
    "HardSwish": hard_swish,
    "InstanceNormalization": instance_normalization,
    "LayerNormalization": layer_normalization,
    "LogSoftmax": log_softmax,
    "Mish": mish,
    "RMSNormalization": rms_normalization,
    "Selu": selu,
    "Softplus": softplus,
    "SpaceToDepth": space_to_depth,
    "Swish": swish,
}
