"""Reads the committed benchmark results and gives them as rows of tables; imports no framework.

`tables()` is what the documents show: titles, each with its header and rows.
"""

from __future__ import annotations

import json
import math
import random
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chart import Bar, bars

PATH = Path(__file__).resolve().parent.parent / "docs" / "results" / "bench.json"
SCALE = PATH.parent / "scale.json"
DRAWS = 10_000
INTERVAL = 0.95

Table = tuple[str, tuple[str, ...], list[tuple[str, ...]]]


def ratio(first: Sequence[float], second: Sequence[float]) -> dict[str, float]:
    """The ratio of the medians, with its 95 % interval by the bootstrap over pairs of turns."""
    pairs = list(zip(first, second, strict=True))
    source = random.Random(0)
    drawn: list[float] = []
    for _ in range(DRAWS):
        chosen = source.choices(pairs, k=len(pairs))
        drawn.append(statistics.median(p[0] for p in chosen) / statistics.median(p[1] for p in chosen))
    drawn.sort()
    edge = (1 - INTERVAL) / 2
    return {
        "ratio": statistics.median(first) / statistics.median(second),
        "low": drawn[math.floor(edge * DRAWS)],
        "high": drawn[math.ceil((1 - edge) * DRAWS) - 1],
    }


def load(path: Path = PATH) -> dict[str, Any]:
    """The results; empty where `make bench` has not been run."""
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return found


def forward_table(results: dict[str, Any]) -> Table:
    """Generated models against hand-written twins."""
    rows: list[tuple[str, ...]] = [
        (
            row["model"],
            f"{row['framework']} {row['version']}",
            str(row["batch"]),
            f"{row['generated'] * 1000:.3g}",
            f"{row['twin'] * 1000:.3g}",
            f"{row['ratio']:.3f}",
            f"{row['low']:.3f} to {row['high']:.3f}",
        )
        for row in results.get("forward", [])
    ]
    header = ("model", "framework", "batch", "generated, ms", "twin, ms", "ratio of medians", "95 % interval")
    return "Forward pass of the generated model against a hand-written twin", header, rows


def source_table(results: dict[str, Any]) -> Table:
    """Generated PyTorch models against the modules they were converted from."""
    rows: list[tuple[str, ...]] = [
        (
            row["model"],
            str(row["batch"]),
            f"{row['generated'] * 1000:.3g}",
            f"{row['twin'] * 1000:.3g}",
            f"{row['ratio']:.3f}",
            f"{row['low']:.3f} to {row['high']:.3f}",
            f"{row['between']:.1e}",
            f"{row['permutes'][0]} / {row['permutes'][1]}",
        )
        for row in results.get("sources", [])
    ]
    header = ("model", "batch", "generated, ms", "source, ms", "ratio of medians", "95 % interval")
    more = ("relative difference", "permutes, generated / source")
    return "Forward pass of the generated PyTorch model against its source (goal: 1.05)", (*header, *more), rows


def reading_table(results: dict[str, Any]) -> Table:
    """From an ONNX file to code and weights."""
    rows: list[tuple[str, ...]] = [
        (
            row["model"],
            f"{row['seconds']:.2f}",
            f"{row['processor']:.2f}",
            f"{row['memory'] / 1e6:.0f}",
            f"{row['memory'] / row['weights']:.2f}",
        )
        for row in results.get("reading", [])
    ]
    header = ("model", "seconds", "of the processor", "memory beyond the import, MB", "times the weights")
    return "ONNX file to PyTorch code and safetensors, unverified (goals: 1.5 s, 1.5 times)", header, rows


def scale_table(results: dict[str, Any]) -> Table:
    """Cost against size; of the committed file, as `make bench` has just written it."""
    told = load(SCALE) if results else {}
    rows: list[tuple[str, ...]] = [
        (
            f"{int(count):,}",
            f"{row['seconds']:.2f}",
            f"{row['seconds'] / int(count) * 1000:.2f}",
            f"{row['write_seconds']:.2f}" if "write_seconds" in row else "",
            f"{row['write_seconds'] / int(count) * 1000:.2f}" if "write_seconds" in row else "",
            f"{row['megabytes']:.0f}",
        )
        for count, row in told.get("nodes", {}).items()
    ]
    header = ("nodes", "read, s", "ms a node", "write PyTorch, s", "ms a node", "memory beyond the import, MB")
    large = told.get("large")
    note = f"; {large['gigabytes']} GB of weights take {large['megabytes']:.0f} MB until read" if large else ""
    return f"Cost against size{note}", header, rows


def peer_table(results: dict[str, Any]) -> Table:
    """Other converters and ours on the same ONNX files."""
    rows: list[tuple[str, ...]] = []
    for row in results.get("peers", []):
        done = "relative" in row
        rows.append(
            (
                row["model"],
                row["target"],
                row["tool"].partition(":")[0],
                f"{row['seconds']:.1f}" if "seconds" in row else "",
                f"{row['memory'] / 1e6:.0f}" if "memory" in row else "",
                f"{row['relative']:.1e}" if done else "",
                f"{100 * row['trainable'] / row['parameters']:.1f}" if done else "",
                f"{row['transposes']}" if done else "",
                _remark(row),
            )
        )
    header = ("model", "to", "converter", "seconds", "memory, MB", "relative difference", "trainable, %", "transposes")
    return "Other converters on the same models", (*header, "remark"), rows


def _remark(row: dict[str, Any]) -> str:
    told = row.get("reason", "")
    if "refused" in row:
        told = f"the older exporter's file; today's: {row['refused']}"
    return told.replace("|", "/").replace("<", "‹").replace(">", "›")


def charts(results: dict[str, Any] | None = None) -> dict[str, str]:
    """Pictures by the title of the table that they stand under."""
    results = load() if results is None else results
    forward = [(row["model"], row["ratio"], (row["low"], row["high"])) for row in results.get("sources", [])]
    peers: list[Bar] = [
        (f"{row['model']} to {row['target']}: {row['tool'].partition(':')[0]}", row["seconds"], None)
        for row in results.get("peers", [])
        if "relative" in row
    ]
    told = load(SCALE).get("nodes", {}) if results else {}
    nodes: list[Bar] = [
        (f"{int(count):,} nodes", row["seconds"] / int(count) * 1000, None) for count, row in told.items()
    ]
    return {
        source_table(results)[0]: bars("Generated over source", forward, goal=1.05),
        scale_table(results)[0]: bars("Milliseconds of reading a node", nodes, " ms"),
        peer_table(results)[0]: bars("Seconds of conversions that came out right", peers, " s"),
    }


def stage_table(results: dict[str, Any]) -> Table:
    """Seconds of each stage of a conversion."""
    rows = results.get("conversion", [])
    stages = list(dict.fromkeys(stage for row in rows for stage in row["seconds"]))
    body = [
        (row["to"], *(f"{row['seconds'].get(stage, 0):.1f}" for stage in stages), f"{sum(row['seconds'].values()):.1f}")
        for row in rows
    ]
    return f"Conversion of {_model(results)}: seconds by stage", ("to", *stages, "all"), body


def memory_table(results: dict[str, Any]) -> Table:
    """The most memory of each process, as multiples of the weights."""
    body: list[tuple[str, ...]] = []
    for row in results.get("conversion", []):
        for process, memory in row["memory"].items():
            peak, imported = memory["peak"], memory["import"]
            beyond = (peak - imported) / row["weights"]
            goal = "1.5 in all" if process == "core" else "3 beyond the import"
            body.append(
                (
                    row["to"],
                    process,
                    f"{imported / 1e6:.0f}",
                    f"{peak / 1e6:.0f}",
                    f"{peak / row['weights']:.2f}",
                    f"{beyond:.2f}",
                    goal,
                )
            )
    header = ("to", "process", "import, MB", "peak, MB", "peak / weights", "beyond the import", "goal")
    return f"Conversion of {_model(results)}: memory of each process", header, body


def difference_table(results: dict[str, Any]) -> Table:
    """How far the targets are from the source, beside the hand-written twin of the same framework."""
    twins = {row["framework"]: row.get("from source") for row in results.get("forward", []) if row["model"] == "VGG16"}
    body: list[tuple[str, ...]] = []
    for row in results.get("conversion", []):
        twin = twins.get(row["to"])
        for proof in row["proofs"]:
            body.append(
                (
                    row["to"],
                    proof["what"],
                    proof["against"],
                    f"{proof['relative']:.2e}",
                    f"{twin[1]:.2e}" if twin else "",
                )
            )
    header = ("to", "what", "against", "relative difference", "the twin's")
    return f"Conversion of {_model(results)}: largest difference over the largest output", header, body


def startup_table(results: dict[str, Any]) -> Table:
    """How long the command takes to start."""
    rows: list[tuple[str, ...]] = [
        (
            f"`{row['command']}`",
            f"{row['seconds'] * 1000:.0f}",
            f"{row['ratio']:.1f}",
            f"{row['low']:.1f} to {row['high']:.1f}",
        )
        for row in results.get("startup", [])
    ]
    return "Start of the command", ("command", "ms", "times `python -c pass`", "95 % interval"), rows


def _model(results: dict[str, Any]) -> str:
    parameters = next((row["parameters"] for row in results.get("conversion", [])), 0)
    return f"VGG-16 with {parameters:,} parameters"


def tables(results: dict[str, Any] | None = None) -> list[Table]:
    """All tables with rows, in the order they are shown."""
    results = load() if results is None else results
    ours = (source_table, reading_table, scale_table, peer_table)
    makers = (*ours, forward_table, stage_table, memory_table, difference_table, startup_table)
    return [table for table in (maker(results) for maker in makers) if table[2]]


def conditions(results: dict[str, Any] | None = None) -> str:
    """One sentence on what the results were measured on."""
    results = load() if results is None else results
    if not results:
        return ""
    quick = " with small settings (`--quick`)" if results["quick"] else ""
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return f"Measured on {results['cores']} cores{quick}: {versions}."
