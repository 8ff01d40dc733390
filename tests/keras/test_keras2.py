"""Whole-model `.h5` as Keras 2 wrote it: other argument names, positions and spellings, read by the same cards."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from interlingua import pipeline
from interlingua.ir import metadata
from interlingua.proof import execute

RANDOM = np.random.default_rng(11)


def layer(kind: str, name: str, before: list[str], **config: Any) -> dict[str, Any]:
    nodes = [[[other, 0, 0, {}] for other in before]] if before else []
    return {
        "class_name": kind,
        "name": name,
        "config": {"name": name, "trainable": True, **config},
        "inbound_nodes": nodes,
    }


CONV = {
    "kernel_size": [3, 3],
    "strides": [1, 1],
    "padding": "same",
    "data_format": "channels_last",
    "dilation_rate": [1, 1],
    "activation": "linear",
    "use_bias": True,
    "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
    "bias_initializer": {"class_name": "Zeros", "config": {}},
    "dtype": "float32",
}
LAYERS: list[dict[str, Any]] = [
    layer("InputLayer", "input_1", [], batch_input_shape=[None, 6, 5, 3], dtype="float32", sparse=False, ragged=False),
    layer("Conv2D", "conv", ["input_1"], filters=4, groups=1, **CONV),
    layer("BatchNormalization", "bn", ["conv"], axis=[3], momentum=0.99, epsilon=0.001, center=True, scale=True),
    layer("LeakyReLU", "leaky", ["bn"], alpha=0.2),
    layer("DepthwiseConv2D", "depthwise", ["leaky"], depth_multiplier=1, **CONV),
    layer("Add", "sum", ["depthwise", "leaky"]),
    layer("GlobalAveragePooling2D", "mean", ["sum"], data_format="channels_last"),
    layer("Dense", "dense", ["mean"], units=3, activation="softmax", use_bias=True),
]
WEIGHTS: dict[str, dict[str, tuple[int, ...]]] = {
    "conv": {"kernel": (3, 3, 3, 4), "bias": (4,)},
    "bn": {"gamma": (4,), "beta": (4,), "moving_mean": (4,), "moving_variance": (4,)},
    "depthwise": {"depthwise_kernel": (3, 3, 4, 1), "bias": (4,)},
    "dense": {"kernel": (4, 3), "bias": (3,)},
}


@pytest.fixture
def keras2(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    arrays: dict[str, Any] = {}
    config = {
        "class_name": "Functional",
        "config": {
            "name": "old",
            "layers": LAYERS,
            "input_layers": [["input_1", 0, 0]],
            "output_layers": [["dense", 0, 0]],
        },
    }
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = "2.11.0", "tensorflow"
        file.attrs["model_config"] = json.dumps(config)
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = [row["name"].encode() for row in LAYERS]
        for row in LAYERS:
            name = row["name"]
            group, rows = root.create_group(name), WEIGHTS.get(name, {})
            group.attrs["weight_names"] = [f"{name}/{key}:0".encode() for key in rows]
            for key, shape in rows.items():
                drawn = RANDOM.normal(0, 0.5, shape).astype(np.float32)
                arrays[f"{name}/{key}"] = np.abs(drawn) + 0.5 if "variance" in key else drawn
                group[f"{name}/{key}:0"] = arrays[f"{name}/{key}"]
    return tmp_path / "old.h5", arrays


def _convolved(x: Any, kernel: Any, depthwise: bool) -> Any:
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    return (
        np.einsum("nhwcij,ijc->nhwc", windows, kernel[..., 0])
        if depthwise
        else np.einsum("nhwcij,ijco->nhwo", windows, kernel)
    )


def test_a_model_of_keras_2_computes_what_its_layers_say(keras2: tuple[Path, dict[str, Any]]) -> None:
    path, w = keras2
    source = pipeline.read(path, debug=True)
    assert source.runtime == ""  # Keras 3 cannot load it
    x = RANDOM.normal(0, 1, (2, 6, 5, 3)).astype(np.float32)
    (computed,) = execute.run_ir(source.model, {"input_1": x})
    y = _convolved(x, w["conv/kernel"], False) + w["conv/bias"]
    y = (y - w["bn/moving_mean"]) / np.sqrt(w["bn/moving_variance"] + 0.001) * w["bn/gamma"] + w["bn/beta"]
    y = np.where(y >= 0, y, 0.2 * y)
    y = (_convolved(y, w["depthwise/depthwise_kernel"], True) + w["depthwise/bias"] + y).mean((1, 2))
    y = np.exp(y @ w["dense/kernel"] + w["dense/bias"])
    np.testing.assert_allclose(computed, y / y.sum(-1, keepdims=True), rtol=0, atol=2e-6)
    names = {str(metadata.origin(value)) for value in source.model.graph.initializers.values()}
    assert {"bn/moving_mean", "dense/bias", "transpose(conv/kernel, 3, 2, 0, 1)"} <= names
