"""Runs a source, the IR or a target in its own worker."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx_ir as ir

from interlingua.errors import WorkerFailed
from interlingua.notes import Notes, Skipped
from interlingua.onnx.writer import save
from interlingua.proof.compare import Array
from interlingua.worker import shared
from interlingua.worker.scratch import Held

IR_RUNTIME = "onnx"
SECONDS = 1800.0


def run(
    runtime: str, arrays: Mapping[str, Array], arguments: Mapping[str, Any], *, phase: str, notes: Notes | None = None
) -> list[Array]:
    """The outputs of an artifact in order, computed by its own framework in a worker.

    `notes` take what the worker tells of how it ran: that another than the framework computed it.

    Raises:
        RuntimeMissing: no interpreter has the framework.
        WorkerFailed: it crashed, hung or raised.
    """
    reply = shared(runtime).call("run", arrays, phase=phase, timeout=SECONDS, **arguments)
    if notes is not None and isinstance(reply.value, dict) and reply.value.get("told"):
        notes.add(Skipped("proof", reply.value["told"]))
    return list(reply.arrays.values())


def trace(
    runtime: str, arrays: Mapping[str, Array], arguments: Mapping[str, Any], names: Sequence[str] | None = None
) -> dict[str, Array]:
    """Intermediate values by the framework's own layer names; empty where it cannot tell them."""
    given = {key: value for key, value in arguments.items() if key != "outputs"}
    try:
        reply = shared(runtime).call("trace", arrays, phase="trace", timeout=SECONDS, names=names, **given)
    except WorkerFailed:
        return {}
    return reply.arrays


@contextlib.contextmanager
def on_disk(model: ir.Model) -> Iterator[Path]:
    """The IR as an ONNX file, for as long as the block lasts."""
    with contextlib.closing(Held()) as held:
        yield save(model, Path(held.path) / "model.onnx")[0]


def run_ir(model: ir.Model | Path, arrays: Mapping[str, Array], notes: Notes | None = None) -> list[Array]:
    """The outputs of the IR, or of the file it was saved to, computed by onnxruntime without graph optimisations."""
    if isinstance(model, ir.Model):
        with on_disk(model) as path:
            return run_ir(path, arrays, notes)
    return run(IR_RUNTIME, arrays, {"path": str(model), "format": "onnx"}, phase="run the IR", notes=notes)


def trace_ir(model: ir.Model, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Every intermediate value of the IR by name."""
    with on_disk(model) as path:
        names = [value.name for node in model.graph for value in node.outputs if value.name]
        return trace(IR_RUNTIME, arrays, {"path": str(path), "format": "onnx"}, names)
