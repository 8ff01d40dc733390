"""Modules of the source: the tree that nodes stand in, from what PyTorch's exporters write of it."""

from __future__ import annotations

import ast
import itertools
import json
from collections.abc import Mapping, Sequence

import onnx_ir as ir

from interlingua.ir import metadata

CLASSES = "interlingua.classes"
"""Key of the model's metadata: JSON of the class name of each module of the source, by its path."""

TIES = "interlingua.ties"
"""Key of the model's metadata: JSON of the other names of tied parameters, each with the first of its names."""

_SCOPES = "pkg.torch.onnx.name_scopes"
_HIERARCHY = "pkg.torch.onnx.class_hierarchy"
_NO_MODULE = "_empty_nn_module_stack"


def record_scopes(model: ir.Model) -> None:
    """Tells each node the path of its module, and the model the modules' classes, where an exporter said them.

    PyTorch's newer exporter writes both into node metadata; its older one writes the path into the node's name
    (`/layer1/layer1.0/conv1/Conv`).
    """
    classes: dict[str, str] = {}
    for node in model.graph.all_nodes():
        said = node.metadata_props
        if _SCOPES in said:
            names, kinds = (_list(said.get(key, "[]")) for key in (_SCOPES, _HIERARCHY))
            scopes = list(zip(names, kinds, strict=False)) if len(names) == len(kinds) else [(n, "") for n in names]
            modules = [(name, kind) for name, kind in scopes[:-1] if not name.startswith(_NO_MODULE)]
        elif model.producer_name == "pytorch" and (node.name or "").startswith("/"):
            modules = [(path, "") for path in _spelled(node.name or "")]
        else:
            continue
        if node.op_type == "Transpose":
            metadata.set_own(node)
        for path, kind in modules:
            classes.setdefault(path, kind.rpartition(".")[2])
        _tell(node, [path for path, _ in modules])
    if any(classes):
        model.metadata_props[CLASSES] = json.dumps(classes, sort_keys=True)


def _list(text: str) -> list[str]:
    try:
        found = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return []
    return [str(each) for each in found] if isinstance(found, list) else []


def _spelled(name: str) -> list[str]:
    """The paths of the modules in a node's name: `/layer1/layer1.0/conv1/Conv` is in layer1.0 and layer1.0.conv1."""
    paths: list[str] = [""]
    last = ""
    for part in name.split("/")[1:-1]:
        if last and part.startswith(f"{last}."):
            paths.append(paths[-1][: len(paths[-1]) - len(last)] + part)
        else:
            paths.append(f"{paths[-1]}.{part}" if paths[-1] else part)
        last = part
    return paths


def _tell(node: ir.Node, paths: Sequence[str]) -> None:
    """The innermost path as the node's module; the others only where its own does not tell them."""
    node.metadata_props[metadata.MODULE] = paths[-1] if paths else ""
    if any(not inner.startswith(f"{outer}.") for outer, inner in itertools.pairwise(paths[1:])):
        node.metadata_props[metadata.CALLERS] = json.dumps(list(paths[:-1]))


def move_out(value: ir.Value | None, path: str) -> None:
    """Tells the nodes that make a value inside a module that they stand where the module is called."""
    node = None if value is None else value.producer()
    if node is None or node.metadata_props.get(metadata.MODULE) != path:
        return
    callers = json.loads(node.metadata_props.pop(metadata.CALLERS, "null"))
    _tell(node, callers if callers is not None else ["", path.rpartition(".")[0]])
    for each in node.inputs:
        move_out(each, path)


def classes_of(model: ir.Model) -> dict[str, str]:
    """The class name of each module of the source that is called, by path; "" where only the path is known."""
    found = json.loads(model.metadata_props.get(CLASSES, "{}"))
    return {str(path): str(kind) for path, kind in found.items()}


def ties_of(model: ir.Model) -> dict[str, str]:
    """The other names that the source's state has for tied parameters, each with the first of its names."""
    found = json.loads(model.metadata_props.get(TIES, "{}"))
    return {str(other): str(first) for other, first in found.items()}


def class_around(node: ir.Node, model: ir.Model) -> str:
    """The class of the innermost module that the node stands in; "" where nobody said."""
    return classes_of(model).get(node.metadata_props.get(metadata.MODULE, ""), "")


def modules_of(node: ir.Node, classes: Mapping[str, str]) -> tuple[str, ...] | None:
    """The paths of the modules that the node stands in, from the outermost below the root; None where nobody said."""
    path = node.metadata_props.get(metadata.MODULE)
    if path is None:
        return None
    callers = node.metadata_props.get(metadata.CALLERS)
    if callers is not None:
        return tuple(each for each in (*json.loads(callers), path) if each)
    parts = path.split(".") if path else []
    prefixes = (".".join(parts[:count]) for count in range(1, len(parts) + 1))
    return tuple(prefix for prefix in prefixes if prefix in classes or prefix == path)
