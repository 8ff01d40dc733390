"""The runtime script in its worker: versions, running, tracing, probing."""

from pathlib import Path

import numpy as np
import pytest

from interlingua.worker import Worker, WorkerRaised

X = np.random.default_rng(7).random((3, 1, 28, 28), np.float32)


def test_versions_name_paddle(paddle_worker: Worker) -> None:
    assert paddle_worker.versions()["paddle"] == "3.3.1"


def test_saved_program_and_module_agree_at_another_batch(paddle_worker: Worker, lenet: Path) -> None:
    module = paddle_worker.call("run", {"x": X}, phase="running", path=str(lenet), format="python")
    assert module.arrays["output"].shape == (3, 10)
    for path in (lenet, lenet / "model", lenet / "model.json"):
        saved = paddle_worker.call("run", {"x": X}, phase="running", path=str(path), format="paddle", outputs=["p"])
        assert saved.value == ["p"]
        np.testing.assert_allclose(saved.arrays["p"], module.arrays["output"], rtol=0, atol=1e-6)


def test_trace_names_operators_and_sublayers(paddle_worker: Worker, lenet: Path) -> None:
    program = paddle_worker.call("trace", {"x": X}, phase="tracing", path=str(lenet), format="paddle").arrays
    layers = paddle_worker.call("trace", {"x": X}, phase="tracing", path=str(lenet), format="python").arrays
    assert list(layers) == [
        "block1_conv1",
        "block1_pool1",
        "block2_conv1",
        "block2_pool1",
        "fc1",
        "before_softmax",
    ]
    pools = [value for name, value in program.items() if name.startswith("pool2d_")]
    np.testing.assert_allclose(pools[0], layers["block1_pool1"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(pools[1], layers["block2_pool1"], rtol=0, atol=1e-6)


def test_probe_calls_functions_and_layers(paddle_worker: Worker) -> None:
    reply = paddle_worker.call(
        "probe", {"x": X}, phase="probing", api="paddle.concat", args=[["$x", "$x"]], kwargs={"axis": 1}
    )
    np.testing.assert_array_equal(reply.arrays["output"], np.concatenate([X, X], 1))
    reply = paddle_worker.call(
        "probe",
        {"x": np.ones((2, 3), np.float32), "w": np.full((3, 2), 2.0, np.float32), "b": np.ones(2, np.float32)},
        phase="probing",
        api="paddle.nn.Linear",
        args=["$x"],
        kwargs={"in_features": 3, "out_features": 2},
        weights={"weight": "w", "bias": "b"},
    )
    np.testing.assert_array_equal(reply.arrays["output"], np.full((2, 2), 7.0))


def test_a_missing_weight_is_not_passed_over(paddle_worker: Worker) -> None:
    with pytest.raises(WorkerRaised, match="bias"):
        paddle_worker.call(
            "probe",
            {"x": np.ones((2, 3), np.float32), "w": np.ones((3, 2), np.float32)},
            phase="probing",
            api="paddle.nn.Linear",
            args=["$x"],
            kwargs={"in_features": 3, "out_features": 2},
            weights={"weight": "w"},
        )
