"""Times the forward pass of a generated PyTorch model beside its source's, in one process and in turns.

    .environments/zoo/bin/python benchmarks/beside.py NAME GENERATED [--repetitions 20] [--inner 1]

Runs in the zoo's environment, with tests/zoo on its path. Prints JSON: seconds of each call, and how far the outputs
are apart.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import models
from forward import module_of, relative, turns
from permutes import permutes


def call(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> Callable[[], Any]:
    """A call without gradients."""

    def run() -> Any:
        with torch.inference_mode():
            return module(*inputs)

    return run


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Times both models in turn."""
    source, inputs = models.source(options.name)
    generated = module_of(options.folder / "model.py").load().eval()
    calls = [call(generated, inputs), call(source, inputs)]
    outputs = [models.leaves(each()) for each in calls]
    seconds = turns(calls, options.repetitions, options.inner)
    apart = [relative(one, other) for other, one in zip(*outputs, strict=True)]
    return {
        "framework": "torch",
        "version": torch.__version__.split("+")[0],
        "model": options.name,
        "batch": models.BATCH,
        "generated": seconds[0],
        "twin": seconds[1],
        "between": float(np.max(apart)),
        "permutes": [permutes(generated, inputs), permutes(source, inputs)],
    }


def main() -> None:
    """Prints the measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("name", choices=sorted(models.MODELS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--inner", type=int, default=1, help="calls in each timed turn")
    print(json.dumps(measure(parser.parse_args())))


if __name__ == "__main__":
    main()
