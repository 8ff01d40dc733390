"""What the coverage page says of the backend suite, of random graphs and of hostile files: from docs/results alone."""

from __future__ import annotations

import collections
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results"
TITLES = {
    "onnx": "ONNX, through the IR and back",
    "older": "ONNX, in an opset from 13 to 25 that differs from case to case",
    "torch": "PyTorch, `model.py` in a process with torch and safetensors alone",
}
SHORT = {"onnx": "ONNX", "older": "older opset", "torch": "PyTorch"}

Rows = Mapping[str, Mapping[str, Any]]


def section() -> list[str]:
    """The lines of the page."""
    suite = json.loads((RESULTS / "suite.json").read_text("utf-8"))
    rows = {name: row for name, row in suite["cases"].items() if row["onnxruntime"] == "pass"}
    return [
        "## The ONNX backend suite",
        "",
        f"Of the {len(suite['cases']):,} cases that onnx {suite['versions']['onnx']} has, onnxruntime "
        f"{suite['versions']['onnxruntime']} passes {len(rows):,} with its graph optimizations off; those count, and "
        f"{len(_plain(rows)):,} of them run the operator itself rather than its function body (`_expanded`). "
        f"{_refused_by_onnxruntime(suite['cases'])} `make suite` measures it anew; docs/results/suite.json holds every "
        "case.",
        "",
        "| target | all | not expanded |",
        "|---|---|---|",
        *(f"| {TITLES[name]} | {_share(rows, name)} | {_share(_plain(rows), name)} |" for name in TITLES),
        "",
        "### Cases that do not pass, and why",
        "",
        "`notimpl` is ours to do, `notyet` upstream's, `never` nobody's.",
        "",
        *_reasons(rows),
        "",
        "### By operator",
        "",
        "Cases in which the operator stands, expanded ones left out.",
        "",
        "| operator | " + " | ".join(SHORT.values()) + " |",
        "|---|" + "---|" * len(SHORT),
        *_operators(_plain(rows)),
        "",
        *_random(),
        *_hostile(),
    ]


def _plain(rows: Rows) -> Rows:
    return {name: row for name, row in rows.items() if "_expanded" not in name}


def _share(rows: Rows, target: str) -> str:
    tried = [row[target] for row in rows.values() if target in row]
    passed = sum(each == "pass" for each in tried)
    return f"{passed:,} of {len(tried):,}, {100 * passed / len(tried):.1f} %" if tried else "not run"


def _refused_by_onnxruntime(cases: Rows) -> str:
    newer = sum("IR version" in row["onnxruntime"] or "model.cc" in row["onnxruntime"] for row in cases.values())
    return (
        f"Of the others {newer} bear a newer IR version than it reads. Numbers smaller than a byte are handed to it "
        "packed, as it holds them itself, without which it would seem to fail 40 cases more."
    )


def _reasons(rows: Rows) -> Sequence[str]:
    found: dict[tuple[str, str, str], list[str]] = collections.defaultdict(list)
    for name, row in rows.items():
        for target in TITLES:
            failure = row.get(target)
            if isinstance(failure, Mapping):
                found[target, failure["word"], failure["reason"]].append(name)
    return [
        f"- {SHORT[target]}, `{word}`, {len(names)} case{'s' * (len(names) > 1)}: {reason}"
        for (target, word, reason), names in sorted(found.items(), key=lambda item: (item[0][0], -len(item[1])))
    ] or ["Nothing."]


def _operators(rows: Rows) -> Sequence[str]:
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for row in rows.values():
        for operator in row["operators"]:
            for target in TITLES:
                if target in row:
                    counts[operator][f"{target} tried"] += 1
                    counts[operator][target] += row[target] == "pass"
    return [
        f"| `{operator}` | " + " | ".join(f"{count[name]}/{count[f'{name} tried']}" for name in SHORT) + " |"
        for operator, count in sorted(counts.items())
    ]


def _random() -> Sequence[str]:
    path = RESULTS / "fuzz.json"
    if not path.is_file():
        return []
    result = json.loads(path.read_text("utf-8"))
    graphs = result["graphs"]
    total = sum(number for verdict, number in graphs.items() if verdict != "no reference")
    parts = ", ".join(f"`{name}` {number}" for name, number in sorted(result["standard"].items()))
    return [
        "## Random graphs",
        "",
        f"`make fuzz` made {total:,} graphs of one to some twenty nodes that onnxruntime runs, over "
        f"{len(result['operators'])} operators, with NaN and infinity, empty tensors, open shapes and parameters that "
        "are computed, and converted each to PyTorch.",
        "",
        "| graphs | |",
        "|---|---|",
        f"| {graphs.get('same', 0):,} | give what onnxruntime gives |",
        f"| {graphs.get('told', 0)} | are refused by name |",
        f"| {graphs.get('sensitive', 0)} | onnxruntime differs too when inputs move by a rounding error |",
        f"| {graphs.get('standard', 0)} | keep to the standard where onnxruntime [leaves it](oracles.md): {parts} |",
        f"| {graphs.get('mismatch', 0)} | mismatch |",
        "",
        "What such campaigns found is mended, and stands in tests/torch/test_torch_random_graphs.py"
        + (f": {result['mended']} of these mismatched at first, and do so no more." if "mended" in result else "."),
        "",
    ]


def _hostile() -> Sequence[str]:
    path = RESULTS / "hostile.json"
    if not path.is_file():
        return []
    result = json.loads(path.read_text("utf-8"))
    return [
        "## Hostile files",
        "",
        f"{result['files']:,} mutated and malicious ONNX files: {result['verdicts'].get('converted', 0)} converted, "
        f"{result['verdicts'].get('refused', 0)} refused by an error of ours, {len(result['findings'])} findings (a "
        f"traceback, a hang, a file outside the output). The slowest took {result['slowest_seconds']} s, the largest "
        f"{result['peak_mebibytes']} MiB.",
        "",
    ]
