"""Recurrent layers: `nn.LSTM` and its kin with the source's weights rearranged, else a loop over time."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Sequence
from typing import Any

import onnx_ir as ir

from interlingua.cards import Facts
from interlingua.codegen import expressions
from interlingua.codegen.lowering import Context
from interlingua.codegen.parts import is_read, parts, unpack
from interlingua.codegen.weights import Weight
from interlingua.errors import Unsupported
from interlingua.ir.edit import constant
from interlingua.ir.facts import inputs_of, is_constant, known, shape_of
from interlingua_torch.lowering import lowers
from interlingua_torch.lowering.common import by_helper, said, tensors

_LARGEST = 1 << 20


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
def recurrent(context: Context, node: ir.Node, facts: Facts) -> ast.expr | None:
    """The layer where torch's own computes the same from weights of the source; else a helper with a loop."""
    kind = KINDS[node.op_type]
    if not _fits(node, facts, kind):
        _by_loop(context, node, facts, kind)
        return None
    return _by_layer(context, node, facts, kind)


def _directions(facts: Facts) -> int:
    return 2 if facts["direction"] == "bidirectional" else 1


def _fits(node: ir.Node, facts: Facts, kind: Kind) -> bool:
    """Whether torch's own layer says it."""
    given = inputs_of(node)
    if "sequence_lens" in given or "P" in given or facts["clip"] or facts.get("input_forget"):
        return False
    weights = [given[name][0] for name in ("W", "R", "B") if name in given]
    if not all(is_constant(value) and known(shape_of(value)) for value in weights) or facts["direction"] == "reverse":
        return False
    if node.op_type == "GRU" and not facts["linear_before_reset"]:
        return False
    stated = facts["activations"]
    names = [name.lower() for name in stated] if stated is not None else []
    usual = [name.lower() for name in kind.activations] * _directions(facts)
    if node.op_type == "RNN" and names[: _directions(facts)] == ["relu"] * _directions(facts):
        return True
    return stated is None or names[: len(usual)] == usual


def _weights(node: ir.Node, kind: Kind, directions: int, size: int) -> dict[str, Weight]:
    """ONNX's weights, all directions in one tensor and its order of gates, as torch names and orders them."""
    given = inputs_of(node)
    found: dict[str, Weight] = {}
    gates = len(kind.gates)

    def block(value: ir.Value, direction: int, columns: tuple[int, ...], half: int | None = None) -> Weight:
        weight = Weight(value)
        if directions > 1:
            weight = weight.then(("slice", (0, direction, direction + 1)))
        if half is not None:
            weight = weight.then(("slice", (1, half * gates * size, (half + 1) * gates * size)))
        if gates > 1:
            weight = weight.then(("reshape", (gates, size, *columns)), ("take", (0, *kind.gates)))
        return weight.then(("reshape", (gates * size, *columns)))

    for direction in range(directions):
        end = "_reverse" if direction else ""
        width = (known(shape_of(given["W"][0])) or [])[2]
        found[f"weight_ih_l0{end}"] = block(given["W"][0], direction, (width,))
        found[f"weight_hh_l0{end}"] = block(given["R"][0], direction, (size,))
        if "B" in given:
            found[f"bias_ih_l0{end}"] = block(given["B"][0], direction, (), 0)
            found[f"bias_hh_l0{end}"] = block(given["B"][0], direction, (), 1)
    return found


def _state(context: Context, node: ir.Node, name: str, facts: Facts) -> ast.expr | None:
    """An initial state as torch has it; None where it is absent or zero everywhere."""
    value = next(iter(inputs_of(node).get(name, ())), None)
    if value is None:
        return None
    array = constant(value, _LARGEST) if is_constant(value) and not context.trained(value) else None
    if array is not None and not array.any():
        return None
    whole = context.as_tensor(value)
    return expressions.method(whole, "transpose", [0, 1]) if facts["layout"] else whole


def _by_layer(context: Context, node: ir.Node, facts: Facts, kind: Kind) -> ast.expr | None:
    given = inputs_of(node)
    directions = _directions(facts)
    _, _, size = known(shape_of(given["R"][0])) or (0, 0, 0)
    width = (known(shape_of(given["W"][0])) or [])[2]
    names = [name.lower() for name in facts["activations"] or ()]
    keywords = said(
        nonlinearity=("relu" if node.op_type == "RNN" and names[:1] == ["relu"] else "tanh", "tanh"),
        bias=("B" in given, True),
        batch_first=(bool(facts["layout"]), False),
        bidirectional=(directions == 2, False),
    )
    layer = context.layer(node, kind.api, [width, size], keywords, _weights(node, kind, directions, size))
    states = [
        _state(context, node, name, facts)
        for name in ("initial_h", "initial_c")
        if node.op_type == "LSTM" or name == "initial_h"
    ]
    arguments: list[ast.expr] = [context.as_tensor(given["X"][0])]
    if any(state is not None for state in states):
        other = next(state for state in states if state is not None)
        whole = [expressions.call(context.api("torch.zeros_like"), [other]) if s is None else s for s in states]
        arguments.append(whole[0] if len(whole) == 1 else ast.Tuple(whole, ast.Load()))
    call = expressions.call(layer, arguments)
    read = [is_read(output) for output in node.outputs] + [False] * 3
    straight = read[0] and _straighten(node, directions, size, bool(facts["layout"]))
    ends = [hint if used else "_" for hint, used in zip(("h", "c"), read[1:], strict=False)][: len(states)]
    tail: Any = (ends[0] if len(ends) == 1 else tuple(ends)) if any(read[1:]) else "_"
    y, *final = parts(context, call, "x" if read[0] else "_", tail)
    for output, value, used in zip(node.outputs[1:], final, read[1:], strict=False):
        if not used:
            continue
        assert isinstance(value, ast.Name)
        name = value.id
        if facts["layout"]:
            turned = context.statement(name, expressions.method(value, "transpose", [0, 1]))
            assert isinstance(turned, ast.Name)
            name = turned.id
        context.name(output, name)
    if not read[0]:
        return None
    if straight:
        assert isinstance(y, ast.Name)
        context.name(node.outputs[0], y.id)
        return None
    if facts["layout"]:
        return expressions.method(y, "unflatten", [-1, (directions, size)])
    if directions == 1:
        return expressions.method(y, "unsqueeze", [1])
    return expressions.method(expressions.method(y, "unflatten", [-1, (2, size)]), "transpose", [1, 2])


def _straighten(node: ir.Node, directions: int, size: int, batch_first: bool) -> bool:
    """Makes no-ops of all that read the results, where they drop or join the axis of directions as torch does."""
    y = node.outputs[0]
    if y.is_graph_output() or batch_first:
        return False
    ends: list[ir.Node] = []
    for user in y.consumers():
        if directions == 1 and user.op_type == "Squeeze" and _numbers(user, 1) == [1]:
            ends.append(user)
            continue
        order = user.attributes["perm"].as_ints() if "perm" in user.attributes else ()
        joins = [*user.outputs[0].consumers()] if user.op_type == "Transpose" else []
        if tuple(order) != (0, 2, 1, 3) or not joins or user.outputs[0].is_graph_output():
            return False
        if not all(_joins(each, directions * size) for each in joins):
            return False
        ends += [user, *joins]
    for each in ends:
        each.resize_inputs(1)
        each.attributes.clear()
        each.op_type = "Identity"
    return True


def _numbers(node: ir.Node, index: int) -> list[int] | None:
    array = constant(node.inputs[index]) if len(node.inputs) > index and node.inputs[index] is not None else None
    return None if array is None else [int(number) for number in array.reshape(-1)]


def _joins(node: ir.Node, size: int) -> bool:
    """Whether a Reshape joins the last two of four axes."""
    shape = shape_of(node.outputs[0])
    numbers = _numbers(node, 1) if node.op_type == "Reshape" else None
    if numbers is None or len(numbers) != 3 or numbers[2] not in (-1, size):
        return False
    return numbers[:2] == [0, 0] or (shape is not None and shape[2] == size)


def _by_loop(context: Context, node: ir.Node, facts: Facts, kind: Kind) -> None:
    x, weight, recurrence, bias, lengths, hidden = tensors(
        context, node, "X", "W", "R", "B", "sequence_lens", "initial_h"
    )
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
