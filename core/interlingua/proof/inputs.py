"""Seeded inputs for a proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx_ir as ir

from interlingua.codegen.program import Port
from interlingua.errors import InvalidSource, UsageError
from interlingua.proof.compare import Array

SEED = 13
BATCH = 5


def make(ports: Sequence[Port], *, seed: int = SEED, batch: int = BATCH) -> dict[str, Array]:
    """Inputs by name: floats of `RandomState(seed).rand`, small whole numbers, or truth values.

    An unknown first axis is `batch` long.

    Raises:
        UsageError: another axis is unknown; the option that gives it is said.
    """
    random = np.random.RandomState(seed)
    return {port.name: _one(random, port, batch) for port in ports}


def _one(random: np.random.RandomState, port: Port, batch: int) -> Array:
    if port.shape is None or any(not isinstance(size, int) for size in port.shape[1:]):
        raise UsageError(
            f"Expected known sizes of the input {port.name!r} beyond the first axis. Received {port.shape}.",
            hint="Give them with --input-shape, or inputs of your own with --verify-inputs.",
        )
    shape = [size if isinstance(size, int) else batch for size in port.shape]
    kind = port.dtype
    if kind.is_floating_point():
        return random.rand(*shape).astype(kind.numpy())
    if kind == ir.DataType.BOOL:
        return random.rand(*shape) < 0.5
    return random.randint(0, 2, shape).astype(kind.numpy())


def load(path: Path, ports: Sequence[Port]) -> dict[str, Array]:
    """Inputs of a user's `.npz`, by the inputs' names.

    Raises:
        InvalidSource: the file is no `.npz` of plain arrays.
        UsageError: its names or shapes are not the model's.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            arrays: Mapping[str, Array] = {name: data[name] for name in data.files}
    except (OSError, ValueError) as error:
        raise InvalidSource(f"Expected an .npz file of plain arrays. Received {str(path)!r}: {error}") from error
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
