"""Adapters for operators whose meaning changed on the way to the pinned opset.

Each takes a node and the opset its old schema came with, edits or replaces the node, and returns whether it is done.
They stand here where ONNX's own converter is wrong (Upsample, Resize, Hardmax, GroupNormalization, the axis of old
broadcasting), cannot do it, or where moving an attribute into an input is all there is to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import add_initializer, constant, graph_of, replace
from interlingua.ir.origin import Call, Constant, reshape


class Refused(Exception):
    """Why a node cannot be brought to the pinned opset."""


Adapter = Callable[[ir.Node, int], bool]


def _number(node: ir.Node, role: str, values: object, dtype: type[np.generic] = np.int64) -> ir.Value:
    """A constant of the model for an input of `node` that used to be an attribute."""
    stem = f"{node.outputs[0].name or node.name}_{role}"
    return add_initializer(graph_of(node), stem, np.asarray(values, dtype), Constant(stem))


def _append(node: ir.Node, index: int, value: ir.Value) -> None:
    node.resize_inputs(max(len(node.inputs), index + 1))
    node.replace_input_with(index, value)


def _rank(value: ir.Value | None, why: str) -> int:
    if value is None or value.shape is None:
        raise Refused(f"the rank of its input is unknown, which {why} needs")
    return len(value.shape)


def _attribute_to_input(attribute: str, index: int) -> Adapter:
    def adapt(node: ir.Node, since: int) -> bool:
        held = node.attributes.pop(attribute, None)
        if held is not None:
            _append(node, index, _number(node, attribute, held.value))
        return held is not None or len(node.inputs) > index

    return adapt


def _float(node: ir.Node, value: float) -> np.dtype[np.generic]:
    source = node.inputs[0]
    return (source.dtype if source is not None and source.dtype is not None else ir.DataType.FLOAT).numpy()


def _clip(node: ir.Node, since: int) -> bool:
    for index, name in ((1, "min"), (2, "max")):
        held = node.attributes.pop(name, None)
        if held is not None:
            _append(node, index, _number(node, name, held.value, _float(node, held.value).type))
    return True


def _dropout(node: ir.Node, since: int) -> bool:
    if (old := node.attributes.pop("is_test", None)) is not None and not old.value and since < 7:
        raise Refused("it drops at random in this model; save the model for inference")
    held = node.attributes.pop("ratio", None)
    if held is not None:
        _append(node, 1, _number(node, "ratio", held.value, np.float32))
    if since < 10 and len(node.outputs) > 1 and (node.outputs[1].uses() or node.outputs[1].is_graph_output()):
        raise Refused("its mask output is used, whose type changed")
    return True


def _pad(node: ir.Node, since: int) -> bool:
    pads = node.attributes.pop("pads", None) or node.attributes.pop("paddings", None)
    value = node.attributes.pop("value", None)
    if pads is not None:
        _append(node, 1, _number(node, "pads", pads.value))
    if value is not None and value.value != 0:
        _append(node, 2, _number(node, "value", value.value, _float(node, value.value).type))
    return True


def _split(node: ir.Node, since: int) -> bool:
    held = node.attributes.pop("split", None)
    if held is not None:
        _append(node, 1, _number(node, "split", held.value))
    elif len(node.inputs) < 2 or node.inputs[1] is None:
        node.attributes["num_outputs"] = ir.AttrInt64("num_outputs", len(node.outputs))
    return True


def _slice(node: ir.Node, since: int) -> bool:
    for index, name in ((1, "starts"), (2, "ends"), (3, "axes")):
        held = node.attributes.pop(name, None)
        if held is not None:
            _append(node, index, _number(node, name, held.value))
    return True


def _top_k(node: ir.Node, since: int) -> bool:
    held = node.attributes.pop("k", None)
    if held is not None:
        _append(node, 1, _number(node, "k", [held.value]))
    return True


def _softmax(node: ir.Node, since: int) -> bool:
    """Old forms flatten to two axes at `axis` and work on the second; that is the last axis alone where it is last."""
    source = node.inputs[0]
    rank = _rank(source, "its flattening")
    held = node.attributes.get("axis")
    axis = (held.value if held is not None else 1) % max(rank, 1)
    if axis == rank - 1:
        node.attributes["axis"] = ir.AttrInt64("axis", -1)
        return True
    flat = ir.node("Flatten", [source], {"axis": axis})
    main = ir.node(node.op_type, [flat.outputs[0]], {"axis": -1})
    shape = ir.node("Shape", [source])
    back = ir.node("Reshape", [main.outputs[0], shape.outputs[0]])
    replace(node, [flat, main, shape, back])
    return True


def _legacy_broadcast(node: ir.Node, since: int) -> bool:
    """Old binary operators align the second input with the first one's axes from `axis` on, or at the end."""
    if since >= 7:
        return False
    node.attributes.pop("broadcast", None)
    axis = node.attributes.pop("axis", None)
    left, right = node.inputs[0], node.inputs[1]
    if axis is None or right is None:
        return True
    rank, width = _rank(left, "its broadcast axis"), _rank(right, "its broadcast axis")
    trailing = rank - axis.value % rank - width
    if trailing > 0:
        node.replace_input_with(1, _unsqueezed(node, right, width, trailing))
    return True


def _unsqueezed(node: ir.Node, value: ir.Value, rank: int, trailing: int) -> ir.Value:
    axes = _number(node, "axes", list(range(rank, rank + trailing)))
    made = ir.node("Unsqueeze", [value, axes])
    made.outputs[0].dtype = value.dtype or ir.DataType.FLOAT
    metadata.copy_place(node, [made])
    graph_of(node).insert_before(node, made)
    return made.outputs[0]


def _prelu(node: ir.Node, since: int) -> bool:
    source, slope = node.inputs[0], node.inputs[1]
    if since < 7 and slope is not None and slope.shape is not None and len(slope.shape) == 1 and slope.shape[0] != 1:
        trailing = _rank(source, "its slope per channel") - 2
        if trailing > 0:
            node.replace_input_with(1, _unsqueezed(node, slope, 1, trailing))
    return True


def _upsample(node: ir.Node, since: int) -> bool:
    source = node.inputs[0]
    scales = node.inputs[1] if len(node.inputs) > 1 else None
    attribute = node.attributes.get("scales")
    if attribute is not None:
        scales = _number(node, "scales", attribute.value, np.float32)
    elif "height_scale" in node.attributes:
        held = [1.0, 1.0, node.attributes["height_scale"].value, node.attributes["width_scale"].value]
        scales = _number(node, "scales", held, np.float32)
    replace(node, _resize(source, scales, _mode(node), "floor"))
    return True


def _mode(node: ir.Node) -> str:
    held = node.attributes["mode"].as_string() if "mode" in node.attributes else "nearest"
    return {"bilinear": "linear"}.get(held, held)


def _resize(source: ir.Value | None, scales: ir.Value | None, mode: str, nearest: str) -> list[ir.Node]:
    attributes = {"mode": mode, "coordinate_transformation_mode": "asymmetric"}
    if mode == "nearest":
        attributes["nearest_mode"] = nearest
    return [ir.node("Resize", [source, None, scales], attributes)]


def _resize_ten(node: ir.Node, since: int) -> bool:
    """Resize of opset 10 takes the pixel at `floor(x / scale)` where it enlarges, at the ceiling where it shrinks."""
    if since >= 11:
        if len(node.inputs) > 1:
            roi = node.inputs[1]
            mode = node.attributes.get("coordinate_transformation_mode")
            if roi is not None and (mode is None or mode.value != "tf_crop_and_resize"):
                node.replace_input_with(1, None)
        if len(node.inputs) > 3 and node.inputs[3] is not None:
            node.replace_input_with(2, None)
        return True
    source, scales = node.inputs[0], node.inputs[1]
    enlarging = _mode(node)
    held = constant(scales)
    factors = None if held is None else held.astype(np.float64)
    if enlarging != "nearest" or factors is None or not (factors < 1).any():
        replace(node, _resize(source, scales, enlarging, "floor"))
    elif not (factors > 1).any():
        replace(node, _resize(source, scales, enlarging, "ceil"))
    else:
        grow = _number(node, "enlarging", np.maximum(factors, 1), np.float32)
        shrink = _number(node, "shrinking", np.minimum(factors, 1), np.float32)
        first = _resize(source, grow, enlarging, "floor")
        replace(node, [*first, *_resize(first[0].outputs[0], shrink, enlarging, "ceil")])
    return True


def _group_normalization(node: ir.Node, since: int) -> bool:
    """Scale and bias were one number a group; now they are one a channel."""
    source = node.inputs[0]
    groups = node.attributes["num_groups"].value
    channels = source.shape[1] if source is not None and source.shape is not None else None
    if not isinstance(channels, int):
        raise Refused("the number of its channels is unknown, which its scale by group needs")
    for index in (1, 2):
        value = node.inputs[index]
        if value is None or channels == groups:
            continue
        node.replace_input_with(index, _repeated(node, value, groups, channels // groups))
    return True


def _repeated(node: ir.Node, value: ir.Value, groups: int, times: int) -> ir.Value:
    array = constant(value, 1 << 20)
    if array is not None:
        wide = np.repeat(array, times)
        column = reshape(metadata.origin(value), groups, 1)
        expression = reshape(Call("broadcast", (column,), (groups, times)), groups * times)
        return add_initializer(graph_of(node), f"{value.name}_by_channel", wide, expression)
    column_shape, wide_shape, flat_shape = (
        _number(node, f"shape{i}", shape) for i, shape in enumerate(([groups, 1], [groups, times], [groups * times]))
    )
    column_node = ir.node("Reshape", [value, column_shape])
    wide_node = ir.node("Expand", [column_node.outputs[0], wide_shape])
    flat_node = ir.node("Reshape", [wide_node.outputs[0], flat_shape])
    made: Sequence[ir.Node] = [column_node, wide_node, flat_node]
    metadata.copy_place(node, made)
    graph_of(node).insert_before(node, made)
    return flat_node.outputs[0]


def _batch_normalization(node: ir.Node, since: int) -> bool:
    is_test, spatial = node.attributes.pop("is_test", None), node.attributes.pop("spatial", None)
    if spatial is not None and not spatial.value:
        raise Refused("it normalizes each pixel by itself (spatial=0)")
    if any(output.uses() or output.is_graph_output() for output in node.outputs[1:]):
        raise Refused("its outputs for training are used")
    if since < 7 and (is_test is None or not is_test.value):
        raise Refused("it normalizes by the batch (is_test=0); save the model for inference")
    node.resize_outputs(1)
    return True


def _grid_sample(node: ir.Node, since: int) -> bool:
    mode = node.attributes.get("mode")
    name = {"bilinear": "linear", "bicubic": "cubic"}.get(mode.value if mode is not None else "bilinear")
    if since < 20 and name is not None:
        node.attributes["mode"] = ir.AttrString("mode", name)
    return True


def _scatter(node: ir.Node, since: int) -> bool:
    node.op_type = "ScatterElements"
    return True


def _dft(node: ir.Node, since: int) -> bool:
    held = node.attributes.pop("axis", None)
    _append(node, 2, _number(node, "axis", held.value if held is not None else 1))
    return True


def _scan(node: ir.Node, since: int) -> bool:
    """The first Scan runs over axis 1 of a batch: a Scan over the batch whose body scans each sequence."""
    if since >= 9:
        return True
    if node.inputs[0] is not None:
        raise Refused("its sequences have lengths of their own")
    body, scanned = node.attributes["body"].as_graph(), node.attributes["num_scan_inputs"].as_int()
    directions = list(node.attributes["directions"].as_ints()) if "directions" in node.attributes else []
    one_by_one = [_one_of(value, index) for index, value in enumerate(node.inputs[1:])]
    attributes: dict[str, ir.Graph | int | list[int]] = {"num_scan_inputs": scanned, "body": body.clone()}
    if directions:
        attributes["scan_input_directions"] = directions
    inner = ir.node("Scan", one_by_one, attributes, num_outputs=len(node.outputs))
    for index, value in enumerate(inner.outputs):
        value.name, value.type = f"{node.outputs[0].name}_sample_{index}", node.outputs[index].type
    graph = ir.Graph(one_by_one, inner.outputs, nodes=[inner], name="samples")
    outer = ir.node(
        "Scan", node.inputs[1:], {"num_scan_inputs": len(one_by_one), "body": graph}, num_outputs=len(node.outputs)
    )
    replace(node, [outer])
    return True


def _one_of(value: ir.Value | None, index: int) -> ir.Value:
    """A value for one sample of a batch."""
    if value is None:
        raise Refused("one of its inputs is left out")
    shape = None if value.shape is None else ir.Shape(list(value.shape)[1:])
    return ir.Value(name=f"{value.name}_sample_{index}", shape=shape, type=value.type)


REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
BINARY = ("Add", "And", "Div", "Equal", "Greater", "Less", "Mul", "Or", "Pow", "Sub", "Xor")

ADAPTERS: dict[str, Adapter] = {
    **{f"Reduce{name}": _attribute_to_input("axes", 1) for name in REDUCTIONS},
    **dict.fromkeys(BINARY, _legacy_broadcast),
    "Squeeze": _attribute_to_input("axes", 1),
    "Unsqueeze": _attribute_to_input("axes", 1),
    "Reshape": _attribute_to_input("shape", 1),
    "BatchNormalization": _batch_normalization,
    "Clip": _clip,
    "DFT": _dft,
    "Dropout": _dropout,
    "GridSample": _grid_sample,
    "GroupNormalization": _group_normalization,
    "Hardmax": _softmax,
    "LogSoftmax": _softmax,
    "PRelu": _prelu,
    "Pad": _pad,
    "Resize": _resize_ten,
    "Scan": _scan,
    "Scatter": _scatter,
    "Slice": _slice,
    "Softmax": _softmax,
    "Split": _split,
    "TopK": _top_k,
    "Upsample": _upsample,
}
