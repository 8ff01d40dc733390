"""Converts one model and tells, as JSON, the seconds of each stage and the most memory each process held.

    python benchmarks/conversion.py MODEL --to torch -o OUT [--inputs A] [--outputs B] [--input-shape None,224,224,3]

A process of its own, so that nothing else counts. Memory is resident: what is mapped from a file counts while it is
in memory. `import` of a worker is what it held before its first call.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

from safetensors import safe_open

from interlingua import pipeline
from interlingua.artifact import ReadOptions
from interlingua.progress import Progress
from interlingua.proof.prove import VerifyOptions
from interlingua.worker import pool
from interlingua.worker.agent import peak_memory

CLEAR = Path("/proc/self/clear_refs")


def worker_peaks() -> dict[str, int]:
    """The most memory of each worker so far, by runtime."""
    return {key[0]: worker.peak_memory for key, worker in pool._workers.items()}


class Measured(Progress):
    """Keeps, beside the seconds of each stage, the most memory of this process in it."""

    def __init__(self) -> None:
        super().__init__()
        self.core: dict[str, int] = {}
        self.workers: dict[str, dict[str, int]] = {}

    def begin(self, title: str) -> None:
        """Forgets the memory of the stages before, where the system lets us."""
        try:
            CLEAR.write_text("5")
        except OSError:
            return

    def end(self, title: str, seconds: float) -> None:
        """Takes down the stage's memory."""
        self.core[title] = max(self.core.get(title, 0), peak_memory())
        self.workers[title] = worker_peaks()


def imported(runtimes: list[str]) -> dict[str, int]:
    """What a fresh worker of each runtime holds when it has said its versions."""
    found: dict[str, int] = {}
    pool.close_shared()
    for name in runtimes:
        worker = pool.shared(name)
        worker.versions()
        worker.close()
        found[name] = worker.peak_memory
    return found


def elements(path: Path) -> int:
    """How many numbers a safetensors file holds."""
    with safe_open(path, "numpy") as file:
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118


def sizes(text: str) -> dict[str, tuple[int | None, ...]]:
    """`None,224,224,3` as the shape of the only input."""
    return {"": tuple(None if part == "None" else int(part) for part in text.split(","))} if text else {}


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """One conversion."""
    before = peak_memory()
    progress = Measured()
    read = ReadOptions(
        inputs=tuple(filter(None, options.inputs.split(","))),
        outputs=tuple(filter(None, options.outputs.split(","))),
        shapes=sizes(options.input_shape),
    )
    chosen = pipeline.ConvertOptions(
        read=read, force=True, verify=VerifyOptions(run=options.verify), layout=options.layout
    )
    report = pipeline.convert(options.model, options.to, options.out, chosen, progress)
    workers = worker_peaks()
    return {
        "to": options.to,
        "parameters": elements(options.out / "weights.safetensors"),
        "seconds": {title: round(seconds, 2) for title, seconds in progress.seconds.items()},
        "core": {"import": before, "peak": max(progress.core.values(), default=before), "stages": progress.core},
        "workers": {"peak": workers, "import": imported(list(workers)), "stages": progress.workers},
        "proofs": [
            {"what": proof.what, "against": proof.reference, "absolute": proof.absolute, "relative": proof.relative}
            for proof in report.proofs
        ],
    }


def main() -> None:
    """Prints the measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("model", type=Path)
    parser.add_argument("--to", required=True)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--inputs", default="")
    parser.add_argument("--outputs", default="")
    parser.add_argument("--input-shape", default="")
    parser.add_argument("--layout", default="source")
    parser.add_argument("--no-verify", dest="verify", action="store_false")
    print(json.dumps(measure(parser.parse_args())))


if __name__ == "__main__":
    main()
