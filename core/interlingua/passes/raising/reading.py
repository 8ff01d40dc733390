"""What a rule reads of the graph: numbers, single-use chains, polynomials; and the nodes it would take away."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import add_initializer, constant, graph_of
from interlingua.ir.facts import shape_of
from interlingua.ir.origin import Constant

TOLERANCE = {ir.DataType.FLOAT16: 2e-3, ir.DataType.BFLOAT16: 1.6e-2}
"""How far a constant of short floats may stand from the number it means; 2e-6 for all others."""

_MAIN = "interlingua.main"

Polynomial = dict[int, float]
"""Coefficients by power."""


class Reading:
    """The nodes that a rule has looked through; they go when the rule fires, so nothing else may use them."""

    def __init__(self, root: ir.Node) -> None:
        self.root = root
        self.nodes: dict[ir.Node, None] = {root: None}

    def made(self, value: ir.Value | None, *ops: str) -> ir.Node | None:
        """The standard node of one of the types that makes the value; it counts as read."""
        node = maker(value, *ops)
        if node is not None and node.graph is self.root.graph:
            self.nodes[node] = None
            return node
        return None

    def mark(self) -> tuple[ir.Node, ...]:
        """The state to go back to with `back`, where a spelling turns out to be another."""
        return tuple(self.nodes)

    def back(self, mark: tuple[ir.Node, ...]) -> None:
        """Forgets what was read after the mark."""
        self.nodes = dict.fromkeys(mark)

    @property
    def closed(self) -> bool:
        """Whether only what was read, and the graph after the root, uses what was read."""
        return all(
            use.node in self.nodes and not output.is_graph_output()
            for node in self.nodes
            if node is not self.root
            for output in node.outputs
            for use in output.uses()
        ) and not any(
            output.is_graph_output() for node in self.nodes if node is not self.root for output in node.outputs
        )

    def alone(self, value: ir.Value | None) -> bool:
        """Whether the value has one use and is no output of the graph."""
        return value is not None and len(value.uses()) == 1 and not value.is_graph_output()


Rule = Callable[[ir.Node, Reading], Sequence[ir.Node] | None]
"""A rule takes the last node of a spelling; its nodes replace it, the last one's outputs the node's."""


def maker(value: ir.Value | None, *ops: str) -> ir.Node | None:
    """The standard node of one of the types that makes the value."""
    node = None if value is None else value.producer()
    return node if node is not None and node.domain == "" and node.op_type in ops else None


def number(value: ir.Value | None) -> float | None:
    """The number that an initializer of one element holds."""
    array = constant(value, 1)
    if array is None or array.size != 1 or (array.dtype.kind not in "fiu" and array.dtype.name != "bfloat16"):
        return None
    return float(array.reshape(-1)[0].astype(np.float64))


def stated(value: ir.Value | None) -> float | None:
    """The number that an initializer of one element holds, where the source's code states it: nobody trains it."""
    return number(value) if value is not None and metadata.is_constant(value) else None


def uniform(value: ir.Value | None) -> float | None:
    """The number that all elements of a constant that nobody trains have in common."""
    array = None if value is None or not metadata.is_constant(value) else constant(value)
    if array is None or not array.size or array.dtype.kind not in "fiu":
        return None
    first = array.reshape(-1)[0]
    return float(first) if (array == first).all() else None


def near(given: float | None, wanted: float, like: ir.Value | None = None) -> bool:
    """Whether a constant is the wanted number, rounded to the element type of `like`."""
    if given is None:
        return False
    dtype = None if like is None else like.dtype
    tolerance = TOLERANCE.get(dtype, 2e-6) if dtype is not None else 2e-6
    return abs(given - wanted) <= tolerance * max(abs(wanted), 1e-30)


def rank(value: ir.Value | None) -> int | None:
    """The number of axes, where known."""
    shape = shape_of(value)
    return None if shape is None else len(shape)


def same_rank(first: ir.Value | None, second: ir.Value | None) -> bool:
    """Whether both numbers of axes are known and equal: an elementwise chain did not broadcast beyond its input."""
    return rank(first) is not None and rank(first) == rank(second)


_ELEMENTWISE = frozenset({"Add", "And", "Cast", "Div", "Mul", "Neg", "Not", "Or", "Softmax", "Sub", "Where"})

Sizes = tuple[int | str | None, ...]


def sizes_of(value: ir.Value | None, depth: int = 8) -> Sizes | None:
    """The shape, worked out anew through elementwise operators, repetitions and new axes.

    ONNX's inference gives up names of sizes where it broadcasts them.
    """
    shape, node = shape_of(value), None if value is None else value.producer()
    if shape is None or node is None or node.domain != "" or depth == 0 or all(isinstance(size, int) for size in shape):
        return shape
    found: Sizes | None = None
    if node.op_type in _ELEMENTWISE:
        found = ()
        for each in node.inputs:
            found = broadcast(found, sizes_of(each, depth - 1))
    elif node.op_type == "Tile" and node.inputs[0] is not None:
        before, repeats = sizes_of(node.inputs[0], depth - 1), integers(node.inputs[1])
        if before is not None and repeats is not None:
            pairs = zip(before, repeats, strict=True)
            found = tuple(n if k == 1 else n * k if isinstance(n, int) else None for n, k in pairs)
    elif node.op_type == "Unsqueeze":
        before, axes = sizes_of(node.inputs[0], depth - 1), integers(node.inputs[1])
        if before is not None and axes is not None:
            added, rest = {axis % len(shape) for axis in axes}, iter(before)
            found = tuple(1 if position in added else next(rest) for position in range(len(shape)))
    elif node.op_type == "Reshape" and not attribute_int(node, "allowzero", 0):
        before, target = sizes_of(node.inputs[0], depth - 1), integers(node.inputs[1])
        if before is not None and target is not None:
            found = tuple(before[i] if n == 0 and i < len(before) else shape[i] for i, n in enumerate(target))
            found = _with_rest(found, before, target)
    return shape if found is None or len(found) != len(shape) or None in found else found


def _with_rest(sizes: Sizes, before: Sizes, target: Sequence[int]) -> Sizes:
    """The sizes after a Reshape with the one that is left to it, where it is the one that has a name before."""
    numbers = [size for size in before if isinstance(size, int)]
    others = [size for size, entry in zip(sizes, target, strict=True) if entry != -1]
    named = [size for size in before if isinstance(size, str)]
    plain = len(numbers) + len(named) == len(before) and all(isinstance(size, int) for size in others)
    if not plain or len(others) != len(sizes) - 1 or len(named) != 1:
        return sizes
    if math.prod(numbers) != math.prod(size for size in others if isinstance(size, int)):
        return sizes
    return tuple(named[0] if entry == -1 else size for size, entry in zip(sizes, target, strict=True))


def broadcast(first: Sizes | None, second: Sizes | None) -> Sizes | None:
    """The shape of two values broadcast; None where a size is not known to fit."""
    if first is None or second is None:
        return None
    count = max(len(first), len(second))
    left, right = (1,) * (count - len(first)) + first, (1,) * (count - len(second)) + second
    sizes: list[int | str | None] = []
    for one, other in zip(left, right, strict=True):
        if one is None or other is None or (one != other and 1 not in (one, other)):
            return None
        sizes.append(other if one == 1 else one)
    return tuple(sizes)


def attribute_int(node: ir.Node, name: str, default: int) -> int:
    """An integer attribute."""
    held = node.attributes.get(name)
    return default if held is None else held.as_int()


def attribute_float(node: ir.Node, name: str, default: float) -> float:
    """A float attribute."""
    held = node.attributes.get(name)
    return default if held is None else held.as_float()


def integers(value: ir.Value | None) -> list[int] | None:
    """The entries of a small constant of whole numbers."""
    array = constant(value, 64)
    return None if array is None or array.dtype.kind not in "iu" else [int(entry) for entry in array.reshape(-1)]


def home(node: ir.Node) -> ir.Graph:
    """The main graph of the model that the node stands in, where all initializers are."""
    graph = graph_of(node)
    main = graph.meta.get(_MAIN)
    return main if isinstance(main, ir.Graph) else graph


def remember_home(model: ir.Model) -> None:
    """Lets `home` find the main graph from the subgraphs."""
    for graph in model.graphs():
        graph.meta[_MAIN] = model.graph


def new(
    op_type: str,
    inputs: Sequence[ir.Value | None],
    attributes: dict[str, object] | None = None,
    *,
    like: ir.Value | None = None,
    shape: Sequence[int | str | ir.SymbolicDim | None] | None = None,
) -> ir.Node:
    """A node whose output has the element type of `like`, and its shape unless another is given."""
    said = [ir.convenience.convert_attribute(key, value) for key, value in (attributes or {}).items()]
    trimmed = list(inputs)
    while trimmed and trimmed[-1] is None:
        trimmed.pop()
    node = ir.Node("", op_type, trimmed, said)
    if like is not None:
        node.outputs[0].type = like.type
        node.outputs[0].shape = ir.Shape(list(shape)) if shape is not None else like.shape
    return node


def tensor(node: ir.Node, stem: str, array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> ir.Value:
    """A new constant of the node's graph, no parameter of the source.

    Subgraphs have no initializers of their own, so the constant is one of the main graph.
    """
    value = add_initializer(home(node), stem, array, Constant(stem))
    return metadata.set_origin(value, Constant(value.name or stem))


def filled(node: ir.Node, stem: str, size: Sequence[int], fill: float, dtype: ir.DataType) -> ir.Value:
    """A new constant of equal numbers: the scale or bias of a normalization that has none."""
    return tensor(node, stem, np.full(size, fill, dtype.numpy()))


def sides(node: ir.Node) -> tuple[tuple[ir.Value, ir.Value], ...]:
    """The two inputs of a node in both orders."""
    left, right = node.inputs[0], node.inputs[1]
    if left is None or right is None:
        return ()
    return ((left, right), (right, left))


def factors(reading: Reading, value: ir.Value, *, root: bool = True) -> tuple[float, list[ir.Value]]:
    """A product as its number and its other factors, through `Mul`, `Div` by a number and `Neg` of one use each."""
    node = maker(value, "Mul", "Div", "Neg")
    if node is None or not (root or reading.alone(value)) or node.graph is not reading.root.graph:
        return 1.0, [value]
    coefficient, found = 1.0, list[ir.Value]()
    for index, each in enumerate(node.inputs):
        assert each is not None
        held = stated(each)
        if node.op_type == "Div" and index == 1:
            if not held:
                return 1.0, [value]
            coefficient /= held
        elif held is not None:
            coefficient *= held
        else:
            more, rest = factors(reading, each, root=False)
            coefficient *= more
            found.extend(rest)
    reading.nodes[node] = None
    return (-coefficient if node.op_type == "Neg" else coefficient), found


def polynomial(reading: Reading, value: ir.Value | None, base: ir.Value, depth: int = 12) -> Polynomial | None:
    """The value as a polynomial in `base`, through sums, products, quotients by numbers and whole powers."""
    if value is base:
        return {1: 1.0}
    held = stated(value)
    if held is not None:
        return {0: held}
    node = reading.made(value, "Add", "Sub", "Mul", "Div", "Neg", "Pow")
    if node is None or depth == 0:
        return None
    first = polynomial(reading, node.inputs[0], base, depth - 1)
    if first is None:
        return None
    if node.op_type == "Neg":
        return {power: -factor for power, factor in first.items()}
    if node.op_type == "Pow":
        power = number(node.inputs[1])
        return _power(first, power)
    second = polynomial(reading, node.inputs[1], base, depth - 1)
    if second is None:
        return None
    if node.op_type == "Mul":
        return _product(first, second)
    if node.op_type == "Div":
        divisor = second.get(0)
        return {power: factor / divisor for power, factor in first.items()} if divisor and len(second) == 1 else None
    sign = -1 if node.op_type == "Sub" else 1
    return {power: first.get(power, 0) + sign * second.get(power, 0) for power in {*first, *second}}


def _product(first: Polynomial, second: Polynomial) -> Polynomial:
    total: Polynomial = {}
    for left, coefficient in first.items():
        for right, factor in second.items():
            total[left + right] = total.get(left + right, 0) + coefficient * factor
    return total


def _power(base: Polynomial, power: float | None) -> Polynomial | None:
    if power not in (1, 2, 3, 4):
        return None
    total: Polynomial = {0: 1.0}
    for _ in range(int(power)):
        total = _product(total, base)
    return total


def is_polynomial(given: Polynomial | None, wanted: Polynomial, like: ir.Value | None = None) -> bool:
    """Whether the coefficients are the wanted ones, and no others."""
    if given is None or {power for power, factor in given.items() if factor} != set(wanted):
        return False
    return all(near(given[power], factor, like) for power, factor in wanted.items())


def affine(
    reading: Reading, value: ir.Value | None, inner: Callable[[ir.Value], bool]
) -> tuple[float, ir.Value, float] | None:
    """`scale · inner + shift` of the first value down the chain that `inner` takes; None where there is none."""
    scale, shift = 1.0, 0.0
    for _ in range(8):
        if value is None:
            return None
        if inner(value):
            return scale, value, shift
        node = reading.made(value, "Add", "Sub", "Mul", "Div", "Neg")
        if node is None:
            return None
        if node.op_type == "Neg":
            scale, value = -scale, node.inputs[0]
            continue
        left, right = stated(node.inputs[0]), stated(node.inputs[1])
        if right is not None:
            value = node.inputs[0]
            if node.op_type == "Add":
                shift += scale * right
            elif node.op_type == "Sub":
                shift -= scale * right
            elif node.op_type == "Mul":
                scale *= right
            elif right:
                scale /= right
            else:
                return None
        elif left is not None and node.op_type != "Div":
            value = node.inputs[1]
            if node.op_type == "Mul":
                scale *= left
            else:
                shift += scale * left
                scale = -scale if node.op_type == "Sub" else scale
        else:
            return None
    return None
