"""Proves the conversion of VGG-16 at full width by the article's protocol; fails where a bound is not kept.

    python benchmarks/vgg.py [--width 64] [--to paddle,fluid,torch] [--keep FOLDER]

Seed 13, inputs of `rand(5, 224, 224, 3)`. Bounds: the largest difference is at most 5e-6 of the largest output, and at
most 1.5 times what a hand-written twin with the same weights shows (Paddle's twin for Fluid).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import run

LARGEST = 5e-6
TIMES = 1.5
PARAMETERS = 138_357_544
TWINS = {"paddle": "paddle", "fluid": "paddle", "torch": "torch"}


def twin_difference(framework: str, settings: run.Settings) -> float:
    """How far the framework's hand-written twin is from the source."""
    out, _ = run.converted("vgg16", framework, settings)
    arguments = ("--width", settings.width, "--repetitions", 1)
    told = run.last_json(run.script(run.ROOT / "benchmarks" / "forward.py", framework, "VGG16", out, *arguments))
    return float(told["from source"][1])


def check(settings: run.Settings, targets: list[str]) -> list[str]:
    """Converts to each target; what is wrong, one sentence each."""
    wrong: list[str] = []
    twins: dict[str, float] = {}
    for target in targets:
        _, told = run.converted("vgg16", target, settings)
        if settings.width == run.Settings.width and told["parameters"] != PARAMETERS:
            wrong.append(f"{target}: {told['parameters']} parameters, not {PARAMETERS}")
        like = TWINS[target]
        twins[like] = twins[like] if like in twins else twin_difference(like, settings)
        bound = min(LARGEST, TIMES * twins[like])
        for proof in told["proofs"]:
            fits = proof["relative"] <= (LARGEST if "IR" in proof["what"] else bound)
            said = f"{target}: {proof['what']} against {proof['against']}: {proof['relative']:.2e}"
            print(f"{said} (twin {twins[like]:.2e}){'' if fits else ' TOO MUCH'}", flush=True)
            wrong += [] if fits else [said]
    return wrong


def main() -> None:
    """Checks and exits with 1 where a bound is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--width", type=int, default=run.Settings.width)
    parser.add_argument("--to", default=",".join(TWINS))
    parser.add_argument("--keep", type=Path, help="a folder for the models, kept for the next run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="interlingua-vgg-") as temporary:
        folder = (options.keep or Path(temporary)).resolve()
        wrong = check(run.Settings(folder, width=options.width), options.to.split(","))
    sys.exit("\n".join(wrong) if wrong else 0)


if __name__ == "__main__":
    main()
