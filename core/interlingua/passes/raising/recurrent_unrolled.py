"""Reads recurrent layers that stand unrolled: a chain of the same cell over all slices of a sequence."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import onnx_ir as ir

from interlingua.ir.edit import is_initializer
from interlingua.ir.facts import shape_of
from interlingua.passes.raising.reading import attribute_int, integers, maker
from interlingua.passes.raising.recurrent_cells import Cell, Cells, Linear
from interlingua.passes.raising.recurrent_loops import Gathered, Series
from interlingua.passes.raising.recurrent_weights import slices_of, split_of
from interlingua.passes.raising.recurrent_writing import Layer, fits, layer_of, step_of

_SHORTEST = 2


@dataclasses.dataclass
class Chain:
    """Cells that follow each other, and what the first begins with."""

    cells: list[Cell]
    steps: list[ir.Value]
    series: Series
    first: list[ir.Value]


def _plain(value: ir.Value | None) -> ir.Value | None:
    node = maker(value, "Identity")
    while node is not None:
        value = node.inputs[0]
        node = maker(value, "Identity")
    return value


def unrolled(graph: ir.Graph) -> Iterator[tuple[ir.Node, Layer, list[ir.Value]]]:
    """The layers that stand unrolled in a graph, each with its last node and the hidden state after each step."""
    cells: dict[ir.Value, Cell] = {}
    reader = Cells(_plain)
    for node in graph:
        if node.domain == "" and node.op_type in ("Mul", "Add", "Tanh", "Relu"):
            cell = reader.cell(node.outputs[0])
            if cell is not None:
                cells[cell.outputs[0]] = cell
    followed = {source for cell in cells.values() for source in _sources(cell) if source in cells}
    for result in list(cells):
        if result in followed:
            continue
        chain, root = _chain(result, cells), result.producer()
        if chain is None or root is None or not fits(chain.series, chain.first) or not _alone(chain):
            continue
        last = list(chain.cells[-1].outputs)
        gathered = _stacks(chain)
        layer = layer_of(root, chain.cells[0], chain.series, chain.steps[0], chain.first, last, gathered)
        if layer is not None:
            yield root, layer, [cell.outputs[0] for cell in chain.cells]


def _sources(cell: Cell) -> set[ir.Value]:
    terms = (term for gate in cell.gates for term in (gate, *(inner for _, inner in gate.gated)))
    return {product.source for term in terms for product in term.products}


def _chain(result: ir.Value, cells: dict[ir.Value, Cell]) -> Chain | None:
    """The cells that lead to a result, over all slices of one sequence in their order or against it."""
    found: list[tuple[Cell, ir.Value]] = []
    value: ir.Value | None = result
    while value is not None and value in cells:
        cell = cells[value]
        before = next((source for source in _sources(cell) if source in cells), None)
        hidden = before if before is not None else _beginning(cell)
        if hidden is None:
            return None
        if found and (_form(cell, hidden) != _form(*found[-1]) or not _follows(cell, found[-1][0])):
            break
        found.append((cell, hidden))
        value = before
    found.reverse()
    hidden = found[0][1] if found else None
    if len(found) < _SHORTEST or hidden is None:
        return None
    steps = [step_of(*each) for each in found]
    series = _series(steps)
    memory = found[0][0].memory
    if series is None or (found[0][0].kind == "GRU" and any(cell.hidden is not each for cell, each in found)):
        return None
    first = [hidden] if memory is None else [hidden, memory]
    return Chain([cell for cell, _ in found], [step for step in steps if step is not None], series, first)


def _beginning(cell: Cell) -> ir.Value | None:
    """The state that a first cell begins with: of its two sources the one that is no slice."""
    if cell.hidden is not None:
        return cell.hidden
    rest = [source for source in _sources(cell) if _slice(source) is None]
    return rest[0] if len(rest) == 1 else None


def _follows(cell: Cell, after: Cell) -> bool:
    """Whether the memory of a cell goes on in the one after it."""
    return cell.kind != "LSTM" or after.memory is cell.outputs[1]


def _form(cell: Cell, hidden: ir.Value) -> tuple[object, ...]:
    """What two cells share that have the same weights."""

    def told(linear: Linear) -> tuple[object, ...]:
        products = frozenset((each.source is hidden, each.weight) for each in linear.products)
        biases = tuple((each.view, each.number, each.owner is hidden) for each in linear.biases)
        return products, biases, tuple(told(inner) for _, inner in linear.gated)

    gates = tuple(told(gate) for gate in cell.gates)
    return cell.kind, cell.activation, cell.linear_before_reset, gates


def _slice(value: ir.Value) -> tuple[ir.Value, int, int] | None:
    """The whole, axis and place of a slice of length one whose axis is dropped."""
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
    cut = maker(node.inputs[0], "Slice", "Split")
    if cut is None or axes is None or len(axes) != 1 or cut.inputs[0] is None:
        return None
    shape, part = shape_of(cut.inputs[0]), node.inputs[0]
    if shape is None or part is None:
        return None
    axis = axes[0] % len(shape)
    bounds = _bounds(cut, part, shape, axis)
    return (cut.inputs[0], axis, bounds[0]) if bounds is not None and bounds[1] - bounds[0] == 1 else None


def _bounds(cut: ir.Node, part: ir.Value, shape: Sequence[int | str | None], axis: int) -> tuple[int, int] | None:
    size = shape[axis]
    if not isinstance(size, int):
        return None
    if cut.op_type == "Split":
        return split_of(cut, part, size) if attribute_int(cut, "axis", 0) % len(shape) == axis else None
    parts = slices_of(cut, [each if isinstance(each, int) else 2**31 - 1 for each in shape])
    return parts[0][1:] if parts is not None and len(parts) == 1 and parts[0][0] == axis else None


def _series(steps: Sequence[ir.Value | None]) -> Series | None:
    """The sequence whose slices the steps are, all of them, in order or against it."""
    slices = [None if step is None else _slice(step) for step in steps]
    first = slices[0]
    if first is None or any(each is None or each[:2] != first[:2] for each in slices):
        return None
    whole, axis, _ = first
    size = (shape_of(whole) or (None,) * 3)[axis]
    places = [each[2] for each in slices if each is not None]
    if size != len(places) or places not in (list(range(size)), list(range(size))[::-1]):
        return None
    return Series(whole, axis, places[0] != 0)


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
    ordered = results[::-1] if chain.series.reverse else results
    found: dict[ir.Value, Gathered] = {}
    for user in ordered[0].consumers():
        axes = integers(user.inputs[1]) if user.op_type == "Unsqueeze" and user.domain == "" else None
        for join in user.outputs[0].consumers() if axes is not None and len(axes) == 1 else ():
            if join.op_type != "Concat" or join.domain != "":
                continue
            parts = [maker(each, "Unsqueeze") for each in join.inputs]
            whole = [None if part is None or integers(part.inputs[1]) != axes else part.inputs[0] for part in parts]
            if whole == ordered and axes is not None and attribute_int(join, "axis", 0) % 3 == axes[0] % 3:
                found[join.outputs[0]] = Gathered(results[0], join.outputs[0], axes[0] % 3, chain.series.reverse)
    return list(found.values())
