"""Seeded inputs for a proof."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx_ir as ir

from interlingua.codegen.program import Port
from interlingua.errors import InvalidSource, UsageError
from interlingua.proof.compare import Array

SEED = 13
BATCH = 5


def make(
    ports: Sequence[Port],
    *,
    seed: int = SEED,
    batch: int = BATCH,
    examples: Mapping[str, Array] | None = None,
) -> dict[str, Array]:
    """Inputs by name: floats of `RandomState(seed).rand`, small whole numbers, or truth values.

    An unknown first axis is `batch` long, and so is every axis of the same name. Inputs with an example are like it:
    other unknown axes are as long, floats lie in its range, whole numbers and truth values are its own, over and over.

    Raises:
        UsageError: another axis is unknown; the option that gives it is said.
    """
    random = np.random.RandomState(seed)
    given = examples or {}
    labels = _labels(ports, given, batch)
    return {port.name: _one(random, port, given.get(port.name), labels, batch) for port in ports}


def _labels(ports: Sequence[Port], examples: Mapping[str, Array], batch: int) -> dict[str, int]:
    """The length of each axis that has a name: `batch` where it comes first somewhere, else the example's."""
    found: dict[str, int] = {}
    for port in ports:
        if port.shape is None or port.name not in examples:
            continue
        sizes = examples[port.name].shape
        found |= {label: size for label, size in zip(port.shape, sizes, strict=True) if isinstance(label, str)}
    firsts = [port.shape[0] for port in ports if port.shape]
    return found | {label: batch for label in firsts if isinstance(label, str)}


def _one(
    random: np.random.RandomState, port: Port, example: Array | None, labels: Mapping[str, int], batch: int
) -> Array:
    shape = _shape(port, example, labels, batch)
    kind = port.dtype
    if example is not None and not kind.is_floating_point():
        return np.resize(example, shape).astype(kind.numpy())
    if kind.is_floating_point():
        values = random.rand(*shape)
        if example is not None and example.size:
            low, high = float(example.astype(np.float64).min()), float(example.astype(np.float64).max())
            values = low + values * (high - low) if np.isfinite([low, high]).all() and high > low else values
        return np.asarray(values).astype(kind.numpy())
    if kind == ir.DataType.BOOL:
        return np.asarray(random.rand(*shape) < 0.5)
    return np.asarray(random.randint(0, 2, shape)).astype(kind.numpy())


def _shape(port: Port, example: Array | None, labels: Mapping[str, int], batch: int) -> list[int]:
    if port.shape is None:
        sizes: list[int | None] = [None, None] if example is None else list(example.shape)
    else:
        sizes = [size if isinstance(size, int) else labels.get(str(size)) for size in port.shape]
    if sizes and sizes[0] is None:
        sizes[0] = batch
    if None in sizes:
        raise UsageError(
            f"Expected known sizes of the input {port.name!r} beyond the first axis. Received {port.shape}.",
            hint="Give them with --input-shape, or inputs of yours with --verify-inputs; --no-verify proves nothing.",
        )
    return [int(size) for size in sizes if size is not None]


def arrays_in(path: Path) -> dict[str, Array]:
    """The arrays of a user's `.npz`, by name.

    Raises:
        InvalidSource: the file is no `.npz` of plain arrays.
    """
    try:
        data = np.load(path, allow_pickle=False)
        if not isinstance(data, np.lib.npyio.NpzFile):
            raise ValueError("it holds one array, which has no name")
        with data:
            arrays = {name: data[name] for name in data.files}
        foreign = [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]
        if foreign:
            raise ValueError(f"{foreign[0]} is no array")
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InvalidSource(f"Expected an .npz file of plain arrays. Received {str(path)!r}: {error}") from error
    return arrays


def load(path: Path, ports: Sequence[Port]) -> dict[str, Array]:
    """Inputs of a user's `.npz`, by the inputs' names.

    Raises:
        InvalidSource: the file is no `.npz` of plain arrays.
        UsageError: its names or shapes are not the model's.
    """
    arrays = arrays_in(path)
    names = [port.name for port in ports]
    if set(arrays) != set(names):
        raise UsageError(
            f"Expected arrays named {', '.join(names)}. Received {', '.join(arrays) or 'none'} in {str(path)!r}."
        )
    for port in ports:
        shape = arrays[port.name].shape
        fits = port.shape is None or (
            len(shape) == len(port.shape)
            and all(not isinstance(want, int) or want == size for want, size in zip(port.shape, shape, strict=True))
        )
        if not fits:
            raise UsageError(f"Expected the input {port.name!r} with the shape {port.shape}. Received {shape}.")
    return {port.name: arrays[port.name].astype(port.dtype.numpy(), copy=False) for port in ports}
