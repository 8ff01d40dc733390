"""What the PyTorch tests share: small models in the IR, written as PyTorch and run by it."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from interlingua import passes, pipeline, plugin
from interlingua.artifact import WriteOptions
from interlingua.codegen.package import Package
from interlingua.ir.build import Builder
from interlingua.notes import Notes
from interlingua.proof import execute

sys.path.insert(0, str(Path(__file__).parent))  # the helpers that test files share

Array = np.ndarray[Any, Any]

RELATIVE = 1e-5


@dataclasses.dataclass(frozen=True)
class Written:
    """A model written as PyTorch, with what its two forms and the IR computed."""

    folder: Path
    source: str
    package: Package
    native: Mapping[str, Any]
    reference: list[Array]
    outputs: list[Array]

    @property
    def constructor(self) -> list[str]:
        """The layers and tensors, as the constructor makes them."""
        body = self.source.partition("super().__init__()\n")[2].partition("    def forward")[0]
        return [line.strip() for line in body.splitlines() if line.strip()]

    @property
    def forward(self) -> list[str]:
        """The lines of the forward method."""
        body = self.source.partition("def forward")[2].partition("\n\n")[0]
        return [line.strip() for line in body.splitlines()[1:]]


def arrays_for(model: ir.Model, batch: int = 3) -> dict[str, Array]:
    """Seeded inputs of both signs; unknown axes are `batch` long."""
    random = np.random.default_rng(7)
    made: dict[str, Array] = {}
    for value in model.graph.inputs:
        assert value.shape is not None and value.dtype is not None and value.name
        shape = [size if isinstance(size, int) else batch for size in value.shape]
        kind = value.dtype.numpy()
        floating = value.dtype.is_floating_point()
        made[value.name] = (
            random.normal(0, 1, shape).astype(kind) if floating else random.integers(0, 5, shape).astype(kind)
        )
    return made


def close(reference: Array, other: Array, relative: float = RELATIVE) -> None:
    """Asserts that two arrays are the same in shape, type and number."""
    assert reference.shape == other.shape and reference.dtype == other.dtype
    assert np.isfinite(reference).all()
    assert np.abs(reference - other).max(initial=0) <= relative * np.abs(reference).max(initial=0)


def write_and_run(
    model: ir.Model, folder: Path, arrays: Mapping[str, Array] | None = None, options: WriteOptions | None = None
) -> Written:
    """Writes a canonical model as PyTorch, makes its exported program, runs both, and compares with onnxruntime."""
    torch, options = plugin.framework("torch"), options or WriteOptions()
    folder.mkdir(parents=True, exist_ok=True)
    arrays = arrays or arrays_for(model)
    package, _ = pipeline.write(model, torch, folder, options)
    native = pipeline.materialise(package, torch, folder, options)
    reference = execute.run_ir(model, arrays)
    given = {port.identifier: array for port, array in zip(package.inputs, arrays.values(), strict=True)}
    found: list[Array] = []
    for form, path in (("python", folder), ("torch-export", folder / "model.pt2")):
        found = execute.run("torch", given, {"path": str(path), "format": form}, phase=f"run {form}")
        assert len(found) == len(reference)
        for left, right in zip(reference, found, strict=True):
            close(left, right)
    return Written(folder, (folder / "model.py").read_text("utf-8"), package, native, reference, found)


class Sketch(Builder):
    """A builder whose model is written as PyTorch, run and compared."""

    def __init__(self, folder: Path) -> None:
        super().__init__("model")
        self.folder = folder

    def parameter(self, name: str, *shape: int, positive: bool = False) -> ir.Value:
        """A weight with seeded numbers, each name its own."""
        values = np.random.default_rng(sum(name.encode())).normal(0, 0.5, shape).astype(np.float32)
        return self.weight(name, ir.tensor(np.abs(values) + 0.5 if positive else values, name=name))

    def canonical(self, *outputs: ir.Value) -> ir.Model:
        """The canonical model with the outputs y, y1, …"""
        return passes.run(self.model([(f"y{i or ''}", value) for i, value in enumerate(outputs)]), notes=Notes())

    def prove(
        self, *outputs: ir.Value, arrays: Mapping[str, Array] | None = None, options: WriteOptions | None = None
    ) -> Written:
        """The model as PyTorch wrote and ran it, if its numbers are those of onnxruntime."""
        return write_and_run(self.canonical(*outputs), self.folder, arrays, options)


@pytest.fixture
def sketch(tmp_path: Path) -> Sketch:
    """An empty model to build and prove."""
    return Sketch(tmp_path / "out")
