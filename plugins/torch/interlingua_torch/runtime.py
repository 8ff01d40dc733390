"""Runs PyTorch in a worker: loaded by file, imports nothing of ours but the files beside it."""

import contextlib
import gc
import importlib.util
import json
import os
import platform
import sys

import safetensors
import torch

__package__ = __name__
__path__ = [os.path.dirname(os.path.abspath(__file__))]  # the files beside this one are its submodules

from .runtime_export import LAYERS, NAMES, Model, export_module, export_program
from .runtime_facts import program_call
from .runtime_native import SIGNATURE, save, script_call
from .runtime_sources import importable, module_of, shell_inputs
from .runtime_transformers import plain
from .runtime_values import (
    Problem,
    arguments,
    flat,
    one_line,
    results,
    tensors_of,
    to_array,
    to_tensor,
)

torch.set_num_threads(2)


def versions(arrays):
    """The versions that a proof is stamped with."""
    return {"python": platform.python_version(), "torch": torch.__version__.split("+")[0]}, {}


def _module(folder):
    """model.py of `folder`, always under the same name: exported programs spell it."""
    path = os.path.join(folder, "model.py")
    spec = importlib.util.spec_from_file_location("model", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _told(folder):
    """What weights.safetensors tells beside the weights."""
    with safetensors.safe_open(os.path.join(folder, "weights.safetensors"), "pt") as file:
        return file.metadata() or {}


def _written_call(folder):
    """The call of model.py: the trees that its forward takes, None where it takes tensors in order."""
    said = json.loads(_told(folder).get(SIGNATURE, "null"))
    return {"args": said["inputs"], "kwargs": {}} if said else None


def _in_order(arrays):
    return {"args": [{"leaf": name} for name in arrays], "kwargs": {}}


def _loaded(path, format, arrays, source):
    """The model, the trees of its call, and the tree of its results where some of them are left out."""
    if format == "python":
        return _module(path).load().eval(), _written_call(path) or _in_order(arrays), None
    if format == "torch-export":
        program = torch.export.load(path)
        told = program_call(program)
        return program.module(), told["call"], told["returns"]
    if format == "torchscript" and not source:
        script, call = script_call(path)
        return script, call or _in_order(arrays), None
    if source:
        return module_of(source["module"])[0], source["call"], source["returns"]
    raise ValueError(
        "Expected a format of PyTorch (python, torch-export, torchscript, a module). Received %r." % format
    )


def _named(outputs, names, returns=None):
    """The outputs by name; numbers that the source's code states are none of the graph's."""
    values = flat(outputs)
    rows = results(returns) if returns else [{"leaf": ""}] * len(values)
    values = [value for value, row in zip(values, rows, strict=True) if "leaf" in row]
    if not names or len(set(names)) < len(names):  # one value may be two outputs
        names = ["output_%d" % i for i in range(len(values))]
    return {name: to_array(value) for name, value in zip(names, values, strict=True)}


def run(arrays, path, format, inputs=None, outputs=None, source=None):
    """The model's outputs, in order, for inputs given by name or in order; `source` tells how a module is made."""
    gc.collect()  # exported programs hold cycles: the weights of the last one go before new ones come
    with importable(source["folder"]) if source else contextlib.nullcontext():
        model, call, returns = _loaded(path, format, arrays, source)
        torch.manual_seed(0)
        with torch.no_grad(), plain():
            args, kwargs = arguments(call, tensors_of(call, arrays))
            return {}, _named(model(*args, **kwargs), outputs, returns)


def trace(arrays, path, format, names=None, inputs=None, source=None):
    """The outputs of the named layers (all of them where none is named)."""
    kept = {}

    def keep(name):
        def hook(module, args, output):
            if isinstance(output, torch.Tensor):
                kept[name] = to_array(output.clone())  # the next layer may work in place

        return hook

    with importable(source["folder"]) if source else contextlib.nullcontext():
        model, call, _ = _loaded(path, format, arrays, source)
        for name, module in model.named_modules():
            if name and (not names or name in names):
                module.register_forward_hook(keep(name))
        with torch.no_grad():
            args, kwargs = arguments(call, tensors_of(call, arrays))
            model(*args, **kwargs)
    return {}, kept


def _opened(path, extra=None):
    """The program of an archive.

    Raises:
        Problem: PyTorch cannot read it.
    """
    try:
        return torch.export.load(path, extra_files=extra)
    except Exception as error:  # whatever the damage leads to
        said = "Expected a .pt2 archive that PyTorch reads. Received %r: %s" % (os.path.basename(path), one_line(error))
        hint = "Export it anew with torch.export.save; a newer PyTorch writes what an older one cannot read."
        raise Problem(said, "InvalidSource", hint) from error


def export(arrays, path, folder):
    """The exported program as ONNX in `folder`, weights under their state-dict names; names it carries from before."""
    extra = {NAMES: "", LAYERS: ""}
    try:
        return export_program(_opened(path, extra), folder, extra), {}
    except Problem as problem:
        return problem.told, {}


def export_source(arrays, source, shapes, dtypes, dynamic, folder):
    """The module that `source` names as ONNX in `folder`; `arrays` or `shapes` by input name are its example.

    Returns what there is to know of it, and the example by input name.
    """
    try:
        with importable(source["folder"]):
            module, notes = module_of(source["module"])
            model = Model(module, (), shell_inputs(module, shapes, dtypes, arrays), dynamic)
            told = export_module(model, folder)
            told["notes"] = notes + told["notes"]
            return told, {name: to_array(value) for name, value in model.example().items()}
    except Problem as problem:
        return problem.told, {}


def describe(arrays, path):
    """What the program holds: inputs, outputs, operators, weights."""
    try:
        program = _opened(path)
    except Problem as problem:
        return problem.told, {}
    signature = program.graph_signature
    rows = []
    for node in program.graph.nodes:
        if node.op == "call_function":
            value = node.meta.get("val")
            shape = "x".join(map(str, value.shape)) if isinstance(value, torch.Tensor) else ""
            stack = list(node.meta.get("nn_module_stack", {}).values())
            layer = stack[-1][0] if stack else node.name
            used = [signature.inputs_to_parameters.get(a.name) for a in node.all_input_nodes]
            count = sum(program.state_dict[name].numel() for name in used if name)
            rows.append({"name": layer or node.name, "kind": str(node.target), "output": shape, "parameters": count})
    total = sum(value.numel() for value in program.state_dict.values())
    told = {"inputs": list(map(str, signature.user_inputs)), "outputs": list(map(str, signature.user_outputs))}
    return {**told, "layers": rows, "parameters": total}, {}


def materialise(arrays, folder, native, inputs):
    """Makes the native artifact of model.py in `folder`; counts the permutes of an exported graph.

    Where PyTorch cannot hold the model in that form, `left_out` says why, and there is no path.
    """
    said = _told(folder)
    told = {key: said.get(key, "{}") for key in (NAMES, LAYERS)}
    try:
        return save(_module(folder).load().eval(), inputs, _written_call(folder), folder, native, told), {}
    except Problem as problem:
        return {"path": "", "files": [], "transposes": None, "notes": [], "left_out": str(problem)}, {}


def _dotted(name):
    parts = name.split(".")
    value = importlib.import_module(parts[0])
    for part in parts[1:]:
        value = getattr(value, part)
    return value


def _filled(value, tensors):
    """The argument with each "$name" replaced by the tensor of that name."""
    if isinstance(value, str) and value.startswith("$"):
        return tensors[value[1:]]
    if isinstance(value, list):
        return [_filled(item, tensors) for item in value]
    return value


def probe(arrays, api, args=(), kwargs=None, weights=None):
    """One API call by its dotted name; "$name" in the arguments stands for an array.

    A layer is built with `kwargs`, given `weights` (its own name of each to an array's name), then called on `args`.
    """
    function = _dotted(api)
    tensors = {name: to_tensor(array) for name, array in arrays.items()}
    values = [_filled(value, tensors) for value in args]
    named = {name: _filled(value, tensors) for name, value in (kwargs or {}).items()}
    torch.manual_seed(0)
    with torch.no_grad():
        if isinstance(function, type) and issubclass(function, torch.nn.Module):
            module = function(**named).eval()
            counters = {name for name in module.state_dict() if name.endswith("num_batches_tracked")}
            state = {theirs: tensors[name] for theirs, name in (weights or {}).items()}
            missing = (set(module.state_dict()) - counters) ^ set(state)
            if missing:
                raise ValueError("Expected weights for %s. Received %s." % (sorted(module.state_dict()), sorted(state)))
            module.load_state_dict(state, strict=False)
            result = module(*values)
        else:
            result = function(*values, **named)
    return {}, _named(result, None)
