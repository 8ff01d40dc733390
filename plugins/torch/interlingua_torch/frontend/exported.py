"""Makes a source of what PyTorch's exporters wrote: names, signature, places, origins, roles of the state dict."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

import onnx_ir as ir

from interlingua import errors, notes
from interlingua.artifact import ReadOptions
from interlingua.codegen.signature import SIGNATURE
from interlingua.errors import InterlinguaError, UsageError
from interlingua.ir import metadata
from interlingua.ir.origin import Constant, Parameter, parse
from interlingua.ir.scopes import TIES, record_scopes
from interlingua.onnx.reader import load
from interlingua_torch.frontend.exporter import (
    forget_zero_biases,
    restore_dropouts,
    restore_recurrent_dropouts,
    spell_as_standard,
    tell_casts,
)

UNUSED = "interlingua.unused"
"""Model metadata: JSON of what the state dict holds beside the graph, name to shape, dtype and role."""

_TRACE = "pkg.torch.onnx.stack_trace"
_TORCH = re.compile(r"(^|-packages/)torch/")
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_SYMBOL = re.compile(r"[A-Za-z_]\w*")
_DTYPES = {dtype.name.lower(): dtype for dtype in ir.DataType} | {
    "float32": ir.DataType.FLOAT,
    "float64": ir.DataType.DOUBLE,
}
"""Types by PyTorch's names."""


def check(told: Mapping[str, Any]) -> None:
    """Raises what a runtime told as a problem.

    Raises:
        InterlinguaError: of the class that the problem names.
    """
    if "problem" in told:
        kind: type[InterlinguaError] = getattr(errors, told["kind"])
        raise kind(told["problem"], hint=told["hint"])


def model_of(told: Mapping[str, Any], options: ReadOptions) -> ir.Model:
    """The exported ONNX file as a model that knows its source.

    Raises:
        UsageError: inputs or outputs were chosen that are not those of the module.
    """
    model = load(Path(told["path"]))
    for kind, place, text in told["notes"]:
        options.notes.add(getattr(notes, kind)(place, text))
    _name_inputs(model, told)
    _name_dimensions(model, told["dimensions"], options)
    outputs = _name_outputs(model, told, options)
    record_scopes(model)
    tell_casts(model, options.notes)
    spell_as_standard(model)
    layers: dict[str, str] = json.loads((told.get("names") and told["layers"]) or "{}")
    for node in model.graph.all_nodes():
        _place(node, layers)
    _tell_state(model, told, options)
    restore_dropouts(model, told["dropouts"], options.notes)
    restore_recurrent_dropouts(model, told.get("recurrent", ()), options.notes)
    forget_zero_biases(model)
    call = told["call"]
    for name, tree in zip((*call["names"], *call["kwargs"]), (*call["args"], *call["kwargs"].values()), strict=True):
        for path, constant in _constants(tree, name):
            options.notes.add(notes.Assumed(path, f"always {constant!r}, as in the example; it is no input any more"))
    said = {
        "inputs": [_plain(tree) for tree in (*call["args"], *call["kwargs"].values()) if not _is_constant(tree)],
        "outputs": _plain(outputs),
        "names": [
            name
            for name, tree in zip(
                (*call["names"], *call["kwargs"]), (*call["args"], *call["kwargs"].values()), strict=True
            )
            if not _is_constant(tree)
        ],
        **({"variadic": call["variadic"]} if call.get("variadic") else {}),
    }
    model.metadata_props[SIGNATURE] = json.dumps(said)
    _choose(model, options)
    return model


def _is_constant(tree: Mapping[str, Any]) -> bool:
    return "constant" in tree


def _plain(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The tree with nothing but what a signature tells."""
    if "leaf" in tree:
        return {"leaf": tree["leaf"]}
    if "dict" in tree:
        return {"dict": {key: _plain(item) for key, item in tree["dict"].items() if not _is_constant(item)}}
    for kind in ("tuple", "list"):
        if kind in tree:
            return {kind: [{"none": True} if _is_constant(item) else _plain(item) for item in tree[kind]]}
    return {"none": True}


def leaves(tree: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of a tree's tensors, in order."""
    if "leaf" in tree:
        yield tree  # type: ignore[misc]
    for below in (tree.get("dict", {}).values(), tree.get("tuple", ()), tree.get("list", ())):
        for item in below:
            yield from leaves(item)


def _constants(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    if "constant" in tree:
        yield path, tree["constant"]
    parts = tree.get("dict") or dict(enumerate((*tree.get("tuple", ()), *tree.get("list", ()))))
    for key, item in parts.items():
        yield from _constants(item, f"{path}.{key}" if path else str(key))


def _name_inputs(model: ir.Model, told: Mapping[str, Any]) -> None:
    """Names the graph's inputs as the call does; the exporter spells nested ones in its own way."""
    rows = [row for tree in (*told["call"]["args"], *told["call"]["kwargs"].values()) for row in leaves(tree)]
    values = [value for value in model.graph.inputs if not value.is_initializer()]
    by_name = {value.name: value for value in values}
    if told["exporter"] == "script":  # it leaves out inputs that nothing reads
        _restore_inputs(model, rows, by_name, told)
        return
    _free(model, {row["leaf"] for row in rows}, keep=set(values))
    for row, value in zip(rows, values, strict=True):
        value.name = row["leaf"]


def _restore_inputs(
    model: ir.Model, rows: list[dict[str, Any]], by_name: Mapping[str | None, ir.Value], told: Mapping[str, Any]
) -> None:
    """Gives inputs their shapes, which the script exporter leaves out, puts back unread ones, all in their order."""
    for row in rows:
        name = row["leaf"]
        sizes, dtype = told["example"][name]
        axes = {int(axis): label for axis, label in told["dimensions"].get(name, {}).items()}
        shape = ir.Shape([axes.get(axis, size) for axis, size in enumerate(sizes)])
        if name in by_name:
            by_name[name].shape = shape
        else:
            kind = ir.TensorType(_DTYPES[dtype.rpartition(".")[2]])
            model.graph.inputs.append(ir.Value(name=name, shape=shape, type=kind))
    order = {row["leaf"]: i for i, row in enumerate(rows)}
    ordered = sorted(model.graph.inputs, key=lambda value: order.get(value.name or "", len(order)))
    model.graph.inputs.clear()
    model.graph.inputs.extend(ordered)


def _free(model: ir.Model, wanted: set[str], keep: set[ir.Value]) -> None:
    """Gives values of the graph that bear a wanted name another."""
    taken = {value.name for node in model.graph.all_nodes() for value in node.outputs}
    taken |= {value.name for value in model.graph.inputs} | set(model.graph.initializers)
    for node in model.graph.all_nodes():
        for value in node.outputs:
            if value.name in wanted and value not in keep:
                stem, number = value.name, 1
                while f"{stem}_{number}" in taken | wanted:
                    number += 1
                value.name = f"{stem}_{number}"
                taken.add(value.name)


def _name_dimensions(model: ir.Model, wanted: Mapping[str, Mapping[str, str]], options: ReadOptions) -> None:
    """Gives the exporter's symbols the labels of the axes that they stand on."""
    labels: dict[str, str] = {}
    inputs = {value.name: value for value in model.graph.inputs}
    for name, axes in wanted.items():
        shape = inputs[name].shape
        assert shape is not None
        for axis, label in axes.items():
            size = shape[int(axis)]
            symbol = str(size.value) if isinstance(size, ir.SymbolicDim) else ""
            if not _SYMBOL.fullmatch(symbol):
                options.notes.add(
                    notes.Changed(name, f"the axis {label} cannot vary by itself; the exported graph says {size}")
                )
            elif labels.setdefault(symbol, label) != label:
                options.notes.add(notes.Changed(name, f"the axis {label} is always as long as {labels[symbol]}"))
    renamed = {symbol: label for symbol, label in labels.items() if symbol != label}
    if not renamed:
        return
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, renamed))})\b")
    values = [*model.graph.inputs, *(value for node in model.graph.all_nodes() for value in node.outputs)]
    for value in values:
        if value.shape is not None:
            value.shape = ir.Shape([_renamed(size, pattern, renamed) for size in value.shape])


def _renamed(size: int | ir.SymbolicDim, pattern: re.Pattern[str], labels: Mapping[str, str]) -> int | str | None:
    if isinstance(size, int):
        return size
    return None if size.value is None else pattern.sub(lambda found: labels[found[0]], str(size.value))


def _name_outputs(model: ir.Model, told: Mapping[str, Any], options: ReadOptions) -> dict[str, Any]:
    """Names outputs of dictionaries by their keys, each output a value of its own; the tree with the names.

    An output that is an input, a weight, or another output once more is told apart by an Identity.
    """
    tree: dict[str, Any] = told["returns"]
    rows = list(leaves(tree))
    for path, constant in _constants(tree):
        options.notes.add(notes.Dropped(f"output {path or '0'}", f"the number {constant!r} that the code states"))
    graph = model.graph
    values = list(graph.outputs)
    assert len(rows) == len(values), (rows, values)
    seen: set[ir.Value] = set()
    for index, value in enumerate(values):
        if value.producer() is None or value in seen:
            node = ir.node("Identity", [value], name=f"output_{index}")
            node.outputs[0].name = f"output_{index}"
            node.outputs[0].shape, node.outputs[0].type = value.shape, value.type
            graph.append(node)
            values[index] = graph.outputs[index] = node.outputs[0]
        seen.add(values[index])
    keyed = {i: row["path"].replace(".", "_") for i, row in enumerate(rows) if re.search(r"[^\d.]", row["path"])}
    taken = {value.name for value in graph.inputs} | set(graph.initializers)
    _free(model, set(keyed.values()), keep=set())
    for index, name in keyed.items():
        values[index].name = name if name not in taken else f"{name}_out"
        taken.add(values[index].name)
    for row, value in zip(rows, values, strict=True):
        row["leaf"] = value.name
        if row.get("complex"):
            options.notes.add(
                notes.Changed(str(value.name), "complex numbers leave as real pairs, on a last axis of length 2")
            )
    for item in (*told["call"]["args"], *told["call"]["kwargs"].values()):
        for row in leaves(item):
            if row.get("complex"):
                text = "complex numbers come as real pairs, on a last axis of length 2"
                options.notes.add(notes.Changed(row["leaf"], text))
    return tree


def _place(node: ir.Node, layers: Mapping[str, str]) -> None:
    """The module's path as layer, the user's line of the stack trace; the exporter's own metadata is dropped."""
    said = node.metadata_props
    module = said.get(metadata.MODULE, "")
    layer = module or (node.name or "")
    line = _user_line(said.get(_TRACE, "") or _spelled_frames(node.doc_string or ""))
    node.doc_string = None
    for key in [key for key in said if key.startswith("pkg.torch") or key == "namespace"]:
        del said[key]
    metadata.set_place(node, layers.get(layer, layer), module=module, line=line)


def _spelled_frames(text: str) -> str:
    """The frames of the script exporter's documentation of a node, `net.py(23): forward`, as a stack trace has them."""
    return "\n".join(f'File "{file}", line {line}' for file, line in re.findall(r"([^\s(]+\.py)\((\d+)\):", text)[::-1])


def _user_line(trace: str) -> str:
    """The innermost frame outside PyTorch: `model.py:23`."""
    own = [(file, line) for file, line in _FRAME.findall(trace) if not _TORCH.search(file.replace("\\", "/"))]
    return f"{PurePath(own[-1][0]).name}:{own[-1][1]}" if own else ""


def _tell_state(model: ir.Model, told: Mapping[str, Any], options: ReadOptions) -> None:
    """Origins and roles of initializers, ties under the first of their names, what the graph does not use."""
    roles, ties, state = told["roles"], told["ties"], told["state"]
    names: dict[str, str] = json.loads(told.get("names") or "{}")
    graph = model.graph
    for value in list(graph.initializers.values()):
        first = ties.get(value.name or "")
        if first is not None and first not in graph.initializers:
            value.name = first  # the graph's table of initializers follows
    for value in graph.initializers.values():
        name = value.name or ""
        role = roles.get(name)
        if role is not None:
            metadata.set_role(value, role)
        kept = role in ("parameter", "frozen") or _is_statistic(value)
        if name in names:
            metadata.set_origin(value, parse(names[name]))
        elif name in ties:
            metadata.set_origin(value, Parameter(ties[name]) if kept else Constant(ties[name]))
        else:
            metadata.set_origin(value, Parameter(name) if kept else Constant(name))
    used = {ties.get(value.name or "", value.name) for value in graph.initializers.values() if value.uses()}
    used |= {ties.get(value.name or "", value.name) for value in graph.outputs}
    unused = {name: {**state[name], "role": roles[name]} for name in roles if ties.get(name, name) not in used}
    if ties:
        model.metadata_props[TIES] = json.dumps(ties)
    if unused:
        model.metadata_props[UNUSED] = json.dumps(unused)
    trained = [name for name in unused if roles[name] in ("parameter", "frozen")]
    if trained:
        text = f"parameters that no output depends on: {', '.join(trained)}"
        options.notes.add(notes.Dropped("the state dict", text))


def _is_statistic(value: ir.Value) -> bool:
    """Whether the buffer is a running mean or variance, which training moves; other buffers are constants."""
    uses = list(value.uses())
    return bool(uses) and all(use.node.op_type == "BatchNormalization" for use in uses)


def _choose(model: ir.Model, options: ReadOptions) -> None:
    found = {"inputs": [v.name for v in model.graph.inputs], "outputs": [v.name for v in model.graph.outputs]}
    for kind, chosen in (("inputs", options.inputs), ("outputs", options.outputs)):
        if chosen and list(chosen) != found[kind]:
            raise UsageError(
                f"Expected the {kind} of the exported program ({', '.join(map(str, found[kind]))}). "
                f"Received {', '.join(chosen)}.",
                hint="An exported program is converted whole.",
            )
