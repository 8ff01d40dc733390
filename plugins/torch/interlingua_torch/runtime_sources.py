"""Modules from what a user names: a factory with weights, a TorchScript file, a trusted pickle; and their inputs."""

import contextlib
import importlib
import inspect
import os
import pickle
import random
import sys

import numpy as np
import safetensors.torch
import torch

from .runtime_values import Problem, one_line, to_tensor

CHECKPOINT_KEYS = ("state_dict", "model_state_dict", "model", "module", "net", "weights", "params")
WRAPPERS = ("module.", "_orig_mod.")
SEED = 0


@contextlib.contextmanager
def importable(folder):
    """The folder's modules can be imported while the block lasts, and are forgotten after it: they may change."""
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
    before = set(sys.modules)
    try:
        yield
    finally:
        sys.path.remove(folder)
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None) or ""
            if file and "site-packages" not in file and os.path.realpath(file).startswith(os.path.realpath(folder)):
                del sys.modules[name]


def _seeded():
    random.seed(SEED)
    np.random.seed(SEED)
    torch.manual_seed(SEED)


def module_of(source):
    """The module in inference mode, and notes: `source` says its kind and what that takes.

    Raises:
        Problem: it cannot be imported, called, loaded, or the weights are not its own.
    """
    kind, notes = source["kind"], []
    _seeded()
    if kind == "torchscript":
        module = _scripted(source["path"])
    elif kind == "pickle":
        module = _unpickled(source["path"])
    else:
        module = _made(source["path"], source.get("arguments") or {})
    if source.get("weights"):
        notes += load_weights(module, source["weights"])
    elif kind == "factory":
        notes.append(["Assumed", source["path"], "no weights were named: those that the factory makes (seeded with 0)"])
    return module.eval(), notes


def _scripted(path):
    try:
        return torch.jit.load(path, map_location="cpu")
    except Exception as error:  # whatever the damage leads to
        raise Problem("Expected TorchScript that PyTorch reads. Received %s" % one_line(error)) from error


def _unpickled(path):
    try:
        module = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:  # the user's own code runs here
        hint = "The class must be importable from the current folder; one of __main__ was defined in a script."
        said = "Expected a pickled module whose class can be imported. Received %s" % one_line(error)
        raise Problem(said, hint=hint) from error
    if not isinstance(module, torch.nn.Module):
        raise Problem("Expected a pickled torch.nn.Module. Received a %s." % type(module).__name__)
    return module


def _made(name, arguments):
    module, _, attribute = name.partition(":")
    try:
        value = importlib.import_module(module)
    except Exception as error:  # the user's own code runs here
        hint = "It is looked for in the current folder and among what the worker's Python has installed."
        said = "Expected an importable module %r. Received %s" % (module, one_line(error))
        raise Problem(said, "UsageError", hint) from error
    for part in attribute.split("."):
        if not hasattr(value, part):
            known = [key for key in vars(value) if not key.startswith("_")][:20]
            raise Problem("Expected %r in %s. It has %s." % (part, module, ", ".join(known)), "UsageError")
        value = getattr(value, part)
    if isinstance(value, torch.nn.Module):
        return value
    if not callable(value):
        raise Problem(
            "Expected %r to make a torch.nn.Module. Received %r." % (name, type(value).__name__), "UsageError"
        )
    try:
        made = value(**arguments)
    except Exception as error:  # the user's own code runs here
        hint = "Keyword arguments are given with --arguments '{\"name\": value}'."
        said = "Expected %s to make a module of %s. Received %s" % (name, arguments or "no arguments", one_line(error))
        raise Problem(said, "UsageError", hint) from error
    if not isinstance(made, torch.nn.Module):
        raise Problem(
            "Expected %s to return a torch.nn.Module. Received %s." % (name, type(made).__name__), "UsageError"
        )
    return made


def _state(path):
    """What a file of weights holds, no code executed."""
    try:
        if path.endswith(".safetensors"):
            return safetensors.torch.load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        hint = "Save its state dict alone: torch.save(model.state_dict(), path)."
        said = "Expected weights without code. Received %r: %s" % (os.path.basename(path), one_line(error))
        raise Problem(said, "UntrustedSource", hint) from error
    except Exception as error:  # whatever the damage leads to
        said = "Expected a state dict. Received %r: %s" % (os.path.basename(path), one_line(error))
        raise Problem(said) from error


def _is_state(value):
    return isinstance(value, dict) and bool(value) and all(isinstance(item, torch.Tensor) for item in value.values())


def _picked(state, path):
    """The state dict of a checkpoint, and how it was reached."""
    if _is_state(state):
        return state, ""
    if isinstance(state, dict):
        for key in (*CHECKPOINT_KEYS, *state):
            if _is_state(state.get(key)):
                return state[key], key
    keys = ", ".join(map(repr, list(state)[:8])) if isinstance(state, dict) else type(state).__name__
    raise Problem("Expected a state dict, or a checkpoint with one. Received %r with %s." % (path, keys))


def load_weights(module, path):
    """Loads a state dict into the module; notes of what was not straight.

    Raises:
        Problem: weights are missing or of another shape; all are named.
    """
    place, notes = os.path.basename(path), []
    state, key = _picked(_state(path), place)
    if key:
        notes.append(["Assumed", place, "the checkpoint's state dict is that under %r" % key])
    own = module.state_dict()
    for prefix in WRAPPERS:
        if all(name.startswith(prefix) for name in state) and not all(name.startswith(prefix) for name in own):
            state = {name[len(prefix) :]: value for name, value in state.items()}
            notes.append(["Changed", place, "names without the prefix %r of a wrapper" % prefix])
    first, tied = {}, {}
    for name, value in own.items():
        tied.setdefault(first.setdefault(place_of(value), name), []).append(name)
    missing = []
    for names in tied.values():
        given = [name for name in names if name in state]
        for name in set(names) - set(given):
            if given:
                state[name] = state[given[0]]
            elif not name.endswith("num_batches_tracked"):
                missing.append(name)
    shapes = [
        "%s %s, received %s" % (name, tuple(own[name].shape), tuple(value.shape))
        for name, value in state.items()
        if name in own and own[name].shape != value.shape
    ]
    if missing or shapes:
        parts = [
            "missing: %s" % ", ".join(sorted(missing)[:12]) if missing else "",
            "of another shape: %s" % "; ".join(shapes[:12]) if shapes else "",
        ]
        extra = [name for name in state if name not in own]
        parts.append("not of this model: %s" % ", ".join(extra[:12]) if extra else "")
        said = "Expected the weights of the model in %r. Received others; %s." % (place, "; ".join(filter(None, parts)))
        raise Problem(said)
    extra = sorted(set(state) - set(own))
    if extra:
        notes.append(["Dropped", place, "weights that the model does not have: %s" % ", ".join(extra)])
    cast = sorted(
        {"%s to %s" % (state[n].dtype, own[n].dtype) for n in own if n in state and state[n].dtype != own[n].dtype}
    )
    if cast:
        notes.append(["Changed", place, "weights cast from %s" % ", ".join(cast).replace("torch.", "")])
    module.load_state_dict({name: value for name, value in state.items() if name in own}, strict=False)
    return notes


def place_of(tensor):
    """What tells a tensor from others: its memory, or itself where it has none."""
    if tensor.is_meta or not tensor.numel():
        return id(tensor)
    return tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype


def parameters_of(module):
    """Names of the arguments of forward, and whether it takes any more."""
    if isinstance(module, torch.jit.ScriptModule):
        return [argument.name for argument in module.forward.schema.arguments[1:]], False
    told = inspect.signature(module.forward).parameters.values()
    names = [p.name for p in told if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return names, any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in told)


def positional_of(module):
    """Names of the arguments that forward takes by position."""
    if isinstance(module, torch.jit.ScriptModule):
        return parameters_of(module)[0]
    told = inspect.signature(module.forward).parameters.values()
    return [p.name for p in told if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def variadic_of(module):
    """The name of the argument of forward that takes all further ones; empty where it has none."""
    if isinstance(module, torch.jit.ScriptModule):
        return ""
    told = inspect.signature(module.forward).parameters.values()
    return next((p.name for p in told if p.kind is p.VAR_POSITIONAL), "")


def required_of(module):
    """Names of the arguments that forward cannot do without."""
    if isinstance(module, torch.jit.ScriptModule):
        return [argument.name for argument in module.forward.schema.arguments[1:] if not argument.has_default_value()]
    told = inspect.signature(module.forward).parameters.values()
    usual = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in told if p.default is inspect.Parameter.empty and p.kind not in usual]


def shell_inputs(module, shapes, dtypes, arrays):
    """Example inputs by argument name, from shapes or arrays; "pair.0" and "state.h" are parts of nested ones.

    Raises:
        Problem: an input is not an argument of forward, or one has no shape.
    """
    names, more = parameters_of(module)
    required = required_of(module)
    if "" in shapes and len(names) >= 1:
        shapes = {(required or names)[0] if name == "" else name: sizes for name, sizes in shapes.items()}
    values = {name: to_tensor(array) for name, array in arrays.items()}
    generator = torch.Generator().manual_seed(SEED)
    for name, sizes in shapes.items():
        values.setdefault(name, _made_up(sizes, dtypes.get(name, "float32"), generator))
    tops = list(dict.fromkeys(name.partition(".")[0] for name in values))
    unknown = [name for name in tops if name not in names and not more]
    missing = [name for name in required if name not in tops]
    if unknown or missing:
        raise Problem(
            "Expected examples of the inputs of forward(%s). Received %s."
            % (", ".join(names), ", ".join(tops) or "none"),
            "UsageError",
            "Give each with --input-shape %s=2,3,32,32 (and --input-dtype), or --example-inputs file.npz."
            % (missing or names or ["x"])[0],
        )
    return {
        name: _nest(name, values) for name in sorted(tops, key=lambda n: names.index(n) if n in names else len(names))
    }


def _made_up(sizes, dtype, generator):
    kind = getattr(torch, dtype, None)
    if not isinstance(kind, torch.dtype):
        raise Problem("Expected a dtype of PyTorch. Received %r." % dtype, "UsageError")
    if kind.is_floating_point or kind.is_complex:
        return torch.randn(sizes, generator=generator).to(kind)
    return torch.randint(0, 2, sizes, generator=generator).to(kind)


def _nest(name, values):
    """The value of an input whose parts are named "name.part": a tuple where parts are numbers, else a dict."""
    if name in values:
        return values[name]
    keys = list(dict.fromkeys(key[len(name) + 1 :].partition(".")[0] for key in values if key.startswith(name + ".")))
    items = {key: _nest("%s.%s" % (name, key), values) for key in keys}
    return tuple(items[key] for key in sorted(items, key=int)) if all(key.isdigit() for key in keys) else items
