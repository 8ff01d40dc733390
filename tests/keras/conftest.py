"""One Keras worker for all tests here, and models that real Keras saved."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from interlingua.worker import Worker

RUNTIME = Path(__file__).parents[2] / "plugins/tensorflow/interlingua_keras/runtime.py"
SAMPLES = ["lenet", "several", "trained", "anonymous", "lambda_", "subclassed"]


@pytest.fixture(scope="session")
def keras_worker() -> Iterator[Worker]:
    with Worker(Path(sys.executable), RUNTIME, name="keras") as worker:
        yield worker


@pytest.fixture(scope="session")
def model_maker() -> Iterator[Worker]:
    with Worker(Path(sys.executable), Path(__file__).parent / "runtime_models.py", name="keras") as worker:
        yield worker


@pytest.fixture(scope="session")
def saved(model_maker: Worker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample models as `.keras`, `.h5` and `.weights.h5`."""
    folder = tmp_path_factory.mktemp("keras")
    model_maker.call("save", phase="saving", folder=str(folder), models=SAMPLES)
    return folder
