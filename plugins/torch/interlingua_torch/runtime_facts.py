"""What there is to know of a module or an exported program: its call, parameters, buffers, ties, results, dropouts."""

import itertools
import re

import torch
from torch.export.graph_signature import ConstantArgument, InputKind, OutputKind
from torch.utils import _pytree

from .runtime_sources import parameters_of, place_of, positional_of, variadic_of
from .runtime_values import Problem, flat, leaves, spec_tree, tree

RECURRENT = ("aten.lstm.input", "aten.gru.input", "aten.rnn_tanh.input", "aten.rnn_relu.input")
MUTATIONS = {OutputKind.BUFFER_MUTATION: "the buffer", OutputKind.USER_INPUT_MUTATION: "the input"}


def split_inputs(module, given):
    """Positional and keyword arguments from a tensor, a tuple, a dict of keywords, or a pair of both."""
    names, more = parameters_of(module)
    if isinstance(given, dict):
        return (), dict(given)
    if not isinstance(given, (tuple, list)):
        return (given,), {}
    pair = len(given) == 2 and isinstance(given[0], (tuple, list)) and isinstance(given[1], dict)
    rest = variadic_of(module)
    by_name = pair and (set(given[1]) <= set(names) or (more and all(isinstance(key, str) for key in given[1])))
    if by_name and (len(given[0]) <= len(names) or rest):
        return tuple(given[0]), dict(given[1])
    return tuple(given), {}


def positional(module, args, kwargs):
    """The same call with as many of its keyword arguments by position as forward takes so, without a gap."""
    args, kwargs = list(args), dict(kwargs)
    names = positional_of(module)
    while len(args) < len(names) and names[len(args)] in kwargs:
        args.append(kwargs.pop(names[len(args)]))
    return tuple(args), kwargs


def named_call(module, args, kwargs):
    """The trees of a call with a name for each tensor, and its arguments, each tensor a copy of its own."""
    names, _ = parameters_of(module)
    fixed, rest = positional_of(module), variadic_of(module)
    fixed = fixed if rest else names
    positional = [fixed[i] if i < len(fixed) else "%s_%d" % (rest or "args", i - len(fixed)) for i in range(len(args))]
    order = sorted(kwargs, key=lambda name: names.index(name) if name in names else len(names))
    kwargs = {name: kwargs[name] for name in order}
    clash = set(positional) & set(kwargs)
    if clash:
        raise Problem("Expected each argument once. Received %s twice." % ", ".join(sorted(clash)), "UsageError")

    def leaf(value, path):
        if isinstance(value, torch.Tensor):
            row = {"leaf": path.replace(".", "_")}
            return {**row, "complex": True} if value.is_complex() else row
        return {"constant": value}

    def own(value):
        return value.detach().clone() if isinstance(value, torch.Tensor) else value

    call = {
        "args": [tree(value, leaf, name) for name, value in zip(positional, args, strict=False)],
        "kwargs": {name: tree(value, leaf, name) for name, value in kwargs.items()},
        "names": positional,
        "variadic": rest if len(args) > len(fixed) else "",
    }
    return call, _pytree.tree_map(own, args), _pytree.tree_map(own, kwargs)


def input_rows(call):
    """The rows of the tensors that a call takes, in order."""
    return [row for item in (*call["args"], *call["kwargs"].values()) for row in leaves(item)]


def leaf_values(call, args, kwargs):
    """The tensors of a call by name."""
    tensors = [value for value in flat((args, kwargs)) if isinstance(value, torch.Tensor)]
    return dict(zip((row["leaf"] for row in input_rows(call)), tensors, strict=True))


def dynamic_axes(call, dynamic):
    """Labels of dynamic axes by leaf name; an argument's own name stands for all tensors in it.

    Raises:
        Problem: a name is no input.
    """
    found = {}
    tops = dict(zip((*call["names"], *call["kwargs"]), (*call["args"], *call["kwargs"].values()), strict=True))
    known = [row["leaf"] for row in input_rows(call)]
    for name, axes in dynamic.items():
        said = name.replace(".", "_")
        rows = [said] if said in known else [row["leaf"] for row in leaves(tops[name])] if name in tops else []
        if not name and len(known) == 1:
            rows = known
        if not rows:
            raise Problem(
                "Expected an input (%s) with dynamic axes. Received %r." % (", ".join(known), name), "UsageError"
            )
        for row in rows:
            found.setdefault(row, {}).update({int(axis): label for axis, label in axes.items()})
    return found


def enlarged(call, args, kwargs, dynamic):
    """The arguments with dynamic axes of length 1 made 2: tracing would take 1 for a constant.

    Axes that are counted from the end are counted from the first in `dynamic` afterwards.

    Raises:
        Problem: an axis is not there.
    """
    values, notes = leaf_values(call, args, kwargs), []
    for name, axes in dynamic.items():
        tensor = values[name]
        for axis in axes:
            if not -tensor.ndim <= axis < tensor.ndim:
                said = "Expected an axis of %s, which has %d. Received %d." % (name, tensor.ndim, axis)
                raise Problem(said, "UsageError")
        dynamic[name] = {axis % tensor.ndim: label for axis, label in axes.items()}
        for axis, label in dynamic[name].items():
            if values[name].shape[axis] == 1:
                values[name] = torch.cat([values[name]] * 2, axis)
                notes.append(
                    ["Assumed", name, "exported with the length 2 on the axis %s: 1 would be a constant" % label]
                )
    held, shape = _pytree.tree_flatten((args, kwargs))  # in the caller's classes, which the trees do not tell
    given = iter(values.values())
    made = [next(given) if isinstance(each, torch.Tensor) else each for each in held]
    return (*_pytree.tree_unflatten(made, shape), notes)


def example_result(model):
    """What the module returns for the example."""
    with buffers_kept(model.module), torch.random.fork_rng(devices=[]), torch.no_grad():
        return model.module(*model.args, **model.kwargs)


def example_outputs(model):
    """Names and nesting of what the module returns for the example."""
    told = {}
    result = example_result(model)
    rows = [_result_row(value) for value in flat(result)]
    given = iter(rows)
    told["returns"] = tree(result, lambda value, path: {**next(given), "path": path})
    return told


def _result_row(value):
    if isinstance(value, torch.Tensor):
        return {"leaf": "", "complex": True} if value.is_complex() else {"leaf": ""}
    return {"constant": value}


class buffers_kept:
    """Running a module leaves its buffers as they were."""

    def __init__(self, module):
        self.module = module

    def __enter__(self):
        self.kept = [(buffer, buffer.detach().clone()) for buffer in self.module.buffers()]

    def __exit__(self, *error):
        with torch.no_grad():
            for buffer, value in self.kept:
                buffer.copy_(value)


def of_module(module):
    """Parameters, buffers and ties by the names of the state dict."""
    parameters = dict(module.named_parameters(remove_duplicate=False))
    buffers = dict(module.named_buffers(remove_duplicate=False))
    volatile = {
        "%s.%s" % (path, name) if path else name
        for path, each in module.named_modules(remove_duplicate=False)
        for name in getattr(each, "_non_persistent_buffers_set", ())
    }
    return _state({**parameters, **buffers}, parameters, volatile)


def _state(values, parameters, volatile):
    roles, first, ties = {}, {}, {}
    for name, value in values.items():
        if name in parameters:
            roles[name] = "parameter" if value.requires_grad else "frozen"
        else:
            roles[name] = "non-persistent" if name in volatile else "buffer"
        original = first.setdefault(place_of(value), name)
        if original != name:
            ties[name] = original
    shapes = {
        name: {"shape": list(value.shape), "dtype": str(value.dtype).partition(".")[2]}
        for name, value in values.items()
    }
    return {"roles": roles, "ties": ties, "state": shapes}


def of_program(program):
    """The same of an exported program, with what it changes in place, and its dropouts."""
    signature = program.graph_signature
    values = {**program.state_dict, **{n: program.constants[n] for n in signature.buffers if n in program.constants}}
    volatile = set(signature.non_persistent_buffers)
    notes = [
        [
            "Dropped",
            str(spec.target),
            "a call changes %s in place; the graph leaves it as it was" % MUTATIONS[spec.kind],
        ]
        for spec in signature.output_specs
        if spec.kind in MUTATIONS
    ]
    tensors = {name: value for name, value in values.items() if isinstance(value, torch.Tensor)}
    return {
        **_state(tensors, set(signature.parameters), volatile),
        "notes": notes,
        "dropouts": _dropouts(program),
        "recurrent": _recurrent(program),
    }


def _dropouts(program):
    """The program's dropouts in order: the path of the module that each stands in, and its ratio."""
    found = []
    for node in program.graph.nodes:
        if node.op == "call_function" and str(node.target).startswith("aten.dropout"):
            stack = list(node.meta.get("nn_module_stack", {}).values())
            ratio = node.args[1] if len(node.args) > 1 else node.kwargs["p"]
            found.append({"module": stack[-1][0] if stack else "", "ratio": ratio})
    return found


def _recurrent(program):
    """The program's recurrent layers in order: the path of each one's module, how many there are on each other, and
    the ratio of the dropout between them."""
    found = []
    for node in program.graph.nodes:
        if node.op == "call_function" and str(node.target) in RECURRENT:
            stack = list(node.meta.get("nn_module_stack", {}).values())
            layers, ratio = node.args[4:6]
            found.append({"module": stack[-1][0] if stack else "", "layers": layers, "ratio": ratio})
    return found


def _argument_row(argument, values):
    """The row of an argument or result of a program."""
    if isinstance(argument, ConstantArgument):
        return {"none": True} if argument.value is None else {"constant": argument.value}
    value = values.get(argument.name)
    row = {"leaf": argument.name}
    return {**row, "complex": True} if isinstance(value, torch.Tensor) and value.is_complex() else row


def program_call(program):
    """The trees of the program's call and result."""
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    signature = program.graph_signature
    given = [spec.arg for spec in signature.input_specs if spec.kind == InputKind.USER_INPUT]
    results = [spec.arg for spec in signature.output_specs if spec.kind == OutputKind.USER_OUTPUT]
    spec = program.call_spec
    told = spec_tree(spec.in_spec, iter([_argument_row(each, values) for each in given]))
    args, kwargs = told["tuple"]
    names = program.module_call_graph[0].signature.forward_arg_names if program.module_call_graph[0].signature else None
    positional = args.get("tuple", [])
    call = {"args": positional, "kwargs": kwargs.get("dict", {}), "names": list(names or [])[: len(positional)]}
    call["names"] += ["args_%d" % i for i in range(len(call["names"]), len(positional))]
    call["variadic"] = "" if call["kwargs"] else _variadic(call["names"])
    return {
        "call": call,
        "returns": _paths(spec_tree(spec.out_spec, iter([_result(each, values) for each in results]))),
    }


def _variadic(names):
    """The argument that takes all further ones, of which torch.export keeps but names: `cache_0`, `cache_1`, …

    Two may well be arguments of their own.
    """
    told = re.fullmatch(r"(.+)_\d+", names[-1]) if names else None
    stem = told[1] if told else ""
    rest = [name for name in names if stem and name.startswith(stem + "_")]
    return stem if len(rest) > 2 and names[-len(rest) :] == ["%s_%d" % (stem, i) for i in range(len(rest))] else ""


def _result(argument, values):
    row = _argument_row(argument, values)
    return {**row, "leaf": ""} if "leaf" in row else row


def _paths(told, path=""):
    """The tree, each leaf told its path."""
    if "leaf" in told:
        return {**told, "path": path}
    for kind, below in told.items():
        items = below.items() if kind == "dict" else enumerate(below) if kind in ("tuple", "list") else ()
        found = {key: _paths(item, "%s.%s" % (path, key) if path else str(key)) for key, item in items}
        if found:
            return {kind: found if kind == "dict" else list(found.values())}
    return told


def forget_constant_outputs(program):
    """Replaces numbers among the results, which the exporter cannot write, by None."""
    results = list(program.graph.output_node().args[0])
    for i, spec in enumerate(program.graph_signature.output_specs):
        if isinstance(spec.arg, ConstantArgument) and spec.arg.value is not None:
            results[i] = None
            spec.arg = ConstantArgument(spec.arg.name, None)
    program.graph.output_node().args = (tuple(results),)


def apart(graph):
    """Gives a value that has an initializer's name another: the exporter takes names of buffers for results too."""
    taken = set(graph.initializers) | {value.name for node in graph for value in node.outputs}
    for node in graph:
        for value in node.outputs:
            if value.name in graph.initializers:
                number = next(i for i in itertools.count(1) if "%s_%d" % (value.name, i) not in taken)
                value.name = "%s_%d" % (value.name, number)
                taken.add(value.name)
