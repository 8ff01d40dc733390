"""Reads exported programs: PyTorch's own exporter in a worker, then names and scopes from its metadata."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

import onnx_ir as ir

from interlingua.artifact import Artifact, ReadOptions, Source
from interlingua.errors import InvalidSource, UsageError
from interlingua.ir import metadata
from interlingua.ir.origin import Constant, Parameter, parse
from interlingua.onnx.reader import load
from interlingua.scratch import scratch_folder
from interlingua.worker import shared
from interlingua_torch.frontend.exporter import forget_zero_biases, restore_dropouts

_SCOPES = "pkg.torch.onnx.name_scopes"
_TRACE = "pkg.torch.onnx.stack_trace"
_NO_MODULE = "_empty_nn_module_stack"
_TORCH = re.compile(r"(^|-packages/)torch/")
_SECONDS = 1800.0


def read(artifact: Artifact, options: ReadOptions) -> Source:
    """The exported program as ONNX, with the state dict's names and the module's paths.

    Raises:
        InvalidSource: PyTorch cannot read the archive.
        UsageError: inputs or outputs were named that the program does not have.
        WorkerFailed: PyTorch could not export it.
    """
    folder = scratch_folder(options)
    reply = shared("torch").call(
        "export", phase="export to ONNX", timeout=_SECONDS, path=str(artifact.path), folder=str(folder)
    )
    check_opened(artifact, reply.value)
    model = load(Path(reply.value["path"]))
    names: dict[str, str] = json.loads(reply.value["names"] or "{}")
    layers: dict[str, str] = json.loads(reply.value["layers"] or "{}")
    for node in model.graph.all_nodes():
        _place(node, layers)
    trained = frozenset(reply.value["trained"])
    for value in model.graph.initializers.values():
        name = value.name or ""
        kept = name in trained or _is_statistic(value)
        metadata.set_origin(value, parse(names[name]) if name in names else Parameter(name) if kept else Constant(name))
    restore_dropouts(model, reply.value["dropouts"], options.notes)
    forget_zero_biases(model)
    _choose(model, options)
    outputs = [value.name for value in model.graph.outputs]
    run = {"path": str(artifact.path), "format": "torch-export", "outputs": outputs}
    return Source(model, artifact, "torch", run, options.notes)


def check_opened(artifact: Artifact, told: Mapping[str, Any]) -> None:
    """Refuses an archive that PyTorch cannot read.

    Raises:
        InvalidSource: with PyTorch's reason.
    """
    if "problem" in told:
        raise InvalidSource(
            f"Expected a .pt2 archive that PyTorch reads. Received {artifact.path.name!r}: {told['problem']}",
            hint="Export it anew with torch.export.save; a newer PyTorch writes what an older one cannot read.",
        )


def _is_statistic(value: ir.Value) -> bool:
    """Whether the buffer is a running mean or variance, which training moves; other buffers are constants."""
    uses = list(value.uses())
    return bool(uses) and all(use.node.op_type == "BatchNormalization" for use in uses)


def _place(node: ir.Node, layers: dict[str, str]) -> None:
    """The module's path as layer, the user's line of the stack trace; the exporter's own metadata is dropped."""
    said = node.metadata_props
    scopes = [each for each in ast.literal_eval(said.get(_SCOPES, "[]")) if each and not each.startswith(_NO_MODULE)]
    module = scopes[-2] if len(scopes) > 1 else ""
    layer = module or (scopes[-1] if scopes else node.name or "")
    line = _user_line(said.get(_TRACE, ""))
    for key in [key for key in said if key.startswith("pkg.torch") or key == "namespace"]:
        del said[key]
    metadata.set_place(node, layers.get(layer, layer), module=module, line=line)


def _user_line(trace: str) -> str:
    """The innermost frame outside PyTorch: `model.py:23`."""
    frames = re.findall(r'File "([^"]+)", line (\d+)', trace)
    own = [(file, line) for file, line in frames if not _TORCH.search(file.replace("\\", "/"))]
    return f"{PurePath(own[-1][0]).name}:{own[-1][1]}" if own else ""


def _choose(model: ir.Model, options: ReadOptions) -> None:
    found = {"inputs": [v.name for v in model.graph.inputs], "outputs": [v.name for v in model.graph.outputs]}
    for kind, chosen in (("inputs", options.inputs), ("outputs", options.outputs)):
        if chosen and list(chosen) != found[kind]:
            raise UsageError(
                f"Expected the {kind} of the exported program ({', '.join(map(str, found[kind]))}). "
                f"Received {', '.join(chosen)}.",
                hint="An exported program is converted whole.",
            )
