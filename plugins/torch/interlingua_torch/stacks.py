"""Layers of recurrent cells as torch.nn has them: several on each other, both directions, the batch first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import graph_of, take_over
from interlingua.ir.facts import shape_of
from interlingua.notes import Notes
from interlingua.passes.orders import order_of
from interlingua.passes.raising.reading import (
    attribute_int,
    integers,
    maker,
    new,
    remember_home,
    tensor,
)
from interlingua.passes.unused import RemoveUnused
from interlingua_torch.recurrent_layers import (
    HIDDEN,
    MEMORY,
    Layer,
    direction_of,
    following_layer,
    input_of,
    is_cell,
    is_recurrent,
    is_zero,
    output_of,
    read,
    whole_state,
)

DOMAIN = "interlingua.torch"
"""Domain of LSTM, GRU and RNN as torch has them: x, h, c, then W, R and B of each layer; y, h, c.

The states of a `cell` have no axis of layers.
"""

_TURNED = (1, 0, 2)


def stack_layers(model: ir.Model, fits: Callable[[ir.Node], bool]) -> ir.Model:
    """Replaces `Squeeze(LSTM(Transpose(X), W, R, B))` by `torch.LSTM(X, W, R, B)`, and several of one module by one.

    The same for GRU and RNN; `fits` tells the nodes whose arithmetic is that of torch's own. The model is a copy
    where anything changes.
    """
    if not any(is_recurrent(node) and fits(node) for node in model.graph.all_nodes()):
        return model
    model = model.clone()
    remember_home(model)
    done: set[ir.Node] = set()
    for node in list(model.graph.all_nodes()):
        if node not in done and is_recurrent(node) and fits(node):
            layers = [read(node)]
            while (following := following_layer(layers, fits)) is not None:
                layers.append(following)
            done.update(layer.node for layer in layers)
            _write(layers)
    RemoveUnused(Notes()).call(model)
    model.graph.sort()
    return model


def _write(layers: Sequence[Layer]) -> None:
    """Puts the layers' node in the place of the last one."""
    first, last = layers[0], layers[-1]
    node, directions = last.node, first.directions
    batch_first = first.batch_first
    source, ends = first.node.inputs[0], [last.results]
    assert source is not None
    turned = maker(source, "Transpose")
    if not batch_first and turned is not None and order_of(turned) == _TURNED and _inside(turned, node):
        back = _turned_back(last, node)
        if back is not None:
            batch_first, ends = True, [back]
            assert turned.inputs[0] is not None
            source = turned.inputs[0]
    cell = is_cell(node)
    writer = _Writer(node, first.batch_first, cell)
    states = [writer.state(layers, index) for index in ((HIDDEN, MEMORY) if node.op_type == "LSTM" else (HIDDEN,))]
    weights = [layer.node.inputs[i] if len(layer.node.inputs) > i else None for layer in layers for i in (1, 2, 3)]
    said: dict[str, object] = {
        "num_layers": len(layers),
        "direction": direction_of(first.node),
        "batch_first": int(batch_first),
        "hidden_size": attribute_int(node, "hidden_size", 0),
        "dropout": last.dropout if len(layers) > 1 else 0.0,
        "nonlinearity": _nonlinearity(node),
        "cell": int(cell),
    }
    count = 3 if node.op_type == "LSTM" else 2
    made = ir.Node(
        DOMAIN,
        node.op_type,
        [source, *states, *weights],
        [ir.convenience.convert_attribute(key, value) for key, value in said.items() if value is not None],
        num_outputs=count,
        name=first.node.name,
    )
    metadata.set_place(made, metadata.place(first.node).layer)
    _shape(made, first, batch_first, cell, len(layers))
    writer.add(made)
    writer.results(made, last, ends[0], directions, batch_first)
    for index in range(1, count):
        writer.ends(made.outputs[index], [layer.node for layer in layers], index, directions)
    for layer in reversed(layers):
        for each in [*reversed(layer.glue), layer.node]:
            if each.graph is not None and not any(o.uses() or o.is_graph_output() for o in each.outputs):
                graph_of(each).remove(each, safe=True)


def _shape(made: ir.Node, first: Layer, batch_first: bool, cell: bool, count: int) -> None:
    """Types and shapes of the results."""
    source, size = made.inputs[0], attribute_int(first.node, "hidden_size", 0)
    assert source is not None
    shape = shape_of(source)
    for index, output in enumerate(made.outputs):
        output.type = source.type
        if shape is not None and len(shape) == 3:
            batch = shape[0 if batch_first else 1]
            ends = (batch, size) if cell else (count * first.directions, batch, size)
            output.shape = ir.Shape(ends if index else (*shape[:2], first.directions * size))


def _inside(other: ir.Node, node: ir.Node) -> bool:
    """Whether a node belongs to the layer's module, as far as the source tells."""
    told = metadata.place(node).module
    return other.graph is node.graph and (not told or metadata.place(other).module in ("", told))


def _turned_back(last: Layer, node: ir.Node) -> list[ir.Value] | None:
    """The results with the batch first, where all that reads them turns them so; None where something does not."""
    found: list[ir.Value] = []
    if not last.results:
        return [] if output_of(last.node, 0) is None else None
    for value in last.results:
        if value.is_graph_output():
            return None
        for user in value.consumers():
            if user.op_type != "Transpose" or order_of(user) != _TURNED or not _inside(user, node):
                return None
            found.append(user.outputs[0])
            last.glue.append(user)
    return found


def _nonlinearity(node: ir.Node) -> str | None:
    held = node.attributes.get("activations")
    names = [name.lower() for name in held.as_strings()] if held is not None else []
    return "relu" if node.op_type == "RNN" and names[:1] == ["relu"] else None


class _Writer:
    """Writes nodes before one node."""

    def __init__(self, node: ir.Node, layout: bool, cell: bool) -> None:
        self._node = node
        self._cell = cell
        self._layout = layout
        self._count = 0

    def add(self, *nodes: ir.Node) -> None:
        """Puts nodes before the node, as belonging to it."""
        metadata.copy_place(self._node, nodes)
        for each in nodes:
            for output in each.outputs:
                self._count += 1
                output.name = output.name or f"{self._node.outputs[0].name}.{self._count}"
        graph_of(self._node).insert_before(self._node, nodes)

    def made(self, op: str, inputs: Sequence[ir.Value], attributes: dict[str, object] | None = None) -> ir.Value:
        """The output of a new node."""
        node = new(op, inputs, attributes)
        node.outputs[0].type = inputs[0].type
        self.add(node)
        return node.outputs[0]

    def numbers(self, *numbers: int) -> ir.Value:
        """A constant of whole numbers."""
        return tensor(self._node, f"{self._node.name}.numbers", np.asarray(numbers, np.int64))

    def state(self, layers: Sequence[Layer], index: int) -> ir.Value | None:
        """The initial states of all layers as one; None where they are zero."""
        given = [input_of(layer.node, index) for layer in layers]
        if all(value is None or is_zero(value) for value in given):
            return None
        if self._cell:
            return self._only(given[0], 1 if self._layout else 0)
        whole = whole_state(given, layers[0].directions)
        if whole is not None and not self._layout:
            return whole
        there = next(value for value in given if value is not None)
        zeros = [each if each is not None else self._zeros(there) for each in given]
        turned = [self.made("Transpose", [each], {"perm": [1, 0, 2]}) if self._layout else each for each in zeros]
        return turned[0] if len(turned) == 1 else self.made("Concat", turned, {"axis": 0})

    def _only(self, value: ir.Value | None, axis: int) -> ir.Value | None:
        """A state of the one layer, without the axis of layers."""
        before = maker(value, "Unsqueeze")
        if value is None or (before is not None and integers(before.inputs[1]) == [axis]):
            return value if before is None else before.inputs[0]
        return self.made("Squeeze", [value, self.numbers(axis)])

    def _zeros(self, like: ir.Value) -> ir.Value:
        shape = new("Shape", [like])
        shape.outputs[0].type = ir.TensorType(ir.DataType.INT64)
        kind = like.dtype or ir.DataType.FLOAT
        zeros = new("ConstantOfShape", shape.outputs, {"value": ir.tensor(np.zeros(1, kind.numpy()))}, like=like)
        self.add(shape, zeros)
        return zeros.outputs[0]

    def results(self, made: ir.Node, last: Layer, ends: Sequence[ir.Value], directions: int, batch_first: bool) -> None:
        """Gives those who read the results torch's, or ONNX's made of them."""
        y, result = last.node.outputs[0], made.outputs[0]
        if output_of(last.node, 0) is None:
            return
        if last.results:
            _hand_over(ends, result)
            return
        if directions == 1:
            value = self.made("Unsqueeze", [result, self.numbers(2 if batch_first else 1)])
        else:
            size = attribute_int(self._node, "hidden_size", 0)
            value = self.made("Reshape", [result, self.numbers(0, 0, directions, size)])
            value = value if batch_first else self.made("Transpose", [value], {"perm": [0, 2, 1, 3]})
        take_over(y, value)

    def ends(self, whole: ir.Value, nodes: Sequence[ir.Node], index: int, directions: int) -> None:
        """Gives those who read the last states torch's, which hold all layers, or a layer's part of them."""
        outputs = [output_of(node, index) for node in nodes]
        if self._cell:
            self._ends_of_cell(whole, outputs[0])
            return
        if self._layout:
            whole = self.made("Transpose", [whole], {"perm": [1, 0, 2]}) if any(outputs) else whole
        if len(outputs) == 1:
            if outputs[0] is not None:
                take_over(outputs[0], whole)
            return
        users = [user for output in outputs if output is not None for user in output.consumers()]
        joined = users[0] if users and users[0].op_type == "Concat" and users[0].domain == "" else None
        left = any(output is not None and output.is_graph_output() for output in outputs)
        if joined is not None and not left and _joins_states(joined, users, outputs):
            take_over(joined.outputs[0], whole)
            graph_of(joined).remove(joined, safe=True)
            return
        for number_of_layer, output in enumerate(outputs):
            if output is not None:
                bounds = [self.numbers(i * directions) for i in (number_of_layer, number_of_layer + 1)]
                axis = self.numbers(1 if self._layout else 0)
                take_over(output, self.made("Slice", [whole, *bounds, axis]))

    def _ends_of_cell(self, state: ir.Value, output: ir.Value | None) -> None:
        """Gives those who read the last state of one layer the cell's, which has no axis of layers."""
        axis = 1 if self._layout else 0
        for user in output.consumers() if output is not None else ():
            if user.op_type == "Squeeze" and user.domain == "" and integers(input_of(user, 1)) == [axis]:
                _hand_over([user.outputs[0]], state)
                graph_of(user).remove(user, safe=True)
        if output is not None and (output.uses() or output.is_graph_output()):
            take_over(output, self.made("Unsqueeze", [state, self.numbers(axis)]))


def _joins_states(node: ir.Node, users: Sequence[ir.Node], outputs: Sequence[ir.Value | None]) -> bool:
    """Whether the Concat alone reads the layers' last states, and joins them as torch does."""
    alone = all(user is node for user in users) and list(node.inputs) == list(outputs)
    return alone and attribute_int(node, "axis", 0) in (0, -3)


def _hand_over(ends: Sequence[ir.Value], result: ir.Value) -> None:
    """Lets all that read any of the values read the result; the first that leaves the graph gives it its name."""
    ordered = sorted(ends, key=lambda value: not value.is_graph_output())
    for index, value in enumerate(ordered):
        if index == 0:
            take_over(value, result)
        elif value.is_graph_output():
            node = new("Identity", [result], like=value)
            graph_of(value.producer() or result.producer()).append(node)  # type: ignore[arg-type]
            take_over(value, node.outputs[0])
        else:
            value.replace_all_uses_with(result)
