"""Control flow as Python's own: `if`, `while` and `for`, with the variables that they leave."""

from __future__ import annotations

import ast
from collections.abc import Sequence

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.codegen.program import Compound, Statement, as_ast
from interlingua.errors import Unsupported
from interlingua.ir.edit import constant
from interlingua_torch.lowering import lowers

_STACK = "torch.stack"
_ENDLESS = 2**62


def _result(context: Context, value: ir.Value) -> ast.expr:
    """What a subgraph gives: a tensor, or a list or None as it stands."""
    tensor = isinstance(value.type, ir.TensorType) or value.type is None
    return context.as_tensor(value) if tensor else context.ref(value)


def _ends(context: Context, body: list[Statement], names: Sequence[str], values: Sequence[ir.Value]) -> None:
    """Adds what gives the variables the subgraph's results, all at once; a last statement takes the name itself."""
    results = [_result(context, value) for value in values]
    pairs = [(name, result) for name, result in zip(names, results, strict=True) if ast.unparse(result) != name]
    if not pairs:
        return
    last = body[-1] if body else None
    if len(pairs) == 1 and last is not None and not isinstance(last, Compound):
        name, result = pairs[0]
        if last.targets == (ast.unparse(result),) and len(names) == 1:
            last.targets = (name,)
            return
    whole = pairs[0][1] if len(pairs) == 1 else ast.Tuple([result for _, result in pairs], ast.Load())
    body.append(Statement(tuple(name for name, _ in pairs), whole))


def _appended(name: str, value: ast.expr) -> Statement:
    return Statement((), expressions.method(expressions.name(name), "append", [value]))


def _begin(context: Context, hint: str, value: ast.expr) -> str:
    variable = context.statement(hint, value)
    assert isinstance(variable, ast.Name)
    return variable.id


def _graph(facts: Facts, name: str) -> ir.Graph:
    graph = facts[name]
    assert isinstance(graph, ir.Graph)
    return graph


@lowers("If")
def branch(context: Context, node: ir.Node, facts: Facts) -> None:
    """`if condition: … else: …`; both branches leave the same variables."""
    condition = node.inputs[0]
    assert condition is not None
    test = context.ref(condition)
    names = [context.fresh(output.name or "result") for output in node.outputs]
    bodies: list[list[Statement]] = []
    for graph in (_graph(facts, "then_branch"), _graph(facts, "else_branch")):
        with context.suite(graph) as body:
            _ends(context, body, names, graph.outputs)
        bodies.append(body)
    context.add(Compound(tuple(names), test, kind="if", bodies=tuple(bodies)))
    for output, name in zip(node.outputs, names, strict=True):
        context.name(output, name)


@lowers("Loop")
def loop(context: Context, node: ir.Node, facts: Facts) -> None:
    """`for index in range(count):` where only the count ends the loop, else `while condition and index < count:`."""
    body = _graph(facts, "body")
    count, condition, *initial = [*node.inputs, None, None][: max(len(node.inputs), 2)]
    index, entering, *carried = body.inputs
    leaving, *results = body.outputs
    goes_on = leaving is entering or _is_true(leaving) or _passes(leaving, entering)
    counted = goes_on and (condition is None or _is_true(condition))
    limit = None if count is None or _is_endless(count) else context.integers(count)[0]
    names = [
        _begin(context, inner.name or "state", _result(context, value))
        for inner, value in zip(carried, initial, strict=True)
        if value is not None
    ]
    lists = [
        _begin(context, output.name or "results", ast.List([], ast.Load())) for output in node.outputs[len(carried) :]
    ]
    for inner, name in zip(carried, names, strict=True):
        context.name(inner, name)
    step = context.fresh("index")
    if index.shape is None:
        index.shape = ir.Shape([])
    context.sizes.state(index, (context.sizes.variable(step),))
    keep = ""
    if not counted or limit is None:
        test = expressions.literal(True) if condition is None else context.ref(condition)
        keep = _begin(context, "condition", test)
        context.name(entering, keep)
        context.add(Statement((step,), expressions.literal(0)))
    elif entering.uses():
        context.name(entering, _begin(context, "condition", expressions.literal(True)))
    with context.suite(body) as steps:
        for name, value in zip(lists, results[len(carried) :], strict=True):
            steps.append(_appended(name, _result(context, value)))
        kept = [] if goes_on or not keep else [(keep, leaving)]
        pairs = [*kept, *zip(names, results, strict=False)]
        _ends(context, steps, [name for name, _ in pairs], [value for _, value in pairs])
        if keep:
            steps.append(Statement((step,), expressions.operator("+", expressions.name(step), ast.Constant(1))))
    if keep:
        context.add(Compound(tuple(names), _going(keep, step, limit), kind="while", bodies=(steps,)))
    else:
        assert limit is not None
        through = expressions.call("range", [limit])
        variable = step if _reads(steps, step) else "_"
        context.add(Compound(tuple(names), through, kind="for", variable=variable, bodies=(steps,)))
    for output, name in zip(node.outputs, names, strict=False):
        context.name(output, name)
    for output, name in zip(node.outputs[len(carried) :], lists, strict=True):
        _stack(context, output, name, 0, certain=not keep and isinstance(limit, ast.Constant) and bool(limit.value))


def _going(keep: str, step: str, limit: ast.expr | None) -> ast.expr:
    if limit is None:
        return expressions.name(keep)
    bounded = ast.Compare(expressions.name(step), [ast.Lt()], [limit])
    return ast.BoolOp(ast.And(), [expressions.name(keep), bounded])


def _reads(steps: Sequence[Statement], name: str) -> bool:
    return any(isinstance(each, ast.Name) and each.id == name for step in steps for each in ast.walk(as_ast(step)))


def _is_true(value: ir.Value) -> bool:
    array = constant(value)
    return array is not None and bool(array.reshape(-1)[0])


def _passes(leaving: ir.Value, entering: ir.Value) -> bool:
    producer = leaving.producer()
    return producer is not None and producer.op_type == "Identity" and producer.inputs[0] is entering


def _is_endless(count: ir.Value) -> bool:
    array = constant(count)
    return array is not None and int(array.reshape(-1)[0]) >= _ENDLESS


def _stack(context: Context, output: ir.Value, name: str, axis: int, *, certain: bool, turned: bool = False) -> None:
    """Joins what a loop gathered; of nothing, an empty tensor of the known sizes."""
    gathered = expressions.name(name)
    ordered = expressions.parse(f"{name}[::-1]") if turned else gathered
    whole: ast.expr = expressions.call(context.api(_STACK), [ordered], {"dim": axis} if axis else {})
    if not certain:
        shape = [0 if not isinstance(size, int) else size for size in output.shape or (0,)]
        shape[axis] = 0
        dtype = {} if output.dtype in (None, ir.DataType.FLOAT) else {"dtype": context.dtype(output.dtype)}
        whole = ast.IfExp(gathered, whole, expressions.call(context.api("torch.empty"), shape, dtype))
    context.name(output, _begin(context, output.name or "stacked", whole))


@lowers("Scan")
def scan(context: Context, node: ir.Node, facts: Facts) -> None:
    """`for x_t, y_t in zip(x.unbind(1), y.unbind(1)):` with carried variables and gathered results."""
    body = _graph(facts, "body")
    scanned = int(facts["num_scan_inputs"])
    states = len(body.inputs) - scanned
    if len(node.inputs) != len(body.inputs):
        raise Unsupported("the form of opset 8, with a batch axis and lengths")
    axes = facts.get("scan_input_axes") or [0] * scanned
    backwards = facts.get("scan_input_directions") or [0] * scanned
    names = [
        _begin(context, inner.name or "state", _result(context, outer))
        for inner, outer in zip(body.inputs[:states], node.inputs[:states], strict=True)
        if outer is not None
    ]
    gathered = node.outputs[states:]
    lists = [_begin(context, output.name or "results", ast.List([], ast.Load())) for output in gathered]
    slices: list[ast.expr] = []
    for value, axis, turned in zip(node.inputs[states:], axes, backwards, strict=True):
        assert value is not None
        along = expressions.method(context.as_tensor(value), "unbind", [axis] if axis else [])
        slices.append(expressions.call("reversed", [along]) if turned else along)
    for inner, name in zip(body.inputs[:states], names, strict=True):
        context.name(inner, name)
    items = [context.fresh(inner.name or "item") for inner in body.inputs[states:]]
    for inner, item in zip(body.inputs[states:], items, strict=True):
        context.name(inner, item)
    with context.suite(body) as steps:
        for name, value in zip(lists, body.outputs[states:], strict=True):
            steps.append(_appended(name, _result(context, value)))
        _ends(context, steps, names, body.outputs[:states])
    _through(context, names, items, slices, steps)
    for output, name in zip(node.outputs[:states], names, strict=True):
        context.name(output, name)
    output_axes = facts.get("scan_output_axes") or [0] * len(lists)
    turns = facts.get("scan_output_directions") or [0] * len(lists)
    for output, name, axis, turned in zip(gathered, lists, output_axes, turns, strict=True):
        _stack(context, output, name, axis, certain=True, turned=bool(turned))


def _through(
    context: Context, names: Sequence[str], items: Sequence[str], slices: Sequence[ast.expr], steps: list[Statement]
) -> None:
    """`for a, b in zip(first, second):`."""
    whole = slices[0] if len(slices) == 1 else expressions.call("zip", slices)
    context.add(Compound(tuple(names), whole, kind="for", variable=", ".join(items), bodies=(steps,)))


@lowers("SequenceMap")
def sequence_map(context: Context, node: ir.Node, facts: Facts) -> None:
    """`for item in sequence:` over all sequences side by side; tensors among the inputs stay as they are."""
    body = _graph(facts, "body")
    lists = [_begin(context, output.name or "results", ast.List([], ast.Load())) for output in node.outputs]
    items: list[str] = []
    slices: list[ast.expr] = []
    for inner, outer in zip(body.inputs, node.inputs, strict=True):
        assert outer is not None
        if isinstance(outer.type, ir.SequenceType) or outer is node.inputs[0]:
            items.append(context.fresh(inner.name or "item"))
            slices.append(context.ref(outer))
            context.name(inner, items[-1])
        else:
            context.name(inner, _begin(context, inner.name or "tensor", context.as_tensor(outer)))
    with context.suite(body) as steps:
        for name, value in zip(lists, body.outputs, strict=True):
            steps.append(_appended(name, _result(context, value)))
    _through(context, lists, items, slices, steps)
    for output, name in zip(node.outputs, lists, strict=True):
        context.name(output, name)
