"""Artifacts that real TensorFlow wrote, made once a session, and the worker they are read in."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from interlingua import environments, plugin

ROOT = Path(__file__).parents[2]
Maker = Callable[..., Path]


def python_of(runtime: str) -> str:
    """The interpreter that has a runtime."""
    return str(environments.interpreter_for(plugin.runtime(runtime)))


def _made(python: str, script: Path, *arguments: str) -> None:
    done = subprocess.run([python, str(script), *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="session")
def lenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LeNet-4, trained for a moment: checkpoint, frozen graph and SavedModel."""
    folder = tmp_path_factory.mktemp("lenet")
    arguments = [str(folder), "--steps", "120", "--frozen", "--saved-model"]
    _made(sys.executable, ROOT / "examples/make_lenet_tf1.py", *arguments)
    return folder


@pytest.fixture(scope="session")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    """Makes a narrow VGG-16 with the given options, under a runtime's interpreter; each once."""
    kept: dict[tuple[str, ...], Path] = {}

    def make(*options: str, runtime: str = "tensorflow") -> Path:
        key = (runtime, *options)
        if key not in kept:
            kept[key] = tmp_path_factory.mktemp("vgg")
            python = sys.executable if runtime == "tensorflow" else python_of(runtime)
            _made(python, ROOT / "examples/make_vgg16_tf1.py", str(kept[key]), "--width", "2", *options)
        return kept[key]

    return make


@pytest.fixture(scope="session")
def patterns(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small graphs of graphs.py, written by TensorFlow 2."""
    folder = tmp_path_factory.mktemp("patterns")
    _made(sys.executable, Path(__file__).with_name("graphs.py"), str(folder))
    return folder


@pytest.fixture(scope="session")
def patterns_1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same written by TensorFlow 1.15, without the SavedModels of TensorFlow 2."""
    folder = tmp_path_factory.mktemp("patterns1")
    names = [
        "batch_norm_behind_a_flag", "plain_flag", "keep_prob", "moving_average", "renamed", "partitioned",
        "depthwise_and_same", "deconvolution",
    ]  # fmt: skip
    _made(python_of("tensorflow1"), Path(__file__).with_name("graphs.py"), str(folder), *names)
    return folder
