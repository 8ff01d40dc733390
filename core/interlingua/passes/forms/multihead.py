"""A module of attention with its own projections: what `nn.MultiheadAttention` is, told by the names of its weights."""

from __future__ import annotations

import dataclasses

import onnx_ir as ir

from interlingua.ir.facts import shape_of
from interlingua.passes.forms.masks import ATTENTION, CAUSAL, Mask, module_masks
from interlingua.passes.forms.outline import Form, Piece, closed, in_order
from interlingua.passes.forms.projections import (
    BIAS,
    PACKED,
    Linear,
    Rows,
    is_numbered,
    linear,
    parameter,
    path_of,
    product,
)
from interlingua.passes.orders import order_of
from interlingua.passes.raising.reading import attribute_int, maker, sizes_of
from interlingua.passes.raising.views import MOVES, Axis, Factor, View, moved

_TURN = (1, 0, 2)
_ATTRIBUTES = frozenset({"q_num_heads", "kv_num_heads", "is_causal"})
_OUTER = "out_proj"
_CHAIN = 6
_APART = ("q_proj_weight", "k_proj_weight", "v_proj_weight")


@dataclasses.dataclass(frozen=True)
class _Operand:
    """Queries, keys or values: the features of a projection from `start` to `stop`; where batch and length are turned
    behind it, `turn` does that."""

    projection: Linear
    nodes: tuple[ir.Node, ...]
    start: int
    stop: int
    turned: bool

    @property
    def weight(self) -> Rows:
        """The rows of the matrix that make it."""
        return self.projection.weight.part(self.start, self.stop)

    @property
    def bias(self) -> Rows | None:
        """The rows of the bias that are added to it."""
        bias = self.projection.bias
        return None if bias is None else bias.part(self.start, self.stop)


def _turned(value: ir.Value | None) -> ir.Node | None:
    """The Transpose of batch and length that makes the value."""
    node = maker(value, "Transpose")
    return node if node is not None and order_of(node) == _TURN else None


def _operand(value: ir.Value | None) -> _Operand | None:
    """What the projection of an input of attention is."""
    turn = _turned(value)
    inner = value if turn is None else turn.inputs[0]
    nodes = [] if turn is None else [turn]
    split = maker(inner, "Split")
    start, stop = 0, (shape_of(inner) or (None,))[-1]
    if split is not None and inner is not None and attribute_int(split, "axis", 0) in (2, -1):
        sizes = [(shape_of(each) or (None,))[-1] for each in split.outputs]
        at = list(split.outputs).index(inner)
        before = [size for size in sizes[:at] if isinstance(size, int)]
        if len(before) != at or not isinstance(stop, int):
            return None
        start, stop = sum(before), sum(before) + stop
        nodes, inner = [split, *nodes], split.inputs[0]
    found = linear(inner)
    if found is None or not isinstance(stop, int):
        return None
    return _Operand(found, tuple(nodes), start, stop, turn is not None)


def _weights(operands: list[_Operand], width: int) -> tuple[str, dict[str, ir.Value]] | None:
    """The module's path, and its weights for queries, keys and values by the names that it has for them."""
    graph = operands[0].projection.nodes[-1].graph
    assert isinstance(graph, ir.Graph)
    rows, biases = [each.weight for each in operands], [each.bias for each in operands]
    thirds = [(index * width, (index + 1) * width) for index in range(3)]
    packed = path_of(rows[0].name, PACKED)
    if packed is None and is_numbered(rows[0].name) and biases[0] is not None:
        packed = path_of(biases[0].name, BIAS)
    path, names = packed, [PACKED]
    wanted = [dataclasses.replace(rows[0], start=start, stop=stop) for start, stop in thirds]
    if packed is None:
        path, names = path_of(rows[0].name, _APART[0]), [*_APART]
        wanted = [Rows(f"{path}.{name}", 0, width) for name in _APART]
    if path is None or rows != wanted:
        return None
    held = {name: parameter(each, graph) for name, each in zip(names, rows, strict=False)}
    if packed is not None and (shape_of(held[PACKED]) or (None,))[0] != 3 * width:
        return None
    if any(each is not None for each in biases):
        wanted = [Rows(f"{path}.{BIAS}", *third) for third in thirds]
        if biases != wanted:
            return None
        held[BIAS] = parameter(wanted[0], graph)
    return path, held


def multihead(node: ir.Node) -> Piece | None:
    """`MultiheadAttention(query, key, value, masks)`: `Attention` of their projections, and the projection of that.

    The weights are called as the module calls them, `in_proj_weight` (or `q_proj_weight` and so on) and
    `out_proj.weight`; where an exporter has turned the first and given it a number for a name, its bias tells of it.
    Keys and values appended to the projected ones, a scale of its own and masks that the module does not take keep the
    pieces; so does a use of the softmax, for that is no `Attention`.

    A row that is masked whole is zeros in the operator. The module gives zeros too, but NaN where it takes its fast
    path for inference, which is for self-attention, batch first, with masks that are conditions. There the masks stay
    the numbers that are added.
    """
    heads = node.attributes.get("q_num_heads")
    simple = len(node.inputs) in (3, 4) and len(node.outputs) == 1 and {*node.attributes} <= _ATTRIBUTES
    if heads is None or not simple or node.attributes["kv_num_heads"].as_int() != heads.as_int():
        return None
    shapes = [sizes_of(value) for value in node.inputs[:3]]
    width = shapes[0][-1] if shapes[0] is not None and len(shapes[0]) == 3 else None
    if not isinstance(width, int) or any(shape is None or shape[-1] != width for shape in shapes):
        return None
    found = [_operand(value) for value in node.inputs[:3]]
    operands = [each for each in found if each is not None]
    if len(operands) < 3 or len({each.turned for each in operands}) > 1:
        return None
    weights = _weights(operands, width)
    if weights is None:
        return None
    path, held = weights
    sources = [each.projection.source for each in operands]
    turns = [_turned(source) for source in sources] if operands[0].turned else []
    outer = [turn for turn in turns if turn is not None]
    result = None
    batch_first = not operands[0].turned or len(outer) == 3
    if batch_first:
        result = _result(node, path, True)
    if result is None and operands[0].turned:
        batch_first, outer, result = False, [], _result(node, path, False)
    if result is None or (result[1].bias is None) != (BIAS not in held):
        return None
    if outer:
        sources = [turn.inputs[0] for turn in outer if turn.inputs[0] is not None]
    alone = sources[0] is sources[1] is sources[2]
    masks = _masks(node, heads.as_int(), not (alone and batch_first))
    if masks is None:
        return None
    causal = bool(attribute_int(node, CAUSAL, 0)) or any(mask.name == CAUSAL for mask in masks)
    given = [mask for mask in masks if mask.name != CAUSAL]
    if causal and (any(mask.name == ATTENTION for mask in given) or not _is_square(node)):
        return None
    behind, last = result
    own = [*(each for operand in operands for each in (*operand.projection.nodes, *operand.nodes)), node, *behind]
    shared = [*(each for operand in operands for each in operand.projection.shared), *outer]
    shared += [each for mask in masks for each in mask.nodes]
    if not closed(in_order(own)):
        return None
    graph = node.graph
    assert isinstance(graph, ir.Graph)
    held["out_proj.weight"] = parameter(last.weight, graph)
    if last.bias is not None:
        held["out_proj.bias"] = parameter(last.bias, graph)
    said: dict[str, object] = {"num_heads": heads.as_int(), "batch_first": int(batch_first)}
    said |= {"masks": [mask.name for mask in given]} if given else {}
    said |= {CAUSAL: 1} if causal else {}
    inputs = [*sources, *(mask.value for mask in given)]
    return Piece(in_order([*shared, *own]), inputs, said, held, layer=path)


def _masks(node: ir.Node, heads: int, conditions: bool) -> list[Mask] | None:
    """What masks the scores; none where nothing does."""
    value = node.inputs[3] if len(node.inputs) > 3 else None
    if value is None:
        return []
    asked, kept = sizes_of(node.inputs[0]), sizes_of(node.inputs[1])
    if asked is None or kept is None or node.inputs[0] is None or value.dtype != node.inputs[0].dtype:
        return None
    return module_masks(value, (asked[0], heads, asked[1], kept[1]), conditions)


def _is_square(node: ir.Node) -> bool:
    """Whether there are as many queries as keys."""
    asked, kept = sizes_of(node.inputs[0]), sizes_of(node.inputs[1])
    return asked is not None and kept is not None and None is not asked[1] == kept[1]


def _result(node: ir.Node, path: str, batch_first: bool) -> tuple[list[ir.Node], Linear] | None:
    """The nodes behind attention up to the module's result, and its projection; None where that is another's."""
    shape = shape_of(node.outputs[0])
    if shape is None or len(shape) != 3:
        return None
    batch, length, features = ([] if size == 1 else [Factor(size)] for size in shape)
    axes: list[Axis] = [batch, length, features]
    view = View(node.outputs[0], node.outputs[0], axes, [list(axis) for axis in axes])
    nodes: list[ir.Node] = []
    user = _moved(view, nodes)
    found = product(user) if user is not None and user.op_type in ("Gemm", "MatMul") else None
    if user is None or found is None or not _is_whole(found.weight, path, "weight") or view.axes[-1] != features:
        return None
    nodes.append(user)
    view.value = user.outputs[0]
    after = _only_user(user.outputs[0])
    total = linear(after.outputs[0]) if found.bias is None and after is not None and after.op_type == "Add" else None
    if total is not None and after is not None and total.nodes[0] is user:
        found = total
        nodes.append(after)
        view.value = after.outputs[0]
    if found.bias is not None and not _is_whole(found.bias, path, "bias"):
        return None
    wanted = [batch, length, features] if batch_first else [length, batch, features]
    _moved(view, nodes, wanted)
    return (nodes, found) if view.axes == wanted else None


def _is_whole(rows: Rows, path: str, key: str) -> bool:
    """Whether rows are those of the module's last projection."""
    return rows.name == f"{path}.{_OUTER}.{key}" and rows.start == 0


def _moved(view: View, nodes: list[ir.Node], wanted: list[Axis] | None = None) -> ir.Node | None:
    """Follows moves of the value until its axes are the wanted ones; the first node that is none."""
    for _ in range(_CHAIN):
        user = _only_user(view.value)
        if user is None or user.op_type not in MOVES or view.axes == wanted:
            return user
        if not moved(view, user, user.outputs[0]):
            return None
        nodes.append(user)
    return None


def _only_user(value: ir.Value) -> ir.Node | None:
    uses = list(value.uses())
    return uses[0].node if len(uses) == 1 and not value.is_graph_output() and uses[0].node.domain == "" else None


FORMS = (Form("MultiheadAttention", frozenset({"Attention"}), multihead),)
