"""Reads exported programs: PyTorch's own exporter in a worker, then names and scopes from its metadata."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path, PurePath

import onnx_ir as ir

from interlingua.artifact import Artifact, ReadOptions, Source
from interlingua.errors import UsageError
from interlingua.ir import metadata
from interlingua.ir.origin import parse
from interlingua.onnx.reader import load
from interlingua.scratch import scratch_folder
from interlingua.worker import shared

_SCOPES = "pkg.torch.onnx.name_scopes"
_TRACE = "pkg.torch.onnx.stack_trace"
_NO_MODULE = "_empty_nn_module_stack"
_SECONDS = 1800.0


def read(artifact: Artifact, options: ReadOptions) -> Source:
    """The exported program as ONNX, with the state dict's names and the module's paths.

    Raises:
        UsageError: inputs or outputs were named that the program does not have.
        WorkerFailed: PyTorch could not export it.
    """
    folder = scratch_folder(options)
    reply = shared("torch").call(
        "export", phase="export to ONNX", timeout=_SECONDS, path=str(artifact.path), folder=str(folder)
    )
    model = load(Path(reply.value["path"]))
    names: dict[str, str] = json.loads(reply.value["names"] or "{}")
    for node in model.graph.all_nodes():
        _place(node, names)
    for value in model.graph.initializers.values():
        name = value.name or ""
        metadata.set_origin(value, parse(names[name]) if name in names else name)
    _choose(model, options)
    outputs = [value.name for value in model.graph.outputs]
    run = {"path": str(artifact.path), "format": "torch-export", "outputs": outputs}
    return Source(model, artifact, "torch", run, options.notes)


def _place(node: ir.Node, names: dict[str, str]) -> None:
    """The module's path as layer, the user's line of the stack trace; the exporter's own metadata is dropped."""
    said = node.metadata_props
    scopes = [each for each in ast.literal_eval(said.get(_SCOPES, "[]")) if each and not each.startswith(_NO_MODULE)]
    module = scopes[-2] if len(scopes) > 1 else ""
    layer = module or (scopes[-1] if scopes else node.name or "")
    line = _user_line(said.get(_TRACE, ""))
    for key in [key for key in said if key.startswith("pkg.torch") or key == "namespace"]:
        del said[key]
    metadata.set_place(node, names.get(layer, layer), module=module, line=line)


def _user_line(trace: str) -> str:
    """The innermost frame outside PyTorch: `model.py:23`."""
    frames = re.findall(r'File "([^"]+)", line (\d+)', trace)
    own = [(file, line) for file, line in frames if "torch/" not in file.replace("\\", "/")]
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
