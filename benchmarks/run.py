"""Measures Interlingua in one run and writes docs/results/bench.json.

    python benchmarks/run.py [--quick] [--only startup,reading,…] [--keep FOLDER] [--anew] [--minutes 12]

Its parts: how long the command takes to start; reading ResNet-50 and writing it; cost against size; the forward pass
of generated models against their PyTorch sources; other converters beside ours; the forward pass against hand-written
twins; a conversion of VGG-16 by stage and memory. Ratios count, for they survive a change of machine; nothing is
asserted. What is measured stays in `--keep`, so that a run goes on where one stopped; `--anew` measures again, and
`--minutes` leaves rows as they are once the time is over. `--quick` takes a narrow VGG-16 and few repetitions.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import peers
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
    source_turns: int = 30
    readings: int = 5
    anew: bool = False
    end: float = math.inf

    def quick(self) -> Settings:
        """Settings that take some minutes less and prove less."""
        less = {"vgg_turns": 5, "lenet_turns": 10, "starts": 5, "source_turns": 5, "readings": 2}
        return dataclasses.replace(self, width=8, **less)


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


def kept(settings: Settings, name: str, measure: Callable[[], Any]) -> Any:
    """What `measure` says, or said in a run before; None where there is no time left."""
    path = settings.folder / "rows" / f"{name.replace('/', '-').replace(':', '-')}-{settings.width}.json"
    over = time.monotonic() > settings.end
    if path.is_file() and (over or not settings.anew):
        return json.loads(path.read_text("utf-8"))
    if over:
        return None
    found = rounded(measure())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found), encoding="utf-8")
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


def timed(told: dict[str, Any]) -> dict[str, Any]:
    """A forward row: medians and their ratio instead of every turn's seconds."""
    generated, twin = told.pop("generated"), told.pop("twin")
    medians = {"generated": statistics.median(generated), "twin": statistics.median(twin), "turns": len(twin)}
    return {**told, **medians, **results.ratio(generated, twin)}


def forward(settings: Settings) -> list[dict[str, Any]]:
    """Generated models against twins."""
    rows: list[dict[str, Any]] = []
    for model, name, turns, inner in (
        ("LeNet", "lenet", settings.lenet_turns, 20),
        ("VGG16", "vgg16", settings.vgg_turns, 1),
    ):
        for framework in FRAMEWORKS:

            def measure(model: str = model, name: str = name, framework: str = framework) -> dict[str, Any]:
                out, _ = converted(name, framework, settings)
                wide = ("--width", settings.width, "--repetitions", turns, "--inner", inner)  # noqa: B023
                return timed(last_json(script(ROOT / "benchmarks" / "forward.py", framework, model, out, *wide)))

            row = kept(settings, f"forward-{model}-{framework}", measure)
            rows += [row] if row else []
            print(f"forward {model} {framework}: {row and row['ratio']}", flush=True)
    return rows


def sources(settings: Settings) -> list[dict[str, Any]]:
    """Generated PyTorch models against the sources they were converted from."""
    rows: list[dict[str, Any]] = []
    for name in peers.NAMES:

        def measure(name: str = name) -> dict[str, Any]:
            out = peers.generated(name, settings.folder)
            command = [peers.ZOO, ROOT / "benchmarks" / "beside.py", name, out]
            turns = ("--repetitions", settings.source_turns, "--inner", 1)
            return timed(last_json(peers.run([*command, *turns])))

        try:
            row = kept(settings, f"source-{name}", measure)
        except subprocess.SubprocessError as failure:
            print(f"source {name}: {failure} {getattr(failure, 'stderr', '')[-500:]}", flush=True)
            continue
        rows += [row] if row else []
        print(f"source {name}: {row and row['ratio']}", flush=True)
    return rows


def reading(settings: Settings) -> list[dict[str, Any]]:
    """ResNet-50 from an ONNX file to PyTorch code and weights, in fresh processes."""

    def measure() -> dict[str, Any]:
        source = peers.exported("ResNet-50", settings.folder)
        tool, file = peers.TOOLS[0], peers.FILES[0]
        told = [
            peers.attempt(tool, Path(sys.executable), source, file, settings.folder) for _ in range(settings.readings)
        ]
        keys = ("seconds", "processor", "memory")
        weights = 4 * told[0]["trainable"]
        return {"model": "ResNet-50", "weights": weights, **{k: statistics.median(t[k] for t in told) for k in keys}}

    row = kept(settings, "reading", measure)
    print(f"reading: {row}", flush=True)
    return [row] if row else []


def scale(settings: Settings) -> dict[str, Any]:
    """Cost against size, in a file of its own."""
    out = settings.folder / "rows" / "scale.json"
    over = time.monotonic() > settings.end
    if not over and (settings.anew or not out.is_file()):
        out.parent.mkdir(parents=True, exist_ok=True)
        script(ROOT / "benchmarks" / "scale.py", "--out", out)
    if out.is_file():
        results.SCALE.write_text(out.read_text("utf-8"), encoding="utf-8")
    return {}


def others(settings: Settings) -> list[dict[str, Any]]:
    """Other converters and ours on the same files, by model; what took too long is tried again the next time."""
    rows: list[dict[str, Any]] = []
    for tool in peers.TOOLS:
        for name in peers.NAMES:
            seconds = min(peers.SECONDS, max(settings.end - time.monotonic(), 1))
            measure = partial(peers.measured, tool, name, settings.folder, seconds)
            try:
                row = kept(settings, f"peer-{name}-{tool.name}", measure)
            except subprocess.TimeoutExpired:
                late = {"model": name, "tool": tool.name, "target": tool.target, "reason": f"over {peers.SECONDS} s"}
                over = dataclasses.replace(settings, end=0.0)
                row = kept(over, f"peer-{name}-{tool.name}", measure) if seconds < peers.SECONDS else late
            rows += [row] if row else []
            told = row and row.get("relative", row.get("reason"))
            print(f"peer {name} {tool.name}: {told}, {row and row.get('seconds')} s", flush=True)
    return sorted(rows, key=lambda row: (peers.NAMES.index(row["model"]), row["target"] != "PyTorch", row["target"]))


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
    rows: list[dict[str, Any]] = kept(settings, "startup", lambda: _started(settings)) or []
    return rows


def _started(settings: Settings) -> list[dict[str, Any]]:
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
    told = {row["framework"]: row["version"] for row in (*found.get("forward", []), *found.get("sources", []))}
    return {"python": platform.python_version(), **told}


PARTS: dict[str, Callable[[Settings], Any]] = {
    "startup": startup,
    "reading": reading,
    "scale": scale,
    "sources": sources,
    "peers": others,
    "forward": forward,
    "conversion": conversion,
}


def run(settings: Settings, only: list[str], out: Path) -> dict[str, Any]:
    """Measures what is asked for; the file is written after each part, and the other parts stay as they are."""
    found: dict[str, Any] = results.load(out)
    for name in PARTS:
        if name in only:
            told = PARTS[name](settings)
            found |= {name: told} if told else {}
            found |= {"versions": versions(found), "cores": os.cpu_count(), "quick": settings.width != Settings.width}
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def main() -> None:
    """Measures, writes the results and prints them as tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="a narrow VGG-16 and few repetitions")
    parser.add_argument("--only", default=",".join(PARTS), help="parts to measure, by comma")
    parser.add_argument(
        "--keep", type=Path, default=ROOT / ".cache" / "bench", help="models and rows, for the next run"
    )
    parser.add_argument("--anew", action="store_true", help="measure again what was measured")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no row after these")
    parser.add_argument("--out", type=Path, default=results.PATH)
    options = parser.parse_args()
    settings = Settings(options.keep.resolve(), anew=options.anew, end=time.monotonic() + 60 * options.minutes)
    found = run(settings.quick() if options.quick else settings, options.only.split(","), options.out)
    for title, header, rows in results.tables(found):
        print(f"\n{title}\n{' | '.join(header)}")
        print("\n".join(" | ".join(row) for row in rows))


if __name__ == "__main__":
    main()
