"""Makes what PyTorch runs without model.py: an exported program, or TorchScript. Runs in a worker."""

import inspect
import json
import math
import os
import re
import warnings

import torch
from torch._dynamo.exc import TorchDynamoException, UserError, UserErrorType
from torch._export.verifier import SpecViolationError
from torch._subclasses import fake_tensor
from torch.fx.experimental import symbolic_shapes

from .runtime_export import portable
from .runtime_recurrent import whole
from .runtime_values import Problem, arguments, flat, one_line

SIGNATURE = "interlingua.signature"
PROGRAM, SCRIPT = "torch-export", "torchscript"
_DECISION = "Python boolean"
_REFUSALS = (
    TorchDynamoException,
    SpecViolationError,
    symbolic_shapes.GuardOnDataDependentSymNode,
    symbolic_shapes.ConstraintViolationError,
    fake_tensor.DataDependentOutputException,
    fake_tensor.DynamicOutputShapeException,
    fake_tensor.UnsupportedFakeTensorException,
    fake_tensor.UnsupportedOperatorException,
)
"""What torch.export raises of a model that it cannot hold: it decides by data, or does what no graph says."""
_BESIDE_GUARD = re.compile(r"^(.*?)\s*\(unhinted:.*$")


def save(model, ports, call, folder, native, told):
    """The artifact of a written model beside it: where it stands, and what there is to say of it.

    `ports` give each input's shape, None where it varies, and a "like" shape without None; `told` goes along with it.

    Raises:
        Problem: PyTorch cannot hold the model in that form.
        ValueError: a format that is not PyTorch's.
        Exception: whatever else goes wrong, which is a mistake of ours or of PyTorch's and no refusal.
    """
    call = call or {"args": [{"leaf": port["name"]} for port in ports], "kwargs": {}}
    if native == PROGRAM:
        program = _exported(model, ports, call)
        torch.export.save(program, os.path.join(folder, "model.pt2"), extra_files=told)
        return {"path": "model.pt2", "files": ["model.pt2"], "transposes": _transposes(program), "notes": []}
    if native == SCRIPT:
        script, notes = _scripted(model, ports, call)
        torch.jit.save(script, os.path.join(folder, "model.pt"), {**told, SIGNATURE: json.dumps(call)})
        return {"path": "model.pt", "files": ["model.pt"], "transposes": None, "notes": notes}
    raise ValueError("Expected a native artifact of PyTorch (%s, %s). Received %r." % (PROGRAM, SCRIPT, native))


def script_call(path):
    """A TorchScript file of ours, and the trees of its call."""
    extra = {SIGNATURE: ""}
    script = torch.jit.load(path, map_location="cpu", _extra_files=extra)
    return script, json.loads(extra[SIGNATURE] or "null")


def _example(port, batch=None):
    """Seeded numbers as the input has them; an unknown axis is two long at least, for 1 would be a constant.

    `batch` is the length of a first axis that varies.
    """
    like = port.get("like") or [2 if size is None else size for size in port["shape"]]
    shape = [max(given, 2) if size is None else size for size, given in zip(port["shape"], like, strict=True)]
    if batch and shape and port["shape"][0] is None:
        shape[0] = batch
    dtype = getattr(torch, port["dtype"])
    if not dtype.is_floating_point:
        return torch.zeros(shape, dtype=dtype)
    return torch.rand(shape, generator=torch.Generator().manual_seed(13)).to(dtype)


def _arguments(call, ports, batch=None):
    return arguments(call, {port["name"]: _example(port, batch) for port in ports})[0]


def _varies(ports):
    return any(port["shape"] and port["shape"][0] is None for port in ports)


def _exported(model, ports, call):
    """The exported program, its unknown axes dynamic."""
    axes = {
        port["name"]: {axis: torch.export.Dim.DYNAMIC for axis, size in enumerate(port["shape"]) if size is None}
        for port in ports
    }
    args = _arguments(call, ports)
    try:
        with torch.no_grad(), whole():
            shapes = _by_parameter(model, arguments(call, axes)[0])
            program = torch.export.export(model, args, dynamic_shapes=shapes)
    except Exception as error:
        if not _is_refusal(error) and (_is_known(ports) or _runs(model, args)):
            raise
        why = _BESIDE_GUARD.sub(r"\1", one_line(error))
        raise Problem("torch.export does not take model.py: %s" % why, "UnsupportedModel") from error
    for node in program.graph.nodes:
        if "stack_trace" in node.meta:
            node.meta["stack_trace"] = portable(node.meta["stack_trace"])
    if _varies(ports):
        _admit_one(program, model, _arguments(call, ports, batch=1))
    return program


def _by_parameter(model, args):
    """What the parameters of forward are given; the one of all further arguments a tuple."""
    return dict(inspect.signature(model.forward).bind(*args).arguments)


def _is_refusal(error):
    """Whether PyTorch refuses the model; not where it says that what it was called with is wrong."""
    wrong = isinstance(error, UserError) and error.error_type == UserErrorType.INVALID_INPUT
    return isinstance(error, _REFUSALS) and not wrong


def _is_known(ports):
    """Whether the model is known to take the example: no size of it was made up, and no number that may be an index."""
    shapes = all("like" in port or (port["shape"] and None not in port["shape"]) for port in ports)
    return shapes and all(getattr(torch, port["dtype"]).is_floating_point for port in ports)


def _runs(model, args):
    """Whether the model itself takes an example that was made up."""
    with torch.no_grad():
        try:
            model(*args)
        except Exception:  # what it then raises says nothing of the exporter
            return False
    return True


def _admit_one(program, model, args):
    """Drops guards against a batch of 1, which come from how views were traced, where the program is right on one."""
    known = {"L": _by_parameter(model, args), "math": math, "torch": torch}

    def holds(guard):
        try:
            return bool(eval(guard, known))  # PyTorch's own text of a condition on sizes
        except Exception:  # it speaks of what is not here
            return True

    kept = [guard for guard in program._guards_code if holds(guard)]
    if len(kept) < len(program._guards_code) and _agrees(program.module(check_guards=False), model, args):
        program._guards_code = kept


def _transposes(program):
    turning = ("aten.permute", "aten.transpose", "aten.movedim")
    return sum(str(node.target).startswith(turning) for node in program.graph.nodes if node.op == "call_function")


def _scripted(model, ports, call):
    """The model as a script, which keeps loops and decisions; traced where it cannot be one and decides nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return torch.jit.script(model), []
        except Exception as error:  # the compiler raises whatever it meets
            unscripted = _compiler_reason(error)
    with warnings.catch_warnings(record=True) as caught, torch.no_grad():
        warnings.simplefilter("always")
        try:
            script = torch.jit.trace(model, _arguments(call, ports), check_trace=False, strict=False)
        except Exception as error:
            said = "TorchScript does not take model.py: %s; traced: %s" % (unscripted, one_line(error))
            raise Problem(said, "UnsupportedModel") from error
    told = [str(each.message) for each in caught if issubclass(each.category, torch.jit.TracerWarning)]
    fixed = list(dict.fromkeys(text.partition(". ")[0].splitlines()[0] for text in told if text.startswith("Conv")))
    decisions = [text for text in fixed if _DECISION in text]
    if decisions or not _agrees(script, model, _arguments(call, ports, batch=7)):
        why = "a trace would fix what data or sizes decide (%s)" % (decisions or fixed or ["the batch"])[0]
        raise Problem("TorchScript does not take model.py: %s; %s" % (unscripted, why), "UnsupportedModel")
    notes = [["Changed", "TorchScript", "traced, for the model cannot be scripted: %s" % unscripted]]
    return script, notes + [
        ["Assumed", "TorchScript", "the trace keeps what the example led to: %s" % t] for t in fixed
    ]


def _agrees(script, model, args):
    """Whether a trace holds for other arguments than those that it was made with."""
    with torch.no_grad():
        try:
            pairs = list(zip(flat(script(*args)), flat(model(*args)), strict=True))
        except Exception:  # it does not even run
            return False
    return all(
        one.shape == other.shape and torch.allclose(one, other, 1e-4, 1e-5, equal_nan=True) for one, other in pairs
    )


def _compiler_reason(error):
    """The first line of a compiler's error that says something, and the line of model.py that it means."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    place = next((re.search(r"line \d+", line) for line in lines if "model.py" in line), None)
    return "%s%s" % (lines[0][:200].rstrip(":") if lines else type(error).__name__, " (%s)" % place[0] if place else "")
