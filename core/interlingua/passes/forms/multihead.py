"""A module of attention with its own projections: what `nn.MultiheadAttention` is, told by the names of its weights."""

from __future__ import annotations

import dataclasses

import onnx_ir as ir

from interlingua.codegen.weights import Weight
from interlingua.ir.facts import shape_of
from interlingua.ir.origin import Parameter
from interlingua.passes.forms.outline import Form, Piece, closed
from interlingua.passes.orders import order_of
from interlingua.passes.raising.reading import attribute_float, attribute_int, integers, maker, sides
from interlingua.passes.raising.views import MOVES, Axis, Factor, View, moved

_TURN = (1, 0, 2)
_ATTRIBUTES = frozenset({"q_num_heads", "kv_num_heads"})
_CHAIN = 6


@dataclasses.dataclass(frozen=True)
class _Linear:
    """A product with a trained matrix, plus a bias: its nodes, what it reads, the module's path and the weights."""

    nodes: list[ir.Node]
    source: ir.Value
    path: str
    weight: ir.Value
    bias: ir.Value | None


def _path(weight: Weight, name: str) -> str | None:
    """The path in front of a parameter of that name; None where the weight is no whole parameter of the source."""
    said = weight.origin
    named = isinstance(said, Parameter) and said.name.endswith(f".{name}")
    return said.name[: -len(name) - 1] if named and isinstance(said, Parameter) else None


def _product(node: ir.Node | None, name: str) -> _Linear | None:
    """The linear layer that ends at a MatMul, or at a Gemm with its bias; its weight is called `name`."""
    if node is None or node.inputs[0] is None or node.inputs[1] is None or not node.inputs[1].is_initializer():
        return None
    turned = node.op_type == "Gemm" and attribute_int(node, "transB", 0) == 1
    if node.op_type == "Gemm":
        scaled = attribute_float(node, "alpha", 1.0) != 1 or attribute_float(node, "beta", 1.0) != 1
        if scaled or attribute_int(node, "transA", 0):
            return None
    weight = Weight(node.inputs[1]) if turned else Weight(node.inputs[1]).then(("transpose", (1, 0)))
    path = None if len(weight.shape) != 2 else _path(weight, name)
    bias = node.inputs[2] if node.op_type == "Gemm" and len(node.inputs) > 2 else None
    return None if path is None else _Linear([node], node.inputs[0], path, node.inputs[1], bias)


def _projection(value: ir.Value | None) -> _Linear | None:
    """The projection of queries, keys and values in one that makes the value."""
    name = "in_proj_weight"
    node = maker(value, "Add")
    for inner, bias in sides(node) if node is not None else ():
        found = _product(maker(inner, "MatMul"), name)
        if found is not None and bias.is_initializer() and _path(Weight(bias), "in_proj_bias") == found.path:
            assert node is not None
            return dataclasses.replace(found, nodes=[*found.nodes, node], bias=bias)
    return _product(maker(value, "MatMul"), name)


def _turned(value: ir.Value | None) -> ir.Node | None:
    """The Transpose of batch and length that makes the value, for one use."""
    node = maker(value, "Transpose")
    return node if node is not None and order_of(node) == _TURN else None


def _thirds(node: ir.Node) -> tuple[list[ir.Node], ir.Value, bool] | None:
    """The nodes that part what queries, keys and values are thirds of, that, and whether each third is turned."""
    turns = [_turned(value) for value in node.inputs[:3]]
    parts = [value if turn is None else turn.inputs[0] for value, turn in zip(node.inputs, turns, strict=False)]
    split = maker(parts[0], "Split")
    if split is None or len({turn is None for turn in turns}) != 1 or list(split.outputs) != parts:
        return None
    lengths = integers(split.inputs[1]) if len(split.inputs) > 1 else None
    if attribute_int(split, "axis", 0) not in (2, -1) or (lengths is not None and len({*lengths}) != 1):
        return None
    source = split.inputs[0]
    found = [split, *(turn for turn in turns if turn is not None)]
    return None if source is None else (found, source, turns[0] is not None)


def multihead(node: ir.Node) -> Piece | None:
    """`MultiheadAttention(X)`: `Attention` of the thirds of one projection of X, and the projection of its result.

    The weights are called as the module calls them: `in_proj_weight`, `out_proj.weight`. A mask, which the module
    would have otherwise, and a scale of its own keep the pieces.
    """
    heads = node.attributes.get("q_num_heads")
    simple = len(node.inputs) == 3 and len(node.outputs) == 1 and {*node.attributes} == _ATTRIBUTES
    if heads is None or not simple or node.attributes["kv_num_heads"].as_int() != heads.as_int():
        return None
    thirds = _thirds(node)
    projection = None if thirds is None else _projection(thirds[1])
    if thirds is None or projection is None:
        return None
    nodes = [*projection.nodes, *thirds[0], node]
    source, batch_first = projection.source, not thirds[2]
    outer = _turned(source) if thirds[2] else None
    if outer is not None and outer.inputs[0] is not None and len(source.uses()) == 1:
        nodes, source, batch_first = [outer, *nodes], outer.inputs[0], True
    found = _result(node, projection.path, batch_first)
    if found is None:
        return None
    behind, linear = found
    nodes.extend(behind)
    if (projection.bias is None) != (linear.bias is None) or not closed(nodes):
        return None
    weights = {"in_proj_weight": projection.weight, "out_proj.weight": linear.weight}
    if projection.bias is not None and linear.bias is not None:
        weights |= {"in_proj_bias": projection.bias, "out_proj.bias": linear.bias}
    said = {"num_heads": heads.as_int(), "batch_first": int(batch_first)}
    return Piece(nodes, [source], said, weights, layer=projection.path)


def _result(node: ir.Node, path: str, batch_first: bool) -> tuple[list[ir.Node], _Linear] | None:
    """The nodes behind attention up to the module's result, and its projection; None where that is another's."""
    shape = shape_of(node.outputs[0])
    if shape is None or len(shape) != 3:
        return None
    batch, length, features = ([] if size == 1 else [Factor(size)] for size in shape)
    axes: list[Axis] = [batch, length, features]
    view = View(node.outputs[0], node.outputs[0], axes, [list(axis) for axis in axes])
    nodes: list[ir.Node] = []
    user = _moved(view, nodes)
    linear = _product(user, "out_proj.weight") if user is not None and user.op_type in ("Gemm", "MatMul") else None
    if user is None or linear is None or linear.path != path or view.axes[-1] != features:
        return None
    nodes.append(user)
    view.value = user.outputs[0]
    after = _only_user(user.outputs[0])
    if linear.bias is None and after is not None and after.op_type == "Add":
        bias = next((other for inner, other in sides(after) if inner is user.outputs[0]), None)
        if bias is None or not bias.is_initializer():
            return None
        linear = dataclasses.replace(linear, bias=bias)
        nodes.append(after)
        view.value = after.outputs[0]
    if linear.bias is not None and _path(Weight(linear.bias), "out_proj.bias") != path:
        return None
    wanted = [batch, length, features] if batch_first else [length, batch, features]
    _moved(view, nodes, wanted)
    return (nodes, linear) if view.axes == wanted else None


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
