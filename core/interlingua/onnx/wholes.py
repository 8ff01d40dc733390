"""Parameters of a state dict kept whole in a file, where the model reads parts of them or numbers made of them.

Under the parameter's name a file would else hold an array that the state dict does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx_ir as ir

from interlingua.ir import metadata
from interlingua.ir.edit import add_initializer, fresh_name
from interlingua.ir.origin import Call, Constant, Origin, functions, shape_after, simplified
from interlingua.ir.parameters import is_of_state, remembered, value_of

Numbers = tuple[int | float, ...]
Given = tuple[list[int], ...]


def _slice(numbers: Numbers) -> Given:
    axis, start, stop, *step = (int(number) for number in numbers)
    return [start], [stop], [axis], step or [1]


_SHAPING: dict[str, tuple[str, Callable[[Numbers], Given]]] = {
    "reshape": ("Reshape", lambda numbers: ([int(size) for size in numbers],)),
    "slice": ("Slice", _slice),
}
_ARITHMETIC = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "negative": "Neg",
    "sqrt": "Sqrt",
}
_SAID = frozenset({"transpose", *_SHAPING, *_ARITHMETIC})


def keep_wholes(model: ir.Model) -> None:
    """Replaces initializers made of parameters of the state dict by these and the operators that make them.

    A parameter that is transposed alone stays transposed: products and convolutions want it so, and its permutation is
    told beside it.
    """
    graph = model.graph
    nodes: list[ir.Node] = []
    for value in list(graph.initializers.values()):
        said = simplified(metadata.origin(value))
        if not functions(said) <= _SAID or not functions(said) - {"transpose"} or not is_of_state(said, graph):
            continue
        user = next(iter(value.uses()), None)
        if user is None or value.is_graph_output():
            continue
        made: list[ir.Node] = []
        heir, _ = _computed(said, graph, made)
        metadata.copy_place(user.node, made)
        del graph.initializers[value.name or ""]
        value.replace_all_uses_with(heir)
        nodes += made
    if nodes:
        graph.insert_before(graph[0], nodes)


def _computed(expression: Origin, graph: ir.Graph, nodes: list[ir.Node]) -> tuple[ir.Value, tuple[int, ...]]:
    """The value that an expression is, with its shape, by nodes that are added to `nodes`."""
    if not isinstance(expression, Call):
        whole = value_of(expression.name, graph)
        if not whole.is_initializer():
            whole.name = fresh_name(graph, expression.name)
            graph.register_initializer(whole)
        return whole, remembered(graph)[expression.name].shape
    operands = [_computed(operand, graph, nodes) for operand in expression.operands]
    shape = shape_after(expression.function, [each for _, each in operands], expression.numbers)
    first = operands[0][0]
    node = _node(expression, [value for value, _ in operands], graph)
    (output,) = node.outputs
    output.name = fresh_name(graph, f"{first.name}_{expression.function}")
    output.type, output.shape = first.type, ir.Shape(shape)
    nodes.append(node)
    return output, shape


def _node(call: Call, operands: Sequence[ir.Value], graph: ir.Graph) -> ir.Node:
    if call.function == "transpose":
        return metadata.set_own(ir.node("Transpose", operands, {"perm": [int(axis) for axis in call.numbers]}))
    stem = f"{operands[0].name}_{call.function}"
    if call.function in _SHAPING:
        op_type, given = _SHAPING[call.function]
        arrays = [np.array(numbers, np.int64) for numbers in given(call.numbers)]
    else:
        assert operands[0].dtype is not None
        op_type = _ARITHMETIC[call.function]
        arrays = [np.array(number, operands[0].dtype.numpy()) for number in call.numbers]
    return ir.node(op_type, [*operands, *(add_initializer(graph, stem, array, Constant(stem)) for array in arrays)])
