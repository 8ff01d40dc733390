"""What the Caffe tests share: prototxts with seeded weights, models written as Caffe, both run by OpenCV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from interlingua import passes, pipeline, plugin
from interlingua.artifact import ReadOptions, Source, WriteOptions
from interlingua.codegen.package import Package
from interlingua.ir.build import Builder
from interlingua.notes import Notes
from interlingua.proof import execute
from interlingua_caffe.frontend.read import read
from interlingua_caffe.frontend.recognise import recognise
from interlingua_caffe.proto import message

Array = np.ndarray[Any, Any]

RELATIVE = 2e-6


def close(reference: Array, other: Array, relative: float = RELATIVE) -> None:
    """Asserts that two arrays are the same in shape and number."""
    assert reference.shape == other.shape
    assert np.isfinite(reference).all()
    assert np.abs(reference - other).max(initial=0) <= relative * np.abs(reference).max(initial=0)


def save_weights(path: Path, blobs: Mapping[str, Sequence[Array]]) -> Path:
    """A `.caffemodel` made by protobuf's own writer, with the blobs of layers by name."""
    net = message("NetParameter")
    for name, arrays in blobs.items():
        layer = net.layer.add(name=name)
        for array in arrays:
            blob = layer.blobs.add()
            blob.shape.dim.extend(array.shape)
            blob.data.extend(array.astype(np.float32).ravel().tolist())
    path.write_bytes(net.SerializeToString())
    return path


class Nets:
    """A folder of networks."""

    close = staticmethod(close)
    save_weights = staticmethod(save_weights)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._random = np.random.default_rng(5)

    def array(self, *shape: int, positive: bool = False) -> Array:
        """Seeded numbers of both signs, or between 0.5 and 2."""
        made = self._random.uniform(0.5, 2, shape) if positive else self._random.normal(0, 1, shape)
        return made.astype(np.float32)

    def net(self, text: str, **blobs: Sequence[Array]) -> Path:
        """A prototxt, and its weights beside it."""
        path = self.folder / "deploy.prototxt"
        path.write_text(text, encoding="utf-8")
        if blobs:
            save_weights(self.folder / "deploy.caffemodel", blobs)
        return path

    def read(self, path: Path, **options: Any) -> Source:
        """The network in canonical form."""
        artifact = recognise(path)
        assert artifact is not None
        notes = Notes()
        source = read(artifact, ReadOptions(**options, notes=notes))
        passes.run(source.model, notes=notes)
        return source

    def computed(self, source: Source, *arrays: Array) -> tuple[list[Array], list[Array]]:
        """What the IR computes in onnxruntime and what the network computes in OpenCV."""
        given = dict(zip((v.name or "" for v in source.model.graph.inputs), arrays, strict=True))
        return execute.run_ir(source.model, given), execute.run("caffe", given, source.run, phase="run the source")

    def agree(self, source: Source, *arrays: Array) -> list[Array]:
        """Asserts that both agree; the outputs."""
        reference, other = self.computed(source, *arrays)
        assert len(reference) == len(other)
        for left, right in zip(reference, other, strict=True):
            close(right, left)
        return reference


@pytest.fixture
def nets(tmp_path: Path) -> Nets:
    """An empty folder for networks."""
    return Nets(tmp_path)


class Sketch(Builder):
    """A builder whose model is written as Caffe."""

    close = staticmethod(close)

    def __init__(self, folder: Path) -> None:
        super().__init__("model")
        self.folder = folder
        self.notes = Notes()
        folder.mkdir()

    def parameter(self, name: str, *shape: int, positive: bool = False) -> ir.Value:
        """A weight with seeded numbers, each name its own."""
        values = np.random.default_rng(sum(name.encode())).normal(0, 0.5, shape).astype(np.float32)
        return self.weight(name, ir.tensor(np.abs(values) + 0.5 if positive else values, name=name))

    def canonical(self, *outputs: ir.Value) -> ir.Model:
        """The canonical model with the outputs y, y1, …"""
        return passes.run(self.model([(f"y{i or ''}", value) for i, value in enumerate(outputs)]), notes=self.notes)

    def write(self, model: ir.Model) -> Package:
        """The model as Caffe, in the sketch's folder."""
        package, _ = pipeline.write(model, plugin.framework("caffe"), self.folder, WriteOptions(notes=self.notes))
        return package

    @property
    def text(self) -> str:
        """The prototxt written."""
        return (self.folder / "deploy.prototxt").read_text(encoding="utf-8")

    def layers(self) -> list[str]:
        """The layers written but for the inputs, each on one line without name, bottoms and tops."""
        found = []
        for block in self.text.split("\nlayer {\n")[1:]:
            lines = [line.strip() for line in block.rstrip().removesuffix("}").splitlines()]
            kept = [line for line in lines if line and not line.startswith(("name:", "bottom:", "top:"))]
            found.append(" ".join(kept).removeprefix("type: "))
        return [layer for layer in found if not layer.startswith('"Input"')]


@pytest.fixture
def sketch(tmp_path: Path) -> Sketch:
    """An empty model to build and write."""
    return Sketch(tmp_path / "out")
