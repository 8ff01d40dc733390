"""Layers whose reading takes more than their card: each function gives the layer's outputs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir

from interlingua import cards
from interlingua.codegen.weights import Weight
from interlingua.errors import InvalidSource, Unsupported
from interlingua.ir.facts import facts_of, known, shape_of
from interlingua_caffe.cards.pooling import rounding_matters
from interlingua_caffe.frontend.graph import FRAMEWORK, Graph
from interlingua_caffe.frontend.net import Layer

Said = dict[str, Any]
Reader = Callable[[Graph, Layer, Said], list[ir.Value]]


def canonical(layer: Layer, axis: int, rank: int) -> int:
    """An axis counted from the front.

    Raises:
        InvalidSource: there is no such axis.
    """
    if not -rank <= axis < rank:
        raise InvalidSource(
            f"Expected one of the {rank} axes of what {layer.type} takes. Received axis {axis}.",
            place=f"layer {layer.name!r}",
        )
    return axis % rank


def _log_of_base(layer: Layer, base: float) -> float:
    """The natural logarithm of a base; −1 stands for e."""
    if base == -1:
        return 1.0
    if base <= 0 or base == 1:
        raise InvalidSource(f"Expected a base above 0 and not 1. Received {base}.", place=f"layer {layer.name!r}")
    return math.log(base)


def inner_product(graph: Graph, layer: Layer, said: Said) -> list[ir.Value]:
    """Reads `InnerProduct` as `Gemm` of the flattened input, or with a later axis as `MatMul` and `Add`."""
    (x,) = graph.inputs(layer)
    shape = shape_of(x)
    axis = said.pop("inner_product_param.axis", 1)
    axis = axis if shape is None and axis >= 0 else canonical(layer, axis, graph.rank(x))
    turned = said.pop("inner_product_param.transpose", False)
    if axis == 1 and not turned:
        flat = x if shape is not None and len(shape) == 2 else graph.call(layer, "Flatten", {}, [x])
        return [graph.call(layer, "InnerProduct", said, [flat])]
    weight = graph.blob(layer, 0, 2)
    if not turned:
        weight = graph.builder.rearranged(Weight(weight).then(("transpose", (1, 0))))
    rows = graph.call(layer, "Reshape", {"reshape_param.shape.dim": [0] * axis + [-1]}, [x])
    product = graph.node(layer, "MatMul", [rows, weight])
    if not said.get("inner_product_param.bias_term", True):
        return [product]
    return [graph.node(layer, "Add", [product, graph.blob(layer, 1, 1)])]


def convolution_depthwise(graph: Graph, layer: Layer, said: Said) -> list[ir.Value]:
    """Reads the forks' depthwise layers as `Convolution` with a group for each input channel, whatever they say."""
    (x,) = graph.inputs(layer)
    shape = shape_of(x)
    if shape is None or not isinstance(shape[1], int):
        raise Unsupported("the channels of what it takes are not known")
    return [graph.call(layer, "Convolution", {**said, "convolution_param.group": shape[1]}, [x])]


def shared(api: str) -> Reader:
    """Reads a layer of several bottoms and as many tops: the same weights for each."""

    def read(graph: Graph, layer: Layer, said: Said) -> list[ir.Value]:
        return [graph.call(layer, api, said, [x]) for x in graph.inputs(layer)]

    return read


def pooling(graph: Graph, layer: Layer, said: Said) -> list[ir.Value]:
    """Reads `Pooling`; that the size is rounded up is said only where it matters."""
    (x,) = graph.inputs(layer)
    if len(layer.outputs) > 1:
        raise Unsupported("a second top with the places of the maxima")
    if said.get("pooling_param.global_pooling"):
        said = {name: value for name, value in said.items() if name.endswith((".pool", ".global_pooling", ".engine"))}
        if said.get("pooling_param.pool", "MAX") == "MAX":
            return [graph.node(layer, "GlobalMaxPool", [x])]
        return [graph.call(layer, "Pooling", said, [x])]
    value = graph.call(layer, "Pooling", said, [x])
    node = value.producer()
    assert node is not None
    if _beyond_the_image(node):
        raise Unsupported("a last window that lies wholly beyond the image")
    if "ceil_mode" in node.attributes and not rounding_matters(facts_of(node)):
        del node.attributes["ceil_mode"]
    return [value]


def _beyond_the_image(node: ir.Node) -> bool:
    """Whether Caffe takes an empty last window, which it does not leave out where there is no padding."""
    facts = facts_of(node)
    shape = facts.shapes.get("X")
    if not facts["ceil_mode"] or any(facts["pads"]):
        return False
    rows = zip(shape[2:] if shape else (), facts["kernel_shape"], facts["strides"], strict=False)
    return any(
        isinstance(size, int) and -(-(size - kernel) // stride) * stride >= size for size, kernel, stride in rows
    )


def batch_norm(graph: Graph, layer: Layer, said: Said, scale: Layer | None = None) -> list[ir.Value]:
    """Reads `BatchNorm`, with the `Scale` after it where there is one, as one `BatchNormalization`."""
    (x,) = graph.inputs(layer)
    card = cards.find_to_read(FRAMEWORK, "BatchNorm", said)
    channels = [size if isinstance(size, int) else None for size in (shape_of(x) or (None, None))[1:2]]
    statistics = {slot.name: graph.blob(layer, i, 1, channels) for i, slot in enumerate(card.weights.values())}
    factor = float(layer.stored[2].blob.numbers[0]) if len(layer.stored) > 2 else 1.0
    if factor != 1:  # Caffe stores sums and how much they weigh
        inverse = float(np.float32(1 / factor)) if factor else 0.0
        statistics = {
            name: graph.builder.rearranged(Weight(value).then(("multiply", (inverse,))))
            for name, value in statistics.items()
        }
    size = next(iter(statistics.values())).shape
    filled = [
        graph.builder.constant(f"{layer.name}.{n}", np.full(size.numpy(), v, np.float32)) for n, v in _NEUTRAL if size
    ]
    gamma = graph.blob(scale, 0, 1, channels) if scale else filled[0]
    beta = graph.blob(scale, 1, 1, channels) if scale and scale.message.scale_param.bias_term else filled[1]
    return [graph.call(layer, "BatchNorm", said, [x], extra={"scale": gamma, "B": beta}, weights=statistics)]


_NEUTRAL = (("scale", 1.0), ("shift", 0.0))


def _spread(graph: Graph, layer: Layer, operand: ir.Value, x: ir.Value, axis: int) -> ir.Value:
    """The operand with ones after its axes, so that its first one meets the axis `axis` of `x`."""
    rank, own = graph.rank(x), graph.rank(operand)
    after = rank - axis - own
    if after < 0:
        raise Unsupported(f"an operand of {own} axes from axis {axis} on of one of {rank}")
    if not after:
        return operand
    if operand.const_value is not None:
        shape = (*(known(shape_of(operand)) or ()), *(1 for _ in range(after)))
        return graph.builder.rearranged(Weight(operand).then(("reshape", shape)))
    axes = graph.builder.constant(f"{layer.name}.axes", np.arange(own, own + after, dtype=np.int64))
    return graph.node(layer, "Unsqueeze", [operand, axes])


def _axis_and_count(graph: Graph, layer: Layer, owner: str, said: Said) -> tuple[int, int]:
    """From which axis of the data on an operand stands, and how many axes a blob of the layer's own has."""
    rank = graph.rank(graph.inputs(layer)[0])
    axis = canonical(layer, said.get(f"{owner}.axis", 1), rank)
    count = said.get(f"{owner}.num_axes", 1)
    return axis, rank - axis if count == -1 else int(count)


def _sizes_from(x: ir.Value, axis: int, count: int) -> list[int | None]:
    """The sizes of `count` axes of a value from `axis` on, None where one is free."""
    shape = shape_of(x)
    if shape is None:
        return [None] * count
    return [size if isinstance(size, int) else None for size in shape[axis : axis + count]]


def scale(graph: Graph, layer: Layer, said: Said) -> list[ir.Value]:
    """Reads `Scale` as `Mul` by a blob or by a second bottom, and `Add` where it has a bias."""
    x, *others = graph.inputs(layer)
    axis, count = _axis_and_count(graph, layer, "scale_param", said)
    own = graph.rank(others[0]) if others else count
    sizes = _sizes_from(x, axis, own)
    factor = others[0] if others else graph.blob(layer, 0, own, sizes)
    value = graph.node(layer, "Mul", [x, _spread(graph, layer, factor, x, axis)])
    if said.get("scale_param.bias_term"):
        shift = graph.blob(layer, 0 if others else 1, own, sizes)
        value = graph.node(layer, "Add", [value, _spread(graph, layer, shift, x, axis)])
    return [value]


def bias(graph: Graph, layer: Layer, said: Said) -> list[ir.Value]:
    """Reads `Bias` as `Add` of a blob or of a second bottom."""
    x, *others = graph.inputs(layer)
    axis, own = _axis_and_count(graph, layer, "bias_param", said)
    shift = others[0] if others else graph.blob(layer, 0, own, _sizes_from(x, axis, own))
    return [graph.node(layer, "Add", [x, _spread(graph, layer, shift, x, axis)])]


def prelu(graph: Graph, layer: Layer, said: Said) -> list[ir.Value]:
    """Reads `PReLU`, its slopes with an axis for each of the data's after the batch."""
    (x,) = graph.inputs(layer)
    shared_slope = said.get("prelu_param.channel_shared", False)
    stored = graph.blob(layer, 0, 1, [1] if shared_slope else _sizes_from(x, 1, 1))
    slope = stored if shared_slope else _spread(graph, layer, stored, x, 1)
    card = cards.find_to_read(FRAMEWORK, "PReLU", said)
    return [graph.call(layer, "PReLU", said, [x], weights={slot.name: slope for slot in card.weights.values()})]


def eltwise(graph: Graph, layer: Layer, said: Said) -> list[ir.Value]:
    """Reads `Eltwise` of any number of bottoms as `Add`, `Sub`, `Mul` or `Max` of two at a time."""
    inputs = graph.inputs(layer)
    coefficients = said.get("eltwise_param.coeff")
    if said.get("eltwise_param.operation") == "MAX":
        return [graph.node(layer, "Max", inputs)]
    if len(inputs) == 2 and coefficients in (None, [1, 1], [1, -1]):
        kept = said if coefficients == [1, -1] else {n: v for n, v in said.items() if n != "eltwise_param.coeff"}
        return [graph.call(layer, "Eltwise", kept, inputs)]
    if coefficients is not None:
        if not isinstance(coefficients, list) or len(coefficients) != len(inputs):
            raise Unsupported(f"the coefficients {coefficients} for {len(inputs)} bottoms")
        inputs = [_times(graph, layer, x, factor) for x, factor in zip(inputs, coefficients, strict=True)]
        said = {name: value for name, value in said.items() if name != "eltwise_param.coeff"}
    total = inputs[0]
    for x in inputs[1:]:
        total = graph.call(layer, "Eltwise", said, [total, x])
    return [total]


def _times(graph: Graph, layer: Layer, x: ir.Value, factor: float) -> ir.Value:
    return x if factor == 1 else graph.call(layer, "Power", {"power_param.scale": factor}, [x])


def _affine(graph: Graph, layer: Layer, x: ir.Value, factor: float, shift: float) -> ir.Value:
    """factor · x + shift, without what does nothing."""
    x = _times(graph, layer, x, factor)
    return x if shift == 0 else graph.call(layer, "Power", {"power_param.shift": shift}, [x])


def dropout(graph: Graph, layer: Layer, said: Said) -> list[ir.Value]:
    """Reads `Dropout`; one of the fork that scales at test and not in training is `Mul` by what is kept."""
    (x,) = graph.inputs(layer)
    if said.get("dropout_param.scale_train", True):
        return [graph.call(layer, "Dropout", said, [x])]
    return [_times(graph, layer, x, 1 - said.get("dropout_param.dropout_ratio", 0.5))]


def power(graph: Graph, layer: Layer, said: Said) -> list[ir.Value]:
    """Reads `Power`, (shift + scale · x) ^ power, as `Mul`, `Add` and `Pow` or `Sqrt`, without what does nothing."""
    (x,) = graph.inputs(layer)
    exponent = said.get("power_param.power", 1)
    x = _affine(graph, layer, x, said.get("power_param.scale", 1), said.get("power_param.shift", 0))
    return [x if exponent == 1 else graph.call(layer, "Power", {"power_param.power": exponent}, [x])]


def exp(graph: Graph, layer: Layer, said: Said) -> list[ir.Value]:
    """Reads `Exp`, base ^ (shift + scale · x), as `Exp` of `Mul` and `Add`."""
    (x,) = graph.inputs(layer)
    log = _log_of_base(layer, said.get("exp_param.base", -1))
    x = _affine(graph, layer, x, log * said.get("exp_param.scale", 1), log * said.get("exp_param.shift", 0))
    return [graph.call(layer, "Exp", {}, [x])]


def log(graph: Graph, layer: Layer, said: Said) -> list[ir.Value]:
    """Reads `Log`, the logarithm of shift + scale · x to a base, as `Mul` of `Log`."""
    (x,) = graph.inputs(layer)
    x = _affine(graph, layer, x, said.get("log_param.scale", 1), said.get("log_param.shift", 0))
    value = graph.call(layer, "Log", {}, [x])
    return [_times(graph, layer, value, 1 / _log_of_base(layer, said.get("log_param.base", -1)))]


def flatten(graph: Graph, layer: Layer, said: Said) -> list[ir.Value]:
    """Reads `Flatten`; over other axes than all but the first it is a `Reshape`."""
    (x,) = graph.inputs(layer)
    rank = graph.rank(x)
    first = canonical(layer, said.get("flatten_param.axis", 1), rank)
    last = canonical(layer, said.get("flatten_param.end_axis", -1), rank)
    if (first, last) == (1, rank - 1):
        return [x if rank == 2 else graph.call(layer, "Flatten", {}, [x])]
    after = (shape_of(x) or ())[last + 1 :]
    if not all(isinstance(size, int) for size in after):
        raise Unsupported("sizes that are not known after the flattened axes")
    return [graph.call(layer, "Reshape", {"reshape_param.shape.dim": [0] * first + [-1, *after]}, [x])]


def reshape(graph: Graph, layer: Layer, said: Said) -> list[ir.Value]:
    """Reads `Reshape`; one of some axes only says the others too."""
    (x,) = graph.inputs(layer)
    if not {"reshape_param.axis", "reshape_param.num_axes"} & said.keys():
        return [graph.call(layer, "Reshape", said, [x])]
    shape, rank = shape_of(x) or (), graph.rank(x)
    axis, count = said.get("reshape_param.axis", 0), said.get("reshape_param.num_axes", -1)
    first = axis if axis >= 0 else axis + rank + 1
    last = rank if count == -1 else first + count
    said_dims = said.get("reshape_param.shape.dim", [])
    dims = said_dims if isinstance(said_dims, list) else [said_dims]
    copied = [first + position for position, size in enumerate(dims) if size == 0]
    if not 0 <= first <= last <= rank or any(position >= rank for position in copied):
        raise InvalidSource(
            f"Expected axes among {rank}. Received {axis} and {count} axes.", place=f"layer {layer.name!r}"
        )
    middle = [shape[first + position] if size == 0 else size for position, size in enumerate(dims)]
    whole = [*[0] * first, *middle, *shape[last:]]
    if not all(isinstance(size, int) for size in whole):
        raise Unsupported("sizes that are not known beside the reshaped axes")
    return [graph.call(layer, "Reshape", {"reshape_param.shape.dim": whole}, [x])]


def permute(graph: Graph, layer: Layer, said: Said) -> list[ir.Value]:
    """Reads `Permute`; axes it does not name follow in order."""
    (x,) = graph.inputs(layer)
    order = said.get("permute_param.order", [])
    named = order if isinstance(order, list) else [order]
    whole = [*named, *(axis for axis in range(graph.rank(x)) if axis not in named)]
    return [graph.call(layer, "Permute", {"permute_param.order": whole}, [x])]


def split(graph: Graph, layer: Layer, said: Said) -> list[ir.Value]:
    """Reads `Split`, which snapshots hold where a blob is taken several times, as the blob itself."""
    return graph.inputs(layer) * len(layer.outputs)


READERS: dict[str, Reader] = {
    "BatchNorm": batch_norm,
    "Bias": bias,
    "Convolution": shared("Convolution"),
    "ConvolutionDepthwise": convolution_depthwise,
    "Deconvolution": shared("Deconvolution"),
    "DepthwiseConvolution": convolution_depthwise,
    "Dropout": dropout,
    "Eltwise": eltwise,
    "Exp": exp,
    "Flatten": flatten,
    "InnerProduct": inner_product,
    "Log": log,
    "PReLU": prelu,
    "Permute": permute,
    "Pooling": pooling,
    "Power": power,
    "Reshape": reshape,
    "Scale": scale,
    "Split": split,
}
