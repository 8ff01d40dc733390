"""Reads what PyTorch saves or makes: its own exporters in a worker, then names and places from what they tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from interlingua.artifact import Artifact, ReadOptions, Source
from interlingua.errors import InvalidSource, UntrustedSource, UsageError
from interlingua.proof.inputs import arrays_in
from interlingua.scratch import scratch_folder
from interlingua.worker import shared
from interlingua_torch.frontend.exported import check, model_of
from interlingua_torch.frontend.recognise import FACTORY, PICKLE, PROGRAM, SCRIPT

_SECONDS = 1800.0
_KINDS = {FACTORY: "factory", SCRIPT: "torchscript", PICKLE: "pickle"}


def read(artifact: Artifact, options: ReadOptions) -> Source:
    """The exported program as ONNX, with the state dict's names and the module's paths.

    Raises:
        InvalidSource: PyTorch cannot read the archive.
        UsageError: inputs or outputs were named that the program does not have.
        UnsupportedModel: the exporter to ONNX does not take the program.
    """
    folder = scratch_folder(options)
    reply = shared("torch").call(
        "export", phase="export to ONNX", timeout=_SECONDS, path=str(artifact.path), folder=str(folder)
    )
    check(reply.value)
    model = model_of(reply.value, options)
    run = {"path": str(artifact.path), "format": PROGRAM, "outputs": [value.name for value in model.graph.outputs]}
    return Source(model, artifact, "torch", run, options.notes)


def read_module(artifact: Artifact, options: ReadOptions) -> Source:
    """The module that a factory makes, or that a TorchScript file or a trusted pickle holds.

    Raises:
        UntrustedSource: a pickle of code, and nobody said that it is trusted; the class is named.
        UsageError: the factory cannot be called, or the inputs have no examples.
        InvalidSource: the file is damaged, or the weights are not the module's.
        UnsupportedModel: none of PyTorch's exporters takes the module.
    """
    if artifact.format == PICKLE and not options.trust:
        first, *more = artifact.facts["classes"]
        others = f" It also imports {', '.join(more[:8])}{', …' if len(more) > 8 else ''}." if more else ""
        raise UntrustedSource(
            f"Expected a model that loads without running code. Received a pickle ({artifact.path.name!r}) that wants "
            f"the class {first}.{others}",
            hint="--trust runs what it holds; torch.export.save or a state dict with a factory need no trust.",
        )
    module = {
        "kind": _KINDS[artifact.format],
        "path": str(artifact.path if artifact.format == FACTORY else artifact.path.resolve()),
        "arguments": dict(options.arguments),
        "weights": str(_weights(options.weights)) if options.weights is not None else None,
    }
    source: dict[str, Any] = {"module": module, "folder": str(Path.cwd())}
    folder = scratch_folder(options)
    reply = shared("torch").call(
        "export_source",
        arrays_in(options.examples) if options.examples is not None else {},
        phase="export to ONNX",
        timeout=_SECONDS,
        source=source,
        shapes={name: _known(name, sizes) for name, sizes in options.shapes.items()},
        dtypes=dict(options.dtypes),
        dynamic=_dynamic(options),
        folder=str(folder),
    )
    check(reply.value)
    told = reply.value
    model = model_of(told, options)
    source |= {"call": told["call"], "returns": told["returns"]}
    outputs = [value.name for value in model.graph.outputs]
    run = {"path": str(artifact.path), "format": artifact.format, "outputs": outputs, "source": source}
    return Source(model, artifact, "torch", run, options.notes, examples=reply.arrays)


def _weights(path: Path) -> Path:
    if not path.is_file():
        raise InvalidSource(f"Expected a file of weights (.safetensors, .pt, .pth). Received {str(path)!r}.")
    return path.resolve()


def _known(name: str, sizes: tuple[int | None, ...]) -> list[int]:
    """The shape of an example: an unknown first axis is 2 long.

    Raises:
        UsageError: another axis is unknown.
    """
    if None in sizes[1:]:
        raise UsageError(
            f"Expected known sizes of the example of {name or 'the input'} beyond its first axis. Received {sizes}.",
            hint="Give a size and name the axis: --input-shape x=2,3,32,100 --dynamic x:0=batch,3=width",
        )
    return [2 if size is None else size for size in sizes]


def _dynamic(options: ReadOptions) -> dict[str, dict[int, str]]:
    """Labels of dynamic axes: those that were named, and the first axis where its size was left open."""
    found = {name: {0: "batch"} for name, sizes in options.shapes.items() if sizes and sizes[0] is None}
    for name, axes in options.dynamic.items():
        found[name] = {**found.get(name, {}), **axes}
    return found
