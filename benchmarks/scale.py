"""What a conversion costs against the size of a model: seconds for many nodes, memory for large weights.

    python benchmarks/scale.py [--out docs/results/scale.json]

Each measurement runs in a process of its own, after the imports. The nodes are repeated blocks of a dense layer with a
residual and a reshape by a computed shape; the large model is one of external weights, 3.2 GB on a sparse file.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

NODES = (100, 300, 1000, 3000, 10_000, 20_000)
WEIGHTS, ROWS = 16, 50_000
"""16 weights of 50,000 × 1,000 float32 are 3.2 GB."""

OUT = Path(__file__).resolve().parent.parent / "docs" / "results" / "scale.json"


def chain(count: int, path: Path) -> None:
    """Writes a model of about `count` nodes."""
    nodes: list[onnx.NodeProto] = []
    weights: list[TensorProto] = []
    value = "x"
    for block in range(-(-count // 6)):
        weights.append(numpy_helper.from_array(np.full((8, 8), 0.1 + block, np.float32), f"w{block}"))
        weights.append(numpy_helper.from_array(np.full(8, 0.1 + block, np.float32), f"b{block}"))
        for op, inputs, output in (
            ("MatMul", [value, f"w{block}"], "product"),
            ("Add", [f"product{block}", f"b{block}"], "sum"),
            ("Relu", [f"sum{block}"], "active"),
            ("Add", [f"active{block}", value], "residual"),
            ("Shape", [f"residual{block}"], "shape"),
            ("Reshape", [f"residual{block}", f"shape{block}"], "out"),
        ):
            nodes.append(helper.make_node(op, inputs, [f"{output}{block}"], name=f"block{block}/{output}"))
        value = f"out{block}"
    _save(nodes, weights, value, 8, path)


def large(path: Path) -> None:
    """Writes a model of 3.2 GB of weights in a sparse file beside it."""
    nodes, weights = [], []
    length = ROWS * 1000 * 4
    for index in range(WEIGHTS):
        tensor = TensorProto(name=f"w{index}", data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
        tensor.dims.extend([ROWS, 1000] if index % 2 else [1000, ROWS])
        for key, said in (("location", "weights"), ("offset", index * length), ("length", length)):
            tensor.external_data.add(key=key, value=str(said))
        weights.append(tensor)
        nodes.append(helper.make_node("MatMul", [f"v{index}" if index else "x", f"w{index}"], [f"v{index + 1}"]))
    with (path.parent / "weights").open("wb") as stream:
        stream.truncate(WEIGHTS * length)
    _save(nodes, weights, f"v{WEIGHTS}", 1000, path)


def _save(nodes: list[onnx.NodeProto], weights: list[TensorProto], end: str, width: int, path: Path) -> None:
    entry = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", width])
    exit_ = helper.make_tensor_value_info(end, TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "scale", [entry], [exit_], weights)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(proto.SerializeToString())


def read(path: Path, write: bool) -> dict[str, float]:
    """Seconds of reading with the canonical passes, and megabytes beyond the imports; seconds of writing PyTorch."""
    from interlingua import passes, pipeline, plugin

    framework = plugin.framework("torch")
    plugin.resolve(framework.backend.writer if framework.backend else "")
    assert passes.CANONICAL
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun, cpu = time.perf_counter(), time.process_time()
    source = pipeline.read(path)
    seconds, processor = time.perf_counter() - begun, time.process_time() - cpu
    beyond = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    found = {
        "seconds": round(seconds, 3),
        "processor": round(processor, 3),
        "megabytes": round(beyond, 1),
        "canonical_nodes": len(source.model.graph),
    }
    if write:
        begun, cpu = time.perf_counter(), time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            pipeline.write(source.model, framework, Path(folder))
        found["write_seconds"] = round(time.perf_counter() - begun, 3)
        found["write_processor"] = round(time.process_time() - cpu, 3)
    return found


def measured(path: Path, *, write: bool) -> dict[str, float]:
    """What `read` says, from a process of its own."""
    command = [sys.executable, __file__, "--read", str(path), *(["--write"] if write else [])]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def main() -> None:
    """Measures everything and writes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--read", type=Path)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    if asked.read:
        print(json.dumps(read(asked.read, asked.write)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        rows = {}
        for count in NODES:
            chain(count, path)
            rows[str(count)] = measured(path, write=True)
            print(count, rows[str(count)], flush=True)
        large(path)
        whole = {"gigabytes": WEIGHTS * ROWS * 1000 * 4 / 1e9, **measured(path, write=False)}
        print("large", whole)
    asked.out.write_text(json.dumps({"nodes": rows, "large": whole}, indent=1) + "\n")


if __name__ == "__main__":
    main()
