"""Converts one architecture of the zoo and writes its row: `one.py NAME FOLDER`; run by tools/zoo.py in a process."""

from __future__ import annotations

import json
import re
import resource
import runpy
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from architectures import ALL
from measures import gradients_agree, outputs_agree, state_dict_loads
from perturb import perturb
from torch import nn
from torch.utils import _pytree
from zoo_rows import Architecture

import interlingua
from interlingua.report import Report

Result = TypeVar("Result")
BATCH = 2
OTHER_BATCH = 3
TOLERANCE = 1e-4


def measure(row: Architecture, folder: Path) -> dict[str, Any]:
    """The row's results; a step that fails leaves its reason, and the steps that need it are left out."""
    found: dict[str, Any] = {"name": row.name, "library": row.library, "small": row.small, "limit": row.lines}
    seconds: dict[str, float] = {}
    torch.manual_seed(0)
    inputs = row.inputs(BATCH)
    with _timed(seconds, "build"):
        module = perturb(row.build().eval(), inputs)
    with _timed(seconds, "export"):
        program = _attempt(found, "export", lambda: exported(module, row, found))
    if program is not None:
        found |= _counts(module, program)
        path = folder / "source.pt2"
        torch.export.save(program, path)
        leaves = _pytree.tree_leaves(inputs)
        names = program.graph_signature.user_inputs
        arrays = {name: leaf.numpy() for name, leaf in zip(names, leaves, strict=True)}
        np.savez(folder / "inputs.npz", **arrays)
        unused = _unused(module, program)
        del program
        for target in ("torch", "onnx"):
            with _timed(seconds, target):
                report = _attempt(found, target, lambda target=target: _converted(path, target, folder))
            if report is not None:
                found[target] = _verdict(report)
            if report is not None and target == "torch":
                found |= _generated(module, row, inputs, report, unused)
    found["seconds"] = {name: round(value, 1) for name, value in seconds.items()}
    found["memory_mb"] = max(_peak(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return found


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.monotonic()
    try:
        yield
    finally:
        seconds[name] = time.monotonic() - start


def _peak(who: int) -> int:
    return resource.getrusage(who).ru_maxrss // 1024


def _attempt(found: dict[str, Any], name: str, step: Callable[[], Result]) -> Result | None:
    """What the step returns, or None with the reason in `found`."""
    try:
        return step()
    except Exception as error:  # whatever a library or the converter raises is the row's result
        found[name] = {"verdict": "failed", "reason": _told(error)[:1500]}
        return None


def _told(error: Exception) -> str:
    """The error in words, its files without the folders of this machine."""
    return re.sub(r"(?<![\w.])(?:/[\w.@+-]+)+/(?=[\w.-]+)", "", f"{type(error).__name__}: {error}".strip())


def exported(module: nn.Module, row: Architecture, found: dict[str, Any]) -> torch.export.ExportedProgram:
    """The exported program with an open batch where the exporter can, else with the batch at hand."""
    inputs = row.inputs(BATCH)
    if row.batch:
        try:
            open_axes = _pytree.tree_map(lambda _: {0: torch.export.Dim.DYNAMIC}, tuple(inputs))
            with torch.no_grad():
                program = torch.export.export(module, inputs, dynamic_shapes=_shapes(module, open_axes))
            found["batch"] = "open"
            return program
        except Exception as error:  # the exporter says no in many classes
            found["batch_reason"] = _told(error)[:300]
    found["batch"] = "fixed"
    with torch.no_grad():
        return torch.export.export(module, inputs)


def _shapes(module: nn.Module, axes: tuple[Any, ...]) -> tuple[Any, ...]:
    """The open axes in the form of the signature: a variadic argument takes its own as one tuple."""
    code = module.forward.__code__
    positional = code.co_argcount - 1
    variadic = bool(code.co_flags & 0x04)
    return (*axes[:positional], axes[positional:]) if variadic else axes


def _unused(module: nn.Module, program: torch.export.ExportedProgram) -> set[str]:
    """State-dict names on which no output of the graph depends."""
    signature = program.graph_signature
    inputs = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    needed: set[torch.fx.Node] = set()
    for node in reversed(program.graph.nodes):
        if node.op == "output" or node in needed:
            needed.update(node.all_input_nodes)
    used = {inputs[node.name] for node in needed if node.name in inputs}
    shared = {id(tensor) for name, tensor in module.state_dict(keep_vars=True).items() if name in used}
    return {name for name, tensor in module.state_dict(keep_vars=True).items() if id(tensor) not in shared}


def _counts(module: nn.Module, program: torch.export.ExportedProgram) -> dict[str, Any]:
    unused = _unused(module, program)
    parameters = dict(module.named_parameters())
    every = list(module.named_parameters(remove_duplicate=False))
    return {
        "parameters": sum(value.numel() for value in parameters.values()),
        "trainable": sum(value.numel() for value in parameters.values() if value.requires_grad),
        "unused": sum(value.numel() for name, value in parameters.items() if name in unused),
        "unused_names": sorted(name for name in parameters if name in unused),
        "ties": len(every) - len(parameters),
    }


def _converted(path: Path, target: str, folder: Path) -> Report:
    return interlingua.convert(
        path,
        target,
        folder / target,
        verify_inputs=folder / "inputs.npz",
        tolerance=TOLERANCE,
        force=True,
    )


def _verdict(report: Report) -> dict[str, Any]:
    verdicts = {proof.verdict for proof in report.proofs}
    worst = max((proof.relative for proof in report.proofs), default=float("inf"))
    reasons = sorted({proof.reason for proof in report.proofs if proof.reason})
    return {
        "verdict": "proved" if verdicts == {"proved"} else sorted(verdicts - {"proved"})[0],
        "relative": float(f"{worst:.2g}"),
        "against": sorted(proof.what for proof in report.proofs),
        "reference": sorted({proof.reference for proof in report.proofs}),
        "leftover": report.transposes["leftover"],
        "notes": len(report.notes),
        **({"reason": "; ".join(reasons)} if reasons else {}),
    }


def _generated(
    module: nn.Module, row: Architecture, inputs: tuple[Any, ...], report: Report, unused: set[str]
) -> dict[str, Any]:
    """What is measured of model.py beside the source, in this process."""
    found: dict[str, Any] = {"lines": len((report.folder / "model.py").read_text().splitlines())}
    generated = _attempt(found, "generated", lambda: loaded(report.folder))
    if generated is None:
        return found
    parameters = list(generated.parameters())
    every = list(generated.named_parameters(remove_duplicate=False))
    found["generated"] = {
        "parameters": sum(value.numel() for value in parameters),
        "trainable": sum(value.numel() for value in parameters if value.requires_grad),
        "ties": len(every) - len(parameters),
        "permutes": report.transposes["native"],
    }
    checks: dict[str, Callable[[], Any]] = {
        "gradients": lambda: gradients_agree(module, generated, inputs, report.weights, unused),
        "state_dict": lambda: state_dict_loads(module, generated, inputs, unused),
    }
    if row.batch:
        checks["other_batch"] = lambda: outputs_agree(module, generated, row.inputs(OTHER_BATCH))
    for name, check in checks.items():
        result = _attempt(found, name, check)
        if result is not None:
            found[name] = result
    return found


def loaded(folder: Path) -> nn.Module:
    written = runpy.run_path(str(folder / "model.py"))
    model: nn.Module = written["load"]()
    return model.eval()


def main() -> int:
    """Writes FOLDER/row.json."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(2)
    (folder / "row.json").write_text(json.dumps(measure(ALL[name], folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
