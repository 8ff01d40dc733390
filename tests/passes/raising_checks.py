"""What the tests of the raising rules share: exported files, and numbers before and after."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from passes_graphs import Graph

from interlingua import passes
from interlingua.ir.canonical import assert_canonical
from interlingua.notes import Notes
from interlingua.onnx import runtime
from interlingua.onnx.reader import load
from interlingua.onnx.writer import save
from interlingua.passes.base import Pass
from interlingua.passes.raising import JoinParts, MergeHeads, Raise, RaiseHeads, RaiseStatistics
from interlingua.passes.raising.recurrent import RaiseRecurrent

HERE = Path(__file__).parent
RAISING = (JoinParts, Raise, RaiseStatistics, RaiseHeads, MergeHeads, RaiseRecurrent)
PLAIN = tuple(each for each in passes.CANONICAL if each not in RAISING)
_folders: dict[tuple[str, str], tempfile.TemporaryDirectory[str]] = {}


def exported(kind: str, sources: str = "raising_sources.py") -> Path:
    """The folder of what an exporter ("script", "torch", "tf") makes of all sources, in a process of its own."""
    if (kind, sources) not in _folders:
        folder = tempfile.TemporaryDirectory(prefix=f"raising-{kind}-")
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, str(HERE / sources), kind, folder.name]
        subprocess.run(command, check=True, env=environment, capture_output=True, timeout=600)
        _folders[kind, sources] = folder
    return Path(_folders[kind, sources].name)


def evaluate(path: Path, arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    return list(runtime.run(arrays, path=str(path))[1].values())


def numbers(model: ir.Model, arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        return evaluate(save(model, Path(folder) / "model.onnx")[0], arrays)


def operators(model: ir.Model) -> list[str]:
    return [node.op_type for node in model.graph]


def raised(model: ir.Model) -> ir.Model:
    result = passes.run(model, notes=Notes(), debug=True)
    assert_canonical(result)
    return result


def assert_close(given: list[np.ndarray], wanted: list[np.ndarray], tolerance: float = 1e-5) -> None:
    assert len(given) == len(wanted)
    for one, other in zip(given, wanted, strict=True):
        assert one.shape == other.shape and one.dtype == other.dtype
        assert np.array_equal(np.isnan(one), np.isnan(other))
        scale = max(float(np.abs(np.nan_to_num(other)).max()), 1e-9)
        assert float(np.abs(np.nan_to_num(one) - np.nan_to_num(other)).max()) <= tolerance * scale


def check_export(kind: str, name: str, wanted: list[str], sources: str = "raising_sources.py") -> ir.Model:
    """Raises what the exporter wrote: the operators, the numbers of the source, and those of another batch."""
    path = exported(kind, sources) / f"{name}.onnx"
    held = np.load(path.with_suffix(".npz"))
    inputs = [held[f"in{i}"] for i in range(sum(key.startswith("in") for key in held))]
    outputs = [held[f"out{i}"] for i in range(sum(key.startswith("out") for key in held))]
    model = raised(load(path))
    assert operators(model) == wanted
    names = [value.name for value in model.graph.inputs]
    assert_close(numbers(model, dict(zip(names, inputs, strict=True))), outputs)
    wider = {
        key: np.concatenate([each, each[:1] * np.asarray(1, each.dtype)])
        for key, each in zip(names, inputs, strict=True)
    }
    before = passes.run(load(path), PLAIN, notes=Notes())
    assert_close(numbers(model, wider), numbers(before, wider))
    return model


def both(graph: Graph, *outputs: str) -> tuple[ir.Model, ir.Model]:
    """A graph in canonical form, without raising and with it."""
    proto = ir.to_proto(graph.model(*outputs))
    plain = passes.run(ir.from_proto(onnx.ModelProto.FromString(proto.SerializeToString())), PLAIN, notes=Notes())
    return plain, raised(ir.from_proto(proto))


def check_graph(
    graph: Graph, output: str, wanted: list[str] | None, behind: Sequence[type[Pass]] = (), **arrays: np.ndarray
) -> ir.Model:
    """Raises a graph: its operators (the same as before where `wanted` is None), and its numbers before and after.

    Passes `behind` run then.
    """
    plain, model = both(graph, output)
    model = passes.run(model, behind, notes=Notes(), debug=True)
    assert operators(model) == (operators(plain) if wanted is None else wanted)
    assert_close(numbers(model, arrays), numbers(plain, arrays))
    return model


def random(*shape: int, seed: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)
