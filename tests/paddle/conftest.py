"""One Paddle worker for all tests here, and a LeNet-4 that real Paddle saved."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx_ir as ir
import onnxruntime as ort
import pytest
from safetensors.numpy import save_file

from interlingua.worker import Worker

RUNTIME = Path(__file__).parents[2] / "plugins/paddle/interlingua_paddle/runtime.py"
LENET = Path(__file__).parent / "lenet"
SHAPES = {
    "block1_conv1.weight": (6, 1, 5, 5),
    "block1_conv1.bias": (6,),
    "block2_conv1.weight": (16, 6, 5, 5),
    "block2_conv1.bias": (16,),
    "fc1.weight": (784, 84),
    "fc1.bias": (84,),
    "before_softmax.weight": (84, 10),
    "before_softmax.bias": (10,),
}


@pytest.fixture(scope="session")
def paddle_worker() -> Iterator[Worker]:
    with Worker(Path(sys.executable), RUNTIME, name="paddle") as worker:
        yield worker


@pytest.fixture(scope="session")
def lenet(paddle_worker: Worker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with model.py, its weights, and what paddle.jit.save made of them."""
    folder = tmp_path_factory.mktemp("lenet")
    shutil.copy(LENET / "model.py", folder)
    random = np.random.default_rng(13)
    weights = {name: random.normal(0, 0.2, shape).astype(np.float32) for name, shape in SHAPES.items()}
    save_file(weights, folder / "weights.safetensors")
    ports = [{"name": "x", "shape": [None, 1, 28, 28], "dtype": "float32"}]
    reply = paddle_worker.call("materialise", phase="saving", folder=str(folder), native="paddle", inputs=ports)
    assert reply.value == {"path": "model.json", "files": ["model.json", "model.pdiparams"], "transposes": 0}
    return folder


Run = Callable[[ir.Model, dict[str, np.ndarray]], list[np.ndarray]]


@pytest.fixture(scope="session")
def onnxruntime() -> Run:
    return _onnxruntime


def _onnxruntime(model: ir.Model, arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The IR's outputs, graph optimisations off (they are wrong on a known pattern)."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    model = model.clone()
    model.graph.sort()
    content = ir.to_proto(model).SerializeToString()
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session.run(None, arrays)
