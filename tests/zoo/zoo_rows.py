"""What a row of the zoo is, and the makers its tables are written with."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

Inputs = Callable[[int], tuple[Any, ...]]


@dataclasses.dataclass(frozen=True)
class Architecture:
    """An architecture: `build` makes the module, `inputs` its arguments for a batch.

    `batch` is whether the first axis of every input is the batch, left open in the export; `lines` bounds the length
    of model.py where the project promises one; `small` says what was narrowed against the published model.
    """

    name: str
    library: str
    build: Callable[[], nn.Module]
    inputs: Inputs
    batch: bool = True
    lines: int | None = None
    small: str = ""


def images(*size: int, channels: int = 3, count: int = 1) -> Inputs:
    """`count` batches of images that differ in brightness and contrast too: noise alone is averaged away."""
    extent = size if len(size) > 1 else (size[0], size[0])

    def make(batch: int) -> tuple[Any, ...]:
        generator = torch.Generator().manual_seed(7)
        return tuple(_varied(torch.rand(batch, channels, *extent, generator=generator)) for _ in range(count))

    return make


def _varied(noise: torch.Tensor) -> torch.Tensor:
    level = noise.flatten(2)[:, :, :2].reshape(*noise.shape[:2], 2, *[1] * (noise.ndim - 2))
    return (noise - 0.5) * (0.5 + 2 * level[:, :, 0]) + 4 * (level[:, :, 1] - 0.5)


def made(module: str, name: str, **arguments: Any) -> Callable[[], nn.Module]:
    """A builder that calls a function or class by name, imported when the row is run."""

    def build() -> nn.Module:
        built: nn.Module = getattr(importlib.import_module(module), name)(**arguments)
        return built

    return build
