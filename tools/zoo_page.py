"""The page of the zoo, from docs/results/zoo.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULT = Path(__file__).resolve().parent.parent / "docs" / "results" / "zoo.json"
FINETUNE = RESULT.with_name("finetune.json")
WIDTH, HEIGHT = 640, 240
WORDS = Path(__file__).resolve().parent / "zoo_words.json"
HEADER = (
    "architecture",
    "from",
    "parameters",
    "batch",
    "PyTorch code",
    "ONNX file",
    "lines",
    "parameters, ties",
    "state dict",
    "gradients",
    "batch 3",
    "transposes",
    "s",
    "MB",
)


def page() -> str:
    """The table, what it counts, and why what is not proved is not."""
    rows: dict[str, dict[str, Any]] = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    parts = [
        "# The zoo",
        "",
        f"{len(rows)} architectures have been run so far from PyTorch to PyTorch code and to an ONNX file "
        f"(`make zoo` runs all of `tests/zoo/architectures.py` that are not proved here): "
        f"{_proved(rows, 'torch')} proved as code, {_proved(rows, 'onnx')} as a file. Parameters and "
        "buffers are perturbed, the batch is two, a cell is the largest relative difference of any output of anything "
        "that was run (IR, native artifact, `model.py`) from the source module, at most 1e-4. "
        f"The state dict of the source loads strictly into {_count(rows, 'state_dict', 'loads')} generated models, "
        f"gradients of all parameters agree (relative 1e-3) on {_count(rows, 'gradients', 'agrees')}{_wide(rows)}. ",
        "",
        "`open` means the batch is a free axis of the exported program. *parameters, ties* is whether the "
        "generated model has the source's parameter count (less those that its graph never reads), trainable count and "
        "ties. Seconds and memory (the greatest of all processes) include every proof, on a machine at work.",
        "",
        "| " + " | ".join(HEADER) + " |",
        "|---|---|" + "---:|" * (len(HEADER) - 2),
    ]
    parts += ["| " + " | ".join(_cells(row)) + " |" for row in rows.values()]
    parts += ["", "## What is not proved, and why", "", *_reasons(rows)]
    return "\n".join([*parts, "", *_finetuning()])


def _finetuning() -> list[str]:
    """The losses of a generated model beside its source's, every tenth step and as curves."""
    if not FINETUNE.is_file():
        return []
    run = json.loads(FINETUNE.read_text())
    ours, theirs = run["generated"], run["source"]
    pairs = list(zip(theirs["losses"], ours["losses"], strict=True))
    greatest = max(max(pair) for pair in pairs)
    curves = [
        _curve(losses, greatest, colour, width)
        for losses, colour, width in ((theirs["losses"], "#e8a33d", 5), (ours["losses"], "#20567a", 1.5))
    ]
    parts = [
        "## Fine-tuning beside the source",
        "",
        f"{run['model']}, {run['epochs']} epochs of scikit-learn's real digits, the same start, batches and seeds. "
        f"Right afterwards: source {theirs['accuracy']:.1%}, generated {ours['accuracy']:.1%}. "
        "Thick: the source; thin: the generated model.",
        "",
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="loss by step">{"".join(curves)}</svg>',
        "",
        "| step | loss of the source | loss of the generated model |",
        "|---:|---:|---:|",
    ]
    parts += [f"| {step} | {left:.4f} | {right:.4f} |" for step, (left, right) in enumerate(pairs) if step % 10 == 0]
    return [*parts, ""]


def _curve(losses: list[float], greatest: float, colour: str, width: float) -> str:
    step = WIDTH / max(1, len(losses) - 1)
    points = " ".join(f"{i * step:.0f},{HEIGHT - loss / greatest * HEIGHT:.0f}" for i, loss in enumerate(losses))
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def _proved(rows: dict[str, dict[str, Any]], target: str) -> int:
    return sum(row.get(target, {}).get("verdict") == "proved" for row in rows.values())


def _count(rows: dict[str, dict[str, Any]], check: str, key: str) -> int:
    return sum(bool(row.get(check, {}).get(key)) for row in rows.values())


def _wide(rows: dict[str, dict[str, Any]]) -> str:
    """Which of them agree in float64 alone, as beside the kink of a ReLU, and what float32 gives."""
    told = {name: said for name, row in rows.items() if "float32" in (said := row.get("gradients", {}))}
    names = [f"`{name}` ({said['float32']['relative']:.1g})" for name, said in told.items() if said["agrees"]]
    return f", in float64 alone (and what float32 gives) of {', '.join(names)}" if names else ""


def _cells(row: dict[str, Any]) -> list[str]:
    limit = row.get("limit")
    lines = str(row.get("lines", "")) + (f" (≤ {limit})" if limit and "lines" in row else "")
    seconds, memory = row.get("seconds", {}), row.get("memory_mb")
    return [
        f"{row['name']}" + (f" ({row['small']})" if row.get("small") else ""),
        row.get("library", ""),
        f"{row['parameters']:,}" if "parameters" in row else "",
        row.get("batch", ""),
        *(_verdict(row.get(target)) for target in ("torch", "onnx")),
        lines,
        _same(row),
        _yes(row.get("state_dict"), "loads"),
        _yes(row.get("gradients"), "agrees"),
        _yes(row.get("other_batch"), "agrees"),
        str(row.get("torch", {}).get("leftover", "")),
        f"{sum(seconds.values()):.0f}" if seconds else "",
        str(memory or ""),
    ]


def _verdict(said: dict[str, Any] | None) -> str:
    if not said:
        return "no"
    return f"{said['relative']:.1e}" if said["verdict"] == "proved" else said["verdict"]


def _yes(said: dict[str, Any] | None, key: str) -> str:
    return "" if said is None else "yes" if said.get(key) else "no"


def _same(row: dict[str, Any]) -> str:
    generated = row.get("generated", {})
    if "parameters" not in generated:
        return ""
    return "yes" if same_parameters(row) else "no"


def same_parameters(row: dict[str, Any]) -> bool:
    """Whether the generated model has the source's parameters, as many of them trainable, but for those unread."""
    generated = row["generated"]
    left_out = row["parameters"] - generated["parameters"]
    return left_out in (0, row["unused"]) and generated["trainable"] == row["trainable"] - left_out


def _reasons(rows: dict[str, dict[str, Any]]) -> list[str]:
    words: dict[str, list[str]] = json.loads(WORDS.read_text()) if WORDS.is_file() else {}
    found = []
    for name, row in rows.items():
        for step in ("export", "torch", "onnx", "generated", "gradients", "state_dict", "other_batch"):
            said = row.get(step)
            if not said or _fine(step, said):
                continue
            word, told = words.get(f"{name}:{step}", ["notimpl", _told(said)])
            found.append(f"- `{name}`, {step}: **{word}**. {told}")
    return found or ["Nothing."]


def _fine(step: str, said: dict[str, Any]) -> bool:
    good = said.get("verdict") == "proved" or said.get("agrees") or said.get("loads")
    return bool(good) or (step == "generated" and "parameters" in said)


def _told(said: dict[str, Any]) -> str:
    """The reason in one line."""
    if "reason" in said:
        lines = [line.strip() for line in str(said["reason"]).splitlines() if line.strip()]
        return "; ".join(lines[:2])[:300].replace("|", "\\|").replace("<", "&lt;")
    if "differing" in said:
        return f"{said['differing']} names differ, such as {', '.join((said['missing'] + said['unexpected'])[:2])}."
    return f"a relative difference of {said.get('relative')}, {said.get('worst', '')}".rstrip(", ") + "."
