"""Raises loops over time whose step is a cell to LSTM, GRU and RNN."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from interlingua.ir.edit import graph_of, insert_before, take_over
from interlingua.ir.facts import shape_of
from interlingua.passes.base import Pass
from interlingua.passes.raising import state_numbers
from interlingua.passes.raising.reading import attribute_int, home, integers, maker, new, remember_home, tensor
from interlingua.passes.raising.recurrent_cells import Bias, Cell, Cells, Linear
from interlingua.passes.raising.recurrent_loops import Gathered, Series, State, Steps, steps_of
from interlingua.passes.raising.recurrent_weights import View, joined, zeros

_ACTIVATIONS = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}


@dataclasses.dataclass
class Layer:
    """A recurrent node to be written: what it reads, and the values of the loop that its results replace."""

    kind: str
    series: Series
    weights: list[ir.Value | None]
    attributes: dict[str, object]
    first: list[ir.Value]
    last: list[ir.Value]
    gathered: list[Gathered]
    size: int


class RaiseRecurrent(Pass):
    """Replaces a Loop or Scan over time whose body is the cell of an LSTM, GRU or RNN by that operator."""

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        loops = [node for node in model.graph.all_nodes() if node.domain == "" and node.op_type in ("Loop", "Scan")]
        if not loops:
            return False
        state_numbers(model)
        remember_home(model)
        changed = False
        for node in loops:
            steps = steps_of(node) if node.graph is not None else None
            layer = None if steps is None else read(steps)
            if layer is not None:
                write(node, layer)
                changed = True
        return changed


def read(steps: Steps) -> Layer | None:
    """The recurrent node that a loop over time is; None where its body does something else, or something more."""
    states = [state for state in steps.states if _is_read(state)]
    for state in steps.states:
        layer = _by_node(steps, state) or _by_cell(steps, state)
        if layer is not None:
            left = {s.last for s in states} | {g.whole for g in steps.gathered if _is_used(g.whole)}
            told = {*layer.last, *(each.whole for each in layer.gathered)}
            return layer if left <= told else None
    return None


def _is_used(value: ir.Value) -> bool:
    return bool(value.uses()) or value.is_graph_output()


def _is_read(state: State) -> bool:
    return _is_used(state.last)


def _by_cell(steps: Steps, state: State) -> Layer | None:
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
    step = _step_of(cell, state.before)
    series = None if step is None else steps.sequence(step)
    if step is None or series is None or not _fits(series, first):
        return None
    gathered = [each for each in steps.gathered if steps.plain(each.each) is cell.outputs[0]]
    if any(each.reverse != series.reverse for each in gathered):
        return None
    graph = home(steps.node)
    weights = _weights(graph, f"{steps.node.name or cell.kind}", cell, step)
    if weights is None:
        return None
    size = cell.gates[0].size
    attributes: dict[str, object] = {"hidden_size": size}
    if cell.kind == "GRU" and cell.linear_before_reset:
        attributes["linear_before_reset"] = 1
    if cell.kind == "RNN" and cell.activation != "Tanh":
        attributes["activations"] = [cell.activation]
    return Layer(cell.kind, series, weights, attributes, first, last, gathered, size)


def _step_of(cell: Cell, hidden: ir.Value) -> ir.Value | None:
    """The one value beside the hidden state that all gates take; None where there is none, or another as well."""
    found: set[ir.Value] = set()
    for gate in cell.gates:
        terms = [*gate.products, *(each for _, inner in gate.gated for each in inner.products)]
        ours = [each for each in terms if each.source is hidden]
        if len(ours) != 1 or len(terms) != 2:
            return None
        if gate.gated and [each.source for each in gate.gated[0][1].products] != [hidden]:
            return None
        found.update(each.source for each in terms if each.source is not hidden)
    return found.pop() if len(found) == 1 else None


def _fits(series: Series, first: Sequence[ir.Value]) -> bool:
    """Whether the sequence is one of vectors in a batch, along its first or second axis, and the states too."""
    shape = shape_of(series.whole)
    if shape is None or len(shape) != 3 or series.axis > 1:
        return False
    batch = shape[1 - series.axis]
    for value in first:
        sizes = shape_of(value)
        if sizes is None or len(sizes) != 2 or (isinstance(sizes[0], int) and sizes[0] != batch and sizes[0] == 1):
            return False
        if isinstance(sizes[0], int) and isinstance(batch, int) and sizes[0] != batch:
            return False
    return True


def _weights(graph: ir.Graph, stem: str, cell: Cell, step: ir.Value) -> list[ir.Value | None] | None:
    """W, R and B in ONNX's order of gates; None where a gate has more biases than these hold."""
    inward: list[View] = []
    recurrent: list[View] = []
    biases: list[tuple[list[Bias], list[Bias]]] = []
    for gate in cell.gates:
        inner = gate.gated[0][1] if gate.gated else gate
        ours = next(each.weight for each in inner.products if each.source is not step)
        theirs = next(each.weight for each in gate.products if each.source is step)
        if ours.shape != (gate.size, gate.size) or gate.size != cell.gates[0].size:
            return None
        inward.append(theirs.transposed())
        recurrent.append(ours.transposed())
        both = (gate.biases, inner.biases) if gate.gated else _shared(gate, step)
        if any(len(each) > 1 for each in both):
            both = (_with_number(both[0]), _with_number(both[1]))
        if any(len(each) > 1 for each in both):
            return None
        biases.append(both)
    count, size = len(cell.gates), cell.gates[0].size
    width = inward[0].shape[1]
    if any(each.shape != (size, width) for each in inward):
        return None
    found: list[ir.Value | None] = [
        joined(graph, f"{stem}.W", inward, (1, count * size, width)),
        joined(graph, f"{stem}.R", recurrent, (1, count * size, size)),
    ]
    if any(half for both in biases for half in both):
        found.append(_bias(graph, stem, [both[i] for i in (0, 1) for both in biases], size, inward[0]))
    return found


def _shared(gate: Linear, step: ir.Value) -> tuple[list[Bias], list[Bias]]:
    """The biases of the input's half and of the state's; what was written beside both goes where there is room."""
    inward = [each for each in gate.biases if each.owner is step]
    recurrent = [each for each in gate.biases if each.owner is not None and each.owner is not step]
    for each in gate.biases:
        if each.owner is None:
            half = recurrent if inward and not recurrent and each.view is not None else inward
            half.append(each)
    return inward, recurrent


def _with_number(biases: list[Bias]) -> list[Bias]:
    """A vector and numbers as one vector."""
    views = [each for each in biases if each.view is not None]
    if len(views) != 1 or views[0].view is None:
        return biases
    return [Bias(views[0].view.plus(sum(each.number for each in biases if each.view is None)))]


def _bias(graph: ir.Graph, stem: str, halves: Sequence[Sequence[Bias]], size: int, like: View) -> ir.Value:
    """The biases of all gates, the input's first, with zeros for those that the source does not have."""
    kind = like.value.dtype or ir.DataType.FLOAT
    views: list[View] = []
    for half in halves:
        bias = half[0] if half else Bias(None)
        none = zeros(graph, f"{stem}.no_bias", size, kind) if bias.view is None else bias.view
        views.append(none.plus(bias.number) if bias.view is None else none)
    return joined(graph, f"{stem}.B", views, (1, len(halves) * size))


def _by_node(steps: Steps, state: State) -> Layer | None:
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
    series = None if step is None else steps.sequence(step)
    weights = [steps.plain(value) for value in node.inputs[1:4]]
    peephole = steps.plain(node.inputs[7]) if len(node.inputs) > 7 else None
    constants = all(value is None or value.is_initializer() for value in (*weights, peephole))
    if not found or found[0] is not state or len(found) != count or series is None or not constants:
        return None
    first = [each.first for each in found]
    gathered = [each for each in steps.gathered if _is_result(steps, each.each, node)]
    if not _fits(series, first) or any(each.reverse != series.reverse for each in gathered):
        return None
    said = {name: held.value for name, held in node.attributes.items() if name not in ("direction", "layout")}
    weights += [None] * (3 - len(weights))
    weights += [None, peephole] if peephole is not None else []
    size = attribute_int(node, "hidden_size", 0)
    return Layer(node.op_type, series, weights, said, first, [each.last for each in found], gathered, size)


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


def write(node: ir.Node, layer: Layer) -> None:
    """Puts the recurrent node before the loop's, and lets it give what the loop gave."""
    series = layer.series
    made: list[ir.Node] = []

    def add(op: str, *inputs: ir.Value, like: ir.Value, **attributes: object) -> ir.Value:
        each = new(op, list(inputs), attributes, like=like)
        each.outputs[0].shape = None
        made.append(each)
        return each.outputs[0]

    def axes(*numbers: int) -> ir.Value:
        return tensor(node, f"{node.name}.axes", np.asarray(numbers, np.int64))

    source, shape = series.whole, shape_of(series.whole)
    assert shape is not None
    if series.axis == 1:
        source = add("Transpose", source, like=source, perm=[1, 0, 2])
        source.shape = ir.Shape([shape[1], shape[0], shape[2]])
    time, batch = shape[series.axis], shape[1 - series.axis]
    states = [add("Unsqueeze", each, axes(0), like=each) for each in layer.first]
    attributes = dict(layer.attributes)
    if series.reverse:
        attributes["direction"] = "reverse"
    weights = [*layer.weights, *[None] * (3 - len(layer.weights))]
    inputs = [source, *weights[:3], None, *states, *weights[4:]]
    count = 1 + len(states)
    said = [ir.convenience.convert_attribute(name, value) for name, value in attributes.items()]
    recurrent = ir.Node("", layer.kind, inputs, said, num_outputs=count)
    for index, output in enumerate(recurrent.outputs):
        output.type = source.type
        output.shape = ir.Shape([1, batch, layer.size] if index else [time, 1, batch, layer.size])
    made.append(recurrent)
    heirs: list[tuple[ir.Value, ir.Value]] = []
    results = add("Squeeze", recurrent.outputs[0], axes(1), like=source) if layer.gathered else None
    if results is not None:
        results.shape = ir.Shape([time, batch, layer.size])
    for each in layer.gathered:
        assert results is not None
        value = results
        if each.axis:
            order = [1, 0, 2] if each.axis == 1 else [1, 2, 0]
            value = add("Transpose", results, like=source, perm=order)
        elif any(heir is results for _, heir in heirs):
            value = add("Identity", results, like=source)
        heirs.append((each.whole, value))
    for position, last in enumerate(layer.last):
        if _is_used(last):
            heirs.append((last, add("Squeeze", recurrent.outputs[position + 1], axes(0), like=source)))
    insert_before(node, made)
    for old, heir in heirs:
        take_over(old, heir)
    if not any(_is_used(output) for output in node.outputs):
        _let_go(node)
        graph_of(node).remove(node, safe=True)


def _let_go(node: ir.Node) -> None:
    """Ends what the bodies of a node read of the graph around them."""
    for held in node.attributes.values():
        for inner in held.as_graph().all_nodes() if held.type == ir.AttributeType.GRAPH else ():
            for index in range(len(inner.inputs)):
                inner.replace_input_with(index, None)
