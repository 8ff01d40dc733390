"""Converts LeNet-4 from every framework to every framework and proves each pair; resumable.

The first artifacts come from the TensorFlow 1 checkpoint that `examples/make_lenet_tf1.py` trains; from each of them
every framework is written again, through the IR, self-pairs too. Each pair's row is written to
docs/results/matrix.json as soon as it is there; a row that is there is not computed again (`--fresh` forgets all).
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from interlingua import pipeline, plugin
from interlingua.artifact import ReadOptions
from interlingua.errors import InterlinguaError

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "docs" / "results" / "matrix.json"
WORK = ROOT / ".cache" / "matrix"
ORDER = ("torch", "keras", "tensorflow", "paddle", "fluid", "caffe", "onnx")


def main() -> int:
    """Computes what is missing; the exit code is 1 where a pair is not proved."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="forget earlier rows")
    parser.add_argument("--only", default="", help="source:target pairs, separated by commas")
    arguments = parser.parse_args()
    rows: dict[str, Any] = {} if arguments.fresh or not RESULT.is_file() else json.loads(RESULT.read_text())
    only = {pair for pair in arguments.only.split(",") if pair}
    sources = {name: _first(name) for name in ORDER if not only or any(p.startswith(f"{name}:") for p in only)}
    for source, path in sources.items():
        for target in ORDER:
            pair = f"{source}:{target}"
            if (only and pair not in only) or rows.get(pair, {}).get("verdict") == "proved":
                continue
            rows[pair] = _row(path, target, WORK / "pairs" / pair.replace(":", "-"))
            print(pair, rows[pair]["verdict"], rows[pair].get("relative", rows[pair].get("reason", "")), flush=True)
            _save(rows)
    proved = sum(row["verdict"] == "proved" for row in rows.values())
    print(f"{proved} of {len(ORDER) ** 2} pairs proved")
    return 0 if all(row["verdict"] == "proved" for row in rows.values()) else 1


def _checkpoint() -> Path:
    folder = WORK / "checkpoint"
    if not (folder / "model.meta").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, str(ROOT / "examples" / "make_lenet_tf1.py"), str(folder)], check=True)
    return folder / "model.meta"


def _first(framework: str) -> Path:
    """The framework's own LeNet-4, converted from the checkpoint."""
    folder = WORK / "sources" / framework
    if not (folder / "report.json").is_file():
        pipeline.convert(_checkpoint(), framework, folder, pipeline.ConvertOptions(force=True))
    return folder / str(json.loads((folder / "report.json").read_text())["target"]["path"])


def _row(source: Path, target: str, out: Path) -> dict[str, Any]:
    options = pipeline.ConvertOptions(read=ReadOptions(), force=True)
    try:
        report = pipeline.convert(source, target, out, options)
    except InterlinguaError as error:
        return {"verdict": "failed", "reason": str(error).splitlines()[0]}
    worst = max(report.proofs, key=lambda proof: proof.relative)
    verdicts = {proof.verdict for proof in report.proofs}
    runtimes = {name: told for proof in report.proofs for name, told in proof.runtimes.items()}
    return {
        "verdict": "proved" if verdicts == {"proved"} else sorted(verdicts)[0],
        "absolute": float(f"{worst.absolute:.3g}"),
        "relative": float(f"{worst.relative:.3g}"),
        "leftover": report.transposes["leftover"],
        "native": report.transposes["native"],
        "source_ran": any(proof.reference.startswith("source") for proof in report.proofs),
        "runtimes": dict(sorted(runtimes.items())),
    }


def _save(rows: dict[str, Any]) -> None:
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    known = [f"{a}:{b}" for a in ORDER for b in ORDER]
    text = ",\n".join(f"{json.dumps(pair)}: {json.dumps(rows[pair])}" for pair in known if pair in rows)
    RESULT.write_text(f"{{\n{text}\n}}\n")


if __name__ == "__main__":
    assert set(ORDER) <= set(plugin.frameworks()), "every plugin must be installed"
    sys.exit(main())
