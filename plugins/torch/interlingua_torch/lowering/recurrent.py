"""Recurrent layers: `nn.LSTM` and its kin with the source's weights as torch has them, else a loop over time."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.codegen.parts import is_read, unpack
from interlingua.codegen.program import UNREAD, Statement
from interlingua.codegen.weights import Weight
from interlingua.errors import Unsupported
from interlingua.ir import metadata
from interlingua.ir.facts import facts_of, inputs_of, is_constant, known, shape_of
from interlingua.ir.parameters import is_absent, remembered, same_as
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.common import by_helper, said, tensors
from interlingua_torch.stacks import DOMAIN

_NAMED = "interlingua.torch.named"
"""Where the graph keeps what `_as_named` made: one value a parameter."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """A recurrent layer: torch's name, the order of ONNX's gates in torch's weights, activations of one direction."""

    api: str
    helper: str
    gates: tuple[int, ...]
    activations: tuple[str, ...]


KINDS = {
    "LSTM": Kind("torch.nn.LSTM", "lstm", (0, 2, 3, 1), ("Sigmoid", "Tanh", "Tanh")),
    "GRU": Kind("torch.nn.GRU", "gru", (1, 0, 2), ("Sigmoid", "Tanh")),
    "RNN": Kind("torch.nn.RNN", "rnn", (0,), ("Tanh",)),
}
_ACTIVATIONS: dict[str, tuple[str, dict[str, float]]] = {
    "sigmoid": ("torch.sigmoid", {}),
    "tanh": ("torch.tanh", {}),
    "relu": ("torch.relu", {}),
    "softsign": ("torch.nn.functional.softsign", {}),
    "softplus": ("torch.nn.functional.softplus", {}),
    "leakyrelu": ("torch.nn.functional.leaky_relu(x, {alpha})", {"alpha": 0.01}),
    "elu": ("torch.nn.functional.elu(x, {alpha})", {"alpha": 1.0}),
    "thresholdedrelu": ("torch.nn.functional.threshold(x, {alpha}, 0.0)", {"alpha": 1.0}),
    "affine": ("{alpha} * x + {beta}", {"alpha": 1.0, "beta": 0.0}),
    "scaledtanh": ("{alpha} * torch.tanh({beta} * x)", {"alpha": 1.0, "beta": 1.0}),
    "hardsigmoid": ("torch.clamp({alpha} * x + {beta}, 0.0, 1.0)", {"alpha": 0.2, "beta": 0.5}),
}


@lowers("LSTM", "GRU", "RNN")
def recurrent(context: Context, node: ir.Node, facts: Facts) -> None:
    """A helper with a loop over time, for what torch's own layers do not do."""
    kind = KINDS[node.op_type]
    x, weight, recurrence, lengths, hidden = tensors(context, node, "X", "W", "R", "sequence_lens", "initial_h")
    bias = _bias(context, node, len(kind.gates))
    memory, peephole = tensors(context, node, "initial_c", "P") if node.op_type == "LSTM" else (None, None)
    keywords = said(
        bias=(bias, None),
        lengths=(lengths, None),
        hidden=(hidden, None),
        memory=(memory, None),
        peephole=(peephole, None),
        direction=(facts["direction"], "forward"),
        batch_first=(bool(facts["layout"]), False),
        limit=(facts["clip"] or None, None),
        input_forget=(bool(facts.get("input_forget")), False),
        linear_before_reset=(bool(facts.get("linear_before_reset")), False),
        activations=(_activations(context, facts, kind), None),
    )
    call = by_helper(context, node, kind.helper, [x, weight, recurrence], keywords)
    hints = ("x", "h", "c") if node.op_type == "LSTM" else ("x", "h")
    unpack(context, node, call, *hints)


def _bias(context: Context, node: ir.Node, gates: int) -> ast.expr | None:
    """The biases of both directions; what the source does not have among them is no parameter."""
    given = inputs_of(node)
    if "B" not in given:
        return None
    value, graph = given["B"][0], context.model.graph
    shape = known(shape_of(value)) if is_constant(value) else None
    if shape is None:
        return context.as_tensor(value)
    directions, length = shape
    size = length // (2 * gates)

    def part(direction: int, start: int, stop: int) -> Weight:
        cut = Weight(value).then(("slice", (0, direction, direction + 1)), ("slice", (1, start, stop)))
        return cut.then(("reshape", (stop - start,)))

    absent = [
        [is_absent(part(d, place, place + size).origin, graph) for place in range(0, length, size)]
        for d in range(directions)
    ]
    if not any(map(any, absent)):
        return context.as_tensor(value)
    rows = [_row(context, part, direction, size, flags) for direction, flags in enumerate(absent)]
    if len(rows) == 1:
        return ast.Subscript(rows[0], ast.Constant(None), ast.Load())
    return expressions.call(context.api("torch.stack"), [ast.List(rows, ast.Load())])


def _row(
    context: Context, part: Callable[[int, int, int], Weight], direction: int, size: int, absent: Sequence[bool]
) -> ast.expr:
    """`F.pad(self.bias, (0, 12))`, or the source's biases and constants put together; `absent` tells of each gate."""
    runs: list[tuple[bool, int, int]] = []
    for place, flag in enumerate(absent):
        start = runs.pop()[1] if runs and runs[-1][0] == flag else place * size
        runs.append((flag, start, (place + 1) * size))
    parts = [_as_named(context, part(direction, start, stop)) for _, start, stop in runs]
    none = [flag and not each.array().any() for each, (flag, _, _) in zip(parts, runs, strict=True)]
    if len(runs) == 2 and any(none):
        own, gap = (parts[1], parts[0].size) if none[0] else (parts[0], parts[1].size)
        ends = expressions.literal((gap, 0) if none[0] else (0, gap))
        return expressions.call(context.api("torch.nn.functional.pad"), [context.tensor(own), ends])
    own = next(each for each, (flag, _, _) in zip(parts, runs, strict=True) if not flag)
    said: list[ast.expr] = []
    for each, zero, (flag, _, _) in zip(parts, none, runs, strict=True):
        fixed = expressions.method(context.tensor(own), "new_zeros", [each.size]) if zero else None
        said.append(fixed or context.tensor(each, trainable=not flag))
    return expressions.call(context.api("torch.cat"), [ast.List(said, ast.Load())])


def _directions(facts: Facts) -> int:
    return 2 if facts["direction"] == "bidirectional" else 1


def fits(node: ir.Node) -> bool:
    """Whether torch's own layer computes what an LSTM, GRU or RNN does."""
    kind, given = KINDS[node.op_type], inputs_of(node)
    try:
        facts = facts_of(node, computed=True)
    except Unsupported:
        return False
    if "sequence_lens" in given or "P" in given or facts["clip"] or facts.get("input_forget"):
        return False
    weights = [given[name][0] for name in ("W", "R", "B") if name in given]
    if not all(is_constant(value) and known(shape_of(value)) for value in weights):
        return False
    if node.op_type == "GRU" and not facts["linear_before_reset"]:
        return False
    stated = facts["activations"]
    names = [name.lower() for name in stated] if stated is not None else []
    usual = [name.lower() for name in kind.activations] * _directions(facts)
    if node.op_type == "RNN" and names[: _directions(facts)] == ["relu"] * _directions(facts):
        return True
    return stated is None or names[: len(usual)] == usual


@lowers(*(f"{DOMAIN}::{name}" for name in KINDS))
def layers(context: Context, node: ir.Node, facts: Facts) -> ast.expr | None:
    """`self.rnn(x)` for layers on each other; what runs backwards alone is turned before and after.

    A cell of the source stays one, which a helper runs over time.
    """
    kind = KINDS[node.op_type]
    x, *given = node.inputs  # without what is absent at their end
    count = 2 if node.op_type == "LSTM" else 1
    given += [None] * (count + 3 * facts["num_layers"] - len(given))
    states, weights = given[:count], [given[i : i + 3] for i in range(count, len(given), 3)]
    assert x is not None
    size, directions = facts["hidden_size"], 2 if facts["direction"] == "bidirectional" else 1
    width = (shape_of(weights[0][0]) or ())[-1]
    keywords = said(
        num_layers=(facts["num_layers"], 1),
        nonlinearity=(facts.get("nonlinearity", "tanh"), "tanh"),
        bias=(weights[0][2] is not None, True),
        batch_first=(bool(facts["batch_first"]), False),
        dropout=(facts["dropout"], 0.0),
        bidirectional=(directions == 2, False),
    )
    named = [_weights(context, kind, size, level, *each) for level, each in enumerate(weights)]
    whole = {name: weight for each in named for name, weight in each.items()}
    source = context.as_tensor(x)
    told = _states(context, states)
    if facts["cell"]:
        called = {name: value for name, value in keywords.items() if name in ("nonlinearity", "bias")}
        cell = {name.removesuffix("_l0"): weight for name, weight in whole.items()}
        layer = context.layer(node, f"{kind.api}Cell", [width, size], called, cell)
        order = said(batch_first=(bool(facts["batch_first"]), False), reverse=(facts["direction"] == "reverse", False))
        return _taken_apart(context, node, by_helper(context, node, "over_time", [layer, source, *told], order))
    layer = context.layer(node, kind.api, [width, size], keywords, whole)
    axis = 1 if facts["batch_first"] else 0
    if facts["direction"] == "reverse":
        call = expressions.call(layer, [expressions.method(source, "flip", [axis]), *told])
        return _taken_apart(context, node, call, axis)
    return _taken_apart(context, node, expressions.call(layer, [source, *told]))


def _states(context: Context, states: Sequence[ir.Value | None]) -> list[ast.expr]:
    """The initial states as one argument; none where they are zero."""
    told = [None if state is None else context.as_tensor(state) for state in states]
    other = next((state for state in told if state is not None), None)
    if other is None:
        return []
    whole = [expressions.call(context.api("torch.zeros_like"), [other]) if s is None else s for s in told]
    return [whole[0] if len(whole) == 1 else ast.Tuple(whole, ast.Load())]


def _taken_apart(context: Context, node: ir.Node, call: ast.expr, flipped: int | None = None) -> ast.expr | None:
    """`x, (h, c) = …`; the results, turned along an axis, where they are not a variable already."""
    y, *ends = node.outputs
    read = [is_read(output) for output in ends]
    hints = [hint if used else UNREAD for hint, used in zip(("h", "c"), read, strict=False)]
    names = [hint if hint == UNREAD else context.fresh(hint) for hint in hints]
    for output, name, used in zip(ends, names, read, strict=True):
        if used:
            context.name(output, name)
    tail = UNREAD if not any(read) else names[0] if len(names) == 1 else f"({', '.join(names)})"
    if is_read(y) and flipped is not None:
        turned = context.fresh("x")
        context.add(Statement((turned, tail), call))
        return expressions.method(expressions.name(turned), "flip", [flipped])
    context.add(Statement((context.heir(node, y) if is_read(y) else UNREAD, tail), call))
    return None


def _weights(
    context: Context,
    kind: Kind,
    size: int,
    level: int,
    weight: ir.Value | None,
    recurrence: ir.Value | None,
    bias: ir.Value | None,
) -> dict[str, Weight]:
    """ONNX's weights of a layer, both directions in one tensor, with torch's names and its order of gates."""
    assert weight is not None and recurrence is not None
    gates = len(kind.gates)
    directions, _, width = known(shape_of(weight)) or (1, 0, 0)
    found: dict[str, Weight] = {}

    def block(value: ir.Value, direction: int, columns: tuple[int, ...], half: int | None = None) -> Weight:
        part = Weight(value)
        if directions > 1:
            part = part.then(("slice", (0, direction, direction + 1)))
        if half is not None:
            part = part.then(("slice", (1, half * gates * size, (half + 1) * gates * size)))
        if gates > 1:
            part = part.then(("reshape", (gates, size, *columns)), ("take", (0, *kind.gates)))
        return _as_named(context, part.then(("reshape", (gates * size, *columns))))

    for direction in range(directions):
        end = f"l{level}_reverse" if direction else f"l{level}"
        found[f"weight_ih_{end}"] = block(weight, direction, (width,))
        found[f"weight_hh_{end}"] = block(recurrence, direction, (size,))
        if bias is not None:
            halves = block(bias, direction, (), 0), block(bias, direction, (), 1)
            found[f"bias_ih_{end}"], found[f"bias_hh_{end}"] = (_still(context, half) for half in halves)
    return found


def _still(context: Context, bias: Weight) -> Weight:
    """The bias; one that the source does not have is frozen, for training there moves the other alone."""
    if not is_absent(bias.origin, context.model.graph):
        return bias
    return Weight(_held(bias, f"{bias.value.name}.absent", "frozen"))


def _as_named(context: Context, weight: Weight) -> Weight:
    """The weight as the source's parameter where it is one, taken apart and put together again on its way here."""
    graph = context.model.graph
    name = same_as(weight.origin, weight.shape, graph)
    if name is None:
        return weight
    held: dict[str, ir.Value] = graph.meta.setdefault(_NAMED, {})
    if name not in held:
        held[name] = _held(weight, name, remembered(graph)[name].role)
        metadata.set_origin(held[name], name)
    return Weight(held[name])


def _held(weight: Weight, name: str, role: str) -> ir.Value:
    """The weight after its steps as an initializer, made when somebody asks for it."""
    dtype = weight.tensor.dtype
    lazy = ir.LazyTensor(lambda: ir.tensor(weight.array(), dtype=dtype), dtype, ir.Shape(weight.shape), name=name)
    value = ir.Value(name=name, shape=lazy.shape, type=ir.TensorType(dtype), const_value=lazy)
    return metadata.set_role(metadata.set_origin(value, weight.origin), role)


def _activations(context: Context, facts: Facts, kind: Kind) -> Any:
    """The activations as functions, None where they are the usual ones."""
    stated: Sequence[str] | None = facts["activations"]
    count = len(kind.activations) * _directions(facts)
    usual = [name.lower() for name in kind.activations] * _directions(facts)
    names = usual if stated is None else [name.lower() for name in stated][:count]
    alphas, betas = iter(facts["activation_alpha"] or ()), iter(facts["activation_beta"] or ())
    if names == usual:
        return None
    found: list[ast.expr] = []
    for name in names:
        if name not in _ACTIVATIONS:
            raise Unsupported(f"the activation {name}")
        text, numbers = _ACTIVATIONS[name]
        values = {key: next(alphas if key == "alpha" else betas, default) for key, default in numbers.items()}
        if not numbers:
            found.append(context.api(text))
            continue
        body = text.format(**values).replace(
            "torch.nn.functional.", f"{ast.unparse(context.api('torch.nn.functional'))}."
        )
        found.append(expressions.parse(f"lambda x: {body}"))
    context.api("torch.tanh")
    return ast.Tuple(found, ast.Load())
