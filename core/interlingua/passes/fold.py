"""Folds nodes that only depend on constants, without losing which parameter a weight is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx
import onnx.reference
import onnx_ir as ir
from numpy.typing import NDArray

from interlingua.ir import metadata
from interlingua.ir.edit import add_initializer, constant, fresh_name, graph_of, is_initializer
from interlingua.ir.opset import OPSET
from interlingua.ir.origin import CASTS, Call, Constant
from interlingua.ir.weights import Step, derived, moved
from interlingua.passes.base import Pass
from interlingua.passes.orders import order_of

LARGEST = 1 << 18
_NEVER = frozenset({"Bernoulli", "Dropout", "Multinomial", "RandomNormalLike", "RandomUniformLike"})
_GROWING = frozenset(
    {
        *("AffineGrid", "BlackmanWindow", "CenterCropPad", "Col2Im", "DFT", "EyeLike", "HammingWindow", "HannWindow"),
        *("MaxUnpool", "MelWeightMatrix", "OneHot", "Pad", "RandomNormal", "RandomUniform", "Resize", "STFT"),
        "Upsample",
    }
)
"""Operators whose output is as large as a number among their inputs or attributes says."""
_BINARY = {"Add": "add", "Sub": "subtract", "Mul": "multiply", "Div": "divide"}
_UNARY = {"Neg": "negative", "Sqrt": "sqrt"}


class FoldConstants(Pass):
    """Replaces `Transpose(W)` by an initializer of the origin `transpose(W, …)`, arithmetic on constants by its value.

    Moves of a weight (Transpose, Reshape, Slice, Concat, Cast, …) stay unevaluated until the weight is asked for. A
    weight that is used in different forms stays one weight: what moves it is then left in the graph.

    A constant that the source's state dict holds stays: code that forgot it could not load that state.
    """

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        count = 0
        for node in list(model.graph.all_nodes()):
            if node.domain != "" or not node.inputs or node.op_type in _NEVER or len(node.outputs) != 1:
                continue
            if not all(value is None or is_initializer(value) for value in node.inputs):
                continue
            if any(attribute.type == ir.AttributeType.GRAPH for attribute in node.attributes.values()):
                continue
            value = _folded(node, model.graph)
            if value is not None and _substitute(node, value):
                count += 1
        return count > 0


def _substitute(node: ir.Node, value: ir.Value) -> bool:
    output = node.outputs[0]
    if output.is_graph_output():
        return False
    output.replace_all_uses_with(value)
    graph_of(node).remove(node, safe=True)
    return True


def _folded(node: ir.Node, graph: ir.Graph) -> ir.Value | None:
    given = [value for value in node.inputs if value is not None]
    if node.outputs[0].is_graph_output() or any(metadata.is_state(value) for value in given):
        return None
    if all(metadata.is_constant(value) or _is_shape(value) for value in given):
        return _evaluated(node, graph)
    source = given[0]
    steps = _steps(node)
    if steps is not None:
        return moved(graph, source, steps) if _one_form(node, source) else None
    return _cast(node, graph) or _combined(node, graph)


def _is_shape(value: ir.Value) -> bool:
    return value.dtype in (ir.DataType.INT64, ir.DataType.INT32, ir.DataType.BOOL) and constant(value) is not None


def _one_form(node: ir.Node, source: ir.Value) -> bool:
    """Whether all that use the weight say the same of it, so that it stays one weight."""
    told = _signature(node)
    return all(_signature(user) == told and index == 0 for user, index in source.uses())


def _signature(node: ir.Node) -> tuple[object, ...]:
    constants = [constant(value) for value in node.inputs[1:]]
    rest = tuple(None if array is None else array.tobytes() for array in constants)
    return (node.op_type, rest, tuple(sorted((name, str(a.value)) for name, a in node.attributes.items())))


def _shape(value: ir.Value) -> list[int]:
    assert value.const_value is not None
    return [int(size) for size in value.const_value.shape.numpy()]


def _steps(node: ir.Node) -> list[Step] | None:
    """The moves of values that the node does on its first input; None where it does something else."""
    source = node.inputs[0]
    assert source is not None
    shape = _shape(source)
    if node.op_type == "Identity":
        return []
    if node.op_type == "Transpose":
        order = order_of(node)
        return None if order is None else [("transpose", order)]
    target = _target(node, shape)
    return None if target is None else [("reshape", tuple(target))]


def _target(node: ir.Node, shape: list[int]) -> list[int] | None:
    held = constant(node.inputs[1]) if len(node.inputs) > 1 else None
    numbers = [] if held is None else [int(number) for number in held.reshape(-1)]
    if node.op_type == "Reshape" and held is not None:
        zero = node.attributes.get("allowzero")
        keep = zero is None or not zero.as_int()
        sizes = [shape[i] if number == 0 and keep else number for i, number in enumerate(numbers)]
        rest = math.prod(size for size in sizes if size != -1)
        return [math.prod(shape) // rest if size == -1 and rest else size for size in sizes]
    if node.op_type == "Flatten":
        axis = node.attributes["axis"].as_int() if "axis" in node.attributes else 1
        axis = axis + len(shape) if axis < 0 else axis
        return [math.prod(shape[:axis]), math.prod(shape[axis:])]
    if node.op_type == "Squeeze":
        axes = (
            {number % len(shape) for number in numbers}
            if held is not None
            else {i for i, s in enumerate(shape) if s == 1}
        )
        return [size for axis, size in enumerate(shape) if axis not in axes]
    if node.op_type == "Unsqueeze" and held is not None:
        rank = len(shape) + len(numbers)
        axes, rest_sizes = {number % rank for number in numbers}, iter(shape)
        return [1 if axis in axes else next(rest_sizes) for axis in range(rank)]
    return None


def _cast(node: ir.Node, graph: ir.Graph) -> ir.Value | None:
    if node.op_type != "Cast":
        return None
    source, dtype = node.inputs[0], ir.DataType(node.attributes["to"].as_int())
    assert source is not None
    name = str(dtype.numpy())
    if name not in CASTS or not _one_form(node, source):
        return None
    expression = Call(f"to_{name}", (metadata.origin(source),))
    return derived(graph, fresh_name(graph, f"{source.name}_{name}"), [source], expression, _shape(source), dtype)


def _combined(node: ir.Node, graph: ir.Graph) -> ir.Value | None:
    """Parts and joins of weights, and weights scaled by a number; None where an expression cannot say it."""
    given = [value for value in node.inputs if value is not None]
    source = given[0]
    dtype = source.dtype or ir.DataType.FLOAT
    origins = tuple(metadata.origin(value) for value in given)
    shapes = [_shape(value) for value in given]
    stem = node.outputs[0].name or f"{source.name}_{node.op_type.lower()}"
    if node.op_type == "Concat":
        axis = node.attributes["axis"].as_int() % len(shapes[0])
        if any(isinstance(origin, Constant) for origin in origins):
            return None
        shape = [sum(each[axis] for each in shapes) if i == axis else size for i, size in enumerate(shapes[0])]
        return derived(graph, stem, given, Call("concat", origins, (axis,)), shape, dtype)
    if node.op_type == "Slice":
        return _sliced(node, graph, source, stem)
    if node.op_type == "Gather" and constant(given[1]) is not None:
        indices = constant(given[1])
        axis = node.attributes["axis"].as_int() % len(shapes[0]) if "axis" in node.attributes else 0
        if indices is None or indices.ndim != 1 or not len(indices):
            return None
        shape = [len(indices) if i == axis else size for i, size in enumerate(shapes[0])]
        numbers = (axis, *(int(index) % shapes[0][axis] for index in indices))
        return derived(graph, stem, [source], Call("take", (origins[0],), numbers), shape, dtype)
    if node.op_type in _UNARY:
        return derived(graph, stem, [source], Call(_UNARY[node.op_type], (origins[0],)), shapes[0], dtype)
    if node.op_type in _BINARY and len(given) == 2:
        number = constant(given[1], 1)
        if metadata.is_constant(given[1]) and number is not None and not metadata.is_constant(source):
            if len(shapes[1]) > len(shapes[0]):
                return None
            expression = Call(_BINARY[node.op_type], (origins[0],), (number.reshape(-1)[0].item(),))
            return derived(graph, stem, [source], expression, shapes[0], dtype)
    return None


def _sliced(node: ir.Node, graph: ir.Graph, source: ir.Value, stem: str) -> ir.Value | None:
    arrays = [constant(value) for value in node.inputs[1:]]
    if any(array is None for array in arrays):
        return None
    numbers = [[int(number) for number in array.reshape(-1)] for array in arrays if array is not None]
    shape = _shape(source)
    axes = numbers[2] if len(numbers) > 2 else list(range(len(numbers[0])))
    strides = numbers[3] if len(numbers) > 3 else [1] * len(axes)
    value = source
    for start, end, axis, stride in zip(numbers[0], numbers[1], axes, strides, strict=True):
        axis %= len(shape)
        begin, stop, step = slice(start, end, stride).indices(shape[axis])
        shape[axis] = len(range(begin, stop, step))
        arguments = (axis, begin, stop) if step == 1 else (axis, begin, stop, step)
        expression = Call("slice", (metadata.origin(value),), arguments)
        value = derived(graph, stem, [value], expression, shape, source.dtype or ir.DataType.FLOAT)
    return value


def _evaluated(node: ir.Node, graph: ir.Graph) -> ir.Value | None:
    """The value of a node of constants, computed now; None where it is large or the reference cannot say."""
    arrays: list[NDArray[np.generic] | None] = []
    for value in node.inputs:
        array = None if value is None else constant(value, LARGEST)
        if value is not None and array is None:
            return None
        arrays.append(array)
    output = node.outputs[0]
    if output.shape is not None and output.shape.is_static():
        if math.prod(output.shape.numpy()) > LARGEST:
            return None
    elif node.op_type in _GROWING or math.prod(max(array.size, 1) for array in arrays if array is not None) > LARGEST:
        return None  # nobody knows how much memory its value takes
    result = _computed(node, arrays)
    if result is None or result.size > LARGEST:
        return None
    name = output.name or node.name or node.op_type
    return add_initializer(graph, fresh_name(graph, f"{name}_value"), result, Constant(name))


def _computed(node: ir.Node, arrays: Sequence[NDArray[np.generic] | None]) -> NDArray[np.generic] | None:
    if node.op_type in ("ConstantOfShape", "Expand", "Tile", "Range") and _too_large(node, arrays):
        return None
    if node.op_type == "GatherElements":
        return _gathered_elements(node, arrays)
    names = ["" if array is None else f"x{index}" for index, array in enumerate(arrays)]
    made = onnx.helper.make_node(node.op_type, names, ["y"])
    made.attribute.extend(ir.serde.serialize_attribute(attribute) for attribute in node.attributes.values())
    given = {name: array for name, array in zip(names, arrays, strict=True) if array is not None}
    inputs = [
        onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in given.items()
    ]
    graph = onnx.helper.make_graph([made], "fold", inputs, [onnx.ValueInfoProto(name="y")])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)])
    try:
        (result,) = onnx.reference.ReferenceEvaluator(model).run(None, given)
    except Exception:  # the reference lacks an operator or refuses its arguments: the node stays
        return None
    return np.asarray(result) if isinstance(result, np.ndarray | np.generic) else None


def _gathered_elements(node: ir.Node, arrays: Sequence[NDArray[np.generic] | None]) -> NDArray[np.generic] | None:
    """The value of a GatherElements; the reference takes neither more than 64 entries nor shorter other axes."""
    data, indices = arrays
    axis = node.attributes["axis"].as_int() if "axis" in node.attributes else 0
    if data is None or indices is None or not -data.ndim <= axis < data.ndim:
        return None
    size, axis = data.shape[axis], axis % data.ndim
    if indices.size and not (-size <= int(indices.min()) and int(indices.max()) < size):
        return None
    within = tuple(slice(None) if each == axis else slice(length) for each, length in enumerate(indices.shape))
    return np.take_along_axis(data[within], indices.astype(np.int64), axis)


def _too_large(node: ir.Node, arrays: Sequence[NDArray[np.generic] | None]) -> bool:
    if node.op_type == "Range":
        start, limit, delta = (float(array.reshape(-1)[0]) if array is not None else 0.0 for array in arrays)
        return delta == 0 or abs(limit - start) / abs(delta) > LARGEST
    index = 0 if node.op_type == "ConstantOfShape" else 1
    held = arrays[index]
    sizes = math.prod(abs(int(size)) for size in held.reshape(-1)) if held is not None else 0
    first = arrays[0]
    return sizes * (first.size if node.op_type == "Tile" and first is not None else 1) > LARGEST
