"""Linear layers whose matrix is a parameter of the source, or some of its rows: what modules of attention hold."""

from __future__ import annotations

import dataclasses

import onnx_ir as ir

from interlingua.codegen.weights import Weight
from interlingua.ir import metadata
from interlingua.ir.edit import is_initializer
from interlingua.ir.facts import shape_of
from interlingua.ir.origin import Call, Origin, Parameter, parameters, simplified
from interlingua.ir.parameters import rows_of, value_of
from interlingua.ir.weights import moved
from interlingua.passes.orders import order_of
from interlingua.passes.raising.reading import attribute_float, attribute_int, maker, sides

PACKED, BIAS = "in_proj_weight", "in_proj_bias"
_DEPTH = 4


@dataclasses.dataclass(frozen=True)
class Rows:
    """The rows of a parameter from `start` to `stop`; where it is kept `turned`, its columns."""

    name: str
    start: int
    stop: int
    turned: bool = False

    def part(self, start: int, stop: int) -> Rows:
        """Some of these rows."""
        return Rows(self.name, self.start + start, self.start + stop, self.turned)


@dataclasses.dataclass(frozen=True)
class Linear:
    """A product with a matrix, plus a bias: its nodes, those that part its weights, and what it reads."""

    nodes: list[ir.Node]
    shared: list[ir.Node]
    source: ir.Value
    weight: Rows
    bias: Rows | None = None


def path_of(name: str, key: str) -> str | None:
    """The path in front of a parameter that the module calls `key`."""
    return name[: -len(key) - 1] if name.endswith(f".{key}") else None


def is_numbered(name: str) -> bool:
    """Whether an exporter made the name, of a weight that it has rearranged."""
    return "." not in name


def parameter(rows: Rows, graph: ir.Graph) -> ir.Value:
    """The initializer of the graph that holds a parameter as the source has it."""
    value = value_of(rows.name, graph)
    if rows.turned:
        return moved(graph, value, [("transpose", (1, 0))])
    if not value.is_initializer():
        value.name = rows.name if rows.name not in graph.initializers else f"{rows.name} (whole)"
        graph.register_initializer(value)
    return value


def linear(value: ir.Value | None) -> Linear | None:
    """The linear layer that makes the value."""
    total = maker(value, "Add")
    for inner, other in sides(total) if total is not None else ():
        found, bias = product(maker(inner, "MatMul")), _rows(other, ())
        if total is not None and found is not None and bias is not None and found.bias is None:
            rows, shared = bias
            return dataclasses.replace(found, nodes=[*found.nodes, total], shared=[*found.shared, *shared], bias=rows)
    return product(maker(value, "MatMul"))


def product(node: ir.Node | None) -> Linear | None:
    """The layer that a MatMul is without its bias, or a Gemm with it."""
    if node is None or node.inputs[0] is None:
        return None
    turned = node.op_type == "Gemm" and attribute_int(node, "transB", 0) == 1
    if node.op_type == "Gemm":
        scaled = attribute_float(node, "alpha", 1.0) != 1 or attribute_float(node, "beta", 1.0) != 1
        if scaled or attribute_int(node, "transA", 0):
            return None
    weight = _rows(node.inputs[1], () if turned else (1, 0))
    given = node.inputs[2] if node.op_type == "Gemm" and len(node.inputs) > 2 else None
    bias = None if given is None else _rows(given, ())
    if weight is None or (given is not None and bias is None):
        return None
    shared = [*weight[1], *(bias[1] if bias is not None else ())]
    return Linear([node], shared, node.inputs[0], weight[0], None if bias is None else bias[0])


def _rows(value: ir.Value | None, order: tuple[int, ...]) -> tuple[Rows, list[ir.Node]] | None:
    """The rows of a parameter that a value is when its axes are put in that order, and the nodes that part them."""
    nodes: list[ir.Node] = []
    said = None if value is None else _origin(value, nodes, _DEPTH)
    if said is None or value is None:
        return None
    if order:
        said = simplified(Call("transpose", (said,), order))
    if len(parameters(said)) != 1:
        return None
    source = next(iter(value.uses())).node.graph
    found = rows_of(said, source) if isinstance(source, ir.Graph) else None
    if found is not None:
        return Rows(*found), nodes
    whole = metadata.origin(value)
    numbered = isinstance(whole, Parameter) and is_numbered(whole.name) and is_initializer(value) and order
    count = (shape_of(value) or (None,))[-1]
    return (Rows(whole.name, 0, count, True), nodes) if numbered and isinstance(count, int) else None  # type: ignore[union-attr]


def _origin(value: ir.Value, nodes: list[ir.Node], depth: int) -> Origin | None:
    """What a weight is, also where the graph itself parts and turns it."""
    if is_initializer(value):
        return Weight(value).origin
    node = maker(value, "Split", "Transpose")
    source = None if node is None else node.inputs[0]
    inner = None if source is None or depth == 0 else _origin(source, nodes, depth - 1)
    if node is None or inner is None:
        return None
    nodes.append(node)
    if node.op_type == "Transpose":
        order = order_of(node)
        return None if order is None else simplified(Call("transpose", (inner,), order))
    axis = attribute_int(node, "axis", 0)
    sizes = [(shape_of(each) or (None,) * (axis + 1))[axis] for each in node.outputs]
    at = list(node.outputs).index(value)
    known = [size for size in sizes[: at + 1] if isinstance(size, int)]
    if len(known) != at + 1 or axis < 0:
        return None
    return Call("slice", (inner,), (axis, sum(known[:-1]), sum(known)))
