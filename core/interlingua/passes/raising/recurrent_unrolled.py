"""Reads recurrent layers that stand unrolled: a chain of the same cell over all slices of a sequence."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import onnx_ir as ir

from interlingua.ir.edit import is_initializer
from interlingua.ir.facts import shape_of
from interlingua.passes.raising.reading import attribute_int, integers, maker
from interlingua.passes.raising.recurrent_cells import Cell, Cells, Linear
from interlingua.passes.raising.recurrent_loops import Gathered
from interlingua.passes.raising.recurrent_mapped import Mapped, Plan
from interlingua.passes.raising.recurrent_weights import slices_of, split_of
from interlingua.passes.raising.recurrent_writing import Layer, fits, layer_of, step_of


@dataclasses.dataclass
class Chain:
    """Cells that follow each other, and what the first begins with."""

    cells: list[Cell]
    steps: list[ir.Value]
    plan: Plan
    first: list[ir.Value]


def _plain(value: ir.Value | None) -> ir.Value | None:
    node = maker(value, "Identity")
    while node is not None:
        value = node.inputs[0]
        node = maker(value, "Identity")
    return value


def unrolled(graph: ir.Graph | ir.Function, mapped: Mapped) -> Iterator[tuple[ir.Node, Layer, list[ir.Value]]]:
    """The layers that stand unrolled in a graph, each with its last node and the hidden state after each step.

    A layer whose steps are made of the states of another one is found when that one has been written.
    """
    cells: dict[ir.Value, Cell] = {}
    reader = Cells(_plain)
    for node in graph:
        if node.domain == "" and node.op_type in ("Mul", "Add", "Tanh", "Relu"):
            cell = reader.cell(node.outputs[0])
            if cell is not None:
                cells[cell.outputs[0]] = cell
    told: set[ir.Value] = set()
    for linked in _linked(cells):
        chain, root = _chain(linked, mapped), linked[-1][0].outputs[0].producer()
        if chain is None or root is None or not fits(chain.plan.series, chain.first) or not _alone(chain):
            continue
        last = list(chain.cells[-1].outputs)
        results = [cell.outputs[0] for cell in chain.cells]
        layer = layer_of(root, chain.cells[0], chain.plan, chain.steps[0], chain.first, last, _stacks(chain))
        if layer is not None and told.isdisjoint(results):
            told.update(results)
            yield root, layer, results


def _sources(cell: Cell) -> list[ir.Value]:
    terms = (term for gate in cell.gates for term in (gate, *(inner for _, inner in gate.gated)))
    return list(dict.fromkeys(product.source for term in terms for product in term.products))


_Step = tuple[Cell, ir.Value]
"""A cell and what is taken for its hidden state: either of two values may be that of a cell without gates."""


def _linked(cells: dict[ir.Value, Cell]) -> Iterator[list[_Step]]:
    """Cells of the same weights each of which goes on with what the one before it gives, as long as they go."""
    before: dict[tuple[ir.Value, ir.Value], _Step] = {}
    for result, cell in cells.items():
        for hidden in _sources(cell):
            step = _before(cell, hidden, cells)
            if step is not None:
                before[result, hidden] = step
    followed = {(cell.outputs[0], hidden) for cell, hidden in before.values()}
    for result, hidden in before:
        if (result, hidden) in followed:
            continue
        found: list[_Step] = [(cells[result], hidden)]
        while (each := before.get((found[-1][0].outputs[0], found[-1][1]))) is not None:
            found.append(each)
        yield found[::-1]


def _before(cell: Cell, hidden: ir.Value, cells: dict[ir.Value, Cell]) -> _Step | None:
    """The same cell one step earlier, whose result is the hidden state."""
    other = cells.get(hidden)
    if other is None or (cell.kind == "LSTM" and other.outputs[1:] != [cell.memory]):
        return None
    form = _form(cell, hidden)
    return next(((other, each) for each in _sources(other) if _form(other, each) == form), None)


def _chain(linked: Sequence[_Step], mapped: Mapped) -> Chain | None:
    """The cells as one layer, where their steps are all slices of one sequence in their order or against it."""
    steps = [step for step in (step_of(*each) for each in linked) if step is not None]
    plan = mapped.plan(steps) if len(steps) == len(linked) else None
    cell, hidden = linked[0]
    if plan is None or (cell.kind == "GRU" and any(cell.hidden is not each for cell, each in linked)):
        return None
    first = [hidden] if cell.memory is None else [hidden, cell.memory]
    return Chain([cell for cell, _ in linked], steps, plan, first)


def _form(cell: Cell, hidden: ir.Value) -> tuple[object, ...]:
    """What two cells share that have the same weights."""

    def told(linear: Linear) -> tuple[object, ...]:
        products = frozenset((each.source is hidden, each.weight) for each in linear.products)
        biases = tuple((each.view, each.number, each.owner is hidden) for each in linear.biases)
        return products, biases, tuple(told(inner) for _, inner in linear.gated)

    gates = tuple(told(gate) for gate in cell.gates)
    return cell.kind, cell.activation, cell.linear_before_reset, gates


def slice_of(value: ir.Value) -> tuple[ir.Value, int, int] | None:
    """The whole, axis and place of a slice of length one whose axis is dropped; a layer's last state is one."""
    node = maker(value, "Gather", "Squeeze")
    if node is None:
        return None
    if node.op_type == "Gather":
        whole, places = node.inputs[0], integers(node.inputs[1])
        shape = shape_of(whole)
        if whole is None or shape is None or places is None or shape_of(node.inputs[1]) != ():
            return None
        axis = attribute_int(node, "axis", 0) % len(shape)
        size = shape[axis]
        return (whole, axis, places[0] % size) if isinstance(size, int) and size else None
    axes = integers(node.inputs[1]) if len(node.inputs) > 1 else None
    layer = maker(node.inputs[0], "LSTM", "GRU", "RNN")
    if layer is not None:
        return _last(layer) if axes == [0] and node.inputs[0] is layer.outputs[1] else None
    cut = maker(node.inputs[0], "Slice", "Split")
    if cut is None or axes is None or len(axes) != 1 or cut.inputs[0] is None:
        return None
    shape, part = shape_of(cut.inputs[0]), node.inputs[0]
    if shape is None or part is None:
        return None
    axis = axes[0] % len(shape)
    bounds = _bounds(cut, part, shape, axis)
    return (cut.inputs[0], axis, bounds[0]) if bounds is not None and bounds[1] - bounds[0] == 1 else None


def _last(layer: ir.Node) -> tuple[ir.Value, int, int] | None:
    """The results of a layer of one direction, their time axis, and where the last state stands among them."""
    held = layer.attributes.get("direction")
    direction = "forward" if held is None else held.as_string()
    lengths = layer.inputs[4] if len(layer.inputs) > 4 else None
    if direction == "bidirectional" or lengths is not None or attribute_int(layer, "layout", 0):
        return None
    for user in layer.outputs[0].consumers():
        if user.op_type == "Squeeze" and user.domain == "" and integers(user.inputs[1]) == [1]:
            size = (shape_of(user.outputs[0]) or (None,))[0]
            place = 0 if direction == "reverse" else size
            return (user.outputs[0], 0, place and place - 1) if isinstance(place, int) else None
    return None


def _bounds(cut: ir.Node, part: ir.Value, shape: Sequence[int | str | None], axis: int) -> tuple[int, int] | None:
    size = shape[axis]
    if not isinstance(size, int):
        return None
    if cut.op_type == "Split":
        return split_of(cut, part, size) if attribute_int(cut, "axis", 0) % len(shape) == axis else None
    parts = slices_of(cut, [each if isinstance(each, int) else 2**31 - 1 for each in shape])
    return parts[0][1:] if parts is not None and len(parts) == 1 and parts[0][0] == axis else None


def _alone(chain: Chain) -> bool:
    """Whether nothing but the chain reads what is inside of it: hidden states and the last memory may be read."""
    given = {cell.outputs[0] for cell in chain.cells} | {*chain.cells[-1].outputs}
    ends = {*chain.first, *chain.steps}
    waiting = [value for cell in chain.cells for value in cell.outputs]
    inside: dict[ir.Node, None] = {}
    while waiting:
        value = waiting.pop()
        node = value.producer()
        if value in ends or is_initializer(value) or node is None or node in inside:
            continue
        inside[node] = None
        waiting += [each for each in node.inputs if each is not None]
    return all(
        use.node in inside and not output.is_graph_output()
        for node in inside
        for output in node.outputs
        if output not in given
        for use in output.uses()
    ) and not any(output.is_graph_output() for node in inside for output in node.outputs if output not in given)


def _stacks(chain: Chain) -> list[Gathered]:
    """The joins of all hidden states in their order along a new axis."""
    results = [cell.outputs[0] for cell in chain.cells]
    ordered = results[::-1] if chain.plan.reverse else results
    found: dict[ir.Value, Gathered] = {}
    for user in ordered[0].consumers():
        axes = integers(user.inputs[1]) if user.op_type == "Unsqueeze" and user.domain == "" else None
        for join in user.outputs[0].consumers() if axes is not None and len(axes) == 1 else ():
            if join.op_type != "Concat" or join.domain != "":
                continue
            parts = [maker(each, "Unsqueeze") for each in join.inputs]
            whole = [None if part is None or integers(part.inputs[1]) != axes else part.inputs[0] for part in parts]
            if whole == ordered and axes is not None and attribute_int(join, "axis", 0) % 3 == axes[0] % 3:
                found[join.outputs[0]] = Gathered(results[0], join.outputs[0], axes[0] % 3, chain.plan.reverse)
    return list(found.values())
