"""Reads an ONNX model into the IR: weights stay in their file, unknown operators stay as they are."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

import onnx
import onnx_ir as ir
import onnx_ir.passes.common as common

from interlingua import extensions
from interlingua.artifact import Artifact, ReadOptions, Source
from interlingua.errors import InvalidSource, UntrustedSource, UsageError
from interlingua.ir import metadata
from interlingua.ir.scopes import record_scopes
from interlingua.notes import Notes
from interlingua.onnx.constants import record_constants
from interlingua.onnx.prepare import prepare, tensors
from interlingua.onnx.recognise import text_form
from interlingua.onnx.shared import part_shared
from interlingua.onnx.skeleton import Weight, attach, skeleton, wrong_tensors


def read(artifact: Artifact, options: ReadOptions) -> Source:
    """The model as it stands in the file, cut to the chosen inputs and outputs.

    Raises:
        InvalidSource: the file is truncated or its parts contradict each other.
        UntrustedSource: its weights stand outside its folder.
        UsageError: a chosen input or output is not in the graph.
    """
    path = artifact.files["graph"]
    model = load(path, options.notes)
    part_shared(model)
    chosen = _cut(model, options)
    _set_shapes(model, options)
    foreign = any(node.domain not in ("", "ai.onnx") for node in model.graph.all_nodes())
    own = [function.SerializeToString().hex() for function in extensions.functions()] if foreign else []
    told = {"functions": own} if own else {}
    return Source(model, artifact, "onnx", {"path": str(path), **chosen, **told}, options.notes)


def load(path: Path, notes: Notes | None = None) -> ir.Model:
    """The ONNX model at `path`, its weights mapped into memory only when asked for.

    Raises:
        InvalidSource: the file is truncated or its parts contradict each other.
        UntrustedSource: its weights stand outside its folder.
    """
    form = text_form(path)
    proto, weights = (_text(path, form), dict[str, Weight]()) if form else skeleton(path)
    prepare(proto, Notes() if notes is None else notes, path.name)
    wrong = list(wrong_tensors(proto, weights))
    if wrong:
        raise InvalidSource(
            f"Expected tensors as large as declared. Received others: {'; '.join(wrong[:5])}.", place=str(path)
        )
    missing = _external_files(proto, path)
    if missing:
        raise InvalidSource(
            f"Expected external weights beside the model. Missing: {', '.join(missing[:5])}.", place=str(path)
        )
    try:
        model: ir.Model = ir.from_proto(proto)
        ir.external_data.set_base_dir(model.graph, path.parent)
    except Exception as error:  # the deserializer raises whatever the contradiction led to
        raise InvalidSource(
            f"Expected a whole ONNX graph. Received one that contradicts itself: {error}", place=str(path)
        ) from error
    attach(proto, model, path, weights)
    _forget_origins(model)
    record_constants(model)
    record_scopes(model)
    _check_structure(model, path)
    return model


def _text(path: Path, form: str) -> onnx.ModelProto:
    try:
        if form == "onnxtxt":
            return onnx.parser.parse_model(path.read_text("utf-8"))
        return onnx.load_model(str(path), format=form, load_external_data=False)
    except Exception as error:  # the parsers raise classes of their own, decoding another
        told = " ".join(str(error).split())[:300]
        raise InvalidSource(
            f"Expected an ONNX model as {form}. Received something else: {told}", place=str(path)
        ) from error


def _external_files(proto: onnx.ModelProto, path: Path) -> list[str]:
    """Names of weight files that are not there.

    Raises:
        UntrustedSource: a location leads out of the model's folder.
        InvalidSource: a weight would stand outside its file.
    """
    folder, missing = path.parent.resolve(), dict[str, None]()
    for tensor in tensors(proto):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        try:
            target = (path.parent / location).resolve()
            there, size = target.is_file(), target.stat().st_size if target.is_file() else 0
        except (OSError, RuntimeError, ValueError) as error:  # a circle of links, a name too long, a null byte
            raise InvalidSource(
                f"Expected the name of a file of weights. Received {location[:80]!r}: {error}"[:300], place=str(path)
            ) from error
        if not location or Path(location).is_absolute() or not target.is_relative_to(folder):
            raise UntrustedSource(
                f"Expected weights inside the model's folder. Received the location {location!r} for {tensor.name!r}.",
                place=str(path),
            )
        if not there:
            missing[location] = None
            continue
        offset, length = _number(entries, "offset", tensor.name), _number(entries, "length", tensor.name)
        expected = ir.DataType(tensor.data_type).bitwidth
        for axis in tensor.dims:
            expected *= axis
        expected = (expected + 7) // 8
        if "length" in entries and length != expected:
            raise InvalidSource(
                f"Expected {expected} bytes for the weight {tensor.name!r}. Received {length}.", place=str(path)
            )
        if offset + expected > size:
            raise InvalidSource(
                f"Expected the weight {tensor.name!r} at byte {offset} with {expected} bytes in {location!r}. "
                f"Received a file of {size} bytes.",
                place=str(path),
            )
    return list(missing)


def _number(entries: dict[str, str], key: str, name: str) -> int:
    text = entries.get(key, "0")
    if not text.isdigit():
        raise InvalidSource(f"Expected a number as the {key} of the weight {name!r}. Received {text!r}.")
    return int(text)


def _forget_origins(model: ir.Model) -> None:
    """Drops what an earlier conversion told of other files: the parameters of this model are this file's."""
    for value in model.graph.initializers.values():
        if not metadata.is_constant(value):
            value.metadata_props.pop(metadata.ORIGIN, None)
    for value in (*model.graph.inputs, *model.graph.outputs):
        value.metadata_props.pop(metadata.PERMUTATION, None)


def _check_structure(model: ir.Model, path: Path) -> None:
    dangling = dict[str, None]()
    if not model.graph.outputs:
        raise InvalidSource("Expected a graph with outputs. Received one without.", place=str(path))
    inner = {value for function in model.functions.values() for value in function.inputs}
    for value in _read_values(model):
        if (
            value is not None
            and value not in inner
            and value.producer() is None
            and not value.is_graph_input()
            and not value.is_initializer()
        ):
            dangling[value.name or "?"] = None
    if dangling:
        raise InvalidSource(
            "Expected every value to be computed, an input or a weight. "
            f"Received none of these for: {', '.join(list(dangling)[:5])}.",
            place=str(path),
        )
    try:
        common.TopologicalSortPass()(model)
    except Exception as error:
        raise InvalidSource(f"Expected a graph without cycles. Received one: {error}", place=str(path)) from error


def _read_values(model: ir.Model) -> Iterator[ir.Value | None]:
    """Every value that a node reads or a graph gives, of subgraphs and functions too."""
    for graph in (*model.graphs(), *(function.graph for function in model.functions.values())):
        for node in graph:
            yield from node.inputs
        yield from graph.outputs


def _cut(model: ir.Model, options: ReadOptions) -> dict[str, list[str]]:
    """Makes the chosen values inputs and outputs; returns the arguments of the runtime that say so."""
    chosen: dict[str, list[str]] = {}
    values = {value.name: value for value in model.graph.inputs}
    values.update((output.name, output) for node in model.graph for output in node.outputs)
    if options.outputs:
        outputs = [_named(name, values) for name in options.outputs]
        model.graph.outputs.clear()
        model.graph.outputs.extend(outputs)
        chosen["outputs"] = list(options.outputs)
    if options.inputs:
        for name in options.inputs:
            value = _named(name, values)
            if value.is_graph_input():
                continue
            entry = ir.Value(name=name, shape=value.shape, type=value.type)
            value.name = f"{name} (cut)"
            value.replace_all_uses_with(entry, replace_graph_outputs=True)
            model.graph.inputs.append(entry)
    if options.inputs or options.outputs:
        common.RemoveUnusedNodesPass()(model)
        unused = [value for value in model.graph.inputs if not value.uses() and value.name not in options.inputs]
        for value in unused:
            model.graph.inputs.remove(value)
        left = [
            v.name
            for v in model.graph.inputs
            if options.inputs and v.name not in options.inputs and not v.is_initializer()
        ]
        if left:
            raise UsageError(f"Expected inputs that cut the graph. The outputs also need: {', '.join(map(str, left))}.")
    return chosen


def _named(name: str, values: dict[str | None, ir.Value]) -> ir.Value:
    if name in values:
        return values[name]
    near = difflib.get_close_matches(name, [str(key) for key in values if key], n=3)
    hint = f"Near ones: {', '.join(near)}." if near else ""
    raise UsageError(f"Expected the name of a value of the graph. Received {name!r}.", hint=hint)


def _set_shapes(model: ir.Model, options: ReadOptions) -> None:
    inputs = {value.name or "": value for value in model.graph.inputs if not value.is_initializer()}
    for name, sizes in options.shapes.items():
        if name == "" and len(inputs) == 1:
            name = next(iter(inputs))
        if name not in inputs:
            raise UsageError(f"Expected a shape of an input ({', '.join(inputs)}). Received one of {name!r}.")
        old = inputs[name].shape
        if old is not None and len(old) != len(sizes):
            raise UsageError(f"Expected {len(old)} sizes for the input {name!r}. Received {len(sizes)}: {list(sizes)}.")
        kept = [None] * len(sizes) if old is None else list(old)
        for axis, size in enumerate(sizes):
            known = kept[axis]
            if size is not None and isinstance(known, int) and known != size:
                raise UsageError(f"Expected the size {known} on axis {axis} of the input {name!r}. Received {size}.")
        inputs[name].shape = ir.Shape(
            [known if size is None else size for size, known in zip(sizes, kept, strict=True)]
        )
