"""Spells dense layers and flattening as ONNX has an operator for them."""

from __future__ import annotations

import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import constant, graph_of, is_initializer, replace
from interlingua.ir.facts import known, shape_of
from interlingua.ir.weights import moved
from interlingua.passes.base import Pass
from interlingua.passes.flattening import joins_all_but_first


class FuseDense(Pass):
    """Replaces `Add(MatMul(X, W), b)` by `Gemm(X, W, b)` where X and W are matrices and W, b are weights.

    A lone `MatMul(X, W)` of these becomes `Gemm(X, W)`, and `Gemm(X, Transpose(W))` states its transpose.
    """

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        changed = False
        for node in list(model.graph.all_nodes()):
            if node.op_type == "MatMul" and node.domain == "" and _is_dense(node):
                _fuse(node)
                changed = True
        return changed


def _rank(value: ir.Value | None) -> int | None:
    shape = shape_of(value)
    return None if shape is None else len(shape)


def _turned_weight(value: ir.Value | None) -> ir.Value | None:
    """The weight that a Transpose of a matrix reads."""
    producer = None if value is None else value.producer()
    if producer is None or producer.op_type != "Transpose" or producer.domain != "":
        return None
    source = producer.inputs[0]
    return source if is_initializer(source) and _rank(source) == 2 else None


def _is_dense(node: ir.Node) -> bool:
    left, right = node.inputs
    if _rank(left) != 2 or is_initializer(left):
        return False
    return (is_initializer(right) and _rank(right) == 2) or _turned_weight(right) is not None


def _fuse(node: ir.Node) -> None:
    left, right = node.inputs
    turned = _turned_weight(right)
    attributes = {"transB": 1} if turned is not None else {}
    weight = turned if turned is not None else right
    shape = known(shape_of(weight))
    columns = None if shape is None else shape[0 if turned is not None else 1]
    add, bias = _bias(node, columns)
    if add is None or bias is None:
        replace(node, [_gemm(node, [left, weight], attributes)])
        return
    gemm = _gemm(node, [left, weight, bias], attributes)
    metadata.copy_place(node, [gemm])
    node.outputs[0].name = f"{node.outputs[0].name}_product"
    replace(add, [gemm])
    graph_of(node).remove(node, safe=True)


def _gemm(node: ir.Node, inputs: list[ir.Value | None], attributes: dict[str, int]) -> ir.Node:
    gemm = ir.node("Gemm", inputs, attributes, name=node.name)
    gemm.outputs[0].type = node.outputs[0].type
    return gemm


def _bias(node: ir.Node, columns: int | None) -> tuple[ir.Node | None, ir.Value | None]:
    """The Add that alone uses the product, and its bias as one axis; None where there is none."""
    product = node.outputs[0]
    uses = list(product.uses())
    if len(uses) != 1 or product.is_graph_output():
        return None, None
    add, index = uses[0]
    if add.op_type != "Add" or add.domain != "" or add.graph is not node.graph:
        return None, None
    bias = add.inputs[1 - index]
    if bias is None or not is_initializer(bias) or columns is None:
        return None, None
    shape = known(shape_of(bias))
    if shape is None or shape not in ([columns], [1, columns]):
        return None, None
    return add, moved(graph_of(node), bias, [("reshape", (columns,))])


class SpellFlatten(Pass):
    """Replaces `Reshape(X, [N, -1])`, which joins all axes but the first, by `Flatten(X)`."""

    def transform(self, model: ir.Model) -> bool:
        """See the class."""
        changed = False
        for node in list(model.graph.all_nodes()):
            source = node.inputs[0] if node.inputs else None
            if node.op_type != "Reshape" or node.domain != "" or source is None or is_initializer(source):
                continue
            if (_rank(source) or 0) > 2 and constant(node.inputs[1]) is not None and joins_all_but_first(node):
                replace(node, [ir.node("Flatten", [source], {"axis": 1}, name=node.name)])
                changed = True
        return changed
