"""Folds a training graph to its inference half: flags, Switch and Merge, If, dropout.

Runs in the worker. What was decided is told as notes: (kind, place, text).
"""

import re

import numpy as np
from runtime_graph import data_inputs, join, split
from tensorflow.core.framework import types_pb2
from tensorflow.python.framework import tensor_util

DROPOUT = "interlingua dropout "
_DROPOUT_SCOPE = re.compile(r"(^|_)dropout_?\d*$", re.IGNORECASE)


def order(nodes):
    """The names with producers first; edges that close a loop are left aside."""
    done, ordered = set(), []
    for root in nodes:
        stack = [(root, False)]
        while stack:
            name, ready = stack.pop()
            if ready:
                ordered.append(name)
                continue
            if name in done or name not in nodes:
                continue
            done.add(name)
            stack.append((name, True))
            if nodes[name].op != "NextIteration":
                stack.extend((source, False) for source, _ in reversed(data_inputs(nodes[name])))
    return ordered


class Flags:
    """The values of flags and scalars, as far as defaults and constants tell them."""

    def __init__(self, nodes, chosen, notes):
        self.nodes, self.chosen, self.notes, self.feeds = nodes, set(chosen), notes, {}

    def value(self, name, depth=0):
        """The scalar a node has at inference, or None where it depends on data."""
        node = self.nodes.get(name)
        if node is None or depth > 32 or name in self.chosen:
            return None
        if node.op == "Const":
            tensor = node.attr["value"].tensor
            return None if tensor.tensor_shape.dim else np.asarray(tensor_util.MakeNdarray(tensor)).item()
        if node.op == "PlaceholderWithDefault":
            default = self.value(data_inputs(node)[0][0], depth + 1)
            if default is not None:
                self.notes.append(("Assumed", name, "has its default, %s" % default))
            return default
        if node.op in ("Placeholder", "PlaceholderV2"):
            return self._assumed(node)
        if node.op in ("Identity", "Cast", "Switch", "StopGradient", "Enter"):
            return self.value(data_inputs(node)[0][0], depth + 1)
        if node.op == "LogicalNot":
            inner = self.value(data_inputs(node)[0][0], depth + 1)
            return None if inner is None else not inner
        if node.op in ("LogicalAnd", "LogicalOr", "Sub", "AddV2", "Add"):
            sides = [self.value(source, depth + 1) for source, _ in data_inputs(node)]
            if None in sides:
                return None
            left, right = sides
            return {"LogicalAnd": left and right, "LogicalOr": left or right, "Sub": left - right}.get(
                node.op, left + right
            )
        return None

    def _assumed(self, node):
        dtype, name = node.attr["dtype"].type, node.name.rsplit("/", 1)[-1].lower()
        scalar = "shape" in node.attr and not node.attr["shape"].shape.unknown_rank and not node.attr["shape"].shape.dim
        value = None
        if dtype == types_pb2.DT_BOOL:
            value = False
        elif dtype == types_pb2.DT_FLOAT and (scalar or "keep_prob" in name or "dropout" in name):
            value = 1.0 if "keep" in name else 0.0 if "rate" in name or "drop" in name else None
        if value is not None:
            self.feeds[node.name] = value
            self.notes.append(("Assumed", node.name, "is %s, as at inference" % value))
        return value


def fold_branches(nodes, library, flags):
    """Replaces Switch, Merge and If whose flag is known by the branch that inference takes; the names stay."""
    dead = set()
    for name in order(nodes):
        node = nodes[name]
        sources = data_inputs(node)
        if node.op in ("If", "StatelessIf"):
            _choose(node, library, flags)
        elif node.op in ("Switch", "RefSwitch"):
            flag = flags.value(sources[1][0])
            if sources[0] in dead:
                dead.update(((name, 0), (name, 1)))
            elif flag is not None:
                dead.add((name, 0 if flag else 1))
        elif node.op in ("Merge", "RefMerge"):
            alive = [source for source in sources if source not in dead]
            if not alive:
                dead.add((name, 0))
            elif len(alive) == 1 and len(sources) > 1:
                lost = next(source for source in sources if source in dead)
                rate = dropout_rate(nodes, lost[0], flags)
                flags.notes.append(("Dropped", name, "the training branch of a condition"))
                _become_identity(node, join(*alive[0]))
                if rate is not None and passes_through(nodes, alive[0][0]):
                    mark_dropout(node, rate)
        elif any(source in dead for source in sources):
            dead.update((name, port) for port in range(16))
    switches = {
        name for name in nodes if nodes[name].op in ("Switch", "RefSwitch") and ((name, 0) in dead or (name, 1) in dead)
    }
    for node in nodes.values():
        for index, tensor in enumerate(node.input):
            source, port = split(tensor)
            if source in switches and port == 1:
                node.input[index] = source
    for name in switches:
        _become_identity(nodes[name], nodes[name].input[0])


def _become_identity(node, source):
    dtype = node.attr["T"].type
    node.op = "Identity"
    del node.input[:]
    node.input.append(source)
    node.attr.clear()
    node.attr["T"].type = dtype


def _choose(node, library, flags):
    """Turns an If whose flag is known into a call of the branch taken."""
    flag = flags.value(split(node.input[0])[0])
    if flag is None:
        return
    branch, other = ("then_branch", "else_branch") if flag else ("else_branch", "then_branch")
    functions = {function.signature.name: function for function in library.function}
    taken, left = node.attr[branch].func.name, functions.get(node.attr[other].func.name)
    flags.notes.append(("Dropped", node.name, "the training branch of a condition"))
    rate = None
    if left is not None and taken in functions and _only_identities(functions[taken]):
        rate = _rate_in_function(left)
    inputs, types, results = list(node.input)[1:], list(node.attr["Tin"].list.type), list(node.attr["Tout"].list.type)
    del node.input[:]
    node.attr.clear()
    if rate is not None and len(results) == 1 and len(inputs) == 1:
        node.input.append(inputs[0])
        node.attr["T"].type = results[0]
        mark_dropout(node, rate)
        return
    node.op = "PartitionedCall"
    node.input.extend(inputs)
    node.attr["f"].func.name = taken
    node.attr["Tin"].list.type.extend(types)
    node.attr["Tout"].list.type.extend(results)


def _only_identities(function):
    return all(node.op in ("Identity", "Const", "NoOp") for node in function.node_def)


def _rate_in_function(function):
    by_name = {node.name: node for node in function.node_def}
    if not any(node.op == "RandomUniform" for node in function.node_def):
        return None
    for node in function.node_def:
        if node.op == "GreaterEqual":
            source = by_name.get(node.input[1].split(":")[0])
            if source is not None and source.op == "Const":
                return float(np.asarray(tensor_util.MakeNdarray(source.attr["value"].tensor)).item())
    return 0.5


def passes_through(nodes, name):
    """Whether a node only hands on what it gets, up to a Switch."""
    while name in nodes and nodes[name].op in ("Identity", "Switch"):
        if nodes[name].op == "Switch":
            return True
        name = data_inputs(nodes[name])[0][0]
    return False


def dropout_rate(nodes, root, flags):
    """The share that a dropout ending at `root` drops; None where no random mask is found there."""
    seen, waiting, random, rate = set(), [root], False, None
    while waiting:
        name = waiting.pop()
        node = nodes.get(name)
        if node is None or name in seen or node.op in ("Switch", "Conv2D", "MatMul"):
            continue
        seen.add(name)
        random = random or node.op in ("RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2")
        sources = data_inputs(node)
        if node.op == "GreaterEqual" and len(sources) == 2:
            rate = flags.value(sources[1][0]) if rate is None else rate
        if node.op == "Floor":
            inner = nodes.get(sources[0][0])
            if inner is not None and inner.op in ("Add", "AddV2"):
                kept = [flags.value(source) for source, _ in data_inputs(inner)]
                rate = next((1.0 - value for value in kept if value is not None), rate)
        waiting.extend(source for source, _ in sources)
    if not random:
        return None
    return 0.5 if rate is None else float(rate)


def mark_dropout(node, rate):
    """Turns a one-input node into the carrier that the exporter writes as Dropout."""
    dtype = node.attr["T"].type
    node.op = "CheckNumerics"
    node.attr.clear()
    node.attr["T"].type = dtype
    node.attr["message"].s = (DROPOUT + repr(rate)).encode()


def fold_dropout(nodes, flags):
    """Replaces an unconditional dropout (random mask times scaled input) and slim's named Identity by a carrier."""
    ordered = order(nodes)
    for name in ordered:
        if nodes[name].op in ("Mul", "Select", "SelectV2"):
            _fold_masked(nodes, nodes[name], flags)
    carried = _carried(nodes)
    for name in ordered:
        node = nodes[name]
        if node.op == "Identity" and name not in carried and _named_dropout(nodes, node):
            flags.notes.append(
                ("Assumed", name, "is a dropout by its name; its rate is not in the graph, 0.5 is written")
            )
            mark_dropout(node, 0.5)


def _carried(nodes):
    """The nodes that only hand something to a carrier: the dropout is written there already."""
    found = set()
    for node in nodes.values():
        name = split(node.input[0])[0] if node.op == "CheckNumerics" else ""
        while name in nodes and nodes[name].op == "Identity":
            found.add(name)
            name = split(nodes[name].input[0])[0]
    return found


def _named_dropout(nodes, node):
    """Whether an Identity is, by a part of its name, what a dropout left behind; the last of a chain is taken."""
    if node.attr["T"].type != types_pb2.DT_FLOAT or node.name.rsplit("/", 1)[-1].startswith(("Switch", "keep_prob")):
        return False
    source = nodes.get(split(node.input[0])[0])
    while source is not None and source.op == "Identity":
        source = nodes.get(split(source.input[0])[0])
    if source is None or source.op in ("CheckNumerics", "VariableV2", "VarHandleOp", "Const"):
        return False
    return any(_DROPOUT_SCOPE.search(part) for part in node.name.split("/"))


def _fold_masked(nodes, node, flags):
    sources = data_inputs(node)
    masks = [index for index, (source, _) in enumerate(sources) if _is_mask(nodes, source)]
    if not masks:
        return
    scaled = sources[1] if node.op != "Mul" else sources[1 - masks[0]]
    inner = nodes.get(scaled[0])
    if inner is None or inner.op not in ("Mul", "RealDiv"):
        return
    rate = dropout_rate(nodes, sources[masks[0]][0], flags)
    data = data_inputs(inner)
    kept = data[0] if inner.op == "RealDiv" or not _is_scale(nodes, data[0][0]) else data[1]
    flags.notes.append(("Changed", node.name, "dropout hands its input on, as at inference"))
    del node.input[:]
    node.input.append(join(*kept))
    mark_dropout(node, rate or 0.0)


def _is_mask(nodes, name):
    """A comparison or Floor of a random tensor, through casts."""
    node = nodes.get(name)
    while node is not None and node.op in ("Cast", "Identity"):
        node = nodes.get(data_inputs(node)[0][0])
    if node is None or node.op not in ("GreaterEqual", "Floor"):
        return False
    waiting = [source for source, _ in data_inputs(node)]
    for _ in range(16):
        if not waiting:
            return False
        inner = nodes.get(waiting.pop())
        if inner is not None and inner.op.endswith(("RandomUniform", "RandomUniformV2")):
            return True
        if inner is not None and inner.op in ("Add", "AddV2", "Mul", "Sub", "Identity"):
            waiting.extend(source for source, _ in data_inputs(inner))
    return False


def _is_scale(nodes, name):
    """A scalar: a constant or what is computed from constants and flags alone."""
    node = nodes.get(name)
    if node is None:
        return False
    if node.op == "Const":
        return not node.attr["value"].tensor.tensor_shape.dim
    if node.op in ("RealDiv", "Sub", "Reciprocal", "Cast"):
        return all(
            _is_scale(nodes, source) or nodes[source].op.startswith("Placeholder") for source, _ in data_inputs(node)
        )
    return False
