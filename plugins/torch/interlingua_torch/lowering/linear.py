"""Dense layers of inputs with any number of axes."""

from __future__ import annotations

import ast
import dataclasses

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.codegen.program import Layer, Statement
from interlingua.codegen.weights import Weight
from interlingua.errors import Unsupported
from interlingua.ir import metadata
from interlingua.ir.facts import is_constant, known, shape_of
from interlingua.ir.origin import Parameter
from interlingua.ir.parameters import is_of_state, is_trained, remembered, same_as, value_of
from interlingua.ir.scopes import class_around
from interlingua.passes.orders import order_of
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.common import by_api, by_cards, said, tensors
from interlingua_torch.lowering.elementwise import arithmetic
from interlingua_torch.lowering.templates import converted

LINEAR = "torch.nn.Linear"
FUNCTION = "torch.nn.functional.linear"
KEYS = ("weight", "bias")


@lowers("MatMul")
def product(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`nn.Linear` without a bias, where the second factor is a trained matrix."""
    left, right = node.inputs
    assert left is not None and right is not None
    table = _turned(right, context)
    if table is not None:
        return _by_table(context, node, left, table)
    sizes = known(shape_of(right))
    if is_constant(left) or not is_constant(right) or sizes is None or len(sizes) != 2 or not is_trained(right):
        return by_cards(context, node, facts)
    weight = Weight(right).then(("transpose", (1, 0)))
    weight = _whole(weight, context.model.graph) if context.dialect.keeps_state else weight
    if context.dialect.keeps_state and not (weight.is_named("weight") and context.is_layer(weight, KEYS)):
        if isinstance(weight.origin, Parameter) or is_of_state(weight.origin, context.model.graph):
            return _by_function(context, node, left, weight)
        if isinstance(Weight(right).origin, Parameter):
            return by_cards(context, node, facts)
    bias = _bias_apart(context, node, weight) if context.dialect.keeps_state else None
    if bias is not None:
        layer = context.layer(node, LINEAR, sizes, {}, {"weight": weight, "bias": bias})
        return by_api(context, node, FUNCTION, [context.ref(left), ast.Attribute(layer, "weight", ast.Load())])
    layer = context.layer(node, LINEAR, sizes, {"bias": False}, {"weight": weight})
    return expressions.call(layer, [context.ref(left)])


def _whole(weight: Weight, graph: ir.Graph) -> Weight:
    """The parameter itself where the weight is just that, however often taken apart and put together again."""
    name = None if isinstance(weight.origin, Parameter) else same_as(weight.origin, weight.shape, graph)
    return weight if name is None else Weight(value_of(name, graph))


def _bias_apart(context: Context, node: ir.Node, weight: Weight) -> Weight | None:
    """The bias that the source's state has beside the weight, where this product gets it otherwise than as it is.

    Swin v2 clears a third of it first. The layer owns it all the same: the state would have other names.
    """
    graph = context.model.graph
    name = f"{str(weight.origin).rpartition('.')[0]}.bias"
    beside = remembered(graph).get(name)
    if beside is None or not beside.role or beside.shape != weight.shape[:1]:
        return None
    sums = (use.node for use in node.outputs[0].uses() if use.node.op_type == "Add")
    added = (metadata.origin(value) for each in sums for value in each.inputs if value is not None)
    return None if Parameter(name) in added else Weight(value_of(name, graph))


def turned_table(node: ir.Node, context: Context) -> ir.Value | None:
    """The trained matrix that a Transpose turns for nothing but products with it, as a tied output layer does."""
    table, output = node.inputs[0], node.outputs[0]
    if table is None or not is_constant(table) or not is_trained(table) or order_of(node) != (1, 0):
        return None
    factor = all(use.node.op_type == "MatMul" and use.idx == 1 for use in output.uses())
    alone = any(is_constant(use.node.inputs[0]) for use in output.uses())
    return None if output.is_graph_output() or alone or not factor else table


def _turned(value: ir.Value, context: Context) -> ir.Value | None:
    producer = value.producer()
    return turned_table(producer, context) if producer is not None and producer.op_type == "Transpose" else None


def _by_table(context: Context, node: ir.Node, left: ir.Value, table: ir.Value) -> ast.expr:
    """A layer whose weight is tied to another's, where the source has one; else `F.linear` with the other's."""
    weight = Weight(table)
    if context.dialect.keeps_state and class_around(node, context.model) != "Linear":
        return _by_function(context, node, left, weight)
    rows, columns = weight.shape
    layer = context.layer(node, LINEAR, [columns, rows], {"bias": False}, {"weight": weight})
    return expressions.call(layer, [context.ref(left)])


def _by_function(context: Context, node: ir.Node, left: ir.Value, weight: Weight) -> ast.expr:
    return by_api(context, node, FUNCTION, [context.ref(left), context.tensor(weight)])


@lowers("Add")
def add(context: Context, node: ir.Node, facts: Facts) -> list[ast.expr] | ast.expr | None:
    """The sum; a trained vector added to what `nn.Linear` just gave becomes that layer's bias."""
    for value, bias in (tuple(node.inputs), tuple(reversed(node.inputs))):
        assert value is not None and bias is not None
        found = _linear_without_bias(context, value)
        if found is None or not is_constant(bias) or not is_trained(bias):
            continue
        layer, statement = found
        assert isinstance(layer.call, ast.Call)
        if known(shape_of(bias)) != [layer.weights["weight"].shape[0]] or _is_added_outside(context, value, node):
            continue
        call = ast.Call(layer.call.func, layer.call.args, [k for k in layer.call.keywords if k.arg != "bias"])
        whole = dataclasses.replace(layer, call=call, weights={**layer.weights, "bias": Weight(bias)})
        whole = context.layers.exchange_last(whole)
        context.program.statements.pop()
        context.note_mapping(node, LINEAR)
        assert isinstance(statement.value, ast.Call)
        return expressions.call(f"self.{whole.attribute}", statement.value.args)
    return arithmetic(context, node, facts)


def _is_added_outside(context: Context, product: ir.Value, node: ir.Node) -> bool:
    """Whether the source's own layer has no bias: a module around it adds a vector that it keeps itself."""
    producer = product.producer()
    if producer is None or not context.dialect.keeps_state or class_around(producer, context.model) != "Linear":
        return False
    inner, outer = (each.metadata_props.get(metadata.MODULE) for each in (producer, node))
    return outer is not None and inner != outer


def _linear_without_bias(context: Context, value: ir.Value) -> tuple[Layer, Statement] | None:
    """The layer without a bias whose only call is the last statement, where nothing but the sum reads its result."""
    producer = value.producer()
    statements, layers = context.program.statements, context.program.layers
    if producer is None or producer.op_type != "MatMul" or not statements or not layers:
        return None
    if len(value.uses()) != 1 or value.is_graph_output():
        return None
    last, layer = statements[-1], layers[-1]
    called = f"self.{layer.attribute}("
    if not ast.unparse(last.value).startswith(called):
        return None
    bare = layer.weights.keys() == {"weight"} and ast.unparse(context.ref(value)) == last.targets[0]
    return (layer, last) if bare and not context.layers.is_called_again(layer) else None


@lowers("Gemm")
def general(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`nn.Linear` or `F.linear` where the card says it; else `torch.addmm` with its factors, or a product alone.

    A matrix that the source keeps under another name, or turned (transformers' `Conv1D`), makes no layer: the state
    would have other names or shapes than the source's.
    """
    if not (context.dialect.keeps_state and _is_other(node, facts, context)):
        try:
            return by_cards(context, node, facts)
        except Unsupported:
            pass
    left, right, addend = tensors(context, node, "A", "B", "C")
    assert left is not None and right is not None
    if facts["transB"] and not facts["transA"] and facts["alpha"] == facts["beta"] == 1:
        return by_api(context, node, FUNCTION, [each for each in (left, right, addend) if each is not None])
    left = ast.Attribute(left, "T", ast.Load()) if facts["transA"] else left
    right = ast.Attribute(right, "T", ast.Load()) if facts["transB"] else right
    if addend is not None and facts["beta"] != 0:
        keywords = said(beta=(facts["beta"], 1.0), alpha=(facts["alpha"], 1.0))
        return by_api(context, node, "torch.addmm", [addend, left, right], keywords)
    product = expressions.operator("@", left, right)
    context.note_mapping(node, "torch.matmul", product)
    if facts["alpha"] == 1:
        return product
    return expressions.operator("*", expressions.literal(facts["alpha"]), product)


def _is_other(node: ir.Node, facts: Facts, context: Context) -> bool:
    """Whether a trained second factor is not the `weight` that `nn.Linear` would keep."""
    value = node.inputs[1]
    if value is None or not is_constant(value) or not is_trained(value):
        return False
    weight = Weight(value) if facts["transB"] else Weight(value).then(("transpose", (1, 0)))
    return not (weight.is_named("weight") and context.is_layer(weight, KEYS))


@lowers("Einsum")
def einsum(context: Context, node: ir.Node, facts: Facts) -> ast.expr:
    """`torch.einsum`, whose equations are ONNX's; its sums of small whole numbers are int64."""
    operands = [context.as_tensor(value) for value in node.inputs if value is not None]
    equation = "".join(facts["equation"].split())
    call = by_api(context, node, "torch.einsum", [equation, *operands])
    dtype = node.outputs[0].dtype
    if dtype is None or not dtype.is_integer() or dtype == ir.DataType.INT64:
        return call
    return converted(context, call, dtype)
