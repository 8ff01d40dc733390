"""Raises loops over time whose step is a cell to LSTM, GRU and RNN."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import onnx_ir as ir

from interlingua.passes.base import Pass
from interlingua.passes.raising.reading import attribute_int, integers, maker, remember_home
from interlingua.passes.raising.recurrent_cells import Cells
from interlingua.passes.raising.recurrent_loops import Gathered, Series, State, Steps, steps_of
from interlingua.passes.raising.recurrent_mapped import Mapped, MappedLoop, Plan, along, raise_stacks
from interlingua.passes.raising.recurrent_reversed import raise_reversed
from interlingua.passes.raising.recurrent_unrolled import slice_of, unrolled
from interlingua.passes.raising.recurrent_writing import Layer, fits, is_used, layer_of, let_go, step_of, write

_RANK = 3
"""Of what a loop over time gathers: time, batch, features in some order."""


class RaiseRecurrent(Pass):
    """Replaces a Loop or Scan over time whose body is the cell of an LSTM, GRU or RNN by that operator.

    The same for cells that stand unrolled, one for each slice of a sequence; a layer between flips of the time runs
    against it.
    """

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        remember_home(model)
        changed = False
        for node in list(model.graph.all_nodes()):
            loops = node.graph is not None and node.domain == "" and node.op_type in ("Loop", "Scan")
            steps = steps_of(node) if loops else None
            found = None if steps is None else read(steps)
            if found is not None:
                _write_loop(node, found)
                changed = True
        for graph in list(model.graphs()):
            changed = _raise_unrolled(graph) or changed
        for node in list(model.graph.all_nodes()):
            if node.domain == "" and node.op_type in ("LSTM", "GRU", "RNN"):
                changed = raise_reversed(node) or changed
        return changed


def _raise_unrolled(graph: ir.Graph | ir.Function) -> bool:
    """Writes the layers that stand unrolled, from the lowest up, and what is computed over all their results."""
    mapped, changed = Mapped(slice_of), False
    while found := list(unrolled(graph, mapped)):
        for node, layer, results in found:
            write(node, layer, mapped, results)
            let_go(node)
        graph.sort()
        _remove_unread(graph)
        changed = True
    if changed:
        raise_stacks(graph, mapped)
        graph.sort()
        _remove_unread(graph)
    return changed


def _remove_unread(graph: ir.Graph | ir.Function) -> None:
    """Takes away what is left of cells: it reads what the layers on them take, and would be read for cells again."""
    for node in reversed(list(graph)):
        if not any(is_used(output) for output in node.outputs):
            graph.remove(node, safe=True)


@dataclasses.dataclass
class Reading:
    """The layers that a loop over time is, each after those that it runs on; what it gathers of their results."""

    mapped: MappedLoop
    layers: list[Layer] = dataclasses.field(default_factory=list)
    gathered: list[tuple[Gathered, Plan]] = dataclasses.field(default_factory=list)

    def told(self) -> set[ir.Value]:
        """The results of the loop that are known."""
        last = {each for layer in self.layers for each in layer.last}
        return last | {e.whole for layer in self.layers for e in layer.gathered} | {e.whole for e, _ in self.gathered}


def read(steps: Steps) -> Reading | None:
    """The recurrent nodes that a loop over time is; None where its body does something else, or something more."""
    reading = Reading(MappedLoop(steps))
    waiting: list[State] = list(steps.states)
    while (found := _lowest(steps, reading, waiting)) is not None:
        after, layer = found
        waiting = [each for each in waiting if each.last not in layer.last]
        layer.results = ir.Value(shape=ir.Shape([*layer.plan.shape[:2], layer.size]), type=layer.first[0].type)
        steps.sequences[after] = Series(layer.results, 0, layer.plan.reverse)
        reading.layers.append(layer)
    for each in steps.gathered:
        value = steps.plain(each.each) if is_used(each.whole) and each.whole not in reading.told() else None
        plan = None if value is None else reading.mapped.plan([value])
        if plan is not None and plan.reverse == each.reverse and len(plan.shape) == _RANK:
            reading.gathered.append((each, plan))
    left = {s.last for s in steps.states if is_used(s.last)} | {g.whole for g in steps.gathered if is_used(g.whole)}
    return reading if reading.layers and left <= reading.told() else None


def _lowest(steps: Steps, reading: Reading, waiting: Sequence[State]) -> tuple[ir.Value, Layer] | None:
    """The next layer that runs along what is known, and its hidden state after a step."""
    for state in waiting:
        layer, after = _by_node(steps, reading, state) or _by_cell(steps, reading, state), steps.plain(state.after)
        if layer is not None and after is not None:
            return after, layer
    return None


def _write_loop(node: ir.Node, reading: Reading) -> None:
    """Puts the layers in the place of the loop, one after the other, and what is computed of their results."""
    for layer in reading.layers:
        write(node, layer, reading.mapped)
    for each, plan in reading.gathered:
        along(reading.mapped.write(plan, node), each.axis, each.whole, node)
    let_go(node)


def _by_cell(steps: Steps, reading: Reading, state: State) -> Layer | None:
    """The layer whose hidden state a state is, by the arithmetic of its cell."""
    cell = Cells(steps.plain).cell(state.after)
    if cell is None or (cell.kind == "GRU" and cell.hidden is not state.before):
        return None
    first, last = [state.first], [state.last]
    if cell.kind == "LSTM":
        memory = next((s for s in steps.states if s.before is cell.memory), None)
        if memory is None or steps.plain(memory.after) is not cell.outputs[1]:
            return None
        first.append(memory.first)
        last.append(memory.last)
    step = step_of(cell, state.before)
    plan = None if step is None else reading.mapped.plan([step])
    if step is None or plan is None or not fits(plan.series, first):
        return None
    gathered = [each for each in steps.gathered if steps.plain(each.each) is cell.outputs[0]]
    if any(each.reverse != plan.reverse for each in gathered):
        return None
    return layer_of(steps.node, cell, plan, step, first, last, gathered)


def _by_node(steps: Steps, reading: Reading, state: State) -> Layer | None:
    """The layer of a body that is an LSTM, GRU or RNN of one step already."""
    squeeze = maker(steps.plain(state.after), "Squeeze")
    node = None if squeeze is None else maker(squeeze.inputs[0], "LSTM", "GRU", "RNN")
    if node is None or squeeze is None or not _drops_first(squeeze) or not _is_single(node):
        return None
    count = 2 if node.op_type == "LSTM" else 1
    outputs = node.outputs[1:]
    befores = [_unsqueezed(steps, node.inputs[5 + i] if len(node.inputs) > 5 + i else None) for i in range(count)]
    found: list[State] = []
    for before, output in zip(befores, outputs, strict=False):
        each = next((s for s in steps.states if s.before is before), None)
        made = None if each is None else maker(steps.plain(each.after), "Squeeze")
        if each is None or made is None or made.inputs[0] is not output or not _drops_first(made):
            return None
        found.append(each)
    step = _unsqueezed(steps, node.inputs[0])
    plan = None if step is None else reading.mapped.plan([step])
    weights = [steps.plain(value) for value in node.inputs[1:4]]
    peephole = steps.plain(node.inputs[7]) if len(node.inputs) > 7 else None
    constants = all(value is None or value.is_initializer() for value in (*weights, peephole))
    if not found or found[0] is not state or len(found) != count or plan is None or not constants:
        return None
    first = [each.first for each in found]
    gathered = [each for each in steps.gathered if _is_result(steps, each.each, node)]
    if not fits(plan.series, first) or any(each.reverse != plan.reverse for each in gathered):
        return None
    said = {name: held.value for name, held in node.attributes.items() if name not in ("direction", "layout")}
    weights += [None] * (3 - len(weights))
    weights += [None, peephole] if peephole is not None else []
    size = attribute_int(node, "hidden_size", 0)
    return Layer(node.op_type, plan, weights, said, first, [each.last for each in found], gathered, size)


def _is_single(node: ir.Node) -> bool:
    """Whether a recurrent node runs forwards, over the time axis first, for all lengths alike."""
    direction = node.attributes.get("direction")
    forward = direction is None or direction.as_string() == "forward"
    lengths = node.inputs[4] if len(node.inputs) > 4 else None
    return forward and lengths is None and not attribute_int(node, "layout", 0)


def _drops_first(node: ir.Node) -> bool:
    return len(node.inputs) > 1 and integers(node.inputs[1]) in ([0], [-3])


def _unsqueezed(steps: Steps, value: ir.Value | None) -> ir.Value | None:
    """What an Unsqueeze gives a first axis of length one."""
    node = maker(steps.plain(value), "Unsqueeze")
    return steps.plain(node.inputs[0]) if node is not None and integers(node.inputs[1]) == [0] else None


def _is_result(steps: Steps, value: ir.Value, node: ir.Node) -> bool:
    made = maker(steps.plain(value), "Squeeze")
    return made is not None and made.inputs[0] is node.outputs[1] and _drops_first(made)
