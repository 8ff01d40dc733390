"""Runs Paddle in the worker: saved programs, generated modules, single calls. Imports nothing of ours."""

import importlib.util
import inspect
import json
import os
import platform
import shutil
import struct
import sys
import tempfile
import uuid

import numpy
import paddle

SAVED = "model"
NAMES = "interlingua.names"


def versions(arrays):
    """The interpreter's and Paddle's versions."""
    return {"python": platform.python_version(), "paddle": paddle.__version__}, {}


def run(arrays, path, format, inputs=None, outputs=None):
    """Runs a saved program ("paddle") or a generated module ("python") in inference mode.

    `arrays` are taken by the model's own input names, in the model's order where a name is missing.
    """
    _prepare()
    if format == "python":
        model = _module(path).load()
        model.eval()
        results = model(*_ordered(arrays, _forward_names(model), inputs))
    else:
        model = paddle.jit.load(_prefix(path))
        model.eval()
        results = model(*_ordered(arrays, [spec.name for spec in model._input_spec()], inputs))
    found = {}
    _flatten(results, "output", found)
    names = list(outputs or [])
    if len(names) == len(found):
        found = dict(zip(names, found.values(), strict=True))
    return list(found), found


def trace(arrays, path, format, names=None):
    """Intermediate values: a saved program's by operator ("relu_18"), a module's by sublayer ("block1.conv")."""
    _prepare()
    found = _trace_module(arrays, path) if format == "python" else _trace_program(arrays, path)
    if names:
        found = {name: value for name, value in found.items() if name in names}
    return list(found), found


def materialise(arrays, folder, native, inputs, layers=None):
    """Saves the module of `folder` as a program with its weights, its parameters named as in the state dict.

    Under a key of ours, which Paddle passes over, it keeps what weights and `layers` are in the source's terms.
    """
    _prepare()
    if native != "paddle":
        raise ValueError("Expected the native artifact 'paddle'. Received {!r}.".format(native))
    specs = [paddle.static.InputSpec(entry["shape"], entry["dtype"], entry["name"]) for entry in inputs]
    prefix = os.path.join(folder, SAVED)
    with paddle.utils.unique_name.guard():
        model = _module(folder).load()
        model.eval()
        for name, tensor in list(model.named_parameters()) + list(model.named_buffers()):
            tensor.name = name
        called = _dropouts_as_called(model)
        paddle.jit.save(model, prefix, input_spec=specs)
    with open(prefix + ".json", encoding="utf-8") as file:
        program = json.load(file)
    _renumber(program, {})
    names = dict(layers or {})
    dropouts = [op["O"][0]["%"] for op in _operators(program, "1.dropout")]
    if len(dropouts) == len(called):  # weightless layers leave no name in the program
        names.update({"dropout_{}".format(n): names.get(name, name) for n, name in zip(dropouts, called, strict=True)})
    program[NAMES] = {"weights": _carried_names(folder), "layers": names}
    with open(prefix + ".json", "w", encoding="utf-8") as file:
        json.dump(program, file, separators=(",", ":"), sort_keys=False)
    files = [SAVED + suffix for suffix in (".json", ".pdiparams") if os.path.exists(prefix + suffix)]
    return {"path": SAVED + ".json", "files": files, "transposes": len(list(_operators(program, "1.transpose")))}, {}


def probe(arrays, api, args=(), kwargs=None, weights=None):
    """One call of an API by its dotted name.

    Strings "$name" in the arguments stand for arrays. A layer is constructed with the arguments, given `weights`
    (attribute → array name) and called on the arrays of `args`.
    """
    _prepare()
    paddle.seed(0)
    target = paddle
    for part in api.split(".")[1:]:
        target = getattr(target, part)
    named = {name: _filled(value, arrays) for name, value in (kwargs or {}).items()}
    given = [_filled(value, arrays) for value in args]
    if inspect.isclass(target) and issubclass(target, paddle.nn.Layer):
        layer = target(**named)
        layer.eval()
        state = {name: arrays[source] for name, source in (weights or {}).items()}
        missing = set(layer.state_dict()) ^ set(state)
        if missing:
            raise ValueError("Expected weights for {}. Received {}.".format(sorted(layer.state_dict()), sorted(state)))
        layer.set_state_dict(state)
        result = layer(*given)
    else:
        result = target(*given, **named)
    found = {}
    _flatten(result, "output", found)
    return list(found), found


def _prepare():
    paddle.disable_static()
    paddle.set_device("cpu")
    paddle.seed(0)
    numpy.random.seed(0)


def _prefix(path):
    """The prefix that `paddle.jit.load` wants, of a folder, a `.json`, a `.pdiparams` or the prefix itself."""
    if os.path.isdir(path):
        for name in sorted(os.listdir(path)):
            if name.endswith(".json") and _is_program(os.path.join(path, name)):
                return os.path.join(path, name[: -len(".json")])
        raise ValueError("Expected a saved program. Received the folder {!r}, which holds none.".format(path))
    stem, suffix = os.path.splitext(path)
    return stem if suffix in (".json", ".pdiparams") else path


def _is_program(path):
    with open(path, "rb") as file:
        return b'"pir"' in file.read(512)


def _renumber(item, names):
    """Numbers the scopes from anew: Paddle goes on counting from what the process has saved before."""
    if isinstance(item, list):
        for value in item:
            _renumber(value, names)
    elif isinstance(item, dict) and item.get("N") == "struct_name":
        path = ()
        for part in item["AT"]["D"].strip("/").split("/"):
            kind = part.rpartition("_")[0] if part.rpartition("_")[2].isdigit() else part
            siblings = names.setdefault((path, kind), {})
            count = siblings.setdefault(part, len(siblings))
            path += ("{}_{}".format(kind, count) if count else kind,)
        item["AT"]["D"] = "/{}/".format("/".join(path))
    elif isinstance(item, dict):
        for value in item.values():
            _renumber(value, names)


def _carried_names(folder):
    """What each weight is in the source's terms, as the header of weights.safetensors says."""
    path = os.path.join(folder, "weights.safetensors")
    if not os.path.exists(path):
        return {}
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    return json.loads(header.get("__metadata__", {}).get(NAMES, "{}"))


def _module(folder):
    """The generated module, imported by file under a fresh name (Paddle reads its source again)."""
    name = "generated_" + uuid.uuid4().hex
    spec = importlib.util.spec_from_file_location(name, os.path.join(folder, "model.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _forward_names(model):
    return [name for name in inspect.signature(model.forward).parameters if name != "self"]


def _ordered(arrays, names, inputs=None):
    """The arrays as tensors in the model's order: by its names, or as they come where the names are not its own."""
    if all(name in arrays for name in names):
        chosen = [arrays[name] for name in names]
    elif inputs:
        chosen = [arrays[name] for name in inputs]
    else:
        chosen = list(arrays.values())
    return [paddle.to_tensor(array) for array in chosen]


def _flatten(result, name, found):
    """Every tensor of a nested result in order, dictionaries in their own order."""
    if isinstance(result, dict):
        for key, value in result.items():
            _flatten(value, str(key), found)
    elif isinstance(result, (list, tuple)):
        for index, value in enumerate(result):
            _flatten(value, "{}_{}".format(name, index), found)
    elif isinstance(result, paddle.Tensor):
        found[name] = result.numpy()
    elif result is not None:
        found[name] = numpy.asarray(result)


def _filled(value, arrays):
    if isinstance(value, str) and value.startswith("$"):
        return paddle.to_tensor(arrays[value[1:]])
    if isinstance(value, list):
        return [_filled(item, arrays) for item in value]
    return value


def _trace_module(arrays, path):
    model = _module(path).load()
    model.eval()
    found = {}

    def keep(name):
        def hook(layer, given, result):
            key = name
            while key in found:
                key += "'"
            _flatten(result, key, found)

        return hook

    for name, layer in model.named_sublayers():
        layer.register_forward_post_hook(keep(name))
    model(*_ordered(arrays, _forward_names(model)))
    return found


def _trace_program(arrays, path):
    """Runs a copy of the program that fetches every value (fetching inner values by handle crashes Paddle 3.3).

    A value is named after the layer whose weights it takes, bias and all, else after its operator ("relu_18").
    """
    prefix = _prefix(path)
    with open(prefix + ".json", encoding="utf-8") as file:
        program = json.load(file)
    block = program["program"]["regions"][0]["blocks"][0]
    pattern = next(op for op in block["ops"] if op["#"] == "1.fetch")
    body = [op for op in block["ops"] if op["#"] != "1.fetch"]
    shown = [op for op in body if _is_shown(op)]
    first = max(_numbers(program)) + 1
    fetches = [_fetch(pattern, op["O"][0], first + i, i) for i, op in enumerate(shown)]
    block["ops"] = body + fetches
    folder = tempfile.mkdtemp()
    try:
        with open(os.path.join(folder, "trace.json"), "w", encoding="utf-8") as file:
            json.dump(program, file)
        if os.path.exists(prefix + ".pdiparams"):
            os.symlink(os.path.abspath(prefix + ".pdiparams"), os.path.join(folder, "trace.pdiparams"))
        model = paddle.jit.load(os.path.join(folder, "trace"))
        model.eval()
        results = model(*_ordered(arrays, [spec.name for spec in model._input_spec()]))
    finally:
        shutil.rmtree(folder)
    results = results if isinstance(results, (list, tuple)) else [results]
    labels = _labels(body, program.get(NAMES, {}).get("layers", {}))
    return {labels[op["O"][0]["%"]]: result.numpy() for op, result in zip(shown, results, strict=True)}


def _is_shown(op):
    hidden = op["#"] in ("p", "1.full_int_array", "1.full", "1.data") or not op["O"]
    return not hidden and op["O"][0]["TT"]["#"] == "0.t_dtensor"


def _fetch(pattern, value, number, column):
    """A fetch operator for one value, made after one that is there."""
    fetch = json.loads(json.dumps(pattern))
    fetch["I"] = [{"%": value["%"]}]
    fetch["O"] = [{"%": number, "TT": value["TT"]}]
    for attribute in fetch["A"]:
        if attribute["N"] == "name":
            attribute["AT"]["D"] = "value_{}".format(number)
        elif attribute["N"] == "col":
            attribute["AT"]["D"] = column
    return fetch


def _labels(body, layers):
    """Each value's name: its layer where it takes the layer's weights, else its operator and number."""
    owner = {}
    labels = {}
    for op in body:
        if op["#"] == "p":
            layer = op["A"][3].rpartition(".")[0]
            owner[op["O"]["%"]] = layers.get(layer, layer)
            continue
        if not op["O"]:
            continue
        number, kind = op["O"][0]["%"], op["#"].partition(".")[2]
        owners = [owner[item["%"]] for item in op["I"] if item["%"] in owner]
        if owners and op["#"] in ("1.reshape", "1.unsqueeze", "1.assign", "1.transpose"):
            owner[number] = owners[0]
        label = "{}_{}".format(kind.rstrip("_"), number)
        labels[number] = owners[0] if owners and owners[0] else layers.get(label, label)
    return labels


def _numbers(item):
    if isinstance(item, dict):
        if isinstance(item.get("%"), int):
            yield item["%"]
        for value in item.values():
            for number in _numbers(value):
                yield number
    elif isinstance(item, list):
        for value in item:
            for number in _numbers(value):
                yield number


def _operators(item, kind):
    """The operators of a kind anywhere in a program, in its order."""
    if isinstance(item, dict):
        if item.get("#") == kind:
            yield item
        item = list(item.values())
    if isinstance(item, list):
        for value in item:
            for found in _operators(value, kind):
                yield found


def _dropouts_as_called(model):
    """A list that fills with the names of the dropout layers in the order in which they are called."""
    called = []
    for name, layer in model.named_sublayers():
        if isinstance(layer, paddle.nn.Dropout):
            layer.register_forward_pre_hook(lambda layer, given, name=name: called.append(name))
    return called
