"""The route: recognise → read → canonical passes → layout → write → materialise → verify."""

from __future__ import annotations

import dataclasses
import hashlib
import keyword
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx_ir as ir

from interlingua import artifact as artifacts
from interlingua import cards, output, passes, plugin
from interlingua import notes as notes_of
from interlingua.artifact import ReadOptions, Source, WriteOptions
from interlingua.codegen.function_bodies import expand_all
from interlingua.codegen.package import Package, WriteRequest
from interlingua.collector import seldom_collecting
from interlingua.errors import (
    InterlinguaError,
    InvalidSource,
    RuntimeMissing,
    StrictNotes,
    UnsupportedModel,
    UsageError,
    VerificationFailed,
    WorkerFailed,
)
from interlingua.ir import metadata
from interlingua.ir.validity import invalidity
from interlingua.notes import Notes, Skipped
from interlingua.passes import layout
from interlingua.passes.free_batch import CLEANING, FREED, FreeBatch
from interlingua.plugin import Framework
from interlingua.progress import Progress
from interlingua.proof import open_axes, samples
from interlingua.proof.precision import coarsest
from interlingua.proof.prove import VerifyOptions, arrays_of, prove, turned_inputs
from interlingua.report import Report, runtime_ports
from interlingua.worker import shared

MATERIALISE_SECONDS = 1800.0


@seldom_collecting()
def read(
    path: object, options: ReadOptions | None = None, *, debug: bool = False, progress: Progress | None = None
) -> Source:
    """The model at `path`, or an object in memory, in the canonical form of the IR, and how to run the original.

    Raises:
        InvalidSource: nothing there, or not a model that an installed plugin reads.
        UsageError: an object that no installed plugin takes.
        UnsupportedModel: operators without a form in the IR.
    """
    options, progress = options or ReadOptions(), progress or Progress()
    with progress.stage("recognise"):
        is_path = isinstance(path, (str, os.PathLike))
        artifact = artifacts.recognise(Path(path)) if is_path else artifacts.recognise_value(path)  # type: ignore[arg-type]
    _, form = plugin.format_named(artifact.format)
    if not form.reader:
        raise UsageError(f"Expected a format that can be read. Received {form.title}.")
    with progress.stage("read"):
        source: Source = plugin.resolve(form.reader)(artifact, options)
    with progress.stage("canonical form"):
        try:
            model = passes.run(source.model, notes=options.notes, debug=debug)
            if options.free_batch is not False:
                model = _freed(model, options, debug=debug)
        except InterlinguaError:
            raise
        except Exception as error:
            _blame(artifact.path, lambda: plugin.resolve(form.reader)(artifact, options).model, error)
            raise
    return dataclasses.replace(source, model=model)


def _freed(model: ir.Model, options: ReadOptions, *, debug: bool) -> ir.Model:
    """The model with a batch of 1 free, where that can be shown; why it stays is told to whoever asked."""
    told = Notes()
    model = passes.run(model, (FreeBatch,), notes=told, debug=debug)
    for note in told:
        if options.free_batch or FREED in model.meta:
            options.notes.add(note)
    return passes.run(model, CLEANING, notes=options.notes, debug=debug) if FREED in model.meta else model


def _blame(path: Path, read_again: Callable[[], ir.Model], error: Exception) -> None:
    """Refuses a model that no rule of ONNX allows and that a pass therefore fell over; a valid one is our mistake.

    Raises:
        InvalidSource: what ONNX's checker says of the model as it was read.
    """
    told = invalidity(read_again())
    if told:
        raise InvalidSource(
            f"Expected a valid model. Received one of which onnx.checker says: {told}", place=str(path)
        ) from error


def channels_last_ops(framework: Framework) -> frozenset[str]:
    """The canonical ops whose data the framework's own cards have as N * C."""
    rows = cards.by_record(framework.name).items()
    return frozenset(name for name, group in rows if any(slot.axes == "N * C" for slot in group[0].inputs.values()))


def _check_options(framework: Framework, options: WriteOptions) -> None:
    """Refuses what was said to another framework's backend, and a name that no class may have."""
    if options.class_name and (not options.class_name.isidentifier() or keyword.iskeyword(options.class_name)):
        raise UsageError(f"Expected a class name that Python takes. Received {options.class_name!r}.")
    known = () if framework.backend is None else framework.backend.options
    for name in ("opset", "external_data"):
        if getattr(options, name) and name not in known:
            raise UsageError(f"Expected options that {framework.name} has. Received {name}, which is ONNX's.")


def prepare(model: ir.Model, framework: Framework, options: WriteOptions) -> ir.Model:
    """A copy of the model in the framework's own axis order, ready for its backend."""
    if framework.backend is None:
        raise UsageError(f"Expected a framework that can be written. Received {framework.name}.")
    _check_options(framework, options)
    first = options.layout == "channels_first"
    axes = "N C *" if first else framework.backend.data_axes
    ops = frozenset() if first or axes == "N C *" else channels_last_ops(framework)
    copy = model.clone()
    if framework.cards and axes != "N C *":  # the parts of composite operators have their own axis orders
        expand_all(copy, lambda node: node.op_type in cards.by_record(framework.name))
    return layout.apply(copy, data_axes=axes, ops=ops, layout=options.layout, notes=options.notes)


@seldom_collecting()
def write(
    model: ir.Model,
    framework: Framework,
    folder: Path,
    options: WriteOptions | None = None,
    *,
    title: str = "an Interlingua model",
    dry: bool = False,
) -> tuple[Package, ir.Model]:
    """Writes a canonical model for the framework into an existing folder: the package, and the model as written.

    A `dry` run leaves out the weights.

    Raises:
        UnsupportedModel: what the framework cannot say, all at once, before anything is written.
    """
    options = options or WriteOptions()
    prepared = prepare(model, framework, options)
    request = WriteRequest(framework, folder, options, title, dry)
    package: Package = plugin.resolve(request.backend.writer)(prepared, request)
    return package, prepared


def materialise(
    package: Package,
    framework: Framework,
    folder: Path,
    options: WriteOptions,
    sizes: Mapping[str, Sequence[int]] | None = None,
) -> dict[str, Any]:
    """Makes the native artifact in the framework's worker; what the runtime tells of it.

    `sizes` are shapes that the inputs are known to have, by the target's names. Where the framework cannot hold the
    model in its default artifact, there is no path, and a note says why.

    Raises:
        RuntimeMissing: no interpreter has the framework.
        UnsupportedModel: the artifact that was asked for by name cannot hold the model.
        WorkerFailed: it could not be made.
    """
    assert framework.backend is not None
    native = options.native or framework.backend.natives[0]
    if native not in framework.backend.natives:
        raise UsageError(
            f"Expected a native artifact of {framework.name} ({', '.join(framework.backend.natives)}). "
            f"Received {native!r}."
        )
    if package.native_path:
        return {"path": package.native_path, "format": native, "files": [package.native_path], "transposes": None}
    reply = shared(framework.backend.runtime).call(
        "materialise",
        phase=f"make the {native} artifact",
        timeout=MATERIALISE_SECONDS,
        folder=str(folder),
        native=native,
        inputs=runtime_ports(package.inputs, sizes),
        **package.materialise,
    )
    for kind, place, text in reply.value.get("notes", ()):
        options.notes.add(getattr(notes_of, kind)(place, text))
    reason = reply.value.get("left_out", "")
    if reason and options.native:
        raise UnsupportedModel(
            f"Expected a model that {_title(native)} can hold. Received one of which the runtime says: {reason}",
            hint="Without --native, code and weights are written and proved where the artifact cannot be made.",
        )
    if reason:
        options.notes.add(Skipped("native artifact", f"{_title(native)} is left out: {reason}"))
    return {**reply.value, "format": "" if reason else native}


def _title(native: str) -> str:
    return artifacts.known_formats().get(native, native)


@dataclasses.dataclass(frozen=True)
class ConvertOptions:
    """Everything a user may say of a conversion; `strict` turns notes into failure, `debug` checks every pass."""

    read: ReadOptions = dataclasses.field(default_factory=ReadOptions)
    layout: str = "source"
    native: str = ""
    class_name: str = ""
    opset: int = 0
    external_data: bool = False
    verify: VerifyOptions = dataclasses.field(default_factory=VerifyOptions)
    force: bool = False
    strict: bool = False
    debug: bool = False


@seldom_collecting()
def convert(
    source: object,
    to: str,
    out: str | Path,
    options: ConvertOptions | None = None,
    progress: Progress | None = None,
) -> Report:
    """Converts the model at `source`, or an object in memory, to `to`, proves it, and writes the folder `out`.

    A batch that was freed without being asked for is fixed again where target or proof do not bear it.

    Raises:
        InterlinguaError: with its exit code (see docs/errors.md); nothing is written then.
    """
    options, progress = options or ConvertOptions(), progress or Progress()
    output.check(Path(out), force=options.force)
    framework = plugin.framework(to)
    if options.read.free_batch is None and options.strict:
        options = _fixed(options)
    origin = read(source, options.read, debug=options.debug, progress=progress)
    try:
        return _converted(origin, framework, Path(out), options, progress)
    except (VerificationFailed, WorkerFailed, UnsupportedModel) as failure:
        if options.read.free_batch is not None or FREED not in origin.model.meta:
            raise
        options = _fixed(options)
        options.read.notes.add(Skipped("batch", f"stays 1; with a free one, {failure.message}"))
    origin = read(source, options.read, debug=options.debug, progress=progress)
    return _converted(origin, framework, Path(out), options, progress)


def _fixed(options: ConvertOptions) -> ConvertOptions:
    """The options with a batch of 1 kept, and notes taken anew."""
    return dataclasses.replace(options, read=dataclasses.replace(options.read, free_batch=False, notes=Notes()))


def _converted(
    origin: Source, framework: Framework, target: Path, options: ConvertOptions, progress: Progress
) -> Report:
    """What was read, written for the framework and proved."""
    notes = options.read.notes
    written = WriteOptions(
        options.layout, options.native, options.class_name, notes, options.opset, options.external_data
    )
    _check_options(framework, written)
    title = f"{origin.artifact.path.name}, {artifacts.known_formats()[origin.artifact.format]}"
    with output.staged(target, force=options.force) as folder:
        with progress.stage("write"):
            package, prepared = write(origin.model, framework, folder, written, title=title)
            progress.count(len(package.mapped), len(prepared.graph), "nodes")
        asked = options.verify
        if FREED in origin.model.meta:
            asked = dataclasses.replace(asked, batch=samples.count(asked.batch))
        if asked.run and asked.arrays is None:
            origin = open_axes.settled(origin, seed=asked.seed, batch=asked.batch, notes=notes)
        asked = dataclasses.replace(asked, coarse=coarsest(origin.model))
        arrays = arrays_of(origin, asked) if asked.run else dict(origin.examples)
        turned = turned_inputs(prepared, package, arrays) if arrays else {}
        sizes = {name: array.shape for name, array in turned.items()}
        with progress.stage("native artifact"):
            native = _native(package, framework, folder, written, options, sizes)
        report = Report(
            source=_source_facts(origin),
            target={
                "framework": framework.name,
                "layout": options.layout,
                "native": native["format"],
                "path": native["path"],
            },
            folder=target,
            inputs=package.inputs,
            outputs=package.outputs,
            mapped=package.mapped,
            weights=package.weights,
            notes=notes,
            axes=_axes(prepared),
            transposes={"leftover": layout.leftover(prepared), "native": native.get("transposes")},
        )
        report.verification = asked.as_json()
        if asked.run:
            with progress.stage("verify"):
                report.proofs = prove(
                    origin, prepared, package, framework, folder, native, arrays, asked, notes, progress
                )
        if options.strict and len(notes):
            told = "; ".join(f"{note.place}: {note.text}" for note in notes)
            raise StrictNotes(f"Expected a conversion without notes under --strict. Received {len(notes)}: {told}")
        report.write(folder)
    report.seconds = progress.seconds
    return report


def _native(
    package: Package,
    framework: Framework,
    folder: Path,
    written: WriteOptions,
    options: ConvertOptions,
    sizes: Mapping[str, Sequence[int]],
) -> dict[str, Any]:
    """The native artifact; without verification code and weights are written where no runtime can make one."""
    try:
        return materialise(package, framework, folder, written, sizes)
    except RuntimeMissing as missing:
        if options.verify.run:
            hint = f"{missing.hint}\n--no-verify writes code and weights without a native artifact."
            raise RuntimeMissing(missing.message, place=missing.place, hint=hint) from missing
        written.notes.add(Skipped("native artifact", str(missing)))
        return {"path": "", "format": "", "transposes": None}


def _source_facts(source: Source) -> dict[str, Any]:
    artifact = source.artifact
    files = {role: {"name": path.name, "bytes": _bytes(path)} for role, path in sorted(artifact.files.items())}
    parameters = sum(v.const_value.size for v in source.model.graph.initializers.values() if v.const_value is not None)
    return {"format": artifact.format, "files": files, "nodes": len(source.model.graph), "elements": parameters}


def _axes(prepared: ir.Model) -> dict[str, list[int]]:
    """The transposes that lead from the source's inputs and outputs to the target's, by name."""
    values = (*prepared.graph.inputs, *prepared.graph.outputs)
    orders = {value.name or "": metadata.permutation(value) for value in values}
    return {name: list(order) for name, order in orders.items() if order}


def _bytes(path: Path) -> int:
    return path.stat().st_size if path.is_file() else sum(p.stat().st_size for p in path.rglob("*") if p.is_file())


def digest(folder: Path) -> Mapping[str, str]:
    """SHA-256 of every file in a folder, by name."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


__all__ = ["ConvertOptions", "convert", "digest", "materialise", "prepare", "read", "write"]
