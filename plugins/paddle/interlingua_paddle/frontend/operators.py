"""Each operator of a program as IR: through its card, or by a function where a card cannot say it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from interlingua import cards
from interlingua.codegen.weights import Weight
from interlingua.errors import Unsupported
from interlingua.ir import metadata
from interlingua_paddle.frontend.calls import by_card, opaque
from interlingua_paddle.frontend.pir import Operator
from interlingua_paddle.frontend.reading import Reading, filled

Reader = Callable[[Reading, Operator], "ir.Value | None"]
_READERS: dict[str, Reader] = {}


def _reads(*names: str) -> Callable[[Reader], Reader]:
    def keep(function: Reader) -> Reader:
        _READERS.update(dict.fromkeys(names, function))
        return function

    return keep


def read_operator(reading: Reading, operator: Operator) -> None:
    """Adds the operator to the graph; one that no card knows travels on as an opaque node of domain `paddle`.

    Raises:
        Unsupported: its card cannot read it, or it holds blocks of its own (control flow).
    """
    function = _READERS.get(operator.name)
    if operator.regions:
        raise Unsupported("control flow is not read yet")
    if function is not None:
        tensor = function(reading, operator)
    elif any(row.read for row in cards.by_api("paddle").get(operator.name, ())):
        tensor = by_card(reading, operator)
    else:
        tensor = opaque(reading, operator)
    if tensor is not None:
        reading.keep(operator.outputs[0], tensor)


@_reads("pd_op.full")
def _full(reading: Reading, operator: Operator) -> None:
    given = operator.attributes
    array = filled(given["shape"], given["value"], given["dtype"])
    reading.keep_array(operator.outputs[0].number, array.reshape(()) if array.shape == (1,) else array)


@_reads("pd_op.full_int_array")
def _full_int_array(reading: Reading, operator: Operator) -> None:
    reading.keep_array(operator.outputs[0].number, np.asarray(operator.attributes["value"], np.int64))


@_reads("pd_op.assign_value_", "pd_op.assign_value")
def _assign_value(reading: Reading, operator: Operator) -> None:
    given = operator.attributes
    array = np.asarray(given["values"], np.dtype(given["dtype"])).reshape(given["shape"])
    reading.keep_array(operator.outputs[0].number, array)


@_reads("pd_op.full_batch_size_like")
def _full_like(reading: Reading, operator: Operator) -> ir.Value:
    """Replaces a tensor of one number, as large as another, by `0 · x + number` of that other."""
    source = reading.tensor(operator.inputs[0])
    if list(operator.outputs[0].shape or ()) != list(reading.described[operator.inputs[0]].shape or (None,)):
        raise Unsupported("a constant whose batch axis follows an input of another shape")
    dtype = np.dtype(operator.attributes["dtype"])
    zero = reading.builder.constant(f"{operator.label}.zero", np.zeros((), dtype))
    value = reading.builder.constant(f"{operator.label}.value", np.asarray(operator.attributes["value"], dtype))
    nothing = reading.builder.node("Mul", [source, zero], layer=operator.label)
    nothing.shape, nothing.type = source.shape, source.type
    return reading.builder.node("Add", [nothing, value], layer=operator.label)


@_reads("builtin.combine")
def _combine(reading: Reading, operator: Operator) -> None:
    reading.keep_group(operator.outputs[0].number, operator.inputs)


@_reads("pd_op.assign", "pd_op.share_data_", "pd_op.print")
def _same(reading: Reading, operator: Operator) -> ir.Value:
    return reading.tensor(operator.inputs[0])


@_reads("pd_op.scale")
def _scale(reading: Reading, operator: Operator) -> ir.Value:
    """Replaces `scale(x, s, bias)` by `x · s + bias`, or `(x + bias) · s`, without what does nothing."""
    factor, offset = reading.array(operator.inputs[1]), operator.attributes["bias"]
    dtype = np.dtype(operator.outputs[0].dtype)
    result = reading.tensor(operator.inputs[0])
    steps: list[tuple[str, ir.Value]] = []
    if offset:
        steps.append(("Add", reading.builder.constant(f"{operator.label}.offset", np.asarray(offset, dtype))))
    if factor is None:
        steps.append(("Mul", reading.tensor(operator.inputs[1])))
    elif factor.item() != 1:
        steps.append(("Mul", reading.builder.constant(f"{operator.label}.factor", factor.astype(dtype).reshape(()))))
    if operator.attributes["bias_after_scale"]:
        steps.reverse()
    for op, constant in steps:
        shape, dtype_of_source = result.shape, result.type
        result = reading.builder.node(op, [result, constant], layer=operator.label)
        result.shape, result.type = shape, dtype_of_source
    return result


@_reads("pd_op.pow")
def _power(reading: Reading, operator: Operator) -> ir.Value:
    """Replaces `pow(x, number)` by `x ^ number`."""
    dtype = np.dtype(operator.outputs[0].dtype)
    exponent = reading.builder.constant(f"{operator.label}.exponent", np.asarray(operator.attributes["y"], dtype))
    return reading.builder.node("Pow", [reading.tensor(operator.inputs[0]), exponent], layer=operator.label)


@_reads("pd_op.square")
def _square(reading: Reading, operator: Operator) -> ir.Value:
    """Replaces `square(x)` by `x · x`."""
    return reading.builder.node("Mul", [reading.tensor(operator.inputs[0])] * 2, layer=operator.label)


@_reads("pd_op.rsqrt")
def _reciprocal_root(reading: Reading, operator: Operator) -> ir.Value:
    """Replaces `rsqrt(x)` by `1 / √x`."""
    source = reading.tensor(operator.inputs[0])
    root = reading.builder.node("Sqrt", [source], layer=operator.label)
    root.shape, root.type = source.shape, source.type
    one = reading.builder.constant(f"{operator.label}.one", np.ones((), np.dtype(operator.outputs[0].dtype)))
    return reading.builder.node("Div", [one, root], layer=operator.label)


@_reads("pd_op.pool2d", "pd_op.pool3d")
def _pool(reading: Reading, operator: Operator) -> ir.Value:
    """Replaces an adaptive pooling whose input's size is a multiple of its output's by one with that window."""
    target = operator.attributes.get("kernel_size")
    if target is None:
        array = reading.array(operator.inputs[1]) if len(operator.inputs) > 1 else None
        target = None if array is None else array.tolist()
    if not operator.attributes["adaptive"] or target is None or all(size == 1 for size in target):
        return by_card(reading, operator)
    shape = reading.described[operator.inputs[0]].shape or ()
    sizes = shape[2:] if str(operator.attributes["data_format"]).startswith("NC") else shape[1:-1]
    if any(size is None or size % wanted for size, wanted in zip(sizes, target, strict=True)):
        raise Unsupported(f"adaptive pooling from the size {list(sizes)} to {target}, which is no divisor of it")
    window = [(size or 0) // wanted for size, wanted in zip(sizes, target, strict=True)]
    if all(size == 1 for size in window):
        return reading.tensor(operator.inputs[0])
    said = {**operator.attributes, "adaptive": False, "kernel_size": window, "strides": window}
    return by_card(reading, dataclasses.replace(operator, attributes=said, inputs=operator.inputs[:1]))


@_reads("pd_op.max_pool2d_with_index", "pd_op.max_pool3d_with_index")
def _pool_with_places(reading: Reading, operator: Operator) -> ir.Value | None:
    """Reads a pooling that also tells places as a plain one; who takes the places is refused."""
    rank = reading.rank(operator)
    said = {
        **operator.attributes,
        "pooling_type": "max",
        "data_format": "NCHW" if rank == 2 else "NCDHW",
        "exclusive": True,
    }
    return _pool(reading, dataclasses.replace(operator, name=f"pd_op.pool{rank}d", attributes=said))


@_reads("pd_op.dropout")
def _dropout(reading: Reading, operator: Operator) -> ir.Value:
    """Replaces a dropout that scales at inference (`downscale_in_infer`) by `x · (1 − p)`; the other is kept."""
    if operator.attributes["mode"] != "downgrade_in_infer":
        return by_card(reading, operator)
    share = reading.array(operator.inputs[2])
    if share is None:
        raise Unsupported("a dropout whose share is computed")
    kept = np.asarray(1 - share.item(), np.dtype(operator.outputs[0].dtype))
    factor = reading.builder.constant(f"{operator.label}.kept", kept)
    return reading.builder.node("Mul", [reading.tensor(operator.inputs[0]), factor], layer=operator.label)


@_reads("pd_op.batch_norm_", "pd_op.batch_norm")
def _batch_norm(reading: Reading, operator: Operator) -> ir.Value:
    """Gives a batch normalization without scale or bias a scale of ones and a bias of zeros."""
    instead: dict[str, ir.Value] = {}
    for name, position, value in (("scale", 3, 1.0), ("bias", 4, 0.0)):
        if not operator.inputs[position]:
            mean = reading.described[operator.inputs[1]]
            array = filled([size or 0 for size in mean.shape or ()], value, mean.dtype)
            instead[name] = reading.builder.constant(f"{reading.layer(operator)}.{name}", array)
    return by_card(reading, operator, **instead)


@_reads("pd_op.prelu")
def _prelu(reading: Reading, operator: Operator) -> ir.Value:
    """Gives a slope for each channel axes of size 1 behind it, so that it lies along the channels."""
    if operator.attributes["mode"] != "channel":
        return by_card(reading, operator)
    slope = reading.tensor(operator.inputs[1])
    count = reading.described[operator.inputs[1]].shape or ()
    wide = (*count, *(1 for _ in (reading.described[operator.inputs[0]].shape or ())[2:]))
    if slope.const_value is None or not str(operator.attributes["data_format"]).startswith("NC"):
        raise Unsupported("a slope that is computed, or lies along the last axis")
    return by_card(reading, operator, alpha=reading.builder.rearranged(Weight(slope).then(("reshape", wide))))


@_reads("pd_op.flatten")
def _flatten(reading: Reading, operator: Operator) -> ir.Value:
    """Replaces a flattening that keeps more axes than the first by a Reshape."""
    try:
        return by_card(reading, operator)
    except Unsupported:
        shape = reading.described[operator.inputs[0]].shape or ()
        start, stop = (operator.attributes[name] % len(shape) for name in ("start_axis", "stop_axis"))
        target = np.asarray([*(0 for _ in shape[:start]), -1, *(0 for _ in shape[stop + 1 :])], np.int64)
        if stop + 1 < len(shape):
            result = operator.outputs[0].shape or ()
            if sum(size is None for size in result) > 1:
                raise
            target = np.asarray([-1 if size is None else size for size in result], np.int64)
        constant = reading.builder.constant(f"{operator.label}.shape", target)
        return reading.builder.node("Reshape", [reading.tensor(operator.inputs[0]), constant], layer=operator.label)


@_reads("pd_op.matmul")
def _matmul(reading: Reading, operator: Operator) -> ir.Value:
    """Puts a Transpose before a product that takes an operand transposed."""
    attributes = dict(operator.attributes)
    operands = []
    for number, side in zip(operator.inputs, ("transpose_x", "transpose_y"), strict=True):
        tensor = reading.tensor(number)
        rank = len(reading.described[number].shape or ())
        if attributes[side] and rank >= 2:
            tensor = reading.builder.transpose(
                tensor, (*range(rank - 2), rank - 1, rank - 2), layer=f"{operator.label}.{side}"
            )
            node = tensor.producer()
            assert node is not None
            metadata.set_own(node)
        operands.append(tensor)
    return reading.builder.node("MatMul", operands, layer=reading.layer(operator))


@_reads("pd_op.transpose")
def _transpose(reading: Reading, operator: Operator) -> ir.Value:
    tensor = by_card(reading, operator)
    node = tensor.producer()
    assert node is not None
    metadata.set_own(node)
    return tensor


@_reads("pd_op.cast")
def _cast(reading: Reading, operator: Operator) -> ir.Value | None:
    """Casts a constant at once."""
    name = operator.attributes["dtype"]
    array = reading.array(operator.inputs[0])
    if array is not None:
        reading.keep_array(operator.outputs[0].number, array.astype(np.dtype(name)))
        return None
    target = ir.DataType.from_numpy(np.dtype(name))
    return reading.builder.node("Cast", [reading.tensor(operator.inputs[0])], {"to": int(target)}, layer=operator.label)


@_reads("pd_op.shape64", "pd_op.shape")
def _shape(reading: Reading, operator: Operator) -> ir.Value:
    """The sizes of a tensor, computed by the model."""
    sizes = reading.builder.node("Shape", [reading.tensor(operator.inputs[0])], layer=operator.label)
    if operator.outputs[0].dtype == "int64":
        return sizes
    target = {"to": int(ir.DataType.INT32)}
    return reading.builder.node("Cast", [sizes], target, layer=f"{operator.label}.cast")


@_reads("pd_op.slice")
def _slice(reading: Reading, operator: Operator) -> ir.Value:
    """Replaces a slice of one element of a vector by Gather, any other by Slice, and Squeeze where axes go."""
    axes, dropped = operator.attributes["axes"], operator.attributes["decrease_axis"]
    bounds = [reading.array(number) for number in operator.inputs[1:3]]
    start, end = bounds
    if start is None or end is None:
        raise Unsupported("a slice whose bounds are computed")
    source, builder = reading.tensor(operator.inputs[0]), reading.builder
    if dropped == [0] and len(reading.described[operator.inputs[0]].shape or ()) == 1:
        index = builder.constant(f"{operator.label}.index", np.asarray(start.reshape(-1)[0], np.int64))
        return builder.node("Gather", [source, index], {"axis": 0}, layer=operator.label)
    numbers = [np.asarray(array, np.int64).reshape(-1) for array in (start, end, axes)]
    given = [
        builder.constant(f"{operator.label}.{n}", a) for n, a in zip(("starts", "ends", "axes"), numbers, strict=True)
    ]
    result = builder.node("Slice", [source, *given], layer=operator.label)
    if not dropped:
        return result
    result.type = ir.TensorType(source.dtype) if source.dtype else None
    gone = builder.constant(f"{operator.label}.dropped", np.asarray(dropped, np.int64))
    return builder.node("Squeeze", [result, gone], layer=f"{operator.label}.squeezed")


@_reads("pd_op.stack")
def _stack(reading: Reading, operator: Operator) -> ir.Value:
    """Replaces `stack(xs)` by `Concat` of every x with a new axis."""
    axis = operator.attributes["axis"]
    members = []
    for i, number in enumerate(reading.members(operator.inputs[0])):
        place = reading.builder.constant(f"{operator.label}.axis_{i}", np.asarray([axis], np.int64))
        members.append(
            reading.builder.node("Unsqueeze", [reading.tensor(number), place], layer=f"{operator.label}.{i}")
        )
    return reading.builder.node("Concat", members, {"axis": axis}, layer=operator.label)


@_reads("pd_op.reshape")
def _reshape(reading: Reading, operator: Operator) -> ir.Value:
    """Reads a new shape that is a constant through the card, one that the model computes as it is."""
    if operator.inputs[1] not in reading.computed:
        return by_card(reading, operator)
    source, shape = (reading.tensor(number) for number in operator.inputs)
    return reading.builder.node("Reshape", [source, shape], layer=operator.label)
