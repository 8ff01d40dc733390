"""The verbs of the command line for Python, with the same options under the same names."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx_ir as ir

from interlingua import extensions as own
from interlingua import obstacles, output, pipeline, plugin
from interlingua.artifact import ReadOptions, Source, WriteOptions
from interlingua.codegen.package import Package
from interlingua.dynamic_axes import Dynamic, dynamic_axes
from interlingua.obstacles import Finding
from interlingua.pipeline import ConvertOptions
from interlingua.progress import Progress
from interlingua.proof import folder as folders
from interlingua.proof.compare import DEFAULT_TOLERANCE, Array
from interlingua.proof.inputs import BATCH, SEED
from interlingua.proof.prove import VerifyOptions
from interlingua.report import Proof, Report
from interlingua.tables import Answer, query

Shape = tuple[int | None, ...]


def _read_options(
    inputs: Sequence[str],
    outputs: Sequence[str],
    input_shape: Shape | Mapping[str, Shape] | None,
    weights: str | Path | None,
    trust: bool,
    example_inputs: Any = None,
    input_dtype: Mapping[str, str] | None = None,
    dynamic: Dynamic | None = None,
    arguments: Mapping[str, Any] | None = None,
    free_batch: bool | None = False,
) -> ReadOptions:
    shapes = dict(input_shape) if isinstance(input_shape, Mapping) else {"": tuple(input_shape)} if input_shape else {}
    on_disk = isinstance(example_inputs, (str, os.PathLike))
    return ReadOptions(
        tuple(inputs),
        tuple(outputs),
        shapes,
        trust,
        Path(weights) if weights is not None else None,
        arguments=dict(arguments or {}),
        example_inputs=None if on_disk else example_inputs,
        examples=Path(example_inputs) if on_disk else None,
        dtypes=dict(input_dtype or {}),
        dynamic=dynamic_axes(dynamic),
        free_batch=free_batch,
    )


def read(
    source: object,
    *,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    input_shape: Shape | Mapping[str, Shape] | None = None,
    weights: str | Path | None = None,
    trust: bool = False,
    example_inputs: Any = None,
    input_dtype: Mapping[str, str] | None = None,
    dynamic: Dynamic | None = None,
    arguments: Mapping[str, Any] | None = None,
    free_batch: bool = False,
    debug: bool = False,
) -> Source:
    """The model `source` in the canonical form of the IR: `.model` is an `onnx_ir.Model`, `.notes` what was dropped.

    `source` is a path, the name of a factory (`package.module:factory`), or an object of the framework (a module, an
    exported program).

    `inputs` and `outputs` are names of the source, found where left out; `input_shape` is the shape of the only
    input, or shapes by input name, None for an unknown axis; `weights` stand beside the graph; `trust` lets a file
    execute what it holds; `free_batch` makes a batch of 1 that the source states a named one, where every operator is
    shown to work sample by sample; `debug` checks the conditions of every pass.

    Of a source that is code: `example_inputs` is a tensor, a tuple, a dict of keyword arguments, a pair of both, or
    an `.npz` file by input name (or `input_shape` with `input_dtype` makes them up); `dynamic` labels axes of inputs
    that vary, `{"x": {0: "batch", 3: "width"}}` or `"x:0=batch,3=width"`; `arguments` are keyword arguments of the
    factory.

    Raises:
        InvalidSource: nothing there, or not a model that an installed plugin reads.
        UsageError: an object that no plugin takes, a factory that cannot be called, inputs without examples.
        UntrustedSource: reading would execute code.
        UnsupportedModel: operators without a form in the IR.
    """
    options = _read_options(
        inputs, outputs, input_shape, weights, trust, example_inputs, input_dtype, dynamic, arguments, free_batch
    )
    return pipeline.read(source, options, debug=debug)


def write(
    model: ir.Model | Source,
    to: str,
    out: str | Path,
    *,
    layout: str = "source",
    native: str = "",
    class_name: str = "",
    opset: int = 0,
    external_data: bool = False,
    force: bool = False,
) -> Package:
    """Writes a canonical model as code and weights of the framework `to`, unproved and without a native artifact.

    `layout` is "source", "native" or "channels_first"; `native`, `class_name`, `opset` and `external_data` are as
    for `convert`.

    Raises:
        UnsupportedModel: what the framework cannot say, all at once; nothing is written then.
        OutputError: `out` exists and `force` was not said.
    """
    options = WriteOptions(layout, native, class_name, opset=opset, external_data=external_data)
    whole = model.model if isinstance(model, Source) else model
    with output.staged(Path(out), force=force) as folder:
        package, _ = pipeline.write(whole, plugin.framework(to), folder, options)
    return package


def check(
    source: object,
    *,
    to: Sequence[str] = (),
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    input_shape: Shape | Mapping[str, Shape] | None = None,
    weights: str | Path | None = None,
    trust: bool = False,
    example_inputs: Any = None,
    input_dtype: Mapping[str, str] | None = None,
    dynamic: Dynamic | None = None,
    arguments: Mapping[str, Any] | None = None,
    extensions: Sequence[str | Path] = (),
) -> list[Finding]:
    """What stands in the way of converting the model to the frameworks `to` (all where none is named), all at once.

    Nothing is converted or run. The options are those of `convert`.

    Raises:
        InvalidSource, UntrustedSource, UnsupportedModel: as for `read`.
        UsageError: a framework is not known.
    """
    _load(extensions)
    options = _read_options(
        inputs, outputs, input_shape, weights, trust, example_inputs, input_dtype, dynamic, arguments
    )
    return obstacles.check(pipeline.read(source, options), to)


def _load(files: Sequence[str | Path]) -> None:
    """Registers users' files of cards and lowerings, before anything is read."""
    for file in files:
        own.load(Path(file))


def convert(
    source: object,
    to: str,
    out: str | Path,
    *,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    input_shape: Shape | Mapping[str, Shape] | None = None,
    weights: str | Path | None = None,
    trust: bool = False,
    example_inputs: Any = None,
    input_dtype: Mapping[str, str] | None = None,
    dynamic: Dynamic | None = None,
    arguments: Mapping[str, Any] | None = None,
    free_batch: bool | None = None,
    extensions: Sequence[str | Path] = (),
    layout: str = "source",
    native: str = "",
    class_name: str = "",
    opset: int = 0,
    external_data: bool = False,
    verify: bool = True,
    tolerance: float = DEFAULT_TOLERANCE,
    seed: int = SEED,
    batch: int = BATCH,
    verify_inputs: str | Path | None = None,
    force: bool = False,
    strict: bool = False,
    debug: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Converts the model `source` to the framework `to`, proves it, and writes the folder `out`.

    The first options are those of `read`; where `free_batch` is None, a batch of 1 is freed if that can be shown and
    proved sample by sample, unless `strict`. `layout`: inputs and outputs keep the "source"'s axis order, take the
    target's "native" one, or everything stays "channels_first". `native` is the native artifact's format.
    To ONNX, `opset` is the opset to write (13 to 26, the newest where 0) and `external_data` puts the weights into a
    file beside the graph.
    `verify` runs source, IR and target on inputs seeded with `seed`, `batch` long where the first axis is unknown,
    or on the arrays of the `.npz` file `verify_inputs`; `tolerance` bounds max|Δ| / max|reference|. `force` replaces an
    existing output, `strict` turns notes into failure. `extensions` are Python files with cards or lowerings of your
    own (see docs/extending.md), which are run.

    Raises:
        InterlinguaError: each class with its exit code stands in docs/errors.md; nothing is written then.
    """
    _load(extensions)
    chosen = ConvertOptions(
        read=_read_options(
            inputs, outputs, input_shape, weights, trust, example_inputs, input_dtype, dynamic, arguments, free_batch
        ),
        layout=layout,
        native=native,
        class_name=class_name,
        opset=opset,
        external_data=external_data,
        verify=VerifyOptions(
            verify, tolerance, seed, batch, Path(verify_inputs) if verify_inputs is not None else None
        ),
        force=force,
        strict=strict,
        debug=debug,
    )
    return pipeline.convert(source, to, out, chosen, progress)


def verify(folder: str | Path, *, tolerance: float | None = None) -> list[Proof]:
    """Runs what a result folder holds and compares it with the reference kept beside it.

    Raises:
        InvalidSource: the folder is no result, or was written without verification.
        VerificationFailed: it no longer agrees.
    """
    return folders.verify(Path(folder), tolerance=tolerance)


def run(
    artifact: str | Path,
    arrays: Mapping[str, Array],
    *,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    input_shape: Shape | Mapping[str, Shape] | None = None,
    weights: str | Path | None = None,
    trust: bool = False,
) -> dict[str, Array]:
    """The outputs of a model by name, computed by its own framework on `arrays` by input name.

    `artifact` is a result folder, or any model that a framework runs; the options are those of `read`.

    Raises:
        InvalidSource: nothing that can be run.
        UsageError: the arrays do not fit the inputs.
    """
    options = _read_options(inputs, outputs, input_shape, weights, trust)
    return folders.run(Path(artifact), arrays, options)


def api(name: str, *, source: str = "", target: str = "") -> list[Answer]:
    """The API-difference tables for a name in any framework's spelling.

    `source` and `target` are frameworks; without `target` there is a table for each other framework.

    Raises:
        UsageError: no card knows the name (near names are told), or a framework is not known.
    """
    return query(name, source=source, target=target)
