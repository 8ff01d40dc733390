"""Trains LeNet-4 in TensorFlow 1 style, converts it to every framework, and lets each compute its own accuracy.

`make demo` runs it. The digits are scikit-learn's, enlarged to 28×28; the checkpoint is a real one
(`model.meta`, `.index`, `.data-…`).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import interlingua
from interlingua import plugin
from interlingua.cli.display import show_table
from interlingua.errors import InterlinguaError, RuntimeMissing

ROOT = Path(__file__).resolve().parent.parent
TARGETS = ("onnx", "torch", "keras", "tensorflow", "paddle", "fluid", "caffe")
HEADINGS = ("target", "native artifact", "accuracy", "largest absolute", "relative", "seconds")


def main() -> int:
    """The demo; the exit code is 1 where a conversion failed or accuracies differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "demo")
    folder: Path = parser.parse_args().folder
    checkpoint = folder / "checkpoint"
    print("Training LeNet-4 on handwritten digits in TensorFlow …", flush=True)
    subprocess.run(
        [sys.executable, str(ROOT / "examples" / "make_lenet_tf1.py"), str(checkpoint)],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    with np.load(checkpoint / "held_out.npz") as data:
        images, labels = data["x"], data["y"]
    rows: list[tuple[str, ...]] = []
    trained = json.loads((checkpoint / "accuracy.json").read_text())["accuracy"]
    accuracies = {trained}
    failed = False
    for target in TARGETS:
        print(f"Converting to {target} …", flush=True)
        try:
            row, accuracy = _row(checkpoint / "model.meta", target, folder / target, images, labels)
            accuracies.add(accuracy)
        except RuntimeMissing as missing:
            row = (target, "-", "-", "-", "-", missing.hint)
        except InterlinguaError as error:
            row, failed = (target, "-", "-", "-", "-", str(error).splitlines()[0]), True
        rows.append(row)
    print(f"\nTensorFlow's own accuracy on {len(labels)} held-out digits: {trained:.4f}\n")
    show_table(HEADINGS, rows)
    print(f"\nThe PyTorch model lies in {folder / 'torch' / 'model.py'}. Type next:")
    print(f"  cd {folder / 'torch'} && {sys.executable} -c 'from model import load; print(load())'")
    print("  .venv/bin/interlingua api tf.nn.max_pool2d --to paddle")
    return int(failed or len(accuracies) > 1)


def _row(source: Path, target: str, out: Path, images: np.ndarray, labels: np.ndarray) -> tuple[tuple[str, ...], float]:
    started = time.perf_counter()
    report = interlingua.convert(source, target, out, force=True)
    name = report.inputs[0].name
    order = report.axes.get(name)
    given = images.transpose(order) if order else images
    outputs = interlingua.run(out, {name: np.ascontiguousarray(given)})
    accuracy = float(np.mean(next(iter(outputs.values())).argmax(-1) == labels))
    worst = max(report.proofs, key=lambda proof: proof.relative)
    seconds = time.perf_counter() - started
    title = plugin.format_named(report.target["native"])[1].title
    cells = (target, title, f"{accuracy:.4f}", f"{worst.absolute:.1e}", f"{worst.relative:.1e}", f"{seconds:.1f}")
    return cells, accuracy


if __name__ == "__main__":
    sys.exit(main())
