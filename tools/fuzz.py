"""Random graphs through Interlingua to PyTorch, against onnxruntime; what disagrees is cut down to a node and kept.

    python tools/fuzz.py                    2,000 graphs that onnxruntime runs, to docs/results/fuzz.json
    python tools/fuzz.py --graphs 100 --seed 7 --no-save
    python tools/fuzz.py --again            what mismatched last time, after it was mended

A graph counts where onnxruntime runs it. It is "told" where the conversion refuses it, "same" where model.py gives what
onnxruntime gives, "sensitive" where it does not and onnxruntime itself gives another result as soon as the inputs move
by a rounding error, "standard" where model.py gives what the standard's reference evaluator gives and onnxruntime does
not (docs/oracles.md), and "mismatch" otherwise: of those there must be none. An interrupted run goes on where it
stopped, as long as no source has changed.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from fuzz_cut import single_nodes
from fuzz_graphs import graphs
from hypothesis import HealthCheck, Phase, given, seed, settings
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from suite import sources_digest
from suite_cases import Case, Failed, by_onnxruntime
from suite_targets import Runner, torch

from interlingua.errors import InterlinguaError

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "docs" / "results" / "fuzz.json"
CACHE = ROOT / ".cache" / "fuzz"
EACH = 50
_ROUNDING = {"float16": 4e-3, "float32": 2e-4, "float64": 1e-6}
_MOVED = {"float16": 1e-3, "float32": 2e-7, "float64": 1e-12}

_MODEL = "the model"

Feeds = Mapping[str, np.ndarray[Any, Any]]


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
    near = relative <= _ROUNDING[str(wanted.dtype)] or np.allclose(left, right, 0, 1e-6)
    return "" if near else f"off by {relative:.1e}"


def sensitive(model: bytes, feeds: Feeds, expected: list[Any]) -> bool:
    """Whether onnxruntime's own outputs differ where every float moves by a rounding error, up or down."""
    for number in (0, 1, 2):
        random = np.random.default_rng(number)

        def moved(array: np.ndarray[Any, Any], random: np.random.Generator = random) -> np.ndarray[Any, Any]:
            if array.dtype.kind != "f":
                return array
            share = 1 + _MOVED[str(array.dtype)] * random.choice([-1, 1], array.shape)
            with np.errstate(all="ignore"):
                return np.asarray(array * share, array.dtype)

        proto = onnx.ModelProto.FromString(model)
        for tensor in proto.graph.initializer:
            tensor.CopyFrom(numpy_helper.from_array(moved(numpy_helper.to_array(tensor)), tensor.name))
        try:
            others = by_onnxruntime(proto.SerializeToString(), {name: moved(each) for name, each in feeds.items()})
        except Exception:  # an index out of range, a size that depends on the numbers
            return True
        if any(difference(np.asarray(a), np.asarray(b)) for a, b in zip(expected, others, strict=True)):
            return True
    return False


def outcome(run: Runner, model: bytes, feeds: Feeds, folder: Path) -> tuple[str, str]:
    """What became of a graph: the verdict, and of a mismatch the reason."""
    try:
        expected = by_onnxruntime(model, feeds)
    except Exception:  # onnxruntime refuses graphs in many ways; those do not count
        return "no reference", ""
    names = [each.name for each in onnx.ModelProto.FromString(model).graph.input]
    case = Case("random", "fuzz", model, [([feeds[name] for name in names], expected)], 0, 0)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        try:
            (outputs,) = run(case, Path(scratch))
        except Failed as failed:
            typed = failed.stage == "write" and isinstance(failed.__cause__, InterlinguaError)
            return ("told", "") if typed else ("mismatch", f"{failed.stage}: {failed.reason}")
    wrong = _parted(expected, outputs)
    if not wrong:
        return "same", ""
    if sensitive(model, feeds, expected):
        return "sensitive", ""
    return ("standard" if _by_the_standard(model, feeds, expected, outputs) else "mismatch"), wrong


def _parted(expected: Sequence[Any], outputs: Sequence[Any]) -> str:
    rows = (difference(np.asarray(a), np.asarray(b)) for a, b in zip(expected, outputs, strict=True))
    return "; ".join(f"output {number}: {wrong}" for number, wrong in enumerate(rows) if wrong)


def _by_the_standard(model: bytes, feeds: Feeds, expected: Sequence[Any], outputs: Sequence[Any]) -> bool:
    """Whether the reference evaluator gives every output that onnxruntime does not give."""
    others = _reference(model, feeds)
    if others is None:
        return False
    rows = [[np.asarray(each) for each in row] for row in zip(expected, others, outputs, strict=True)]
    return all(not difference(first, got) or not difference(second, got) for first, second, got in rows)


def _reference(model: bytes, feeds: Feeds) -> list[Any] | None:
    """What the reference evaluator computes; None where it lacks an operator or fails."""
    try:
        with np.errstate(all="ignore"):
            return list(ReferenceEvaluator(onnx.ModelProto.FromString(model)).run(None, dict(feeds)))
    except Exception:  # it refuses in many ways
        return None


def smallest(
    run: Runner, model: bytes, feeds: Feeds, verdict: str, reason: str, folder: Path
) -> tuple[str, str, str, str]:
    """The first node that disagrees by itself, else the whole graph: verdict, operators, reason and the model as text.

    A graph that the reference evaluator cannot run, of which no node mismatches by itself but one where onnxruntime
    leaves the standard, is of that kind.
    """
    parts = [(*outcome(run, part, values, folder), part) for part, values in single_nodes(model, feeds)]
    kinds = (verdict, "standard") if _reference(model, feeds) is None else (verdict,)
    for kind in dict.fromkeys(kinds):
        for found, why, part in parts:
            if found == kind:
                return found, *_told(part, why)
    return verdict, *_told(model, reason)


def _told(model: bytes, reason: str) -> tuple[str, str, str]:
    proto = onnx.ModelProto.FromString(model)
    return ", ".join(node.op_type for node in proto.graph.node), reason, onnx.printer.to_text(proto)


def _check(run: Runner, number: int, folder: Path, result: dict[str, Any]) -> Callable[[], None]:
    """Tries the graphs of one seed, each once, and counts them in the result."""
    seen: set[str] = set()

    @seed(number)
    @settings(
        max_examples=EACH,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(graphs())
    def check(drawn: tuple[bytes, dict[str, np.ndarray[Any, Any]]]) -> None:
        model, feeds = drawn
        digest = hashlib.sha256(model + b"".join(each.tobytes() for each in feeds.values())).hexdigest()
        if digest in seen:
            return
        seen.add(digest)
        verdict, reason = outcome(run, model, feeds, folder)
        operator = text = ""
        if verdict in ("mismatch", "standard"):
            verdict, operator, reason, text = smallest(run, model, feeds, verdict, reason, folder)
            print(f"{verdict}: {reason}\n{text}\n", flush=True)
        result["graphs"][verdict] = result["graphs"].get(verdict, 0) + 1
        operators = {node.op_type for node in onnx.ModelProto.FromString(model).graph.node}
        if verdict == "same":
            for operator in operators:
                result["operators"][operator] = result["operators"].get(operator, 0) + 1
        elif verdict == "mismatch":
            result["mismatches"][digest[:16]] = {"reason": reason, "text": text, "graph": _packed(model, feeds)}
        elif verdict == "standard":
            result["standard"][operator] = result["standard"].get(operator, 0) + 1

    return check


def _packed(model: bytes, feeds: Feeds) -> str:
    stream = io.BytesIO()
    np.savez_compressed(stream, **feeds, **{_MODEL: np.frombuffer(model, np.uint8)})  # type: ignore[arg-type]
    return base64.b64encode(stream.getvalue()).decode()


def _unpacked(text: str) -> tuple[bytes, dict[str, np.ndarray[Any, Any]]]:
    with np.load(io.BytesIO(base64.b64decode(text))) as data:
        feeds = {name: data[name] for name in data.files}
    return feeds.pop(_MODEL).tobytes(), feeds


def again(run: Runner, result: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Tries what mismatched once more, after it was mended, and counts it anew."""
    for digest, row in list(result["mismatches"].items()):
        graph = _unpacked(row["graph"])
        verdict, reason = outcome(run, *graph, folder)
        operator = ""
        if verdict in ("mismatch", "standard"):
            verdict, operator, reason, _ = smallest(run, *graph, verdict, reason, folder)
        if verdict == "standard":
            result["standard"][operator] = result["standard"].get(operator, 0) + 1
        if verdict != "mismatch":
            del result["mismatches"][digest]
            result["graphs"]["mismatch"] -= 1
            result["graphs"][verdict] = result["graphs"].get(verdict, 0) + 1
            result["mended"] = result.get("mended", 0) + 1
        print(f"{verdict} {reason}\n{row['text']}", flush=True)
    return result


def counted(result: Mapping[str, Any]) -> int:
    """How many graphs onnxruntime runs."""
    return sum(number for verdict, number in result["graphs"].items() if verdict != "no reference")


def campaign(run: Runner, count: int, first: int, folder: Path, kept: Path | None) -> dict[str, Any]:
    """The counts over `count` graphs that onnxruntime runs, by verdict and by operator, and each mismatch as text."""
    result: dict[str, Any] = {"seed": first, "graphs": {}, "operators": {}, "standard": {}, "mismatches": {}}
    number = first
    if kept is not None and kept.is_file():
        number, result = json.loads(kept.read_text("utf-8"))
    while counted(result) < count:
        _check(run, number, folder, result)()
        number += 1
        print(f"seed {number - 1}: {result['graphs']}", file=sys.stderr, flush=True)
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps([number, result]), encoding="utf-8")
    return result


def main() -> int:
    """Runs the campaign; the exit code is 1 where there was a mismatch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--no-save", action="store_true")
    parser.add_argument("--again", action="store_true", help="only what mismatches in the result")
    said = parser.parse_args()
    kept = None if said.no_save else CACHE / f"{sources_digest()}-{said.seed}.json"
    with tempfile.TemporaryDirectory(prefix="interlingua-fuzz-") as folder, torch(Path(folder)) as run:
        if said.again:
            result = again(run, json.loads(RESULT.read_text("utf-8")), Path(folder))
        else:
            result = campaign(run, said.graphs, said.seed, Path(folder), kept)
    print(json.dumps(result["graphs"]))
    if not said.no_save:
        RESULT.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return int(bool(result["mismatches"]))


if __name__ == "__main__":
    raise SystemExit(main())
