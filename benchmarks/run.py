"""Measures Interlingua in one run and writes docs/results/bench.json.

    python benchmarks/run.py [--quick] [--only forward,conversion,startup] [--keep FOLDER]

Three things: the forward pass of generated models against hand-written twins; a conversion of VGG-16 by stage and
memory; how long the command takes to start. Ratios count, for they survive a change of machine; nothing is asserted.
`--quick` takes a narrow VGG-16 and few repetitions.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import results

ROOT = Path(__file__).resolve().parent.parent
FRAMEWORKS = ("torch", "keras", "paddle")
TARGETS = ("torch", "paddle", "fluid", "keras")
VGG = ("--inputs", "inputs", "--outputs", "vgg_16/fc8/squeezed", "--input-shape", "None,224,224,3")
COMMANDS = (["-m", "interlingua", "--help"], ["-m", "interlingua", "api", "Conv", "--to", "torch"])


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much is measured, and where the models lie meanwhile."""

    folder: Path
    width: int = 64
    vgg_turns: int = 15
    lenet_turns: int = 40
    starts: int = 15

    @staticmethod
    def quick(folder: Path) -> Settings:
        """Settings that take some minutes less and prove less."""
        return Settings(folder, width=8, vgg_turns=5, lenet_turns=10, starts=5)


class Failed(Exception):
    """A step of the run failed; its last words."""


def script(*arguments: object, environment: dict[str, str] | None = None) -> str:
    """What a Python process prints."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(environment or {})}, cwd=ROOT)
    if done.returncode:
        raise Failed(f"{' '.join(command[1:])}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def last_json(text: str) -> dict[str, Any]:
    """The JSON of the last line: frameworks print before it."""
    found: dict[str, Any] = json.loads(text.strip().splitlines()[-1])
    return found


def checkpoint(name: str, settings: Settings) -> Path:
    """The model as a TensorFlow 1 checkpoint, made once."""
    folder = settings.folder / f"{name}-{settings.width}"
    if not (folder / "model.meta").is_file():
        wide = ("--width", settings.width) if name == "vgg16" else ()
        script(ROOT / "examples" / f"make_{name}_tf1.py", folder, *wide)
    return folder / "model.meta"


def converted(name: str, target: str, settings: Settings) -> tuple[Path, dict[str, Any]]:
    """The folder of a conversion and what it took; measured once."""
    out = settings.folder / f"{name}-{settings.width}-to-{target}"
    kept = out.with_suffix(".json")
    if not kept.is_file() or not out.is_dir():
        said = VGG if name == "vgg16" else ()
        told = script(
            ROOT / "benchmarks" / "conversion.py", checkpoint(name, settings), "--to", target, "-o", out, *said
        )
        kept.write_text(json.dumps(last_json(told)), encoding="utf-8")
    return out, json.loads(kept.read_text("utf-8"))


def forward(settings: Settings) -> list[dict[str, Any]]:
    """Generated models against twins."""
    rows: list[dict[str, Any]] = []
    for model, name, turns, inner in (
        ("LeNet", "lenet", settings.lenet_turns, 20),
        ("VGG16", "vgg16", settings.vgg_turns, 1),
    ):
        for framework in FRAMEWORKS:
            out, _ = converted(name, framework, settings)
            wide = ("--width", settings.width, "--repetitions", turns, "--inner", inner)
            told = last_json(script(ROOT / "benchmarks" / "forward.py", framework, model, out, *wide))
            generated, twin = told.pop("generated"), told.pop("twin")
            medians = {"generated": statistics.median(generated), "twin": statistics.median(twin), "turns": turns}
            rows.append(rounded({**told, **medians, **results.ratio(generated, twin)}))
            print(f"forward {model} {framework}: {rows[-1]['ratio']:.3f}", flush=True)
    return rows


def conversion(settings: Settings) -> list[dict[str, Any]]:
    """VGG-16 to each target: seconds, memory, differences."""
    rows: list[dict[str, Any]] = []
    for target in TARGETS:
        try:
            _, told = converted("vgg16", target, settings)
        except Failed as failure:
            print(f"conversion {target}: {failure}", flush=True)
            continue
        workers = told["workers"]
        memory = {"core": {key: told["core"][key] for key in ("peak", "import")}}
        memory |= {name: {key: workers[key][name] for key in ("peak", "import")} for name in sorted(workers["peak"])}
        row = {
            "to": target,
            "parameters": told["parameters"],
            "weights": told["parameters"] * 4,
            "seconds": told["seconds"],
        }
        rows.append(rounded({**row, "memory": memory, "proofs": told["proofs"]}))
        print(f"conversion {target}: {sum(told['seconds'].values()):.0f} s", flush=True)
    return rows


def startup(settings: Settings) -> list[dict[str, Any]]:
    """The command's start against Python's own, in turns."""
    commands = [["-c", "pass"], *COMMANDS]
    seconds: list[list[float]] = [[] for _ in commands]
    for turn in range(settings.starts + 1):
        for which, command in enumerate(commands):
            started = time.perf_counter()
            script(*command)
            if turn:
                seconds[which].append(time.perf_counter() - started)
    rows = []
    for command, taken in zip(commands[1:], seconds[1:], strict=True):
        said = " ".join(command[1:])
        rows.append(rounded({"command": said, "seconds": statistics.median(taken), **results.ratio(taken, seconds[0])}))
        print(f"startup {said}: {rows[-1]['seconds']:.2f} s", flush=True)
    return rows


def rounded(value: Any) -> Any:
    """Numbers with four significant digits: the rest is noise."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list) else value


def versions(found: dict[str, Any]) -> dict[str, str]:
    """What was measured, by name."""
    told = {row["framework"]: row["version"] for row in found.get("forward", [])}
    return {"python": platform.python_version(), **told}


PARTS = {"startup": startup, "forward": forward, "conversion": conversion}


def run(settings: Settings, only: list[str]) -> dict[str, Any]:
    """All measurements that are asked for."""
    found = {name: PARTS[name](settings) for name in PARTS if name in only}
    return {"versions": versions(found), "cores": os.cpu_count(), "quick": settings.width != Settings.width, **found}


def main() -> None:
    """Measures, writes the results and prints them as tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="a narrow VGG-16 and few repetitions")
    parser.add_argument("--only", default=",".join(PARTS), help="parts to measure, by comma")
    parser.add_argument("--keep", type=Path, help="a folder for the models, kept for the next run")
    parser.add_argument("--out", type=Path, default=results.PATH)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="interlingua-bench-") as temporary:
        folder = (options.keep or Path(temporary)).resolve()
        settings = Settings.quick(folder) if options.quick else Settings(folder)
        found = run(settings, options.only.split(","))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for title, header, rows in results.tables(found):
        print(f"\n{title}\n{' | '.join(header)}")
        print("\n".join(" | ".join(row) for row in rows))


if __name__ == "__main__":
    main()
