"""Reads what `paddle.jit.save` writes into the IR, without Paddle."""

from __future__ import annotations

import contextlib
from pathlib import Path

import onnx_ir as ir

from interlingua.artifact import Artifact, ReadOptions, Source
from interlingua.errors import InvalidSource, Unsupported, UnsupportedModel, UsageError
from interlingua.formats.lod_tensor import StoredTensor, read_stream
from interlingua.ir import metadata
from interlingua.ir.build import Builder
from interlingua.ir.origin import OriginError, parse
from interlingua_paddle.frontend import pir
from interlingua_paddle.frontend.fold import fold
from interlingua_paddle.frontend.operators import read_operator
from interlingua_paddle.frontend.reading import Reading, dtype_of


def read(artifact: Artifact, options: ReadOptions) -> Source:
    """The program as IR, its weights memory-mapped and named as in the file.

    Raises:
        InvalidSource: the program or its weights are broken, or do not belong together.
        UnsupportedModel: operators whose form cannot be read, all at once.
        UsageError: a chosen output does not exist.
    """
    path = artifact.files["graph"]
    program = pir.load(path)
    builder = Builder(path.stem)
    reading = Reading(program, builder, options.notes)
    for parameter, stored in _parameters(program, options.weights or artifact.files.get("weights"), path):
        tensor = ir.Tensor(stored.array(), name=parameter.name)
        weight = builder.weight(parameter.name, tensor)
        with contextlib.suppress(OriginError):
            metadata.set_origin(weight, parse(program.weights.get(parameter.name, "")))
        reading.keep(parameter.value, weight)
    for name, value in program.inputs.items():
        shape = _input_shape(name, value, options, single=len(program.inputs) == 1)
        reading.keep(value, builder.input(name, shape, dtype_of(value)))
    refusals: list[str] = []
    for operator in fold(program):
        try:
            read_operator(reading, operator)
        except pir.MALFORMED as error:
            raise pir.malformed(operator, str(path), error) from error
        except Unsupported as refusal:
            refusals.append(f"{operator.name} {reading.layer(operator)}: {refusal}")
            for value in operator.outputs:
                if value.dtype:
                    reading.keep(value, ir.Value(name=operator.label))
    if refusals:
        raise UnsupportedModel(
            f"Expected operators that can be read. Received {len(refusals)} that cannot:", refusals, place=str(path)
        )
    outputs = [
        (f"{name}_output" if name in program.inputs else name, reading.tensor(program.outputs[name]))
        for name in _chosen(program, options)
    ]
    model = builder.model(outputs)
    return Source(model, artifact, "paddle", {"path": str(path), "format": artifact.format}, options.notes)


def _parameters(program: pir.Program, weights: Path | None, path: Path) -> list[tuple[pir.Parameter, StoredTensor]]:
    """Each parameter with its tensor; the file holds them in the order of their names.

    Raises:
        InvalidSource: no weights, another number of them, or a shape or type that the program does not expect.
    """
    if not program.parameters:
        return []
    if weights is None:
        expected = path.with_suffix(".pdiparams").name
        raise InvalidSource(
            f"Expected a program with its {len(program.parameters)} weights. Received {path.name!r} alone.",
            place=str(path),
            hint=f"Put {expected!r} beside it, or name it with --weights; paddle.jit.save writes both.",
        )
    ordered = sorted(program.parameters, key=lambda parameter: parameter.name.encode())
    stored = read_stream(weights, [parameter.name for parameter in ordered])
    for parameter, tensor in zip(ordered, stored, strict=True):
        expected_shape = tuple(parameter.value.shape or ())
        if tensor.shape != expected_shape or tensor.dtype.name != parameter.value.dtype:
            raise InvalidSource(
                f"Expected {parameter.name!r} as {parameter.value.dtype} of shape {list(expected_shape)}. "
                f"Received {tensor.dtype.name} of shape {list(tensor.shape)}.",
                place=str(weights),
                hint="The weights belong to another program.",
            )
    return list(zip(ordered, stored, strict=True))


def _input_shape(name: str, value: pir.Value, options: ReadOptions, *, single: bool) -> list[int | str | None]:
    """The input's shape: what the user said, else the program's."""
    own = list(value.shape or ())
    said = options.shapes.get(name, options.shapes.get("") if single else None)
    if said is None:
        return list(own)
    fits = len(said) == len(own) and all(a is None or b is None or a == b for a, b in zip(said, own, strict=True))
    if not fits:
        raise UsageError(f"Expected a shape of the input {name!r} that fits {own}. Received {list(said)}.")
    return [a if a is not None else b for a, b in zip(said, own, strict=True)]


def _chosen(program: pir.Program, options: ReadOptions) -> list[str]:
    unknown = [name for name in options.outputs if name not in program.outputs]
    if unknown:
        raise UsageError(
            f"Expected outputs of the program ({', '.join(program.outputs)}). Received {', '.join(unknown)}."
        )
    return list(options.outputs or program.outputs)
