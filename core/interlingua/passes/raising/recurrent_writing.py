"""Writes recurrent nodes for what was read as one: weights in ONNX's order, states, results where they are read."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import graph_of, insert_before, take_over
from interlingua.ir.facts import shape_of
from interlingua.passes.raising.reading import home, new, tensor
from interlingua.passes.raising.recurrent_cells import Bias, Cell, Linear
from interlingua.passes.raising.recurrent_loops import Gathered, Series
from interlingua.passes.raising.recurrent_mapped import Mapped, Plan
from interlingua.passes.raising.recurrent_weights import View, joined, zeros


@dataclasses.dataclass
class Layer:
    """A recurrent node to be written: what it reads, and the values of the loop that its results replace.

    `results` stands for what it gives at all steps in the plans of what is written after it; None where none is.
    """

    kind: str
    plan: Plan
    weights: list[ir.Value | None]
    attributes: dict[str, object]
    first: list[ir.Value]
    last: list[ir.Value]
    gathered: list[Gathered]
    size: int
    results: ir.Value | None = None


def step_of(cell: Cell, hidden: ir.Value) -> ir.Value | None:
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


def fits(series: Series, first: Sequence[ir.Value]) -> bool:
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


def layer_of(
    node: ir.Node,
    cell: Cell,
    plan: Plan,
    step: ir.Value,
    first: list[ir.Value],
    last: list[ir.Value],
    gathered: list[Gathered],
) -> Layer | None:
    """The layer whose steps are a cell; None where its weights are not those of one."""
    weights = weights_of(home(node), node.name or cell.kind, cell, step)
    if weights is None:
        return None
    size = cell.gates[0].size
    attributes: dict[str, object] = {"hidden_size": size}
    if cell.kind == "GRU" and cell.linear_before_reset:
        attributes["linear_before_reset"] = 1
    if cell.kind == "RNN" and cell.activation != "Tanh":
        attributes["activations"] = [cell.activation]
    return Layer(cell.kind, plan, weights, attributes, first, last, gathered, size)


def weights_of(graph: ir.Graph, stem: str, cell: Cell, step: ir.Value) -> list[ir.Value | None] | None:
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


def write(node: ir.Node, layer: Layer, mapped: Mapped, unrolled: Sequence[ir.Value] = ()) -> None:
    """Puts the recurrent node before a loop's, or the last of unrolled cells, and lets it give what these gave.

    `unrolled` are the hidden states after each step, which may be read one by one.
    """
    series = mapped.series(layer.plan, node)
    made: list[ir.Node] = []

    def add(op: str, *inputs: ir.Value, like: ir.Value, **attributes: object) -> ir.Value:
        each = new(op, list(inputs), attributes, like=like)
        each.outputs[0].shape = None
        if op == "Transpose":
            metadata.set_own(each)
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
    read = layer.gathered or unrolled or layer.results is not None
    results = add("Squeeze", recurrent.outputs[0], axes(1), like=source) if read else None
    if results is not None:
        results.shape = ir.Shape([time, batch, layer.size])
        if layer.results is not None:
            mapped.stands_for(layer.results, results)
    for each in layer.gathered:
        assert results is not None
        value = results
        if each.axis:
            order = [1, 0, 2] if each.axis == 1 else [1, 2, 0]
            value = add("Transpose", results, like=source, perm=order)
        elif any(heir is results for _, heir in heirs):
            value = add("Identity", results, like=source)
        heirs.append((each.whole, value))
    for place, value in enumerate(unrolled[:-1]):
        assert results is not None
        where = len(unrolled) - 1 - place if series.reverse else place
        step = tensor(node, f"{node.name}.step", np.asarray(where, np.int64))
        heirs.append((value, add("Gather", results, step, like=source, axis=0)))
    for position, last in enumerate(layer.last):
        if is_used(last):
            heirs.append((last, add("Squeeze", recurrent.outputs[position + 1], axes(0), like=source)))
    insert_before(node, made)
    for old, heir in heirs:
        take_over(old, heir)


def let_go(node: ir.Node) -> None:
    """Takes a node away that nothing reads any more."""
    if not any(is_used(output) for output in node.outputs):
        _let_go(node)
        graph_of(node).remove(node, safe=True)


def _let_go(node: ir.Node) -> None:
    """Ends what the bodies of a node read of the graph around them."""
    for held in node.attributes.values():
        for inner in held.as_graph().all_nodes() if held.type == ir.AttributeType.GRAPH else ():
            for index in range(len(inner.inputs)):
                inner.replace_input_with(index, None)


def is_used(value: ir.Value) -> bool:
    """Whether anything reads the value."""
    return bool(value.uses()) or value.is_graph_output()
