"""What a backend is asked for, and what it hands back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx_ir as ir

from interlingua.artifact import WriteOptions
from interlingua.codegen.program import Port
from interlingua.codegen.weights import Weight, write_safetensors
from interlingua.plugin import Backend, Framework

WEIGHTS = "weights.safetensors"


@dataclasses.dataclass(frozen=True)
class WriteRequest:
    """`folder` is an empty folder beside the final one; the backend writes its files there.

    `title` names the source for docstrings ("model.meta, a TensorFlow 1 checkpoint"); `prepared` models have
    passed the layout pass for this framework. A `dry` request is made to find what stands in the way: weights, which
    may be large, are not written.
    """

    framework: Framework
    folder: Path
    options: WriteOptions
    title: str = ""
    dry: bool = False

    def write_weights(self, weights: Mapping[str, Weight], metadata: Mapping[str, str]) -> None:
        """Streams `weights.safetensors`, as `write_safetensors` does."""
        if not self.dry:
            write_safetensors(self.folder / WEIGHTS, weights, metadata)

    @property
    def backend(self) -> Backend:
        """The framework's backend."""
        assert self.framework.backend is not None
        return self.framework.backend

    @property
    def native(self) -> str:
        """The format of the native artifact asked for."""
        return self.options.native or self.backend.natives[0]


@dataclasses.dataclass(frozen=True)
class Mapped:
    """A row of the report: a node of the IR (by its source layer) and what it became."""

    layer: str
    op: str
    api: str
    arguments: str = ""


@dataclasses.dataclass(frozen=True)
class Package:
    """What was written. `inputs` and `outputs` are the target's ports in order; `mapped` says what became what.

    `weights` maps the target's weight names to expressions over the source's parameters, `layers` its layer names (as
    the runtime's `trace` gives them) to the source's. `materialise` holds extra arguments for the runtime's
    `materialise`; `native_path` is set where the backend itself wrote the native artifact (Caffe, ONNX). `unproved`
    says why the target's runtime cannot prove what was written, which is right all the same (OpenCV for Caffe).
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    mapped: tuple[Mapped, ...] = ()
    weights: dict[str, str] = dataclasses.field(default_factory=dict)
    layers: dict[str, str] = dataclasses.field(default_factory=dict)
    materialise: dict[str, Any] = dataclasses.field(default_factory=dict)
    native_path: str = ""
    unproved: tuple[str, ...] = ()


def ports(values: list[ir.Value] | tuple[ir.Value, ...]) -> tuple[Port, ...]:
    """Ports for a target that keeps the IR's own names."""
    from interlingua.ir.facts import shape_of

    return tuple(Port(v.name or "", v.name or "", shape_of(v), v.dtype or ir.DataType.FLOAT) for v in values)
