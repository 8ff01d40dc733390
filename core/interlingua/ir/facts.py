"""What is known of one node, in canonical terms: the reader between the IR and the cards."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.errors import ComputedShape, UnknownOperator, Unsupported, UsageError
from interlingua.records import Record, record

CHANNELS_LAST = "interlingua.channels_last"
"""Domain of the dialect ops whose data is N * C; their weights keep ONNX's order."""

Shape = tuple[int | str | None, ...]


def shape_of(value: ir.Value | None) -> Shape | None:
    """A value's shape: numbers, names of symbolic dimensions, None for an unknown one; None where unknown."""
    if value is None or value.shape is None:
        return None
    return tuple(dim if isinstance(dim, int) else dim.value for dim in value.shape)


def known(shape: Shape | None) -> list[int] | None:
    """The shape where every dimension is a number."""
    if shape is None or not all(isinstance(dim, int) for dim in shape):
        return None
    return [dim for dim in shape if isinstance(dim, int)]


def is_constant(value: ir.Value | None) -> bool:
    """Whether the value is an initializer that no input overrides."""
    return value is not None and value.const_value is not None and not value.is_graph_input()


def plain(value: float, dtype: ir.DataType | None = ir.DataType.FLOAT) -> float:
    """A number of the element type as a person would write it: the float32 0.009999999776 is 0.01.

    It is the same number in its type again, and none that the type cannot hold.
    """
    if dtype == ir.DataType.DOUBLE:
        return float(value)
    kind = np.float16 if dtype == ir.DataType.FLOAT16 else np.float32
    told = float(str(kind(value)))
    return told if abs(told) <= np.finfo(kind).max or math.isinf(value) else float(value)


def _attribute(value: ir.Attr) -> Any:
    if value.type == ir.AttributeType.FLOAT:
        return plain(value.as_float())
    if value.type == ir.AttributeType.FLOATS:
        return [plain(v) for v in value.as_floats()]
    if value.type == ir.AttributeType.INTS:
        return list(value.as_ints())
    return value.value


def constant_value(value: ir.Value) -> Any:
    """A small constant as Python numbers: a list, or a plain number where it is a scalar.

    Raises:
        Unsupported: the value is not known before the model runs.
    """
    if value.const_value is None:
        raise ComputedShape(f"{value.name} is computed by the model; only a constant can be said here")
    array = value.const_value.numpy()
    if array.dtype.kind == "f" and array.ndim == 0:
        return plain(float(array), value.const_value.dtype)
    return array.tolist()


def qualified(node: ir.Node) -> str:
    """The name that records, cards and lowerings know the operator by: `Conv`, or `com.example::Snake`."""
    return node.op_type if node.domain in ("", CHANNELS_LAST) else f"{node.domain}::{node.op_type}"


def inputs_of(node: ir.Node) -> dict[str, list[ir.Value]]:
    """The node's inputs by canonical name; a variadic one gathers what is left, an absent one is left out."""
    described = record(qualified(node))
    found: dict[str, list[ir.Value]] = {}
    for position, value in enumerate(node.inputs):
        name = described.order[min(position, len(described.order) - 1)]
        if value is not None:
            found.setdefault(name, []).append(value)
    return found


def data_axes(node: ir.Node) -> str:
    """The axis order of the node's data: "N * C" for the dialect, else ONNX's "N C *"."""
    return "N * C" if node.domain == CHANNELS_LAST else "N C *"


def _canonical_shape(node: ir.Node, described: Record, name: str, shape: Shape | None) -> Shape | None:
    axes = next((i.axes for i in (*described.inputs, *described.outputs) if i.name == name), "")
    if name == "slope" and shape and node.domain == CHANNELS_LAST:
        return (
            (shape[-1], *(1 for _ in shape[:-1]))
            if len(shape) > 1
            else (*shape, *(1 for _ in (shape_of(node.inputs[0]) or ())[2:]))
        )
    if shape is None or axes != "N C *" or node.domain != CHANNELS_LAST or len(shape) < 2:
        return shape
    return (shape[0], shape[-1], *shape[1:-1])


def facts_of(node: ir.Node, *, computed: bool = False) -> Facts:
    """The canonical facts of a node of the default domain or the channels-last dialect.

    Shapes are given in ONNX's axis order for both. With `computed`, parameters that the model computes are listed
    in the facts instead of refused.

    Raises:
        Unsupported: there is no record for the op, an attribute is not in the record, or a parameter is computed.
    """
    try:
        described = record(qualified(node))
    except UsageError:
        raise UnknownOperator("no record, card or lowering tells what it is") from None
    given = inputs_of(node)
    shapes: dict[str, Shape | None] = {}
    for name, group in given.items():
        shapes[name] = _canonical_shape(node, described, name, shape_of(group[0]))
    for slot, output in zip(described.outputs, node.outputs, strict=False):
        shapes[slot.name] = _canonical_shape(node, described, slot.name, shape_of(output))
    values: dict[str, Any] = {
        p.name: p.default for p in described.parameters.values() if p.origin != "derived" and not _required(p.default)
    }
    for name, attribute in node.attributes.items():
        if name not in described.parameters:
            raise Unsupported(f"{node.op_type} has an attribute without a record: {name}")
        values[name] = _attribute(attribute)
    running: set[str] = set()
    for name, parameter in described.parameters.items():
        if parameter.origin != "input" or name not in given:
            continue
        if computed and given[name][0].const_value is None:
            values.pop(name, None)
            running.add(name)
        else:
            values[name] = constant_value(given[name][0])
    rank = max(len(shapes.get(described.inputs[0].name) or ()) - 2, 0) if described.inputs else 0
    if described.inputs and described.inputs[0].axes == "N C *" and "W" in shapes and shapes["W"]:
        rank = len(shapes["W"]) - 2
    elif "kernel_shape" in values:
        rank = len(values["kernel_shape"])
    _fill(described, values, rank)
    constants = frozenset(name for name, group in given.items() if all(is_constant(v) for v in group))
    derive = _DERIVED.get(node.op_type)
    if derive is not None:
        values |= derive(values, shapes, given)
    return Facts(described.name, values, rank, shapes, constants, frozenset(running))


def raw_facts(node: ir.Node) -> Facts:
    """The attributes of a node that no record describes, as they stand."""
    return Facts(node.op_type, {name: _attribute(attribute) for name, attribute in node.attributes.items()})


def _required(default: Any) -> bool:
    from interlingua.cards import REQUIRED

    return default is REQUIRED


def _fill(described: Record, values: dict[str, Any], rank: int) -> None:
    """Gives lists with a neutral element their length."""
    for name, parameter in described.parameters.items():
        if parameter.neutral is not None and values.get(name) is None:
            values[name] = [parameter.neutral] * (2 * rank if name == "pads" else rank)


_Given = Mapping[str, list[ir.Value]]
_Shapes = Mapping[str, Shape | None]


def _convolution(values: Mapping[str, Any], shapes: _Shapes, given: _Given) -> dict[str, Any]:
    weight = known(shapes["W"])
    if weight is None:
        raise ComputedShape("the kernel's shape is not known")
    group = values["group"]
    per_group = weight[1]
    return {
        "kernel_shape": values.get("kernel_shape") or weight[2:],
        "in_channels": per_group * group,
        "out_channels": weight[0],
        "has_bias": "B" in given,
        "depthwise": group > 1 and per_group == 1,
        "multiplier": weight[0] // group,
    }


def _transposed(values: Mapping[str, Any], shapes: _Shapes, given: _Given) -> dict[str, Any]:
    weight = known(shapes["W"])
    if weight is None:
        raise ComputedShape("the kernel's shape is not known")
    return {
        "kernel_shape": values.get("kernel_shape") or weight[2:],
        "in_channels": weight[0],
        "out_channels": weight[1] * values["group"],
        "has_bias": "B" in given,
    }


def _dense(values: Mapping[str, Any], shapes: _Shapes, given: _Given) -> dict[str, Any]:
    weight = known(shapes["B"])
    if weight is None:
        return {"has_bias": "C" in given}
    rows, columns = reversed(weight) if values["transB"] else weight
    return {"in_features": rows, "out_features": columns, "has_bias": "C" in given}


def _deformable(values: Mapping[str, Any], shapes: _Shapes, given: _Given) -> dict[str, Any]:
    weight = known(shapes["W"])
    return {"kernel_shape": weight[2:]} if weight is not None else {}


def _of_channels(values: Mapping[str, Any], shapes: _Shapes, given: _Given) -> dict[str, Any]:
    scale = known(shapes["scale"])
    return {"channels": scale[0] if scale else None}


def _over_last_axes(values: Mapping[str, Any], shapes: _Shapes, given: _Given) -> dict[str, Any]:
    return {"normalized_shape": known(shapes.get("Scale") or shapes.get("scale")), "has_bias": "B" in given}


def _input_rank(values: Mapping[str, Any], shapes: _Shapes, given: _Given) -> dict[str, Any]:
    shape = next(iter(shapes.values()))
    return {} if shape is None else {"input_rank": len(shape)}


def _reversed(values: Mapping[str, Any], shapes: _Shapes, given: _Given) -> dict[str, Any]:
    """An order of axes that is not said is the reverse one."""
    shape = shapes["data"]
    return {} if values.get("perm") is not None or shape is None else {"perm": list(reversed(range(len(shape))))}


def _slopes(values: Mapping[str, Any], shapes: _Shapes, given: _Given) -> dict[str, Any]:
    """How many slopes, None where they are neither one for each channel nor one in all."""
    slope, data = known(shapes["slope"]), shapes["X"]
    if slope is None or math.prod(slope) == 1:
        return {"slopes": None if slope is None else 1}
    channel_first = data is not None and [1] * (len(data) - len(slope)) + slope
    per_channel = channel_first and len(channel_first) > 1 and math.prod(slope) == channel_first[1]
    return {"slopes": math.prod(slope) if per_channel else None}


_DERIVED: dict[str, Callable[[Mapping[str, Any], _Shapes, _Given], dict[str, Any]]] = {
    "Conv": _convolution,
    "ConvTranspose": _transposed,
    "Gemm": _dense,
    "PRelu": _slopes,
    "BatchNormalization": _of_channels,
    "InstanceNormalization": _of_channels,
    "GroupNormalization": _of_channels,
    "LayerNormalization": _over_last_axes,
    "RMSNormalization": _over_last_axes,
    "DeformConv": _deformable,
    "Transpose": _reversed,
    "Flatten": _input_rank,
    "Squeeze": _input_rank,
    "Unsqueeze": _input_rank,
    "Pad": _input_rank,
    "ReduceMean": _input_rank,
}


def elements(shape: Shape | None) -> int | None:
    """How many elements, where every dimension is known."""
    numbers = known(shape)
    return None if numbers is None else math.prod(numbers)
