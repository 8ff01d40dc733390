"""Lengths for axes that a source leaves open: the first of some that it computes with."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from interlingua.artifact import Source
from interlingua.codegen.package import ports
from interlingua.codegen.program import Port
from interlingua.errors import RuntimeMissing, UsageError, WorkerFailed
from interlingua.ir.shapes import DimensionError, parse
from interlingua.notes import Assumed, Notes
from interlingua.passes.free_batch import FREED
from interlingua.proof import execute, inputs, samples
from interlingua.proof.compare import Array
from interlingua.worker import WorkerRaised

LENGTHS = ((32, 32), (8, 4), (224, 0), (256, 256))
"""What is tried: the first open axis' length, and by how much each further one is longer. Most nets for pictures want
multiples of 32, for sequences any length, some want squares; lengths that differ tell axes apart."""

LACKING = "NotImplemented"
"""What onnxruntime raises over an operator that it has on other machines alone."""

LINE = 300
"""So many letters of a failure are told."""


def settled(source: Source, *, seed: int, batch: int, notes: Notes) -> Source:
    """The source with examples of inputs that have open axes beyond the first, and a note on the lengths taken.

    It stays as it is where nothing is open, or where an input's rank is unknown.

    Raises:
        UsageError: it computes with none of `LENGTHS`.
    """
    wanted = ports(tuple(source.model.graph.inputs))
    if any(port.shape is None and port.name not in source.examples for port in wanted):
        return source
    labels = _open(wanted, source.examples)
    refused = ""
    for lengths in _tried(labels):
        try:
            examples = _examples(wanted, source.examples, lengths, seed, batch)
        except DimensionError:
            return source
        said = ", ".join(f"{label} = {length}" for label, length in lengths.items())
        failure = _failure(source, examples, seed, batch)
        if not failure:
            notes.add(Assumed("proof", f"open axes are as long as the source computes with: {said}"))
            return dataclasses.replace(source, examples=examples)
        refused = refused or f"with {said} it says: {failure}"
    if refused:
        raise UsageError(
            f"Expected lengths of open axes with which the source computes. Received none that does; {refused}.",
            hint="Give them with --input-shape, or inputs of yours with --verify-inputs; --no-verify proves nothing.",
        )
    return source


def _open(wanted: Sequence[Port], examples: Mapping[str, Array]) -> list[str]:
    """The names in the lengths of open axes, in order; those of first axes, which are the batch, are none."""
    rows = [port.shape for port in wanted if port.name not in examples and port.shape]
    firsts = {size for size, *_ in rows if isinstance(size, str)}
    texts = [size for row in rows for size in row[1:] if isinstance(size, str)]
    names = [name for text in texts for name in _symbols(text)]
    return [name for name in dict.fromkeys(names) if name not in firsts]


def _symbols(text: str) -> tuple[str, ...]:
    try:
        return parse(text).symbols
    except DimensionError:
        return (text,)


def _tried(labels: Sequence[str]) -> Iterator[dict[str, int]]:
    if labels:
        for first, step in LENGTHS:
            yield {label: first + step * place for place, label in enumerate(labels)}


def _examples(
    wanted: Sequence[Port], given: Mapping[str, Array], lengths: Mapping[str, int], seed: int, batch: int
) -> dict[str, Array]:
    """The given examples, and seeded ones for the other inputs with an open axis.

    Raises:
        DimensionError: a length is no expression of names that have one.
    """
    firsts = {port.shape[0]: batch for port in wanted if port.shape and isinstance(port.shape[0], str)}
    sizes = {**firsts, **lengths}
    found = dict(given)
    for port in wanted:
        if port.name in given or port.shape is None or not any(isinstance(size, str) for size in port.shape[1:]):
            continue
        shape = tuple(size if isinstance(size, int) else _length(str(size), sizes) for size in port.shape)
        found |= inputs.make([dataclasses.replace(port, shape=shape)], seed=seed, batch=batch)
    return found


def _length(size: str, sizes: Mapping[str, int]) -> int:
    return sizes[size] if size in sizes else parse(size).evaluate(sizes)


def _failure(source: Source, examples: Mapping[str, Array], seed: int, batch: int) -> str:
    """Why the source, or its IR where nothing runs the source, gives no outputs; empty where it does."""
    arrays = inputs.make(ports(tuple(source.model.graph.inputs)), seed=seed, batch=batch, examples=examples)
    if FREED in source.model.meta:
        arrays = samples.part(arrays, 0, 1)
    try:
        if source.runtime:
            execute.run(source.runtime, arrays, source.run, phase="try open axes")
        else:
            execute.run_ir(source.model, arrays)
    except RuntimeMissing:
        return ""
    except WorkerRaised as failure:
        return "" if LACKING in failure.kinds else failure.reason.splitlines()[0][:LINE] or failure.kinds[0]
    except WorkerFailed as failure:
        return failure.message.splitlines()[0][:LINE]
    return ""
