"""Reads operators of layers where data cannot say it: modes, adaptive pooling, output sizes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import onnx_ir as ir

from interlingua import cards
from interlingua.adapters import split_pads
from interlingua.cards import Facts
from interlingua.codegen.weights import Weight
from interlingua.errors import InvalidSource, Unsupported
from interlingua.formats.program_desc import Operator
from interlingua.ir import metadata
from interlingua.ir.facts import known, shape_of
from interlingua_fluid.cards.forms import rounds_alike
from interlingua_fluid.frontend.calls import by_card, called, number_like, reads
from interlingua_fluid.frontend.graph import Reading, layer_of, output_of


def _tested(op: Operator) -> None:
    if not op.attributes.get("is_test", False) and not op.attributes.get("use_global_stats", False):
        raise InvalidSource(
            f"Expected a program for inference. Received one whose {op.type} is in training mode.",
            place=layer_of(op),
            hint="Save it with fluid.io.save_inference_model, or clone it with for_test=True.",
        )


@reads("batch_norm")
def _batch_norm(reading: Reading, op: Operator, bias: str | None) -> None:
    """A normalization by stored statistics; by the batch's own it is refused."""
    _tested(op)
    by_card(reading, op)


@reads("dropout")
def _dropout(reading: Reading, op: Operator, bias: str | None) -> None:
    """`downgrade_in_infer` multiplies by 1 − p at inference: a Dropout and a Mul say that in training too."""
    _tested(op)
    if op.attributes.get("dropout_implementation", "downgrade_in_infer") == "upscale_in_train":
        by_card(reading, op)
        return
    ratio = float(op.attributes["dropout_prob"])
    source = reading.value(op.inputs["X"][0])
    dropped = reading.builder.record("Dropout", {"data": [source]}, {"ratio": ratio}, layer=layer_of(op))
    kept = number_like(reading, op, 1 - ratio, op.inputs["X"][0])
    value = reading.builder.record("Mul", {"A": [dropped], "B": [kept]}, {}, layer=layer_of(op))
    reading.define(output_of(op), value)


@reads("prelu")
def _prelu(reading: Reading, op: Operator, bias: str | None) -> None:
    """One slope, one a channel, or one an element; the slope gets the form that broadcasts against x."""
    name, slope = op.inputs["X"][0], reading.value(op.inputs["Alpha"][0])
    shape, rank = known(shape_of(slope)), reading.rank(name)
    if shape is None:
        raise Unsupported("its slope is computed by the model")
    size = int(np.prod(shape))
    if op.attributes.get("mode") == "channel":
        wanted = [size, *[1] * (rank - 2)]
    elif op.attributes.get("mode") == "all":
        wanted = [1]
    else:
        wanted = [1, *(s or 0 for s in reading.sizes(name)[1:])]
    if int(np.prod(wanted)) != size:
        raise InvalidSource(f"Expected slopes of the shape {wanted}. Received {shape}.", place=layer_of(op))
    if wanted != shape:
        slope = reading.builder.rearranged(Weight(slope, (("reshape", tuple(wanted)),)))
    value = reading.builder.record("PRelu", {"X": [reading.value(name)], "slope": [slope]}, {}, layer=layer_of(op))
    reading.define(output_of(op), value)


@reads("pool2d", "pool3d")
def _pool(reading: Reading, op: Operator, bias: str | None) -> None:
    """Adaptive pooling to a size that divides the input's is pooling by windows; of a whole map it is one window."""
    attributes, name = op.attributes, op.inputs["X"][0]
    last = str(attributes.get("data_format", "")).endswith("C")
    sizes = reading.sizes(name)[1:-1] if last else reading.sizes(name)[2:]
    average, wanted = attributes.get("pooling_type") == "avg", list(attributes.get("ksize", []))
    whole = attributes.get("global_pooling", False) or (attributes.get("adaptive", False) and set(wanted) == {1})
    if whole and average:
        by_card(reading, op)
        return
    if not attributes.get("adaptive", False) and not attributes.get("global_pooling", False):
        told = _without_rounding(reading, op, sizes)
        row = cards.find_to_read("fluid", op.type, told)
        reading.define(output_of(op), called(reading, op, row, told, None))
        return
    wanted = [1] * len(sizes) if whole else wanted
    if any(size is None or size % count for size, count in zip(sizes, wanted, strict=True)):
        raise Unsupported(f"adaptive pooling of {sizes} to {wanted}, which is not by equal windows")
    window = [(size or 0) // count for size, count in zip(sizes, wanted, strict=True)]
    plain = {**attributes, "ksize": window, "strides": window, "paddings": [0] * len(window)}
    plain |= {"adaptive": False, "global_pooling": False, "padding_algorithm": "EXPLICIT", "ceil_mode": False}
    row = cards.find_to_read("fluid", op.type, plain)
    reading.define(output_of(op), called(reading, op, row, plain, None))


def _without_rounding(reading: Reading, op: Operator, sizes: list[int | None]) -> dict[str, Any]:
    """The attributes, with a rounding up that ONNX understands otherwise said by padding at the end."""
    told = dict(op.attributes)
    row = cards.find_to_read("fluid", op.type, told)
    facts = Facts(row.record, {}, len(sizes), {"X": (None, None, *sizes)})
    facts = dataclasses.replace(facts, values=row.read_arguments(told, facts))
    if not facts.get("ceil_mode") or isinstance(facts["pads"], str) or rounds_alike(facts):
        return told
    begin, end = split_pads(facts["pads"])
    for axis, size in enumerate(sizes):
        window, stride = facts["kernel_shape"][axis], facts["strides"][axis]
        if size is None:
            raise Unsupported("ceil_mode where the input's size is open")
        count = -(-(size + begin[axis] + end[axis] - window) // stride) + 1
        end[axis] = max((count - 1) * stride + window - size - begin[axis], 0)
        if end[axis] >= window:
            raise Unsupported("a window that begins behind the input")
    paddings = [pad for pair in zip(begin, end, strict=True) for pad in pair]
    return {**told, "ceil_mode": False, "padding_algorithm": "EXPLICIT", "paddings": paddings}


@reads("conv2d_transpose", "depthwise_conv2d_transpose", "conv3d_transpose")
def _transposed(reading: Reading, op: Operator, bias: str | None) -> None:
    """`output_size` says the output's whole size: what exceeds the least one is ONNX's output padding."""
    wanted = list(op.attributes.get("output_size") or [])
    value = by_card(reading, op, bias)
    node = value.producer()
    if not wanted or node is None:
        return
    if node.op_type != "ConvTranspose":
        raise Unsupported("output_size in the order NHWC")
    sizes, attributes = reading.sizes(op.inputs["Input"][0])[2:], op.attributes
    kernel = reading.sizes(op.inputs["Filter"][0])[2:]
    pads = attributes["paddings"]
    pads = (
        [2 * pad for pad in pads]
        if len(pads) == len(sizes)
        else [a + b for a, b in zip(pads[0::2], pads[1::2], strict=True)]
    )
    extra = []
    for axis, size in enumerate(sizes):
        if size is None:
            raise Unsupported("output_size where the input's size is open")
        reach = attributes["dilations"][axis] * ((kernel[axis] or 0) - 1) + 1
        extra.append(wanted[axis] - ((size - 1) * attributes["strides"][axis] - pads[axis] + reach))
    if any(extra):
        node.attributes["output_padding"] = ir.AttrInt64s("output_padding", extra)


@reads("transpose", "transpose2")
def _transpose(reading: Reading, op: Operator, bias: str | None) -> None:
    """A transpose of the source's own, which the layout pass may not take for one of ours."""
    node = by_card(reading, op).producer()
    assert node is not None
    metadata.set_own(node)
