"""Turns computed shapes into constants, or into expressions over named dimensions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import add_initializer, constant, fresh_name, graph_of
from interlingua.ir.origin import Constant
from interlingua.ir.shapes import MAXIMUM, MINIMUM, Dimension, dimension, of_shape, to_shape
from interlingua.passes.base import Pass
from interlingua.passes.infer import generated

Known = tuple[Dimension, ...]

ARITHMETIC = frozenset(
    {
        *("Add", "Cast", "Concat", "Div", "Gather", "Identity", "Max", "Min", "Mod", "Mul", "ReduceProd", "Reshape"),
        *("Shape", "Size", "Slice", "Squeeze", "Sub", "Unsqueeze"),
    }
)
LONGEST = 64


class NameDimensions(Pass):
    """Names each unnamed dimension of an input, `N` the first axis of the first one, so that shapes can speak of it."""

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        changed = False
        inputs = [value for value in model.graph.inputs if value.shape is not None]
        taken = {str(size) for value in inputs for size in value.shape or () if not isinstance(size, int)}
        for position, value in enumerate(inputs):
            assert value.shape is not None
            for axis, size in enumerate(value.shape):
                if isinstance(size, int) or not (size.value is None or generated(size)):
                    continue
                name = "N" if position == 0 and axis == 0 and "N" not in taken else f"{value.name}_{axis}"
                taken.add(name)
                shape = value.shape.copy()
                shape[axis] = name
                value.shape = shape
                changed = True
        return changed


class ResolveShapes(Pass):
    """Replaces chains of `Shape → Gather → Concat` by a constant shape where one unknown suffices.

    `Reshape(X, Concat(Gather(Shape(X), 0), [-1, 64]))` becomes `Reshape(X, [0, -1, 64])`. Where that is not enough, the
    computed shape is told in metadata, as a list of dimension expressions.
    """

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        known: dict[ir.Value, Known] = {}
        changed = False
        for node in list(model.graph.all_nodes()):
            if node.domain != "":
                continue
            if node.op_type in ARITHMETIC:
                found = propagated(node, known)
                if found is not None:
                    known[node.outputs[0]] = found
                    changed = _state(node, found, known) or changed
            if node.op_type == "Reshape" and node.outputs[0] not in known:
                changed = _reshape(node, known) or changed
            elif node.op_type in ("Expand", "ConstantOfShape"):
                changed = _shaped(node, known) or changed
        return changed


def _vector(value: ir.Value | None, known: dict[ir.Value, Known]) -> Known | None:
    if value is None:
        return None
    if value in known:
        return known[value]
    array = constant(value, LONGEST)
    if array is None or array.ndim > 1 or array.dtype.kind != "i":
        return None
    return tuple(dimension(int(number)) for number in array.reshape(-1))


def _numbers(value: ir.Value | None) -> list[int] | None:
    array = constant(value, LONGEST)
    return None if array is None else [int(number) for number in array.reshape(-1)]


def propagated(node: ir.Node, known: dict[ir.Value, Known]) -> Known | None:
    """What the node's output holds, from what its inputs hold; None where that cannot be said."""
    source = node.inputs[0] if node.inputs else None
    if node.op_type == "Shape":
        return _shape(node, source)
    if node.op_type == "Size":
        sizes = None if source is None or source.shape is None else [of_shape(size) for size in source.shape]
        return None if sizes is None or None in sizes else (_product([size for size in sizes if size is not None]),)
    if node.op_type == "Cast" and ir.DataType(node.attributes["to"].as_int()) not in (
        ir.DataType.INT64,
        ir.DataType.INT32,
    ):
        return None
    terms = [_vector(value, known) for value in node.inputs]
    first = terms[0] if terms else None
    if first is None or (
        source is not None and constant(source) is not None and not any(v in known for v in node.inputs if v)
    ):
        return None
    if node.op_type in ("Cast", "Identity", "Squeeze", "Unsqueeze"):
        return first
    if node.op_type == "Reshape":
        target = _numbers(node.inputs[1])
        return first if target is not None and len(target) <= 1 else None
    if node.op_type == "Concat":
        return None if None in terms else tuple(each for term in terms if term is not None for each in term)
    if node.op_type == "Gather":
        return _gathered(node, first)
    if node.op_type == "Slice":
        return _sliced(node, first)
    if node.op_type == "ReduceProd":
        return (_product(list(first)),)
    second = terms[1] if len(terms) == 2 else None
    return None if second is None else _binary(node.op_type, first, second)


def _product(sizes: list[Dimension]) -> Dimension:
    total = dimension(1)
    for size in sizes:
        total = total * size
    return total


def _shape(node: ir.Node, source: ir.Value | None) -> Known | None:
    if source is None or source.shape is None:
        return None
    sizes = [of_shape(size) for size in source.shape]
    start = node.attributes["start"].as_int() if "start" in node.attributes else 0
    end = node.attributes["end"].as_int() if "end" in node.attributes else len(sizes)
    chosen = sizes[start:end]
    return None if None in chosen else tuple(size for size in chosen if size is not None)


def _gathered(node: ir.Node, first: Known) -> Known | None:
    indices = _numbers(node.inputs[1])
    if indices is None or any(not -len(first) <= index < len(first) for index in indices):
        return None
    return tuple(first[index] for index in indices)


def _sliced(node: ir.Node, first: Known) -> Known | None:
    parts = [_numbers(value) for value in node.inputs[1:]]
    if any(part is None or len(part) != 1 for part in parts):
        return None
    start, end, *rest = [part[0] for part in parts if part is not None]
    return first[slice(start, end, rest[1] if len(rest) > 1 else 1)]


def _binary(op_type: str, left: Known, right: Known) -> Known | None:
    count = max(len(left), len(right))
    if len(left) not in (1, count) or len(right) not in (1, count):
        return None
    pairs = zip(left * (count if len(left) == 1 else 1), right * (count if len(right) == 1 else 1), strict=True)
    if op_type == "Add":
        return tuple(first + second for first, second in pairs)
    if op_type == "Sub":
        return tuple(first - second for first, second in pairs)
    if op_type == "Mul":
        return tuple(first * second for first, second in pairs)
    if op_type in ("Max", "Min"):
        return tuple(first.extreme(second, MAXIMUM if op_type == "Max" else MINIMUM) for first, second in pairs)
    if any(second.number == 0 for second in right):
        return None
    return tuple(first // second if op_type == "Div" else first % second for first, second in pairs)


def _state(node: ir.Node, found: Known, known: dict[ir.Value, Known]) -> bool:
    """Replaces a computed shape by a constant where it is one, known from now on, or tells what it holds."""
    output = node.outputs[0]
    numbers = [size.number for size in found]
    if None in numbers or output.is_graph_output():
        before = metadata.dimensions(output)
        metadata.set_dimensions(output, found)
        return before != metadata.dimensions(output)
    scalar = output.shape is not None and len(output.shape) == 0
    dtype = (output.dtype or ir.DataType.INT64).numpy()
    array = np.asarray(numbers[0] if scalar else numbers, dtype)
    graph = graph_of(node)
    name = fresh_name(graph, f"{output.name}_value")
    stated = add_initializer(graph, name, array, Constant(name))
    known[stated] = found
    output.replace_all_uses_with(stated)
    return True


def _reshape(node: ir.Node, known: dict[ir.Value, Known]) -> bool:
    source, target, output = node.inputs[0], node.inputs[1], node.outputs[0]
    if target is None or target not in known or source is None:
        return False
    wanted = known[target]
    zero = node.attributes.get("allowzero")
    if zero is not None and zero.as_int() and any(size.number == 0 for size in wanted):
        return False
    node.attributes.pop("allowzero", None)  # no size is said to be 0, so a 0 may stand for a copied axis
    have = [] if source.shape is None else [of_shape(size) for size in source.shape]
    sizes = _entries(wanted, have)
    if sizes.count(None) + sizes.count(-1) > 1:
        wanted = _with_rest(wanted, have)
        sizes = _entries(wanted, have)
    if sizes.count(None) + sizes.count(-1) <= 1:
        numbers = [-1 if size is None else size for size in sizes]
        graph = graph_of(node)
        name = fresh_name(graph, f"{output.name}_shape")
        node.replace_input_with(1, add_initializer(graph, name, np.asarray(numbers, np.int64), Constant(name)))
    if all(size.number is None or size.number > 0 for size in wanted):
        output.shape = ir.Shape([to_shape(size) for size in wanted])
    return True


def _entries(wanted: Known, have: Sequence[Dimension | None]) -> list[int | None]:
    """What a constant says of each size: 0 for one that is kept, None for another that is no number."""
    sizes: list[int | None] = []
    for axis, size in enumerate(wanted):
        same = axis < len(have) and have[axis] is not None and have[axis] == size and size.number is None
        sizes.append(0 if same else size.number)
    return sizes


def _with_rest(wanted: Known, have: Sequence[Dimension | None]) -> Known:
    """The sizes with the one that is told as -1 worked out, where the others divide what there is."""
    known = [size for size in have if size is not None]
    told = [size for size in wanted if size.number != -1]
    if not known or len(known) != len(have) or len(told) != len(wanted) - 1 or any(size.number == 0 for size in told):
        return wanted
    rest = _product(known) // _product(told)
    if rest * _product(told) != _product(known):
        return wanted
    return tuple(rest if size.number == -1 else size for size in wanted)


def _shaped(node: ir.Node, known: dict[ir.Value, Known]) -> bool:
    """Tells the shape of a ConstantOfShape, whose shape input is the shape."""
    wanted = _vector(node.inputs[0], known) if node.op_type == "ConstantOfShape" else None
    output = node.outputs[0]
    if wanted is None or (output.shape is not None and not output.shape.has_unknown_dim()):
        return False
    output.shape = ir.Shape([to_shape(size) for size in wanted])
    return True
