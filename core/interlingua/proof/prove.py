"""The proof of a conversion: source, IR and target, each in its own framework, on the same seeded inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from safetensors.numpy import save_file

from interlingua.artifact import Source
from interlingua.codegen.package import Package, ports
from interlingua.errors import InterlinguaError, RuntimeMissing, UsageError, VerificationFailed, WorkerFailed
from interlingua.ir import foreign_types, metadata
from interlingua.notes import Notes, Skipped
from interlingua.passes.free_batch import FREED
from interlingua.plugin import Framework
from interlingua.progress import Progress
from interlingua.proof import divergence, execute, inputs, open_axes, samples
from interlingua.proof.agreement import compared
from interlingua.proof.chance import draws
from interlingua.proof.compare import DEFAULT_TOLERANCE, Array, check_tolerance, compare, is_floating
from interlingua.report import Proof
from interlingua.worker import WorkerRaised

REFERENCE = "reference.safetensors"
"""The reference's outputs (and a user's own inputs), kept beside the model so that it can be proved again."""

IR_NAME = "IR in onnxruntime"

INSENSITIVE = 1e-6
"""An output that moves by less than this share of its size, when the inputs change, proves nothing."""


@dataclasses.dataclass(frozen=True)
class VerifyOptions:
    """`run` is whether to verify at all; inputs are a user's `.npz` or seeded random ones.

    `coarse` names the type of few digits that an output is computed in, where it is not its own.
    """

    run: bool = True
    tolerance: float = DEFAULT_TOLERANCE
    seed: int = inputs.SEED
    batch: int = inputs.BATCH
    arrays: Path | None = None
    coarse: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        check_tolerance(self.tolerance)

    def as_json(self) -> dict[str, Any]:
        """The form `report.json` holds."""
        said = dataclasses.asdict(self)
        coarse = said.pop("coarse")
        return {**said, "arrays": self.arrays.name if self.arrays else None, **({"coarse": coarse} if coarse else {})}


def prove(
    source: Source,
    prepared: ir.Model,
    package: Package,
    framework: Framework,
    folder: Path,
    native: Mapping[str, Any],
    arrays: Mapping[str, Array],
    options: VerifyOptions,
    notes: Notes,
    progress: Progress,
) -> list[Proof]:
    """Runs everything on `arrays` and compares; `folder` holds the package and its native artifact.

    Raises:
        VerificationFailed: beyond tolerance; the first diverging layer is named.
        WorkerFailed: a framework could not run its artifact.
    """
    names = [value.name or f"output {i}" for i, value in enumerate(source.model.graph.outputs)]
    axes: samples.Axes | None = source.model.meta.get(FREED)
    with execute.on_disk(source.model) as path:

        def run_ir(some: Mapping[str, Array]) -> list[Array]:
            return execute.run_ir(path, some, notes)

        original = _source_outputs(source, arrays, names, axes, options, notes)
        ir_outputs = _ir_outputs(run_ir, arrays, original, notes)
        doubt, freed = "", {}
        if ir_outputs is not None:
            doubt = _insensitive(source.model, run_ir, arrays, ir_outputs)
            freed = _freed_ir(run_ir, arrays, names, ir_outputs, original, axes, options)
        elif original is not None and axes is None:
            doubt = _insensitive(source.model, lambda some: _run_source(source, some, notes), arrays, original)
    told = IR_NAME if original is None else f"source in {source.runtime}" if source.runtime else "source in memory"
    reference = original if original is not None else ir_outputs or []
    proofs: list[Proof] = []
    if original is not None and ir_outputs is not None:
        proof = compared(IR_NAME, told, names, original, ir_outputs, options, [*_runtimes(source), execute.IR_RUNTIME])
        proof = _stamped(samples.together(proof, freed), source)
        if proof.verdict == "failed":
            where = _source_divergence(source, samples.part(arrays, 0, 1) if axes else arrays, options)
            _fail(proof, where, source.model)
        proofs.append(proof)
    kept = options.arrays or source.examples or axes
    _keep(folder, dict(zip(names, reference, strict=True)), arrays if kept else {})
    if package.unproved:
        notes.add(Skipped("target", f"not run in proof: {' '.join(package.unproved)}"))
        return proofs
    assert framework.backend is not None
    runnable = targets(folder, native, [port.identifier for port in package.outputs])
    total = len(proofs) + len(runnable)
    runtime = framework.backend.runtime
    runtimes = [*(_runtimes(source) or ([] if source.local else [execute.IR_RUNTIME])), runtime]

    def agrees(what: str, arguments: Mapping[str, Any], some: Mapping[str, Array], wanted: Sequence[Array]) -> Proof:
        turned = turned_inputs(prepared, package, some)
        outputs = execute.run(runtime, turned, arguments, phase=f"run {what}", notes=notes)
        return compared(what, told, names, wanted, _turned_back(prepared, outputs), options, runtimes)

    for what, arguments in runnable:
        progress.count(len(proofs), total, "checks")
        proof = agrees(what, arguments, arrays, reference)
        if axes is not None and proof.verdict != "failed":
            parts = samples.fewer(arrays, reference, axes)
            proof = samples.together(proof, {n: agrees(what, arguments, some, wanted) for n, some, wanted in parts})
        proof = _stamped(proof, source)
        if proof.verdict == "failed":
            where = _target_divergence(prepared, package, framework, runnable, arrays, options)
            _fail(proof, where, prepared)
        proofs.append(dataclasses.replace(proof, verdict="inconclusive", reason=doubt) if doubt else proof)
    progress.count(len(proofs), total, "checks")
    if doubt:
        notes.add(Skipped("proof", f"inconclusive: {doubt}"))
    return proofs


def _runtimes(source: Source) -> list[str]:
    """The runtime that ran the source, if a worker did."""
    return [source.runtime] if source.runtime else []


def _stamped(proof: Proof, source: Source) -> Proof:
    """The proof with the versions of this process, where the source ran in it."""
    if source.local is None:
        return proof
    told = ", ".join(f"{key} {value}" for key, value in source.local.versions.items())
    return dataclasses.replace(proof, runtimes={"memory": told, **proof.runtimes})


def arrays_of(source: Source, options: VerifyOptions) -> dict[str, Array]:
    """The inputs of the proof by name: a user's own, or seeded ones.

    Raises:
        InvalidSource: the user's file is no `.npz` of plain arrays.
        UsageError: its arrays do not fit, an axis beyond the first is of unknown size, or an output is no tensor.
    """
    graph = source.model.graph
    others = [str(v.name) for v in graph.outputs if isinstance(v.type, ir.SequenceType) or foreign_types.type_of(v)]
    if others:
        raise UsageError(
            f"Expected outputs that are tensors, which can be compared. Received others: {', '.join(others)}.",
            hint="--no-verify writes the model unproved.",
        )
    wanted = ports(tuple(graph.inputs))
    given = inputs.load(options.arrays, wanted) if options.arrays else {}
    freed = FREED in source.model.meta
    if given and not (freed and samples.length(given) == 1):
        return given
    made = inputs.make(wanted, seed=options.seed, batch=options.batch, examples=given or source.examples)
    if given:  # a user's own sample comes first
        made = {
            name: np.concatenate([given[name], made[name][1:]]) if made[name].ndim else given[name] for name in made
        }
    return samples.distinct(made) if freed else made


def _keep(folder: Path, outputs: Mapping[str, Array], given: Mapping[str, Array]) -> None:
    """Keeps the reference's outputs, and inputs that no seed can make again."""
    kept = {f"output.{name}": np.ascontiguousarray(array) for name, array in outputs.items()}
    save_file({**{f"input.{name}": array for name, array in given.items()}, **kept}, folder / REFERENCE)


def _run_source(source: Source, arrays: Mapping[str, Array], notes: Notes) -> list[Array]:
    if source.local is not None:
        return source.local.run(arrays)
    return execute.run(source.runtime, arrays, source.run, phase="run the source", notes=notes)


def _ir_outputs(
    run: Callable[[Mapping[str, Array]], list[Array]],
    arrays: Mapping[str, Array],
    original: Sequence[Array] | None,
    notes: Notes,
) -> list[Array] | None:
    """What the IR computes; None, with a note, where nothing has kernels for it and the source proves without it."""
    try:
        return run(arrays)
    except WorkerFailed as failure:
        if original is None:
            raise
        text = failure.message.splitlines()[0]
        notes.add(Skipped("proof", f"the IR was not run, the target is held against the source alone: {text}"))
        return None


def _source_outputs(
    source: Source,
    arrays: Mapping[str, Array],
    names: Sequence[str],
    axes: samples.Axes | None,
    options: VerifyOptions,
    notes: Notes,
) -> list[Array] | None:
    """What the original computes, sample by sample where the batch was freed; None where nothing can run it.

    Raises:
        VerificationFailed: the original takes more samples than the one that it states, and mixes them.
    """

    def run(some: Mapping[str, Array]) -> list[Array]:
        return _run_source(source, some, notes)

    if not source.runtime and source.local is None:
        notes.add(Skipped("source", "no runtime can run the original; the target is compared with the IR"))
        return None
    try:
        if axes is None:
            return run(arrays)
        outputs = samples.one_by_one(run, arrays, axes)
    except (RuntimeMissing, WorkerRaised) as failure:
        if isinstance(failure, WorkerRaised) and open_axes.LACKING not in failure.kinds:
            raise
        told = failure.reason if isinstance(failure, WorkerRaised) else str(failure)
        notes.add(Skipped("source", f"the original was not run, the target is compared with the IR: {told}"))
        return None
    try:
        whole = run(arrays)
    except Exception:  # most originals take the one sample that they state; what they then raise is their own affair
        return outputs
    proof = compared("samples one by one", "source on all samples", names, whole, outputs, options, [])
    if proof.verdict == "failed":
        _fail(proof, None)
    return outputs


def _freed_ir(
    run: Callable[[Mapping[str, Array]], list[Array]],
    arrays: Mapping[str, Array],
    names: Sequence[str],
    outputs: Sequence[Array],
    original: Sequence[Array] | None,
    axes: samples.Axes | None,
    options: VerifyOptions,
) -> dict[int, Proof]:
    """The proofs of an IR with a freed batch on fewer samples; without an original, it is held against itself.

    Raises:
        VerificationFailed: samples computed together are not those computed one by one.
    """
    if axes is None:
        return {}
    told = "IR, sample by sample"
    reference = list(original or samples.one_by_one(run, arrays, axes))
    proof = compared(IR_NAME, told, names, reference, outputs, options, [])
    if original is None and proof.verdict == "failed":
        _fail(proof, None)
    return {
        some: compared(IR_NAME, told, names, wanted, run(inputs_of), options, [])
        for some, inputs_of, wanted in samples.fewer(arrays, reference, axes)
    }


def targets(folder: Path, native: Mapping[str, Any], outputs: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """What of a package can be run, each with the arguments of its runtime: the native artifact, and model.py."""
    found: list[tuple[str, dict[str, Any]]] = []
    if native["path"]:
        said = {"path": str(folder / str(native["path"])), "format": native["format"], "outputs": list(outputs)}
        found.append((f"{native['format']} artifact", said))
    if (folder / "model.py").is_file():
        found.append(("model.py", {"path": str(folder), "format": "python", "outputs": list(outputs)}))
    return found


def turned_inputs(prepared: ir.Model, package: Package, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The source's inputs in the target's axis order, under the target's names."""
    turned: dict[str, Array] = {}
    for value, port, array in zip(prepared.graph.inputs, package.inputs, arrays.values(), strict=True):
        order = metadata.permutation(value)
        turned[port.identifier] = np.ascontiguousarray(array.transpose(order)) if order else array
    return turned


def _turned_back(prepared: ir.Model, outputs: Sequence[Array]) -> list[Array]:
    """The target's outputs in the source's axis order; as they are where their number is wrong, which fails them."""
    if len(outputs) != len(prepared.graph.outputs):
        return list(outputs)
    turned: list[Array] = []
    for value, array in zip(prepared.graph.outputs, outputs, strict=True):
        order = metadata.permutation(value)
        turned.append(array.transpose(np.argsort(order)) if order else array)
    return turned


def _fail(proof: Proof, where: divergence.Divergence | None, model: ir.Model | None = None) -> None:
    worst = max(proof.differences, key=lambda row: row.relative)
    place = f"the first diverging layer, {where}" if where else f"the output {worst.name}"
    detail = f" ({worst.reason})" if worst.reason else ""
    raise VerificationFailed(
        f"Expected {proof.what} to agree with the {proof.reference} within tolerance. "
        f"Received a relative difference of {worst.relative:.3g}, absolute {worst.absolute:.3g}{detail}.",
        place=place,
        hint=f"Nothing was written; {_way_out(draws(model) if model is not None else [])}.",
    )


def _way_out(drawn: Sequence[str]) -> str:
    """What a user can do about two runs that differ."""
    if not drawn:
        return "--tolerance sets another bound"
    told = f"{drawn[0]} and {len(drawn) - 1} more" if len(drawn) > 1 else drawn[0]
    return f"the model draws random numbers ({told}): switch that off, or do without the proof, --no-verify"


def _source_divergence(
    source: Source, arrays: Mapping[str, Array], options: VerifyOptions
) -> divergence.Divergence | None:
    if not source.runtime:
        return None
    values = execute.trace_ir(source.model, arrays)
    others = execute.trace(source.runtime, arrays, source.run)
    return divergence.first(source.model, values, others, options.tolerance, {})


def _target_divergence(
    prepared: ir.Model,
    package: Package,
    framework: Framework,
    runnable: Sequence[tuple[str, Mapping[str, Any]]],
    arrays: Mapping[str, Array],
    options: VerifyOptions,
) -> divergence.Divergence | None:
    """The first diverging layer, looked for in model.py first: its layers bear names that natives may have lost."""
    assert framework.backend is not None
    turned = turned_inputs(prepared, package, arrays)
    named = dict(zip((value.name or "" for value in prepared.graph.inputs), turned.values(), strict=True))
    try:
        values = execute.trace_ir(prepared, named)
        for _, arguments in reversed(runnable):
            others = execute.trace(framework.backend.runtime, turned, arguments)
            found = divergence.first(prepared, values, others, options.tolerance, package.layers)
            if found is not None:
                return found
    except InterlinguaError:
        return None  # a trace that fails must not hide the failure it was to explain
    return None


def _insensitive(
    model: ir.Model,
    run: Callable[[Mapping[str, Array]], list[Array]],
    arrays: Mapping[str, Array],
    outputs: Sequence[Array],
) -> str:
    """Why the proof tells nothing: outputs are NaN, or do not move with the inputs; "" where it tells something."""
    if all(is_floating(array) and np.isnan(array.astype(np.float64)).any() for array in outputs):
        return f"the outputs hold NaN{_weights_with_nan(model)}"
    floats = [name for name, array in arrays.items() if is_floating(array)]
    if not floats:
        return ""
    moved = {
        name: array.astype(np.float64)[::-1] * 0.5 + 0.25 if name in floats and array.ndim else array
        for name, array in arrays.items()
    }
    moved = {name: np.ascontiguousarray(array.astype(arrays[name].dtype)) for name, array in moved.items()}
    others = run(moved)
    for before, after in zip(outputs, others, strict=True):
        if before.shape != after.shape or not compare("", before, after, INSENSITIVE).within:
            return ""
    return "the outputs hardly depend on the inputs"


def _weights_with_nan(model: ir.Model) -> str:
    """Names the weights that hold NaN; one is in memory at a time."""
    found = [
        str(metadata.origin(value))
        for value in model.graph.initializers.values()
        if value.const_value is not None
        and value.const_value.dtype.is_floating_point()
        and np.isnan(value.const_value.numpy()).any()
    ]
    return f", and so do the weights {', '.join(found)}" if found else ""
