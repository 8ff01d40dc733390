"""Runs PyTorch in a worker: loaded by file, imports nothing of ours."""

import gc
import importlib.util
import itertools
import logging
import os
import platform
import re
import sys

import numpy as np
import safetensors
import torch

torch.set_num_threads(2)
NAMES = "interlingua.names"
LAYERS = "interlingua.layers"


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


def _loaded(path, format):
    if format == "python":
        return _module(path).load().eval()
    if format == "torch-export":
        return torch.export.load(path).module()
    raise ValueError("Expected a format of PyTorch (python, torch-export). Received %r." % format)


def _tensors(arrays):
    return [torch.from_numpy(np.array(array)) for array in arrays.values()]


def _named(outputs, names):
    flat = torch.utils._pytree.tree_leaves(outputs)
    names = names or ["output_%d" % i for i in range(len(flat))]
    return {name: value.detach().numpy() for name, value in zip(names, flat, strict=True)}


def run(arrays, path, format, inputs=None, outputs=None):
    """The model's outputs, in order, for inputs given in order."""
    gc.collect()  # exported programs hold cycles: the weights of the last one go before new ones come
    torch.manual_seed(0)
    with torch.no_grad():
        result = _loaded(path, format)(*_tensors(arrays))
    return {}, _named(result, outputs)


def trace(arrays, path, format, names=None):
    """The outputs of the named layers (all of them where none is named)."""
    model = _loaded(path, format)
    kept = {}

    def keep(name):
        def hook(module, args, output):
            if isinstance(output, torch.Tensor):
                kept[name] = output.detach().numpy()

        return hook

    for name, module in model.named_modules():
        if name and (not names or name in names):
            module.register_forward_hook(keep(name))
    with torch.no_grad():
        model(*_tensors(arrays))
    return {}, kept


def _example(port, batch):
    shape = [batch if size is None else size for size in port["shape"]]
    return torch.zeros(shape, dtype=getattr(torch, port["dtype"]))


def _portable(trace):
    """The trace without the folders of this machine: the same model gives the same bytes anywhere."""
    trace = re.sub(r'File "[^"]*site-packages[/\\]', 'File "', trace)
    return re.sub(r'File "[/\\][^"]*[/\\]', 'File "', trace)


def _exported(model, ports):
    """The exported program, its unknown axes dynamic; unknown sizes are tried as 2: 1 would be a constant."""
    examples = tuple(_example(port, 2) for port in ports)
    dynamic = tuple(
        {axis: torch.export.Dim.DYNAMIC for axis, size in enumerate(port["shape"]) if size is None} for port in ports
    )
    with torch.no_grad():
        program = torch.export.export(model, examples, dynamic_shapes=dynamic)
    for node in program.graph.nodes:
        if "stack_trace" in node.meta:
            node.meta["stack_trace"] = _portable(node.meta["stack_trace"])
    return program


def _opened(path, extra=None):
    """The program of an archive, or None and why PyTorch cannot read it."""
    try:
        return torch.export.load(path, extra_files=extra), ""
    except Exception as error:  # whatever the damage leads to
        lines = str(error.__cause__ or error).strip().splitlines()
        return None, "%s: %s" % (type(error).__name__, lines[0] if lines else "")


def _dropouts(program):
    """The program's dropouts in order: the path of the module that each stands in, and its ratio."""
    found = []
    for node in program.graph.nodes:
        if node.op == "call_function" and str(node.target).startswith("aten.dropout"):
            stack = list(node.meta.get("nn_module_stack", {}).values())
            ratio = node.args[1] if len(node.args) > 1 else node.kwargs["p"]
            found.append({"module": stack[-1][0] if stack else "", "ratio": ratio})
    return found


def _apart(graph):
    """Gives a value that has an initializer's name another: the exporter takes names of buffers for results too."""
    taken = set(graph.initializers) | {value.name for node in graph for value in node.outputs}
    for node in graph:
        for value in node.outputs:
            if value.name in graph.initializers:
                number = next(i for i in itertools.count(1) if "%s_%d" % (value.name, i) not in taken)
                value.name = "%s_%d" % (value.name, number)
                taken.add(value.name)


def export(arrays, path, folder):
    """The exported program as ONNX in `folder`, weights under their state-dict names; names it carries from before."""
    extra = {NAMES: "", LAYERS: ""}
    program, problem = _opened(path, extra)
    if program is None:
        return {"problem": problem}, {}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        exported = torch.onnx.export(program, dynamo=True, optimize=False, opset_version=20, verbose=False)
    _apart(exported.model.graph)
    target = os.path.join(folder, "model.onnx")
    exported.save(target, external_data=True)
    told = {"names": extra[NAMES], "layers": extra[LAYERS], "dropouts": _dropouts(program)}
    return {"path": target, "trained": sorted(program.graph_signature.parameters), **told}, {}


def describe(arrays, path):
    """What the program holds: inputs, outputs, operators, weights."""
    program, problem = _opened(path)
    if program is None:
        return {"problem": problem}, {}
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
    told = {"inputs": list(signature.user_inputs), "outputs": list(map(str, signature.user_outputs))}
    return {**told, "layers": rows, "parameters": total}, {}


def _carried_names(folder):
    """The maps from names of weights and layers to the source's, as weights.safetensors carries them, as JSON."""
    with safetensors.safe_open(os.path.join(folder, "weights.safetensors"), "pt") as file:
        said = file.metadata() or {}
    return {key: said.get(key, "{}") for key in (NAMES, LAYERS)}


def materialise(arrays, folder, native, inputs):
    """Makes the native artifact of model.py in `folder`; counts the permutes of the exported graph."""
    if native != "torch-export":
        raise ValueError("Expected a native artifact of PyTorch (torch-export). Received %r." % native)
    program = _exported(_module(folder).load().eval(), inputs)
    path = os.path.join(folder, "model.pt2")
    torch.export.save(program, path, extra_files=_carried_names(folder))
    turning = ("aten.permute", "aten.transpose", "aten.movedim")
    transposes = sum(str(node.target).startswith(turning) for node in program.graph.nodes if node.op == "call_function")
    return {"path": "model.pt2", "files": ["model.pt2"], "transposes": transposes}, {}


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
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
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
