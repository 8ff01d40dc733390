"""Products over some axes of two values, in whatever spelling: each rule's first sentence is the transformation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import onnx_ir as ir

from interlingua.passes.raising.reading import Reading, Rule, maker, sizes_of
from interlingua.passes.raising.views import Axis, Builder, Factor, View, arranged, moved, size_of, whole

_MOVES = ("Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
_LONGEST = 8
"""Moves up to which a chain is followed."""


@dataclasses.dataclass
class Contraction:
    """What two values are multiplied over: the factors of their axes, and those of the result's.

    A factor that both have is multiplied over, and summed over where the result does not have it.
    """

    nodes: list[ir.Node]
    left: ir.Value
    right: ir.Value
    first: list[Axis]
    second: list[Axis]
    result: list[Axis]

    def shared(self) -> tuple[Axis, Axis, Axis, Axis]:
        """The factors that both have and the result, those of the first, those of the second, and those summed."""
        flat = [factor for axis in self.result for factor in axis]
        one = [factor for axis in self.first for factor in axis]
        two = [factor for axis in self.second for factor in axis]
        both = [factor for factor in flat if factor in one and factor in two]
        first, second = ([factor for factor in flat if factor in each and factor not in both] for each in (one, two))
        return both, first, second, [factor for factor in one if factor not in flat]


def contraction(last: ir.Node, *, repeats: bool = False) -> Contraction | None:
    """The product that ends at the node, with all moves of axes around it that nothing else reads.

    An axis of a batch whose sizes have two names may be 1 long in one of both; `repeats` allows that.
    """
    if _is_moved_on(last.outputs[0]):
        return None
    behind: list[ir.Node] = []
    product: ir.Node | None = last
    while product is not None and product.op_type in _MOVES and len(behind) < _LONGEST:
        behind.append(product)
        product = _maker(product.inputs[0], *_MOVES, "MatMul")
    if product is None or product.op_type != "MatMul":
        return None
    operands = [_operand(value) for value in product.inputs]
    if operands[0] is None or operands[1] is None:
        return None
    (left, before), (right, more) = operands[0], operands[1]
    if len(left.axes) < 2 or len(right.axes) < 2 or not _aligned(left, right, repeats):
        return None
    count = max(len(left.axes), len(right.axes)) - 2
    batch = [(_at(left, axis - count - 2) or _at(right, axis - count - 2)) for axis in range(count)]
    axes = [[*axis] for axis in (*batch, left.axes[-2], right.axes[-1])]
    output = product.outputs[0]
    joint = View(output, output, [*left.source, *right.source], axes)
    if not all(moved(joint, node, node.outputs[0]) for node in reversed(behind)):
        return None
    bases = len(left.source)
    nodes = [*before, *more, product, *reversed(behind)]
    return Contraction(nodes, left.base, right.base, joint.source[:bases], joint.source[bases:], joint.axes)


def _is_moved_on(value: ir.Value) -> bool:
    """Whether another move is all that reads the value."""
    uses = list(value.uses())
    if len(uses) != 1 or value.is_graph_output():
        return False
    user = uses[0].node
    return user.domain == "" and user.op_type in _MOVES and uses[0].idx == 0


def _maker(value: ir.Value | None, *ops: str) -> ir.Node | None:
    """The node that makes the value for one use."""
    alone = value is not None and len(value.uses()) == 1 and not value.is_graph_output()
    return maker(value, *ops) if alone else None


def _operand(value: ir.Value | None) -> tuple[View, list[ir.Node]] | None:
    """A factor of the product as a view of what moves make it from, and those."""
    chain: list[ir.Node] = []
    node = _maker(value, *_MOVES)
    while node is not None and node.inputs[0] is not None and len(chain) < _LONGEST:
        chain.insert(0, node)
        node = _maker(node.inputs[0], *_MOVES)
    base = chain[0].inputs[0] if chain else value
    view = None if base is None else whole(base)
    if view is None or not all(moved(view, each, each.outputs[0]) for each in chain):
        return None
    return view, chain


def _at(view: View, axis: int) -> Axis:
    return view.axes[axis] if -axis <= len(view.axes) else []


def _aligned(left: View, right: View, repeats: bool) -> bool:
    """Lets both have the same factors along the axes that they share; whether those fit."""
    count = max(len(left.axes), len(right.axes))
    if not _along(left, right, -1, -2, equal=True) or len(_at(left, -1)) != len(_at(right, -2)):
        return False
    return all(_along(left, right, axis, axis, equal=repeats or _is_more(left, axis)) for axis in range(-count, -2))


def _is_more(view: View, axis: int) -> bool:
    """Whether an axis is more than 1 long, so that it is not repeated for another."""
    return any(isinstance(factor.size, int) and factor.size > 1 for factor in _at(view, axis))


def _along(left: View, right: View, one: int, other: int, *, equal: bool) -> bool:
    """Pairs the factors of an axis of each, which are `equal` even where their sizes have two names."""
    for index in range(_LONGEST):
        first, second = _at(left, one), _at(right, other)
        if not first or not second or index == len(first) == len(second):
            return True
        if index >= min(len(first), len(second)):
            return False
        if not _paired(left, right, first[index], second[index], equal=equal):
            return False
    return False


def _paired(left: View, right: View, first: Factor, second: Factor, *, equal: bool) -> bool:
    """Lets the second view have the first factor for its own, of which one is parted where it is larger."""
    one, other = first.size, second.size
    if isinstance(one, int) and isinstance(other, int):
        if one % other and other % one:
            return False
        if one > other:
            first = left.split(first, other)[0]
        elif other > one:
            second = right.split(second, one)[0]
    elif one is None or other is None or isinstance(one, int) != isinstance(other, int) or (one != other and not equal):
        return False
    for axes in (right.source, right.axes):
        for axis in axes:
            axis[:] = [first if factor is second else factor for factor in axis]
    return True


def unfolded(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Reshape(MatMul(Reshape(Transpose(X)), Reshape(Transpose(Y))))` by a product over the axes themselves.

    So tf2onnx' spelling of an einsum comes, which makes one axis of all that a matrix has in one. Only where fewer
    nodes say it. What is repeated, as heads of keys and values are for groups of queries, keeps its spelling.
    """
    found = contraction(node)
    if found is None or any(maker(value, "Expand", "Tile") is not None for value in (found.left, found.right)):
        return None
    if len(found.nodes) < 3 or not found.shared()[0] or not _once(found):
        return None
    builder = Builder(node)
    if not _rebuilt(found, builder) or len(builder.nodes) >= len(found.nodes):
        builder.forget()
        return None
    sizes = [_size(axis) for axis in found.result]
    if not node.outputs[0].is_graph_output() and None not in sizes:
        node.outputs[0].shape = ir.Shape(sizes)  # by the names that the sizes have before
    reading.nodes.update(dict.fromkeys(found.nodes))
    return builder.nodes


def _rebuilt(found: Contraction, builder: Builder) -> bool:
    """Whether a product over the axes themselves could be made."""
    both, first, second, summed = found.shared()
    batch: list[Axis] = [[factor] for factor in both]
    left = _placed(found.left, found.first, [*batch, first, summed], builder)
    right = _placed(found.right, found.second, [*batch, summed, second], builder)
    if left is None or right is None:
        return False
    axes = [*batch, first, second]
    value = builder.add("MatMul", [left, right], {}, tuple(_size(axis) for axis in axes))
    return _placed(value, axes, found.result, builder) is not None


def _once(found: Contraction) -> bool:
    """Whether the axes of neither value, nor of the result, have a factor twice, and sizes of 1 are not made."""
    for axes in (found.first, found.second, found.result):
        flat = [factor for axis in axes for factor in axis]
        if len(flat) != len({*flat}) or any(factor.size is None for factor in flat):
            return False
    return True


def _placed(value: ir.Value, axes: Sequence[Axis], target: Sequence[Axis], builder: Builder) -> ir.Value | None:
    """The value with its factors in those axes: parted first, as keys are into heads, then turned, then joined."""
    parted = [[factor] for axis in axes for factor in axis]
    if any(len(axis) > 1 for axis in axes):
        made = builder.reshape(value, axes, parted)
        if made is None:
            return None
        value, axes = made, parted
    view = View(value, value, [list(axis) for axis in axes], [list(axis) for axis in axes])
    return arranged(view, value, target, builder)


def _size(axis: Axis) -> int | str | None:
    return size_of(axis) if axis else 1


def of_attention(node: ir.Node, reading: Reading) -> Sequence[ir.Node] | None:
    """Replaces `Einsum(Q, K)` that a softmax reads, and `Einsum(weights, V)` behind one, by products with Transposes.

    So attention is read that a source writes by equations; where it is none, an equation is made of the product again.
    """
    found = _told(node)
    if found is None or not (_is_before_softmax(node.outputs[0]) or maker(node.inputs[0], "Softmax") is not None):
        return None
    builder = Builder(node)
    if not all(found.shared()) or not _once(found) or not _rebuilt(found, builder):
        builder.forget()
        return None
    return builder.nodes


def _told(node: ir.Node) -> Contraction | None:
    """What an equation of two values says; None where it has axes without a letter, or one letter twice in a value."""
    said = "".join(node.attributes["equation"].as_string().split()).replace("->", ",").split(",")
    if (
        len(node.inputs) != 2
        or len(said) != 3
        or not all(term.isalpha() and len({*term}) == len(term) for term in said)
    ):
        return None
    factors: dict[str, Factor] = {}
    for value, term in zip(node.inputs, said, strict=False):
        shape = sizes_of(value)
        if shape is None or len(shape) != len(term):
            return None
        for letter, size in zip(term, shape, strict=True):
            if size == 1 or factors.setdefault(letter, Factor(size)).size != size:
                return None
    left, right = node.inputs
    if left is None or right is None or not {*said[2]} <= {*factors}:
        return None
    first, second, result = ([[factors[letter]] for letter in term] for term in said)
    return Contraction([node], left, right, first, second, result)


def _is_before_softmax(value: ir.Value) -> bool:
    """Whether scales and masks alone stand between the value and a Softmax."""
    for _ in range(_LONGEST):
        uses = list(value.uses())
        if len(uses) != 1 or value.is_graph_output() or uses[0].node.domain != "":
            return False
        user = uses[0].node
        if user.op_type == "Softmax":
            return True
        if user.op_type not in ("Add", "Div", "Mul", "Where"):
            return False
        value = user.outputs[0]
    return False


RULES: Mapping[str, Sequence[Rule]] = {
    **dict.fromkeys((*_MOVES, "MatMul"), (unfolded,)),
    "Einsum": (of_attention,),
}
