"""Proof of a freed batch: the source, which takes one sample, runs on each, what was freed on one, two and all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from interlingua.proof.compare import Array
from interlingua.report import Proof

SAMPLES = 3
"""So many samples of its own each input of a proof has where the batch was freed, if nobody asks for fewer."""

Axes = Sequence[int | None]
"""For each output the axis along which its samples are stacked; None where it does not depend on the batch."""

Outputs = list[Array]


def count(batch: int) -> int:
    """The number of samples to prove with where `batch` was asked for: two at least, or nothing is proved."""
    return max(2, min(batch, SAMPLES))


def part(arrays: Mapping[str, Array], start: int, stop: int) -> dict[str, Array]:
    """Some of the samples of inputs; numbers, which have no samples, are the same for all."""
    return {name: array[start:stop] if array.ndim > 1 else array for name, array in arrays.items()}


def length(arrays: Mapping[str, Array]) -> int:
    """The number of samples of inputs."""
    return max(int(array.shape[0]) for array in arrays.values() if array.ndim > 1)


def distinct(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The inputs with each sample its own: whole numbers and truth values, where all samples are alike, move along."""

    def moved(array: Array) -> Array:
        if array.ndim < 2 or array.dtype.kind not in "biu":
            return array
        return np.stack([np.roll(row, place, -1) for place, row in enumerate(array)])

    return {name: moved(array) for name, array in arrays.items()}


def one_by_one(run: Callable[[Mapping[str, Array]], Outputs], arrays: Mapping[str, Array], axes: Axes) -> Outputs:
    """The outputs for all samples, stacked from runs on one sample each."""
    runs = [run(part(arrays, place, place + 1)) for place in range(length(arrays))]
    return [
        values[0] if axis is None else np.concatenate(values, axis)
        for axis, values in zip(axes, (list(values) for values in zip(*runs, strict=True)), strict=True)
    ]


def fewer(
    arrays: Mapping[str, Array], outputs: Sequence[Array], axes: Axes
) -> Iterator[tuple[int, dict[str, Array], Outputs]]:
    """The first sample alone, and the first two where there are more: their number, inputs and outputs."""
    samples = length(arrays)
    for some in range(1, min(samples, 3)):
        cut = [
            array if axis is None else np.split(array, [array.shape[axis] // samples * some], axis)[0]
            for axis, array in zip(axes, outputs, strict=True)
        ]
        yield some, part(arrays, 0, some), cut


def together(proof: Proof, others: Mapping[int, Proof]) -> Proof:
    """The proof with the rows of others that were made with another number of samples."""
    rows = [
        dataclasses.replace(row, name=f"{row.name}, batch {some}")
        for some, other in others.items()
        for row in other.differences
    ]
    failed = any(other.verdict == "failed" for other in others.values())
    return dataclasses.replace(
        proof, verdict="failed" if failed else proof.verdict, differences=(*proof.differences, *rows)
    )
