"""Layers of recurrent cells as torch.nn has them: several on each other, both directions, the batch first."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import constant, graph_of, take_over
from interlingua.ir.facts import shape_of
from interlingua.ir.origin import parameters
from interlingua.notes import Notes
from interlingua.passes.orders import order_of
from interlingua.passes.raising.reading import (
    attribute_int,
    integers,
    maker,
    new,
    number,
    remember_home,
    tensor,
)
from interlingua.passes.unused import RemoveUnused

DOMAIN = "interlingua.torch"
"""Domain of LSTM, GRU and RNN as torch has them: x, h, c, then W, R and B of each layer; y, h, c."""

KINDS = ("LSTM", "GRU", "RNN")
_HIDDEN, _MEMORY = 5, 6
_TURNED = (1, 0, 2)
_NAMED = re.compile(r"(^|\.)(weight|bias)_(ih|hh)_l\d+(_reverse)?$")


@dataclasses.dataclass
class _Layer:
    """A node of one layer, and the values that hold its results as torch has them (time, batch, both directions)."""

    node: ir.Node
    results: list[ir.Value]
    glue: list[ir.Node]
    dropout: float = 0.0
    """The ratio of the dropout between the layer before and this one."""

    @property
    def directions(self) -> int:
        return 2 if _direction(self.node) == "bidirectional" else 1

    @property
    def batch_first(self) -> bool:
        return bool(attribute_int(self.node, "layout", 0))


def stack_layers(model: ir.Model, fits: Callable[[ir.Node], bool]) -> ir.Model:
    """Replaces `Squeeze(LSTM(Transpose(X), W, R, B))` by `torch.LSTM(X, W, R, B)`, and several of one module by one.

    The same for GRU and RNN; `fits` tells the nodes whose arithmetic is that of torch's own. The model is a copy
    where anything changes.
    """
    if not any(_is_recurrent(node) and fits(node) for node in model.graph.all_nodes()):
        return model
    model = model.clone()
    remember_home(model)
    done: set[ir.Node] = set()
    for node in list(model.graph.all_nodes()):
        if node not in done and _is_recurrent(node) and fits(node):
            layers = [_read(node)]
            while (following := _next(layers, fits)) is not None:
                layers.append(following)
            done.update(layer.node for layer in layers)
            _write(layers)
    RemoveUnused(Notes()).call(model)
    model.graph.sort()
    return model


def _is_recurrent(node: ir.Node) -> bool:
    return node.domain == "" and node.op_type in KINDS


def _direction(node: ir.Node) -> str:
    held = node.attributes.get("direction")
    return "forward" if held is None else held.as_string()


def _input(node: ir.Node, index: int) -> ir.Value | None:
    return node.inputs[index] if len(node.inputs) > index else None


def _output(node: ir.Node, index: int) -> ir.Value | None:
    output = node.outputs[index] if len(node.outputs) > index else None
    return output if output is not None and (output.uses() or output.is_graph_output()) else None


def _read(node: ir.Node, dropout: float = 0.0) -> _Layer:
    """The layer with what drops or joins the axis of directions, where all that reads the results does so."""
    layer = _Layer(node, [], [], dropout)
    y = node.outputs[0]
    if y.is_graph_output():
        return layer
    for user in y.consumers():
        ends = _straight(user, layer)
        if ends is None:
            layer.results, layer.glue = [], []
            return layer
        layer.glue += [user, *(each for each in ends if each is not user)]
        layer.results += [each.outputs[0] for each in ends]
    return layer


def _straight(user: ir.Node, layer: _Layer) -> list[ir.Node] | None:
    """The nodes whose outputs are torch's results, `user` one of them or before them; None where there are others."""
    axis = 2 if layer.batch_first else 1
    if user.domain != "" or user.graph is not layer.node.graph:
        return None
    if layer.directions == 1 and user.op_type == "Squeeze" and integers(_input(user, 1)) in ([axis], [axis - 4]):
        return [user]
    if layer.batch_first:
        return [user] if _joins(user, layer) else None
    if user.op_type != "Transpose" or order_of(user) != (0, 2, 1, 3) or user.outputs[0].is_graph_output():
        return None
    joins = list(user.outputs[0].consumers())
    return joins if joins and all(_joins(each, layer) for each in joins) else None


def _joins(node: ir.Node, layer: _Layer) -> bool:
    """Whether a Reshape joins the last two of four axes."""
    numbers = integers(_input(node, 1)) if node.op_type == "Reshape" and node.domain == "" else None
    before, after = shape_of(node.inputs[0]), shape_of(node.outputs[0])
    size = layer.directions * attribute_int(layer.node, "hidden_size", 0)
    if numbers is None or len(numbers) != 3 or attribute_int(node, "allowzero", 0):
        return False
    if numbers[2] not in (-1, size) and not (numbers[2] == 0 and layer.directions == 1):
        return False
    if before is None or after is None or len(before) != 4 or len(after) != 3:
        return numbers[:2] == [0, 0]
    sizes = zip(numbers[:2], before[:2], after[:2], strict=True)
    kept = (said == 0 or (was is not None and was == now) for said, was, now in sizes)
    return after[2] == size and all(kept)


def _next(layers: Sequence[_Layer], fits: Callable[[ir.Node], bool]) -> _Layer | None:
    """The layer of the same module that alone reads the results of the last one."""
    layer = layers[-1]
    if len(layer.results) != 1 or layer.results[0].is_graph_output():
        return None
    users = list(layer.results[0].uses())
    node, dropout = users[0].node if len(users) == 1 else None, 0.0
    if node is not None and node.op_type == "Dropout" and node.domain == "" and _only_drops(node):
        ratio = number(_input(node, 1))
        users = list(node.outputs[0].uses())
        dropout = 0.5 if ratio is None else ratio
        node = users[0].node if len(users) == 1 else None
    if node is None or users[0].idx != 0 or not _is_recurrent(node) or node.graph is not layer.node.graph:
        return None
    following = _read(node, float(str(np.float32(dropout))))
    alike = fits(node) and _form(node) == _form(layer.node) and _direction(node) != "reverse"
    if not alike or not following.results or not _same_module(layer.node, node):
        return None
    if len(layers) > 1 and following.dropout != layer.dropout:
        return None
    below = {each.node for each in layers}
    return None if any(_depends(_input(node, index), below) for index in (_HIDDEN, _MEMORY)) else following


def _depends(value: ir.Value | None, nodes: set[ir.Node]) -> bool:
    """Whether the value is made of what one of the nodes gives."""
    waiting, seen = [value.producer() if value is not None else None], set[ir.Node]()
    while waiting:
        node = waiting.pop()
        if node in nodes:
            return True
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [each.producer() for each in node.inputs if each is not None]
    return False


def _only_drops(node: ir.Node) -> bool:
    """Whether the Dropout has nothing but one result, in the source's training alone."""
    held = constant(_input(node, 2))
    quiet = _input(node, 2) is None or (held is not None and not held.any())
    shares = _input(node, 1) is None or number(_input(node, 1)) is not None
    return quiet and shares and _output(node, 1) is None and not node.outputs[0].is_graph_output()


def _form(node: ir.Node) -> tuple[object, ...]:
    said = {name: str(value.value) for name, value in node.attributes.items()}
    for name, default in (("direction", "forward"), ("layout", "0")):
        said.setdefault(name, default)
    return (node.op_type, _input(node, 3) is None, tuple(sorted(said.items())))


def _same_module(first: ir.Node, second: ir.Node) -> bool:
    """Whether the source has both as one layer: by the names of their weights, else by their places."""
    names = [_owner(node) for node in (first, second)]
    if None not in names:
        return names[0] == names[1]
    places = [metadata.place(node) for node in (first, second)]
    if places[0].module or places[1].module:
        return places[0].module == places[1].module
    named = [node.metadata_props.get(metadata.LAYER) for node in (first, second)]
    return named[0] == named[1] or not any(_is_told(node) for node in (first, second))


def _is_told(node: ir.Node) -> bool:
    """Whether the source named the node's layer."""
    told = node.metadata_props.get(metadata.LAYER)
    return bool(told) and told != node.name


def _owner(node: ir.Node) -> str | None:
    """The path of the module that the names of all weights begin with; None where they have no common one."""
    weights = [value for value in node.inputs[1:4] if value is not None]
    names = [name for value in weights for name in parameters(metadata.origin(value))]
    paths = {name.rpartition(".")[0] for name in names}
    return paths.pop() if len(paths) == 1 and all(_NAMED.search(name) for name in names) else None


def _write(layers: Sequence[_Layer]) -> None:
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
    writer = _Writer(node, first.batch_first)
    states = [writer.state(layers, index) for index in ((_HIDDEN, _MEMORY) if node.op_type == "LSTM" else (_HIDDEN,))]
    weights = [layer.node.inputs[i] if len(layer.node.inputs) > i else None for layer in layers for i in (1, 2, 3)]
    said: dict[str, object] = {
        "num_layers": len(layers),
        "direction": _direction(first.node),
        "batch_first": int(batch_first),
        "hidden_size": attribute_int(node, "hidden_size", 0),
        "dropout": last.dropout if len(layers) > 1 else 0.0,
        "nonlinearity": _nonlinearity(node),
    }
    count = 3 if node.op_type == "LSTM" else 2
    made = ir.Node(
        DOMAIN,
        node.op_type,
        [source, *states, *weights],
        [ir.convenience.convert_attribute(key, value) for key, value in said.items() if value is not None],
        num_outputs=count,
        name=node.name,
    )
    _shape(made, first, batch_first, len(layers))
    writer.add(made)
    writer.results(made, last, ends[0], directions, batch_first)
    for index in range(1, count):
        writer.ends(made.outputs[index], [layer.node for layer in layers], index, directions)
    for layer in reversed(layers):
        for each in [*reversed(layer.glue), layer.node]:
            if each.graph is not None and not any(o.uses() or o.is_graph_output() for o in each.outputs):
                graph_of(each).remove(each, safe=True)


def _shape(made: ir.Node, first: _Layer, batch_first: bool, count: int) -> None:
    """Types and shapes of the results."""
    source, size = made.inputs[0], attribute_int(first.node, "hidden_size", 0)
    assert source is not None
    shape = shape_of(source)
    for index, output in enumerate(made.outputs):
        output.type = source.type
        if shape is not None and len(shape) == 3:
            batch = shape[0 if batch_first else 1]
            ends = (count * first.directions, batch, size)
            output.shape = ir.Shape(ends if index else (*shape[:2], first.directions * size))


def _inside(other: ir.Node, node: ir.Node) -> bool:
    """Whether a node belongs to the layer's module, as far as the source tells."""
    told = metadata.place(node).module
    return other.graph is node.graph and (not told or metadata.place(other).module in ("", told))


def _turned_back(last: _Layer, node: ir.Node) -> list[ir.Value] | None:
    """The results with the batch first, where all that reads them turns them so; None where something does not."""
    found: list[ir.Value] = []
    if not last.results:
        return [] if _output(last.node, 0) is None else None
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

    def __init__(self, node: ir.Node, layout: bool) -> None:
        self._node = node
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

    def state(self, layers: Sequence[_Layer], index: int) -> ir.Value | None:
        """The initial states of all layers as one; None where they are zero."""
        given = [_input(layer.node, index) for layer in layers]
        if all(value is None or _is_zero(value) for value in given):
            return None
        whole = _whole(given, layers[0].directions)
        if whole is not None and not self._layout:
            return whole
        there = next(value for value in given if value is not None)
        zeros = [each if each is not None else self._zeros(there) for each in given]
        turned = [self.made("Transpose", [each], {"perm": [1, 0, 2]}) if self._layout else each for each in zeros]
        return turned[0] if len(turned) == 1 else self.made("Concat", turned, {"axis": 0})

    def _zeros(self, like: ir.Value) -> ir.Value:
        shape = new("Shape", [like])
        shape.outputs[0].type = ir.TensorType(ir.DataType.INT64)
        kind = like.dtype or ir.DataType.FLOAT
        zeros = new("ConstantOfShape", shape.outputs, {"value": ir.tensor(np.zeros(1, kind.numpy()))}, like=like)
        self.add(shape, zeros)
        return zeros.outputs[0]

    def results(
        self, made: ir.Node, last: _Layer, ends: Sequence[ir.Value], directions: int, batch_first: bool
    ) -> None:
        """Gives those who read the results torch's, or ONNX's made of them."""
        y, result = last.node.outputs[0], made.outputs[0]
        if _output(last.node, 0) is None:
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
        outputs = [_output(node, index) for node in nodes]
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


def _is_zero(value: ir.Value) -> bool:
    """Whether the value is a zero that nobody trains, however often expanded and cut."""
    node = value.producer()
    if node is None:
        array = constant(value, 1 << 20) if metadata.is_constant(value) else None
        return array is not None and not array.any()
    if node.domain == "" and node.op_type == "ConstantOfShape":
        held = node.attributes.get("value")
        return held is None or not held.as_tensor().numpy().any()
    known = node.domain == "" and node.op_type in ("Expand", "Slice", "Cast", "CastLike", "Transpose", "Tile", "Split")
    known = known or (node.domain == "" and node.op_type in ("Reshape", "Unsqueeze", "Squeeze"))
    source = node.inputs[0] if known else None
    return source is not None and _is_zero(source)


def _whole(given: Sequence[ir.Value | None], directions: int) -> ir.Value | None:
    """The value whose parts the layers' states are, in order; None where they are not."""
    if len(given) == 1:
        return given[0]
    split = maker(given[0], "Split")
    if split is not None and list(split.outputs) == list(given) and attribute_int(split, "axis", 0) == 0:
        sizes = {(shape_of(each) or (None,))[0] for each in given}
        return split.inputs[0] if sizes == {directions} else None
    sources = set()
    for position, value in enumerate(given):
        node = maker(value, "Slice")
        if node is None:
            return None
        starts, stops, axes = (integers(_input(node, i)) for i in (1, 2, 3))
        steps = integers(_input(node, 4)) if _input(node, 4) is not None else [1]
        count = (shape_of(node.inputs[0]) or (None,))[0]
        if starts is None or stops is None or len(starts) != 1 or axes not in ([0], [-3]) or steps != [1]:
            return None
        bounds = [each + count if each < 0 and isinstance(count, int) else each for each in (starts[0], stops[0])]
        last = position == len(given) - 1
        stop = (position + 1) * directions
        ends = bounds[1] == stop or (last and bounds[1] > stop)
        if bounds[0] != position * directions or not ends or count != len(given) * directions:
            return None
        sources.add(node.inputs[0])
    return sources.pop() if len(sources) == 1 else None
