"""Reads nodes of recurrent layers: where their results go as torch has them, and which layer is on which."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import constant
from interlingua.ir.facts import shape_of
from interlingua.ir.origin import parameters
from interlingua.passes.orders import order_of
from interlingua.passes.raising.reading import attribute_int, integers, maker, number
from interlingua.passes.raising.recurrent_weights import slices_of

KINDS = ("LSTM", "GRU", "RNN")
HIDDEN, MEMORY = 5, 6
LONGEST = 2**31 - 1
_CELL = re.compile(r"(^|\.)(weight|bias)_(ih|hh)$")
_NAMED = re.compile(r"(^|\.)(weight|bias)_(ih|hh)_l\d+(_reverse)?$")


@dataclasses.dataclass
class Layer:
    """A node of one layer, and the values that hold its results as torch has them (time, batch, both directions)."""

    node: ir.Node
    results: list[ir.Value]
    glue: list[ir.Node]
    dropout: float = 0.0
    """The ratio of the dropout between the layer before and this one."""

    @property
    def directions(self) -> int:
        """One or two."""
        return 2 if direction_of(self.node) == "bidirectional" else 1

    @property
    def batch_first(self) -> bool:
        """Whether the node itself has the batch before the time."""
        return bool(attribute_int(self.node, "layout", 0))


def is_recurrent(node: ir.Node) -> bool:
    """Whether the node is ONNX's LSTM, GRU or RNN."""
    return node.domain == "" and node.op_type in KINDS


def direction_of(node: ir.Node) -> str:
    """forward, reverse or bidirectional."""
    held = node.attributes.get("direction")
    return "forward" if held is None else held.as_string()


def input_of(node: ir.Node, index: int) -> ir.Value | None:
    """An input; None where it is absent."""
    return node.inputs[index] if len(node.inputs) > index else None


def output_of(node: ir.Node, index: int) -> ir.Value | None:
    """An output; None where nothing reads it."""
    output = node.outputs[index] if len(node.outputs) > index else None
    return output if output is not None and (output.uses() or output.is_graph_output()) else None


def read(node: ir.Node, dropout: float = 0.0) -> Layer:
    """The layer with what drops or joins the axis of directions, where all that reads the results does so."""
    layer = Layer(node, [], [], dropout)
    y = node.outputs[0]
    if y.is_graph_output():
        return layer
    joined = _joined(layer)
    if joined:
        layer.glue, layer.results = joined, [joined[-1].outputs[0]]
        return layer
    for user in y.consumers():
        ends = _straight(user, layer)
        if ends is None:
            layer.results, layer.glue = [], []
            return layer
        layer.glue += [user, *(each for each in ends if each is not user)]
        layer.results += [each.outputs[0] for each in ends]
    return layer


def _joined(layer: Layer) -> list[ir.Node]:
    """What takes both directions apart and joins their features, its last node a Concat."""
    cuts = list(layer.node.outputs[0].consumers())
    if layer.directions != 2 or layer.batch_first or len(cuts) != 2:
        return []
    found: dict[int, ir.Value] = {}
    glue = list[ir.Node](cuts)
    for cut in cuts:
        parts = slices_of(cut, (LONGEST, 2)) if cut.op_type == "Slice" and cut.domain == "" else None
        users = list(cut.outputs[0].consumers())
        if parts is None or len(parts) != 1 or len(users) != 1 or cut.outputs[0].is_graph_output():
            return []
        ((axis, start, stop),) = parts
        if axis != 1 or stop - start != 1 or users[0].op_type != "Squeeze" or integers(input_of(users[0], 1)) != [1]:
            return []
        found[start] = users[0].outputs[0]
        glue.append(users[0])
    joins = {join for value in found.values() for join in value.consumers()}
    join = joins.pop() if len(joins) == 1 else None
    if join is None or join.op_type != "Concat" or attribute_int(join, "axis", 0) not in (2, -1):
        return []
    outer = any(value.is_graph_output() for value in found.values())
    return [*glue, join] if not outer and list(join.inputs) == [found.get(0), found.get(1)] else []


def _straight(user: ir.Node, layer: Layer) -> list[ir.Node] | None:
    """The nodes whose outputs are torch's results, `user` one of them or before them; None where there are others."""
    axis = 2 if layer.batch_first else 1
    if user.domain != "" or user.graph is not layer.node.graph:
        return None
    if layer.directions == 1 and user.op_type == "Squeeze" and integers(input_of(user, 1)) in ([axis], [axis - 4]):
        return [user]
    if layer.batch_first:
        return [user] if _joins(user, layer) else None
    if user.op_type != "Transpose" or order_of(user) != (0, 2, 1, 3) or user.outputs[0].is_graph_output():
        return None
    joins = list(user.outputs[0].consumers())
    return joins if joins and all(_joins(each, layer) for each in joins) else None


def _joins(node: ir.Node, layer: Layer) -> bool:
    """Whether a Reshape joins the last two of four axes."""
    numbers = integers(input_of(node, 1)) if node.op_type == "Reshape" and node.domain == "" else None
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


def following_layer(layers: Sequence[Layer], fits: Callable[[ir.Node], bool]) -> Layer | None:
    """The layer of the same module that alone reads the results of the last one."""
    layer = layers[-1]
    if len(layer.results) != 1 or layer.results[0].is_graph_output():
        return None
    users = list(layer.results[0].uses())
    node, dropout = users[0].node if len(users) == 1 else None, 0.0
    if node is not None and node.op_type == "Dropout" and node.domain == "" and _only_drops(node):
        ratio = number(input_of(node, 1))
        users = list(node.outputs[0].uses())
        dropout = 0.5 if ratio is None else ratio
        node = users[0].node if len(users) == 1 else None
    if node is None or users[0].idx != 0 or not is_recurrent(node) or node.graph is not layer.node.graph:
        return None
    following = read(node, float(str(np.float32(dropout))))
    alike = fits(node) and _form(node) == _form(layer.node) and direction_of(node) != "reverse"
    straight = following.results or output_of(node, 0) is None
    if not alike or not straight or not _same_module(layer.node, node):
        return None
    if len(layers) > 1 and following.dropout != layer.dropout:
        return None
    below = {each.node for each in layers}
    return None if any(_depends(input_of(node, index), below) for index in (HIDDEN, MEMORY)) else following


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
    held = constant(input_of(node, 2))
    quiet = input_of(node, 2) is None or (held is not None and not held.any())
    shares = input_of(node, 1) is None or number(input_of(node, 1)) is not None
    return quiet and shares and output_of(node, 1) is None and not node.outputs[0].is_graph_output()


def _form(node: ir.Node) -> tuple[object, ...]:
    said = {name: str(value.value) for name, value in node.attributes.items()}
    for name, default in (("direction", "forward"), ("layout", "0")):
        said.setdefault(name, default)
    return (node.op_type, input_of(node, 3) is None, tuple(sorted(said.items())))


def _same_module(first: ir.Node, second: ir.Node) -> bool:
    """Whether the source has both as one layer: by the names of their weights, else by their places.

    A layer that runs twice has the same weights both times, and a cell is no layer of several.
    """
    if is_cell(first) or is_cell(second) or not _names(first).isdisjoint(_names(second)):
        return False
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


def _names(node: ir.Node) -> set[str]:
    """The source's parameters that the node's weights are made of."""
    weights = [value for value in node.inputs[1:4] if value is not None]
    return {name for value in weights for name in parameters(metadata.origin(value))}


def _owner(node: ir.Node, pattern: re.Pattern[str] = _NAMED) -> str | None:
    """The path of the module that the names of all weights begin with; None where they have no common one."""
    names = _names(node)
    paths = {name.rpartition(".")[0] for name in names}
    return paths.pop() if len(paths) == 1 and all(pattern.search(name) for name in names) else None


def is_cell(node: ir.Node) -> bool:
    """Whether the source has a cell that it runs step by step, over a known number of steps."""
    shape = shape_of(node.inputs[0])
    times = shape[1 if attribute_int(node, "layout", 0) else 0] if shape else None
    return direction_of(node) != "bidirectional" and isinstance(times, int) and _owner(node, _CELL) is not None


def is_zero(value: ir.Value) -> bool:
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
    return source is not None and is_zero(source)


def whole_state(given: Sequence[ir.Value | None], directions: int) -> ir.Value | None:
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
        starts, stops, axes = (integers(input_of(node, i)) for i in (1, 2, 3))
        steps = integers(input_of(node, 4)) if input_of(node, 4) is not None else [1]
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
