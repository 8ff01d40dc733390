"""Random graphs through Interlingua to PyTorch, against onnxruntime; what disagrees is shrunk and kept.

    python tools/fuzz.py --graphs 2000 --seed 13

A graph counts where onnxruntime runs it. It is "told" where the conversion refuses it, "same" where model.py gives what
onnxruntime gives, and "mismatch" otherwise: of those there must be none. The result goes to docs/results/fuzz.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from fuzz_graphs import graphs
from hypothesis import HealthCheck, Phase, given, seed, settings
from suite_cases import Case, Failed, by_onnxruntime
from suite_targets import Runner, torch

RESULT = Path(__file__).resolve().parent.parent / "docs" / "results" / "fuzz.json"
_ROUNDING = {"float16": 4e-3, "float32": 2e-4, "float64": 1e-6}


class Mismatch(AssertionError):
    """A graph that was converted and computes something else, or does not run."""


def difference(wanted: np.ndarray[Any, Any], got: np.ndarray[Any, Any]) -> str:
    """How two outputs differ; empty where they agree. NaN equals NaN; relative to the largest finite value."""
    if wanted.shape != got.shape or wanted.dtype != got.dtype:
        return f"{got.dtype}{list(got.shape)} instead of {wanted.dtype}{list(wanted.shape)}"
    if wanted.dtype.kind != "f":
        return "" if np.array_equal(wanted, got) else "other whole numbers"
    finite = np.isfinite(wanted)
    if not np.array_equal(finite, np.isfinite(got)) or not np.array_equal(
        wanted[~finite].astype(str), got[~finite].astype(str)
    ):
        return "NaN or infinity in other places"
    if not finite.any():
        return ""
    left, right = wanted[finite].astype(np.float64), got[finite].astype(np.float64)
    relative = float(np.max(np.abs(left - right)) / max(float(np.max(np.abs(left))), 1e-30))
    return (
        ""
        if relative <= _ROUNDING[str(wanted.dtype)] or np.allclose(left, right, 0, 1e-6)
        else f"off by {relative:.1e}"
    )


def outcome(run: Runner, model: bytes, feeds: dict[str, np.ndarray[Any, Any]], folder: Path) -> str:
    """What became of a graph.

    Raises:
        Mismatch: it computes something else than onnxruntime.
    """
    try:
        expected = by_onnxruntime(model, feeds)
    except Exception:  # onnxruntime refuses graphs in many ways; those do not count
        return "no reference"
    case = Case("random", "fuzz", model, [(list(feeds.values()), expected)], 0, 0)
    names = case.inputs()
    case = Case("random", "fuzz", model, [([feeds[name] for name in names], expected)], 0, 0)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        try:
            (outputs,) = run(case, Path(scratch))
        except Failed as failed:
            if failed.stage == "write" and "Error" not in failed.reason.partition(":")[0]:
                return "told"
            raise Mismatch(f"{failed.stage}: {failed.reason}") from failed
    for number, (wanted, got) in enumerate(zip(expected, outputs, strict=True)):
        wrong = difference(np.asarray(wanted), np.asarray(got))
        if wrong:
            raise Mismatch(f"output {number}: {wrong}")
    return "same"


def _check(
    run: Runner, count: int, number: int, folder: Path, counts: Counter[str], last: dict[str, Any]
) -> Callable[[], None]:
    """Tries the graphs of one seed; `last` holds the last one tried, which is the shrunk one after a failure."""

    @seed(number)
    @settings(
        max_examples=min(200, count),
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(graphs())
    def check(drawn: tuple[bytes, dict[str, np.ndarray[Any, Any]]]) -> None:
        last["model"] = drawn[0]
        counts[outcome(run, *drawn, folder)] += 1

    return check


def campaign(run: Runner, count: int, first: int, folder: Path) -> dict[str, Any]:
    """The counts over `count` graphs that onnxruntime runs, and each mismatch as ONNX text."""
    counts: Counter[str] = Counter()
    found: dict[str, str] = {}
    number = first
    while counts["same"] + counts["told"] + counts["mismatch"] < count:
        last: dict[str, Any] = {}
        check = _check(run, count, number, folder, counts, last)
        try:
            check()
        except Mismatch as mismatch:
            counts["mismatch"] += 1
            found[str(mismatch)] = onnx.printer.to_text(onnx.ModelProto.FromString(last["model"]))
        number += 1
        print(f"seed {number - 1}: {dict(counts)}", file=sys.stderr)
    return {"seed": first, "graphs": dict(sorted(counts.items())), "mismatches": dict(sorted(found.items()))}


def main() -> int:
    """Runs the campaign; the exit code is the number of mismatches, at most 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--no-save", action="store_true")
    said = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="interlingua-fuzz-") as folder, torch(Path(folder)) as run:
        result = campaign(run, said.graphs, said.seed, Path(folder))
    for reason, text in result["mismatches"].items():
        print(f"{reason}\n{text}\n")
    print(json.dumps(result["graphs"]))
    if not said.no_save:
        RESULT.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return int(bool(result["mismatches"]))


if __name__ == "__main__":
    raise SystemExit(main())
