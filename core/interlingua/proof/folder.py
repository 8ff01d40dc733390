"""Proves a result folder again, and runs models on a user's arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from safetensors import SafetensorError
from safetensors.numpy import load_file

from interlingua import artifact as artifacts
from interlingua import plugin
from interlingua.artifact import ReadOptions
from interlingua.codegen.package import ports
from interlingua.codegen.program import Port
from interlingua.errors import InvalidSource, UsageError, VerificationFailed
from interlingua.proof import execute, inputs
from interlingua.proof.agreement import compared
from interlingua.proof.compare import Array
from interlingua.proof.prove import REFERENCE, VerifyOptions, targets
from interlingua.report import NAME, Proof


def load_report(folder: Path) -> dict[str, Any]:
    """The report of a result folder.

    Raises:
        InvalidSource: the folder is no result of a conversion.
    """
    try:
        report = json.loads((folder / NAME).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidSource(
            f"Expected a folder that `interlingua convert` wrote, with {NAME}. Received {str(folder)!r}: {error}"
        ) from error
    if not isinstance(report, dict) or not {"target", "inputs", "outputs", "verification"} <= report.keys():
        raise InvalidSource(f"Expected the report of a conversion. Received another {NAME}.", place=str(folder))
    return report


def _ports(rows: list[dict[str, Any]]) -> tuple[Port, ...]:
    return tuple(
        Port(
            row["identifier"],
            row["name"],
            None if row["shape"] is None else tuple(row["shape"]),
            ir.DataType[row["dtype"]],
        )
        for row in rows
    )


def _source_ports(rows: tuple[Port, ...], axes: Mapping[str, list[int]]) -> list[Port]:
    """The ports as the source has them: the target's shapes turned back."""
    turned: list[Port] = []
    for port in rows:
        order = axes.get(port.name)
        shape = (
            tuple(port.shape[axis] for axis in np.argsort(order)) if order and port.shape is not None else port.shape
        )
        turned.append(Port(port.identifier, port.name, shape, port.dtype))
    return turned


def verify(folder: Path, *, tolerance: float | None = None) -> list[Proof]:
    """Runs what a result folder holds and compares it with the reference kept beside it.

    Raises:
        InvalidSource: the folder is no result, or was written without verification.
        VerificationFailed: it no longer agrees.
    """
    report = load_report(folder)
    said = report["verification"]
    options = VerifyOptions(
        True, tolerance or said["tolerance"], said["seed"], said["batch"], coarse=said.get("coarse", {})
    )
    try:
        kept = load_file(folder / REFERENCE)
    except (OSError, SafetensorError) as error:
        raise InvalidSource(
            f"Expected {REFERENCE} in {str(folder)!r}. Received: {error}", hint="Convert again with verification on."
        ) from error
    target_ports, axes = _ports(report["inputs"]), report["axes"]
    given = {key.partition(".")[2]: array for key, array in kept.items() if key.startswith("input.")}
    arrays = given or inputs.make(_source_ports(target_ports, axes), seed=options.seed, batch=options.batch)
    reference = [kept[f"output.{row['name']}"] for row in report["outputs"]]
    runtime = _backend_runtime(report)
    turned = {port.identifier: _turned(arrays[port.name], axes.get(port.name)) for port in target_ports}
    native = {"path": report["target"]["path"], "format": report["target"]["native"]}
    proofs: list[Proof] = []
    names = [row["name"] for row in report["outputs"]]
    for what, arguments in targets(folder, native, [row["identifier"] for row in report["outputs"]]):
        outputs = execute.run(runtime, turned, arguments, phase=f"run {what}")
        back = [_turned(array, _inverse(axes.get(name))) for name, array in zip(names, outputs, strict=True)]
        proof = compared(what, "reference kept at conversion", names, reference, back, options, [runtime])
        proofs.append(proof)
        if proof.verdict == "failed":
            raise VerificationFailed(
                f"Expected {what} of {str(folder)!r} to agree with its reference within {options.tolerance:g}. "
                f"Received a relative difference of {proof.relative:.3g}, absolute {proof.absolute:.3g}."
            )
    return proofs


def _backend_runtime(report: Mapping[str, Any]) -> str:
    backend = plugin.framework(report["target"]["framework"]).backend
    if backend is None:
        raise UsageError(f"Expected a framework that is written. Received {report['target']['framework']}.")
    return backend.runtime


def _turned(array: Array, order: list[int] | None) -> Array:
    return np.ascontiguousarray(array.transpose(order)) if order else array


def _inverse(order: list[int] | None) -> list[int] | None:
    return [int(axis) for axis in np.argsort(order)] if order else None


def run(path: Path, arrays: Mapping[str, Array], options: ReadOptions | None = None) -> dict[str, Array]:
    """The outputs of a model, computed by its own framework: a result folder, or any artifact that can be run.

    Raises:
        InvalidSource: nothing that can be run.
        UsageError: the arrays do not fit the inputs.
    """
    if (path / NAME).is_file():
        report = load_report(path)
        rows = _ports(report["inputs"])
        native = {"path": report["target"]["path"], "format": report["target"]["native"]}
        _, arguments = targets(path, native, [row["identifier"] for row in report["outputs"]])[0]
        given = _fitting({port.identifier: (port.name, port.identifier) for port in rows}, arrays)
        outputs = execute.run(_backend_runtime(report), given, arguments, phase="run the model")
        return dict(zip([row["name"] for row in report["outputs"]], outputs, strict=True))
    artifact = artifacts.recognise(path)
    _, form = plugin.format_named(artifact.format)
    if not form.reader or not form.runtime:
        raise UsageError(f"Expected a model that a framework runs. Received {form.title}.")
    source = plugin.resolve(form.reader)(artifact, options or ReadOptions())
    rows = ports(tuple(source.model.graph.inputs))
    given = _fitting({port.name: (port.name,) for port in rows}, arrays)
    outputs = execute.run(source.runtime, given, source.run, phase="run the model")
    return dict(zip([value.name or "" for value in source.model.graph.outputs], outputs, strict=True))


def _fitting(wanted: Mapping[str, tuple[str, ...]], arrays: Mapping[str, Array]) -> dict[str, Array]:
    found: dict[str, Array] = {}
    for key, names in wanted.items():
        name = next((name for name in names if name in arrays), None)
        if name is None:
            raise UsageError(f"Expected arrays named {', '.join(wanted)}. Received {', '.join(arrays) or 'none'}.")
        found[key] = arrays[name]
    return found
