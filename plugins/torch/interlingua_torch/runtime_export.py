"""PyTorch to ONNX by a ladder of exporters: each rung that fails says why. Runs in a worker or beside a module."""

import contextlib
import io
import logging
import os
import re
import warnings

import torch

from . import runtime_facts as facts
from . import runtime_gaps, runtime_pixels, runtime_whole
from .runtime_in_place import calls_in_place, tell_in_place
from .runtime_recurrent import projected, translations, unrolled, whole
from .runtime_scripts import apart, operators, tell_modules
from .runtime_transformers import exportable, plain, watched
from .runtime_values import Problem, one_line

OPSET = 24
"""It keeps attention, RMS and group normalization whole: the exporter has functions for them from 23 on."""

SCRIPT_OPSET = 20
NAMES = "interlingua.names"
LAYERS = "interlingua.layers"


@contextlib.contextmanager
def _quiet():
    """PyTorch's exporters tell of their steps on every channel there is; what matters comes as an exception."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "torch._export", "torch.fx", "torch")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("always")
            yield caught
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _math():
    return torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH)


class Model:
    """A module with the example call that it is exported by; `dynamic` gives labels of axes by leaf name."""

    def __init__(self, module, args, kwargs, dynamic):
        self.module = module
        self.call, self.args, self.kwargs = facts.named_call(module, *facts.positional(module, args, kwargs))
        self.dynamic = facts.dynamic_axes(self.call, dynamic)
        self.args, self.kwargs, self.notes = facts.enlarged(self.call, self.args, self.kwargs, self.dynamic)

    def example(self):
        """The example's tensors by name."""
        return facts.leaf_values(self.call, self.args, self.kwargs)

    def shapes(self, module):
        """What torch.export wants to know of dynamic axes."""
        chosen = torch.export.ShapesCollection()
        values = self.example()
        for name, axes in self.dynamic.items():
            chosen[values[name]] = dict.fromkeys(axes, torch.export.Dim.DYNAMIC)
        return chosen.dynamic_shapes(module, self.args, self.kwargs) if self.dynamic else None

    def exported(self, strict=False, module=None):
        """The exported program."""
        module = module or self.module
        shapes = self.shapes(module)
        return torch.export.export(module, self.args, self.kwargs, dynamic_shapes=shapes, strict=strict)


def _projects(module):
    return any(isinstance(each, torch.nn.LSTM) and each.proj_size for each in module.modules())


@contextlib.contextmanager
def _unfused(module):
    """Attention in pieces, where a library offers that, while the block lasts."""
    kept = [
        (each, name) for each in module.modules() for name in ("fused_attn", "use_sdpa") if getattr(each, name, False)
    ]
    configs = {id(c): c for c in (getattr(m, "config", None) for m in module.modules()) if _can_be_eager(c)}
    implementations = [(config, config._attn_implementation) for config in configs.values()]
    for each, name in kept:
        setattr(each, name, False)
    for config, _ in implementations:
        config._attn_implementation = "eager"
    try:
        yield
    finally:
        for each, name in kept:
            setattr(each, name, True)
        for config, said in implementations:
            config._attn_implementation = said


def _can_be_eager(config):
    return getattr(config, "_attn_implementation", "eager") not in (None, "eager")


def _fused(module):
    return any(
        getattr(each, "fused_attn", False)
        or getattr(each, "use_sdpa", False)
        or _can_be_eager(getattr(each, "config", None))
        for each in module.modules()
    )


def _respelled(program):
    """The program with what the exporter lacks, mistakes or takes apart in operators that it knows.

    All at once: a large model is traced anew for minutes.
    """
    table = {}
    for family in (runtime_gaps, runtime_whole, runtime_pixels):
        table.update(family.spellings(program))
    return program.run_decompositions(table) if table else program


def _program_to_onnx(program):
    """Facts of the program, and it as ONNX with all its initializers; recurrent layers stay whole."""
    told = {**facts.of_program(program), **facts.program_call(program)}
    in_place = calls_in_place(program)
    keeping = contextlib.nullcontext()
    if projected(program):
        program = unrolled(program)
    else:
        keeping = whole()
    with keeping:
        program = _respelled(program)
        facts.forget_constant_outputs(program)
        made = torch.onnx.export(
            program,
            dynamo=True,
            optimize=False,
            opset_version=OPSET,
            verbose=False,
            custom_translation_table=translations(),
        )
    tell_in_place(made.model, in_place)
    return told, made


def _by_export(model, strict=False):
    keeping = contextlib.nullcontext() if _projects(model.module) else whole()
    with keeping:
        program = model.exported(strict)
    return _program_to_onnx(program)


def _by_unfused_export(model):
    with _unfused(model.module):
        return _by_export(model)


class Refused(Exception):
    """A rung's own word that it does not take the model."""


def _scripted(model):
    if isinstance(model.module, torch.jit.ScriptModule):
        return model.module
    try:
        return torch.jit.script(model.module)
    except Exception as error:  # TorchScript has no class of its own for what its language lacks
        raise Refused("TorchScript does not take the module") from error


def _by_torchscript(model):
    """TorchScript → exported program → ONNX; it is exported once more for axes as fixed or dynamic as asked."""
    from torch._export.converter import TS2EPConverter

    if model.kwargs:
        raise Refused("the converter from TorchScript takes positional inputs alone")
    script = apart(_scripted(model))
    told = operators(script)
    program = TS2EPConverter(script, model.args, model.kwargs).convert()
    program = model.exported(module=program.module())
    tell_modules(program, script, told)
    return _program_to_onnx(program)


def _by_script(model, folder, module):
    """The exporter of old, which knows loops and decisions of scripts, and traces everything else."""
    path = os.path.join(folder, "model.onnx")
    told, torch._C._jit_onnx_log = torch._C._jit_onnx_log, lambda *graph: None  # it prints the graph that it fails at
    try:
        torch.onnx.export(
            module,
            model.args,
            path,
            kwargs=model.kwargs or None,
            dynamo=False,
            opset_version=SCRIPT_OPSET,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
            input_names=[row["leaf"] for row in facts.input_rows(model.call)],
            dynamic_axes=model.dynamic or None,
            external_data=True,
        )
    finally:
        torch._C._jit_onnx_log = told
    return {**facts.example_outputs(model), "dropouts": [], "notes": []}, path


def _rungs(model, folder):
    """The exporters to try, each with its name, in order."""
    script = isinstance(model.module, torch.jit.ScriptModule)
    if not script:
        yield "torch.export", lambda: _by_export(model)
        yield "torch.export, strict", lambda: _by_export(model, strict=True)
        if _fused(model.module):
            yield "torch.export without fused attention", lambda: _by_unfused_export(model)
    yield "TorchScript made an exported program", lambda: _by_torchscript(model)
    yield "the exporter of TorchScript", lambda: _by_script(model, folder, _scripted(model))
    if not script:
        yield "the exporter of TorchScript, by a trace", lambda: _by_script(model, folder, model.module)


def _refusal(model, tried):
    """Why no exporter took the module: it does not run on the example itself, or the reason of each."""
    try:
        facts.example_result(model)
    except Exception as error:  # modules raise whatever they meet
        why = "Expected an example that the module itself runs on. It raised %s: %s"
        return Problem(why % (type(error).__name__, _reason(error)), "UsageError")
    said = "".join("\n  %s %s" % pair for pair in tried)
    return Problem("Expected a module that one of PyTorch's exporters takes. None did:%s" % said, "UnsupportedModel")


def export_module(model, folder):
    """Exports a module to ONNX in `folder`; what there is to know of it.

    Raises:
        Problem: no exporter takes it; the reason of each is told.
    """
    tried = []
    watch, offered = watched(model.module), exportable(model.module)
    with (
        torch.random.fork_rng(devices=[]),
        torch.no_grad(),
        _quiet() as caught,
        _math(),
        plain(),
        offered,
        watch as seen,
    ):
        for name, rung in _rungs(model, folder):
            try:
                told, made = rung()
                break
            except Exception as error:  # exporters raise whatever they meet
                tried.append((name, "%s: %s" % (_kind(error), _reason(error))))
                del caught[:]
        else:
            raise _refusal(model, tried)
    notes = model.notes + seen + [["Skipped", rung, why] for rung, why in tried]
    if tried:
        notes.append(["Assumed", name, "exported the model"])
    if isinstance(made, str):
        notes += _guesses(caught)
    return {
        **told,
        **facts.of_module(model.module),
        **_saved(made, folder),
        "call": model.call,
        "example": {name: [list(value.shape), str(value.dtype)] for name, value in model.example().items()},
        "dimensions": model.dynamic,
        "notes": notes + told["notes"],
        "step": name,
    }


def _kind(error):
    """Whether an exporter says that it does not take the model, by a class of its own, or breaks down over it."""
    own = isinstance(error, Refused) or type(error).__module__.partition(".")[0] == "torch"
    return "did not take the model" if own else "failed over the model in a way that it does not foresee"


def _reason(error):
    """The exporter's own reason: its long messages end with the errors that led there."""
    text = str(error)
    _, found, causes = text.partition("## Exception summary")
    lines = [line.strip() for line in causes.splitlines() if line.strip().startswith("<class")] if found else []
    if lines:
        return re.sub(r"<class '(?:[\w]+\.)*(\w+)'>", r"\1", lines[0])[:300]
    return one_line(error)


def _guesses(caught):
    """What a trace fixed that the module decides from data: one note each."""
    told = [str(each.message) for each in caught if issubclass(each.category, torch.jit.TracerWarning)]
    lines = list(dict.fromkeys(text.partition(". ")[0].splitlines()[0] for text in told))
    return [["Assumed", "the trace", "%s; the graph keeps what the example led to" % line] for line in lines]


def export_program(program, folder, extra=None):
    """Exports an exported program to ONNX in `folder`; what there is to know of it.

    Raises:
        Problem: the exporter does not take it.
    """
    with torch.no_grad(), _quiet(), _math():
        try:
            told, made = _program_to_onnx(program)
        except Exception as error:  # exporters raise whatever they meet
            said = "Expected an exported program that PyTorch's exporter to ONNX takes. It refused: %s" % _reason(error)
            raise Problem(said, "UnsupportedModel") from error
    carried = {"names": (extra or {}).get(NAMES, ""), "layers": (extra or {}).get(LAYERS, "")}
    return {**told, **_saved(made, folder), **carried, "step": "torch.export", "dimensions": {}}


def _saved(made, folder):
    """The ONNX file: the dynamo exporter's program is written, the script exporter's stands there already."""
    if isinstance(made, str):
        return {"path": made, "exporter": "script"}
    facts.apart(made.model.graph)
    target = os.path.join(folder, "model.onnx")
    made.save(target, external_data=True)
    return {"path": target, "exporter": "dynamo"}


def portable(text):
    """A stack trace without the folders of this machine: the same model gives the same bytes anywhere."""
    text = re.sub(r'File "[^"]*site-packages[/\\]', 'File "', text)
    return re.sub(r'File "[/\\][^"]*[/\\]', 'File "', text)
