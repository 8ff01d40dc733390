"""Times the forward pass of a generated model against its hand-written twin, in one framework and one process.

    python benchmarks/forward.py torch VGG16 OUT [--width 64] [--batch 5] [--repetitions 20]

OUT is the folder that `interlingua convert` wrote; the twin gets the same weights. The two take turns, so that a
disturbance of the machine meets both. Prints JSON: seconds of each call, and how far each is from the source's own
output where OUT holds it.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Call = Callable[[], Any]

SEED = 13
SHAPES = {"LeNet": (28, 28, 1), "VGG16": (224, 224, 3)}
WARM = 2


def module_of(path: Path) -> ModuleType:
    """A Python file under a name of its own."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def made(framework: str, name: str, folder: Path, width: int) -> tuple[Any, Any]:
    """The generated model and its twin with the same weights."""
    twins = importlib.import_module(f"twins.{framework}_twin")
    build = getattr(twins, name)
    twin = build(width) if name == "VGG16" else build()
    return module_of(folder / "model.py").load(), twins.load(twin, str(folder / "weights.safetensors"))


def torch_calls(models: tuple[Any, Any], x: Array) -> tuple[str, list[Call]]:
    """Calls in PyTorch, without gradients."""
    import torch

    tensor = torch.from_numpy(x)

    def call(model: Any) -> Call:
        def run() -> Any:
            with torch.inference_mode():
                return model(tensor).numpy()

        return run

    return torch.__version__.split("+")[0], [call(model) for model in models]


def paddle_calls(models: tuple[Any, Any], x: Array) -> tuple[str, list[Call]]:
    """Calls in Paddle, without gradients."""
    import paddle

    tensor = paddle.to_tensor(x)

    def call(model: Any) -> Call:
        def run() -> Any:
            with paddle.no_grad():
                return model(tensor).numpy()

        return run

    return str(paddle.__version__), [call(model) for model in models]


def keras_calls(models: tuple[Any, Any], x: Array) -> tuple[str, list[Call]]:
    """Calls in Keras as compiled functions, which is how it predicts."""
    import keras
    import tensorflow as tf

    tensor = tf.constant(x)

    def call(model: Any) -> Call:
        compiled = tf.function(lambda value: model(value, training=False))
        return lambda: compiled(tensor).numpy()

    return str(keras.__version__), [call(model) for model in models]


CALLS = {"torch": torch_calls, "paddle": paddle_calls, "keras": keras_calls}


def reference_of(folder: Path) -> Array | None:
    """The source's own output for the inputs of the proof, where the folder holds it."""
    from safetensors.numpy import load_file

    path = folder / "reference.safetensors"
    kept = load_file(path) if path.is_file() else {}
    return next((array for name, array in kept.items() if name.startswith("output.")), None)


def relative(reference: Array, other: Array) -> float:
    """The largest difference over the largest element of the reference."""
    return float(np.abs(reference - other).max() / np.abs(reference).max())


def turns(calls: list[Call], repetitions: int, inner: int) -> list[list[float]]:
    """The seconds of each of two calls, warmed by another; they take turns and begin in turn."""
    for _ in range(WARM - 1):
        for call in calls:
            call()
    seconds: list[list[float]] = [[], []]
    for turn in range(repetitions):
        for which in (0, 1) if turn % 2 else (1, 0):
            started = time.perf_counter()
            for _ in range(inner):
                calls[which]()
            seconds[which].append((time.perf_counter() - started) / inner)
    return seconds


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Times both models in turn."""
    x = np.random.RandomState(SEED).rand(options.batch, *SHAPES[options.model]).astype(np.float32)
    models = made(options.framework, options.model, options.folder, options.width)
    version, calls = CALLS[options.framework](models, x)
    outputs = [call() for call in calls]
    seconds = turns(calls, options.repetitions, options.inner)
    reference = reference_of(options.folder)
    fits = reference is not None and reference.shape == outputs[0].shape
    return {
        "framework": options.framework,
        "version": version,
        "model": options.model,
        "batch": options.batch,
        "generated": seconds[0],
        "twin": seconds[1],
        "between": relative(outputs[1], outputs[0]),
        "from source": [relative(reference, output) for output in outputs] if fits and reference is not None else None,
    }


def main() -> None:
    """Prints the measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("framework", choices=sorted(CALLS))
    parser.add_argument("model", choices=sorted(SHAPES))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=5)
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--inner", type=int, default=1, help="calls in each timed turn")
    print(json.dumps(measure(parser.parse_args())))


if __name__ == "__main__":
    main()
