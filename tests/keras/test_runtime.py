"""The Keras runtime in its worker: running, tracing and probing."""

from pathlib import Path

import numpy as np

from interlingua.worker import Worker

RANDOM = np.random.default_rng(7)


def test_versions_name_keras(keras_worker: Worker) -> None:
    assert keras_worker.versions().keys() == {"python", "keras", "tensorflow", "numpy"}


def test_both_files_of_a_model_run_alike(keras_worker: Worker, saved: Path) -> None:
    image = RANDOM.random((3, 28, 28, 1), np.float32)
    found = {}
    for file, form in (("lenet.keras", "keras"), ("lenet.h5", "keras-h5")):
        reply = keras_worker.call("run", {"image": image}, phase="running", path=str(saved / file), format=form)
        assert reply.value == ["predictions"]
        found[form] = reply.arrays["predictions"]
    assert found["keras"].shape == (3, 10) and found["keras"].std() > 1e-3
    np.testing.assert_array_equal(found["keras"], found["keras-h5"])


def test_inputs_and_outputs_by_name(keras_worker: Worker, saved: Path) -> None:
    a, b = RANDOM.random((2, 2, 8, 8, 3), np.float32)
    path = str(saved / "several.keras")
    reply = keras_worker.call("run", {"b": b, "a": a}, phase="running", path=path, format="keras")
    swapped = keras_worker.call("run", {"a": b, "b": a}, phase="running", path=path, format="keras")
    assert reply.value == ["o", "w"] and reply.arrays["w"].shape == (2, 4, 8, 8)
    assert np.abs(reply.arrays["o"] - swapped.arrays["o"]).max() > 1e-3


def test_trace_reaches_into_inner_models(keras_worker: Worker, saved: Path) -> None:
    a, b = RANDOM.random((2, 2, 8, 8, 3), np.float32)
    path = str(saved / "several.keras")
    reply = keras_worker.call("trace", {"a": a, "b": b}, phase="tracing", path=path, format="keras")
    assert {"shared", "shared#2", "inner/mix", "inner/normal", "joined", "relu", "head/dense"} <= set(reply.arrays)
    assert reply.arrays["inner/mix"].shape == (2, 8, 8, 4)
    one = keras_worker.call("trace", {"a": a, "b": b}, phase="tracing", path=path, format="keras", names=["total"])
    assert one.value == ["total"]


def test_probe_calls_layers_and_functions(keras_worker: Worker) -> None:
    x = RANDOM.random((2, 3), np.float32)
    arrays = {"x": x, "w": np.full((3, 2), 2, np.float32), "b": np.ones(2, np.float32)}
    dense = keras_worker.call(
        "probe",
        arrays,
        phase="probing",
        api="keras.layers.Dense",
        args=["$x"],
        kwargs={"units": 2},
        weights={"kernel": "w", "bias": "b"},
    )
    np.testing.assert_allclose(dense.arrays["output"], x @ arrays["w"] + 1, rtol=1e-6)
    joined = keras_worker.call(
        "probe", arrays, phase="probing", api="keras.ops.concatenate", args=[["$x", "$x"]], kwargs={"axis": 1}
    )
    np.testing.assert_array_equal(joined.arrays["output"], np.concatenate([x, x], 1))
